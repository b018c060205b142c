"""One tmux client in control mode: command lines go in, their output comes back in order. Knows no panes and starts no server.

tmux answers every command of a line with its own %begin…%end block, and commands run by if-shell add blocks of their own.
So the end of an answer is not counted but marked: each request is followed by a display-message that prints a random mark.
A request that timed out keeps its place in the row, so a late answer can never be taken for the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import signal
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from clawmux.wire.errors import ClawMuxError

# A full screen of 4-byte characters is some 100 KB on one joined line; a longer line than this is not from tmux.
LINE_LIMIT_BYTES = 8 * 1024 * 1024
# With so many unanswered requests the server is stuck; more would only pile up in its pipe.
MOST_UNANSWERED = 100

# The second was always enough.
MOST_TRIES_TO_ATTACH = 20

_GUARD = re.compile(rb"%(begin|end|error) (\d+ \d+ \d+)")


class Ended(Exception):
    """The control client is gone, so the command may or may not have been carried out."""


class Refused(Exception):
    """tmux answered with an error; the text is its own."""


def quote(text: str) -> bytes:
    """One word of a tmux command line that stands for exactly these bytes (tmux(1), PARSING SYNTAX)."""
    return b'"' + _SPECIAL.sub(lambda found: b"\\%03o" % found[0][0], os.fsencode(text)) + b'"'


# An octal escape for whatever the parser, or the reading of lines, gives a meaning to; it takes the byte 255 for the end of file.
_SPECIAL = re.compile(rb'[\x00-\x1f"\\$~#\x7f\xff]')


@dataclass(slots=True)
class _Request:
    mark: bytes
    answer: asyncio.Future[list[str]]
    lines: list[bytes] = field(default_factory=list)
    error: str | None = None


class Blocks:
    """Pure: lines of a control client in, finished (is_error, lines) blocks out; notifications between blocks are dropped."""

    def __init__(self) -> None:
        self._open: bytes | None = None
        self._lines: list[bytes] = []

    def receive_line(self, line: bytes) -> tuple[bool, list[bytes]] | None:
        guard = _GUARD.fullmatch(line) if line.startswith(b"%") else None
        if self._open is None:
            if guard and guard[1] == b"begin":
                self._open, self._lines = guard[2], []
            return None
        # What a pane shows may look like a guard; only the number of this block closes it.
        if guard and guard[1] != b"begin" and guard[2] == self._open:
            self._open = None
            return guard[1] == b"error", self._lines
        self._lines.append(line)
        return None


class ControlClient(asyncio.SubprocessProtocol):
    """``on_end`` is called once when the client ends by itself, never after ``close``.

    A protocol and not asyncio's streams: tmux hands its client's pipes on to the server, so with a stopped server they never
    end, and a stream could not be closed before its end.
    """

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], timeout: float, on_end: Callable[[], None]) -> None:
        self._argv = argv
        self._environ = environ
        self._timeout = timeout
        self._on_end = on_end
        self._requests: deque[_Request] = deque()
        self._blocks = Blocks()
        self._rest = b""
        self._transport: asyncio.SubprocessTransport | None = None
        self._ended = False
        self._exited = asyncio.Event()

    @property
    def is_alive(self) -> bool:
        return self._transport is not None and not self._ended

    async def open(self) -> None:
        """Raises ``Ended`` when there is nothing to attach to, ``timeout`` when the server does not answer."""
        await asyncio.get_running_loop().subprocess_exec(
            lambda: self,
            *self._argv,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(self._environ),
            start_new_session=True,  # Ctrl-C in the hub's terminal is not for this process
        )
        on_end, self._on_end = self._on_end, _nothing
        try:
            await self._attached()
        except BaseException:
            await self.close()
            raise
        self._on_end = on_end

    async def _attached(self) -> None:
        """tmux may read our first line before it has carried out the attach; this command is refused until then."""
        for _ in range(MOST_TRIES_TO_ATTACH):
            try:
                await self.request(b"refresh-client")
                return
            except Refused:
                continue
        raise Ended

    async def close(self) -> None:
        """Ends the process too, if it is still there."""
        self._on_end = _nothing
        self._end()
        if self._transport is not None and self._transport.get_returncode() is None:
            # Not the transport's own kill: that looks for the exit status first, and asyncio would miss it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._transport.get_pid(), signal.SIGKILL)
            await self._exited.wait()

    async def request(self, line: bytes) -> list[str]:
        """The lines that the commands of this line print. Raises Refused, Ended, or ClawMuxError("timeout")."""
        pipe = self._transport.get_pipe_transport(0) if self._transport is not None else None
        if self._ended or not isinstance(pipe, asyncio.WriteTransport):
            raise Ended
        if len(self._requests) >= MOST_UNANSWERED:
            raise not_answering(self._timeout)
        request = _Request(secrets.token_hex(8).encode(), asyncio.get_running_loop().create_future())
        self._requests.append(request)
        pipe.write(line + b"\ndisplay-message -p " + request.mark + b"\n")
        try:
            async with asyncio.timeout(self._timeout):
                return await request.answer
        except TimeoutError:
            raise not_answering(self._timeout) from None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if block := self._blocks.receive_line(line):
                self._take(*block)
        if len(self._rest) > LINE_LIMIT_BYTES:
            self._end()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._end()

    def process_exited(self) -> None:
        self._end()
        self._exited.set()
        if self._transport is not None:
            self._transport.close()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        for request in self._requests:
            if not request.answer.done():
                request.answer.set_exception(Ended())
        self._requests.clear()
        self._on_end()

    def _take(self, is_error: bool, lines: list[bytes]) -> None:
        if not self._requests:
            return
        request = self._requests[0]
        if lines == [request.mark]:
            self._requests.popleft()
            if not request.answer.done():
                _settle(request)
        elif is_error:
            request.error = b" ".join(lines).decode(errors="replace")
        else:
            request.lines += lines


def _settle(request: _Request) -> None:
    if request.error is not None:
        request.answer.set_exception(Refused(request.error))
    else:
        request.answer.set_result([line.decode(errors="replace") for line in request.lines])


def not_answering(timeout_seconds: float) -> ClawMuxError:
    return ClawMuxError(
        "timeout",
        f"tmux did not answer within {timeout_seconds:g} s.",
        "The agents may be alive; if it stays so, look for a stopped `tmux` process (state T in `ps`).",
    )


def _nothing() -> None:
    pass
