"""The agent sessions: starts them in tmux, adopts them after a restart, watches them, ends them.

What a session is allowed to become is decided in ``core.session``; this file joins it with tmux, the runtimes and the
store. It never deletes what it does not know: a pane of another life stays, and is named in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import clawmux
from clawmux.adapters.panes import Pane
from clawmux.adapters.runtimes import manifest
from clawmux.adapters.runtimes.launch import Facts, prepare
from clawmux.adapters.runtimes.manifest import Runtime
from clawmux.adapters.tmux import Tmux
from clawmux.core.message import EVERYBODY, USER
from clawmux.core.session import Session, idle_deadline
from clawmux.hub.journal import Journal
from clawmux.hub.roster import Roster
from clawmux.hub.runtimes import Runtimes
from clawmux.paths import Paths, make_private
from clawmux.settings import Settings
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.voices import VOICES, free_id, name_of, next_voice
from clawmux.wire.words import SessionState

log = logging.getLogger(__name__)

# One control-mode command of 0.04 ms (0.2 ms with 200 sessions): cheaper than any notification tmux 3.3a offers.
WATCH_SECONDS = 0.5
# An agent that shows no prompt and makes no call in this time is up as far as anybody can tell.
STARTING_SECONDS = 60.0
# The wall clock may run ahead of the steady one by this much before we say that the machine slept or its clock was set.
CLOCK_JUMP_SECONDS = 30.0
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
RESERVED_NAMES = {USER: "you, in every message", EVERYBODY: "every agent, where a message is sent to it"}
"""Whoever had such a name would be taken for somebody else."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks a new session to be; None = we choose."""

    voice: str | None = None
    runtime: str | None = None
    dir: str | None = None
    name: str | None = None


class Agents(Roster):
    def __init__(self, paths: Paths, settings: Callable[[], Settings], journal: Journal, tmux: Tmux) -> None:
        super().__init__(journal)
        self._paths = paths
        self._settings = settings
        self._tmux = tmux
        self.runtimes = Runtimes(paths.user_runtimes)
        self._spawning = asyncio.Lock()
        self._spawns: set[asyncio.Task[Session]] = set()
        self._leftovers: set[str] = set()
        """Ended sessions whose pane may still live: tmux did not answer, or was about to start it."""
        self._unclear: set[str] = set()
        """Those whose program has ended, and tmux does not know yet how."""
        self._looked_at = time.time(), time.monotonic()
        self.on_panes: Callable[[dict[str, Pane]], None] = lambda panes: None
        """What tmux tells at every look; ended ones are still in it."""
        self.on_unseen: Callable[[str], None] = lambda reason: None
        """tmux does not answer, for this reason."""

    def runtime_of(self, session: Session) -> Runtime | None:
        return self.runtimes.get(session.runtime)

    # -- life --

    async def adopt(self) -> None:
        """After a start of the hub: which of the stored sessions still live in tmux?"""
        self.runtimes.read()
        stored = self.stored()
        panes = {pane.session_id: pane for pane in await self._tmux.panes()}
        for session in stored:
            if session.state is SessionState.DEAD:
                continue
            self._sessions[session.id] = session
            pane = panes.get(session.id)
            if pane is None or pane.dead or (session.pid and pane.pid != session.pid):
                self._end(session, "It ended while the hub was away.")
            else:
                # Nobody could be active while the hub was away: that is no idleness.
                self._put(replace(session, pane_id=pane.pane_id, pid=pane.pid).seen(time.time()))
        for unknown in set(panes) - set(self._sessions):
            log.warning("tmux holds a session %r that this hub does not know; left alone", unknown)
        self._journal.flush()

    async def spawn(self, order: Order) -> Session:
        """Start an agent. Raises before anything is started when the order cannot be met.

        One that was begun is carried through, also when the caller has gone: half a start would leave a pane to nobody.
        """
        task = asyncio.create_task(self._spawn_alone(order), name="spawn")
        self._spawns.add(task)
        task.add_done_callback(self._spawns.discard)
        return await asyncio.shield(task)

    async def _spawn_alone(self, order: Order) -> Session:
        async with self._spawning:
            return await self._spawn(order)

    async def _spawn(self, order: Order) -> Session:
        runtime = self.runtimes.usable(order.runtime or self._settings().agents_runtime)
        directory = _directory(order.dir) if order.dir else make_private(self._paths.workspace)
        # What lives in tmux without us has its id taken too, or it would be in the way of every new agent.
        held = {pane.session_id for pane in await self._tmux.panes()}
        session = self._new_session(order, runtime.name, directory, held)
        self._put(session)
        try:
            pane = await self._start(session, runtime, directory)
        except BaseException as error:
            self._leftovers.add(session.id)
            self._end(self._sessions[session.id], getattr(error, "text", "It could not be started."))
            self._journal.flush()
            raise
        started = replace(self._sessions[session.id], pane_id=pane.pane_id, pid=pane.pid)
        self._put(started)
        self._journal.flush()
        if started.state is SessionState.DEAD:
            await self._end_pane(started.id, pane)
            raise ClawMuxError("conflict", f"{session.name} was ended while it was starting.", "Start it again.")
        return started

    async def _start(self, session: Session, runtime: Runtime, directory: Path) -> Pane:
        # Stored first: a hub that is killed from here on finds the agent again.
        if (stored := self._journal.flush()) is not None:
            await stored
        folder = make_private(make_private(self._paths.sessions) / session.id)
        launch = prepare(
            runtime,
            Facts(
                session_id=session.id,
                name=session.name,
                voice=session.voice,
                directory=directory,
                folder=folder,
                socket=self._paths.hub_socket,
                interpreter=Path(sys.executable),
                package_root=Path(clawmux.__file__).parent.parent,
                is_root=os.geteuid() == 0,
                skip_permissions=self._settings().agents_skip_permissions,
            ),
        )
        return await self._tmux.spawn(session.id, launch.argv, directory, launch.environ)

    async def kill(self, session_id: str, reason: str) -> None:
        """End a session and everything its pane started."""
        session = self.get(session_id)
        self._end(session, reason)
        self._journal.flush()
        self._leftovers.add(session_id)
        if pane := await self._pane(session):
            await self._end_pane(session_id, pane)

    async def watch(self) -> None:
        """See what became of the panes, for ever. A tmux that does not answer is waited for, not mistaken for death."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not self.living and not self._leftovers:
                continue
            try:
                await self.look()
            except ClawMuxError as error:
                log.warning("watching the agents: %s", error.text)
                self.on_unseen(error.text)
            except Exception:
                # Whatever it was, the next look is for all the others.
                log.exception("watching the agents failed")

    async def look(self) -> None:
        """One look at every pane: ended, come up, or idle for too long."""
        # One that starts meanwhile is not in a list that was made before it.
        asked_of = {session.pane_id for session in self.living}
        runtimes = map(self.runtimes.get, {session.runtime for session in self.living})
        has_shells = any(runtime.foreground for runtime in runtimes if runtime is not None)
        panes = {pane.session_id: pane for pane in await self._tmux.panes(with_commands=has_shells)}
        now = time.time()
        self._forgive_a_jump(now)
        self.on_panes(panes)
        for session_id in [s.id for s in self.living]:
            # Anew each time: what is awaited below lets others end and change sessions.
            session, pane = self._sessions[session_id], panes.get(session_id)
            if session.state is SessionState.DEAD or not session.pane_id or session.pane_id not in asked_of:
                continue
            if pane and pane.pane_id != session.pane_id:
                continue
            if pane is not None and pane.dead and pane.exit_status is None and session_id not in self._unclear:
                self._unclear.add(session_id)  # tmux knows how it ended by the next look
            elif pane is None or pane.dead:
                self._unclear.discard(session_id)
                self._end(session, _how_it_ended(pane))
                self._journal.flush()
                if pane is not None:
                    await self._tmux.kill(pane)
            else:
                self._sessions[session_id] = session.seen(pane.last_output)
                await self._attend(self._sessions[session_id], now)
        self._journal.flush()
        await self._clear_leftovers(panes)

    def tmux_lost(self) -> None:
        """The tmux server is gone, and every agent with it."""
        for session in self.living:
            self._end(session, "The tmux server ended, and the agent with it.")
        self._journal.flush()

    # -- changes --

    def set_voice(self, session_id: str, voice: str) -> Session:
        session = replace(self.get(session_id), voice=_voice(voice))
        self._put(session)
        self._journal.flush()
        return session

    # -- inside --

    def _new_session(self, order: Order, runtime: str, directory: Path, held: set[str]) -> Session:
        living = self.living
        if order.name is not None and not _NAME.fullmatch(order.name):
            raise ClawMuxError("usage", f"field 'name' is {order.name!r}; expected up to 32 small letters, digits and hyphens.")
        if order.name in RESERVED_NAMES:
            meant = RESERVED_NAMES[order.name]
            raise ClawMuxError("usage", f"field 'name': {order.name!r} means {meant}.", "Choose another name.")
        ids, names = {s.id for s in living} | held, {s.name for s in living}
        if order.name in names:
            raise ClawMuxError("conflict", f"field 'name': a session {order.name!r} lives already.", "Choose another name.")
        voice = _voice(order.voice) if order.voice else next_voice(ids | {s.voice for s in living}, self._settings().agents_voice)
        session_id = free_id(voice, ids)
        name = order.name or _free_name(name_of(session_id), names)
        now = time.time()
        return Session(
            id=session_id,
            name=name,
            voice=voice,
            runtime=runtime,
            directory=str(directory),
            created=now,
            first_n=self._journal.next_n,
            last_active=now,
        )

    async def _end_pane(self, session_id: str, pane: Pane) -> None:
        await self._tmux.kill(pane)
        self._leftovers.discard(session_id)

    async def _clear_leftovers(self, panes: dict[str, Pane]) -> None:
        """End the panes of sessions that have ended here; one that is not there any more is forgotten."""
        for session_id in list(self._leftovers):
            if self._sessions[session_id].state is not SessionState.DEAD or session_id not in panes:
                self._leftovers.discard(session_id)
            else:
                await self._end_pane(session_id, panes[session_id])

    def _forgive_a_jump(self, now: float) -> None:
        """A machine that slept, or a clock that was set, has made nobody idle."""
        (before, steady_before), steady = self._looked_at, time.monotonic()
        self._looked_at = now, steady
        if now - before - (steady - steady_before) > CLOCK_JUMP_SECONDS:
            self._sessions.update({session.id: session.seen(now) for session in self.living})

    async def _pane(self, session: Session) -> Pane | None:
        return next((p for p in await self._tmux.panes() if p.pane_id == session.pane_id), None)

    async def _attend(self, session: Session, now: float) -> None:
        if session.state is SessionState.STARTING:
            await self._come_up(session, now)
        else:
            await self._end_idle(session, now)

    async def _come_up(self, session: Session, now: float) -> None:
        runtime = self.runtime_of(session)
        if runtime is None or runtime.ready == manifest.FIRST_CONTACT:
            if not 0 <= now - session.created <= STARTING_SECONDS:  # below: the clock was set back
                self._put(self._sessions[session.id].moved(SessionState.READY))
            return
        screen = await self._tmux.capture(session.pane_id)
        session = self._sessions[session.id]
        if session.state is not SessionState.STARTING:
            return
        if re.search(runtime.ready, screen, re.MULTILINE):
            self._put(session.moved(SessionState.READY))
        elif (reason := manifest.needs_user(runtime, screen, session.name) or "") != session.reason:
            self._put(replace(session, reason=reason))

    async def _end_idle(self, session: Session, now: float) -> None:
        minutes = self._settings().agents_idle_minutes
        deadline = idle_deadline(session, self._stages.get(session.id), minutes)
        if deadline is not None and now >= deadline:
            await self.kill(session.id, f"It was idle for {minutes:g} minutes.")


def _directory(text: str) -> Path:
    with contextlib.suppress(OSError, RuntimeError):  # a name too long, "~" of nobody
        directory = Path(text).expanduser()
        if directory.is_absolute() and directory.is_dir():
            return directory
    raise ClawMuxError("usage", f"field 'dir' is {text!r:.200}; expected the full path of an existing folder.")


def _voice(voice: str) -> str:
    """A voice by id or by name."""
    if voice in VOICES:
        return voice
    if named := next((v.id for v in VOICES.values() if v.name == voice), None):
        return named
    raise ClawMuxError(
        "not_found", f"field 'voice': there is no voice {voice!r}.", "The page lists all 54 where an agent is started."
    )


def _free_name(name: str, taken: set[str]) -> str:
    return name if name not in taken else next(f"{name}-{n}" for n in range(2, 1000) if f"{name}-{n}" not in taken)


def _how_it_ended(pane: Pane | None) -> str:
    if pane is None or pane.exit_status in (0, None):
        return "Its program ended."
    if pane.exit_status < 0:
        return f"Its program was ended by signal {-pane.exit_status}."
    return f"Its program ended with exit status {pane.exit_status}."
