"""The private tmux server in which every agent has a session of its own. Decides nothing about agents.

One control-mode client carries all commands; a pane is addressed only by its %id. Names are never targets of a later command:
to tmux, ``sky`` also means ``sky-2``. Two faults of tmux 3.3a end the whole server and are kept away from here:
a paste into a dead pane (every paste stands inside an if-shell that asks for it), and respawn-pane beside a slow control
client (never used, and our client asks for no output).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import signal
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from clawmux.adapters import processes
from clawmux.adapters.control import ControlClient, Ended, Refused, not_answering, quote
from clawmux.adapters.injection import Found, Keyboard, inject, look_for
from clawmux.adapters.keys import paste, press, type_keys
from clawmux.adapters.panes import BETWEEN, FORMAT, FORMAT_WITH_COMMAND, Pane, read_pane
from clawmux.adapters.screen import InputRules
from clawmux.adapters.terminal import Viewer, Window, earlier_lines, window_of
from clawmux.adapters.tmux_server import KEEPER, OPTIONS, find_tmux, own_scope, server_environment
from clawmux.wire.errors import ClawMuxError

# tmux gives a program of several words to execvp(3) as it is; sh only changes the folder and hands on.
# Without TMUX an agent's own `tmux kill-server` cannot reach the server that it lives in.
_START = 'cd -- "$1" && shift && unset TMUX TMUX_PANE && exec "$@"'

# 50 screens of some kilobytes each are one answer; between two of them others get their turn.
MOST_CAPTURES = 50

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Tmux:
    """Async context manager: entering starts or adopts the server, leaving lets it and the agents live."""

    def __init__(self, socket: Path, program: str = "tmux", timeout: float = 3.0, agents_umask: int = -1) -> None:
        """``agents_umask``: what the agents' files are made with when this starts the server; -1 = our own, which a hub that
        keeps its files to itself does not want for the user's projects."""
        self.on_lost: Callable[[], None] | None = None
        self._socket = socket
        self._program = program
        self._timeout = timeout
        self._agents_umask = agents_umask
        self._environ = server_environment(os.environ)
        self._client: ControlClient | None = None
        self._connecting = asyncio.Lock()
        self._reconnecting: asyncio.Task[None] | None = None
        self._closed = False
        self._keyboards: dict[str, Keyboard] = {}

    async def __aenter__(self) -> Self:
        await self._connect(start=True)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closed = True
        if self._reconnecting is not None:
            await self._reconnecting
        if self._client is not None:
            await self._client.close()

    async def spawn(self, session_id: str, argv: Sequence[str], directory: Path, environ: Mapping[str, str]) -> Pane:
        """A new tmux session whose only process is argv, byte for byte. No tmux process has any of it in its argv."""
        _check_spawn(session_id, argv, directory, environ)
        await self._connect(start=True)
        if any(pane.session_id == session_id for pane in await self.panes()):
            raise _already(session_id)
        name = _session_name(session_id)
        environ = {"CLAWMUX_SESSION_ID": session_id, **environ}
        words = [
            *("new-session", "-d", "-P", "-F", "#{pane_id}", "-s", name),
            *(word for item in environ.items() for word in ("-e", "=".join(item))),
            *("--", "/bin/sh", "-c", _START, "clawmux", os.fspath(directory), *argv),
        ]
        marks = [
            ("set-option", "-t", f"={name}:", "@clawmux_id", session_id),
            ("set-option", "-F", "-t", f"={name}:", "@clawmux_pane", "#{pane_id}"),
        ]
        try:
            answer = await self.command(words, *marks)
        except Refused as error:
            raise _already(session_id) if "duplicate session" in str(error) else _failed(error) from None
        started = next((pane for pane in await self.panes() if pane.pane_id == answer[0]), None)
        if started is None:
            raise ServerGone  # ended agents keep their panes; this one went with its server
        return started

    async def panes(self, with_commands: bool = False) -> list[Pane]:
        """The agents' panes: one for each session that we have marked, whatever its user has split off beside it.

        ``with_commands``: also what runs in each. tmux reads that from the process table, and with hundreds of panes answers
        nobody else for twice as long."""
        try:
            lines = await self.command(["list-panes", "-a", "-F", FORMAT_WITH_COMMAND if with_commands else FORMAT])
        except ServerGone:
            return []
        except Refused as error:
            raise _failed(error) from None
        panes = [pane for line in lines if (pane := read_pane(line))]
        if any(pane.dead and pane.exit_status is None for pane in panes):
            # tmux 3.3a can miss the end of a child until another one ends, so give it one: the next look has the status.
            await self.command(["run-shell", "-b", ":"])
        return panes

    async def capture(self, pane_id: str) -> str:
        """The visible screen as text, without colours."""
        with _named(pane_id):
            return "\n".join(await self.command(["capture-pane", "-p", "-t", _checked(pane_id)]))

    async def captures(self, pane_ids: Sequence[str]) -> dict[str, str]:
        """The same of many panes in one command list; one that is gone meanwhile is left out."""
        screens: dict[str, str] = {}
        for group in (pane_ids[n : n + MOST_CAPTURES] for n in range(0, len(pane_ids), MOST_CAPTURES)):
            try:
                screens.update(await self._captures(group))
            except Refused:
                for pane_id in group:
                    with contextlib.suppress(Refused):
                        screens.update(await self._captures([pane_id]))
        return screens

    async def _captures(self, pane_ids: Sequence[str]) -> dict[str, str]:
        mark = secrets.token_hex(8)
        commands: list[Sequence[str]] = []
        for pane_id in map(_checked, pane_ids):
            commands += [("display-message", "-p", f"{mark} {pane_id}"), ("capture-pane", "-p", "-t", pane_id)]
        screens: dict[str, list[str]] = {}
        for line in await self.command(*commands):
            if line.startswith(mark):
                screens[line.removeprefix(mark).strip()] = lines = []
            else:
                lines.append(line)
        return {pane_id: "\n".join(lines) for pane_id, lines in screens.items()}

    async def press(self, pane_id: str, keys: str, presses: int = 1) -> None:
        """Type these characters so many times, each apart from what comes before; also while somebody scrolls in the pane."""
        keyboard = self._keyboards.setdefault(_checked(pane_id), Keyboard())
        async with keyboard.lock:
            with _named(pane_id):
                await press(self, pane_id, keys, presses)

    async def type_keys(self, pane_id: str, keys: str) -> None:
        """What somebody types at a terminal; never into the middle of a text of ours."""
        keyboard = self._keyboards.setdefault(_checked(pane_id), Keyboard())
        async with keyboard.lock:
            with _named(pane_id):
                await type_keys(self, pane_id, keys)

    async def paste(self, pane_id: str, text: str) -> None:
        """The same of a text that somebody pastes."""
        keyboard = self._keyboards.setdefault(_checked(pane_id), Keyboard())
        async with keyboard.lock:
            with _named(pane_id):
                await paste(self, pane_id, text)

    async def window(self, pane_id: str) -> Window:
        """The window that the pane's session shows, as large as it is now."""
        with _named(_checked(pane_id)):
            return await window_of(self, pane_id)

    async def earlier_lines(self, pane_id: str, count: int) -> list[str]:
        """What has gone off the top of the pane, up to so many lines."""
        with _named(_checked(pane_id)):
            return await earlier_lines(self, pane_id, count)

    def viewer(self, on_output: Callable[[bytes], None], on_end: Callable[[], None]) -> Viewer:
        """Somebody who looks at a window and changes nothing; not opened yet."""
        return Viewer(self._base(), self._environ, on_output, on_end)

    async def inject(
        self, pane_id: str, text: str, rules: InputRules, over_scrolling: bool = False, is_new: bool = False
    ) -> frozenset[str]:
        """Type a message or a batch into the agent's input box, one at a time a pane; ``injection.Held`` says why not now.

        Answers the ids of those that stand on the screen as sent: its program has them."""
        keyboard = self._keyboards.setdefault(_checked(pane_id), Keyboard())
        async with keyboard.lock:
            with _named(pane_id):
                return await inject(self, pane_id, text, rules, keyboard, over_scrolling, is_new)

    def has_unfinished(self, pane_id: str) -> bool:
        """Whether a text of ours may stand in its input box half typed, or not sent."""
        keyboard = self._keyboards.get(pane_id)
        return keyboard is not None and bool(keyboard.unfinished)

    def has_left(self, pane_id: str, lines: Iterable[str]) -> None:
        """These texts of ours may stand there, from a hub that has ended: they are taken back when something is typed."""
        self._keyboards.setdefault(_checked(pane_id), Keyboard()).unfinished += lines

    async def look_for(self, pane_id: str, ids: Collection[str], rules: InputRules) -> dict[str, Found]:
        """Where messages that may have been typed stand in the pane."""
        with _named(_checked(pane_id)):
            return await look_for(self, pane_id, ids, rules)

    async def kill(self, pane: Pane) -> None:
        """End all processes of the agent, then its tmux session. Quiet when they are gone already."""
        listed = [p for p in await self.panes() if (p.pane_id, p.pid, p.session_id) == (pane.pane_id, pane.pid, pane.session_id)]
        # Once tmux does not know the pane any more its pid may be a stranger's: then the environment has to name our session.
        claim = None if listed else pane.session_id
        await asyncio.to_thread(processes.end_session, pane.pid, listed[0].dead if listed else False, claim)
        if listed:
            self._keyboards.pop(pane.pane_id, None)
            with contextlib.suppress(Refused, ServerGone):
                await self.command(["kill-session", "-t", pane.pane_id])

    async def command(self, *commands: Sequence[str]) -> list[str]:
        """What the commands print, run as one list: the first that fails ends it. Raises Refused, ServerGone or a time-out."""
        line = b" ; ".join(b" ".join(quote(word) for word in command) for command in commands)
        return await self._request(line)

    async def _request(self, line: bytes) -> list[str]:
        client = await self._connect(start=False)
        if client is None:
            return await self._one_shot(line)
        try:
            return await client.request(line)
        except Ended:
            raise ServerGone from None

    async def _connect(self, start: bool) -> ControlClient | None:
        """The living control client, a new one when need be; None when the server lives but takes no control client."""
        async with self._connecting:
            if self._client is not None and self._client.is_alive:
                return self._client
            # Twice: between making the keeper and attaching to it somebody may have ended it again.
            return await self._attach(start) or await self._attach(start)

    async def _attach(self, start: bool) -> ControlClient | None:
        if self._client is not None:
            await self._client.close()
        await self._start_server(start)
        client = ControlClient(
            [*self._base(), "-N", "-C", "attach-session", "-f", "no-output,ignore-size", "-t", f"={KEEPER}"],
            self._environ, self._timeout, self._ended,
        )  # fmt: skip
        try:
            await client.open()
        except Ended:
            return None
        self._client = client
        await _end_stranded(client)
        return client

    def _ended(self) -> None:
        if not self._closed:
            self._reconnecting = asyncio.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        """Once: the client may have been detached by somebody. When the server is gone, say so."""
        try:
            await self._connect(start=False)
        except (ServerGone, ClawMuxError):
            if self.on_lost is not None and not self._closed:
                self.on_lost()

    async def _start_server(self, start: bool) -> None:
        """Make sure of the server, its options and the keeper. Adopting goes the same way and changes nothing."""
        program = find_tmux(self._program)
        words = [*self._base(program), *([] if start else ["-N"]), "-f", os.devnull, "start-server"]
        for scope, option, value in OPTIONS:
            words += [";", "set-option", "-q", scope, option, value]
        words += [";", "new-session", "-d", "-s", KEEPER, "env", "cat"]
        scope_words = own_scope(os.environ, os.getpid()) if start else []
        status, text = await self._run([*scope_words, *words])
        if status != 0 and scope_words and "duplicate session" not in text:
            status, text = await self._run(words)  # no manager of ours to be reached, or one that knows less
        if status != 0 and "duplicate session" not in text:
            if start:
                raise ClawMuxError("internal", f"tmux does not start: {text.strip()}.", f"Try: {program} -S {self._socket} ls")
            raise ServerGone

    async def _one_shot(self, line: bytes) -> list[str]:
        """The same command line by a process of its own, read from stdin so that its argv says nothing."""
        status, text = await self._run([*self._base(), "-N", "source-file", "-"], line + b"\n")
        if status != 0:
            raise ServerGone if "no server" in text or "error connecting" in text else Refused(text.strip())
        return text.splitlines()

    async def _run(self, argv: Sequence[str], data: bytes = b"") -> tuple[int, str]:
        """Files and no pipes: a stopped server keeps its client's pipes open, and waiting for their end would have none."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answer:
            given.write(data)
            given.seek(0)
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=given,
                stdout=answer,
                stderr=answer,
                env=self._environ,
                cwd="/",  # the server must not hold the folder that the hub was started in
                start_new_session=True,
                umask=self._agents_umask,
            )
            try:
                await asyncio.wait_for(process.wait(), self._timeout)
            except TimeoutError:
                process.kill()
                await process.wait()
                raise not_answering(self._timeout) from None
            answer.seek(0)
            return process.returncode or 0, answer.read().decode(errors="replace")

    def _base(self, program: str = "") -> list[str]:
        # -u: without it the answers have _ for every character beyond ASCII when the hub's locale is C.
        return [program or self._program, "-u", "-S", os.fspath(self._socket)]


class ServerGone(ClawMuxError):
    """No tmux server on our socket: no agent lives any more."""

    def __init__(self) -> None:
        super().__init__("not_found", "the tmux server of the agents is gone.", "Start an agent; it starts with it.")


async def _end_stranded(client: ControlClient) -> None:
    """A hub that was ended by force can leave its client behind: tmux 3.3a waits for ever for somebody to read its output."""
    line = b" ".join(quote(word) for word in ("list-clients", "-t", f"={KEEPER}", "-F", "#{client_pid}"))
    with contextlib.suppress(Refused, Ended, ClawMuxError):  # the next attach will do it
        for pid in await client.request(line):
            if processes.is_orphan(int(pid)):
                with contextlib.suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)


def _session_name(session_id: str) -> str:
    """A tmux name without characters that mean something in a target; odd ids get a hash so that they stay apart."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", session_id)
    if plain == session_id and len(plain) <= 64:
        return f"clawmux-{plain}"
    return f"clawmux-{plain[:48]}-{hashlib.sha256(session_id.encode()).hexdigest()[:8]}"


def _check_spawn(session_id: str, argv: Sequence[str], directory: Path, environ: Mapping[str, str]) -> None:
    if not session_id or len(session_id) > 200 or not session_id.isprintable() or BETWEEN in session_id:
        raise ClawMuxError("usage", f"session id {session_id!r} is not 1 to 200 printable characters.", "Choose a plainer name.")
    if not argv or not argv[0]:
        raise ClawMuxError("usage", "the agent's command is empty.", "Name a program in its manifest.")
    if not directory.is_absolute() or not directory.is_dir():
        raise ClawMuxError("not_found", f"{directory} is not a folder with an absolute path.", "Name an existing folder.")
    if bad := [name for name in environ if not _ENVIRONMENT_NAME.fullmatch(name)]:
        raise ClawMuxError("usage", f"environment variable name {bad[0]!r} is not letters, digits and _.", "Rename it.")
    if any("\0" in word for word in (*argv, *environ.values())):
        raise ClawMuxError("usage", "a NUL character cannot be passed to a program.", "Remove it from command and environment.")


def _checked(pane_id: str) -> str:
    if not re.fullmatch(r"%\d+", pane_id):
        raise ClawMuxError("usage", f"{pane_id!r} is not a pane id such as %3.", "")
    return pane_id


@contextlib.contextmanager
def _named(pane_id: str) -> Iterator[None]:
    try:
        yield
    except Refused as error:
        raise _failed(error, pane_id) from None


def _failed(error: Refused, pane_id: str = "") -> ClawMuxError:
    if "can't find" in str(error):
        return ClawMuxError("not_found", f"pane {pane_id} is gone.", "See `clawmux status --all` for the agents that live.")
    return ClawMuxError("internal", f"tmux refused a command: {error}.", "")


def _already(session_id: str) -> ClawMuxError:
    return ClawMuxError("conflict", f"an agent {session_id} is there already.", f"End it first: clawmux kill {session_id}")
