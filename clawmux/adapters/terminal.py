"""A window of the private tmux server as a terminal elsewhere sees it: a read-only client of tmux in a pty.

What comes out is tmux's own drawing of its screen, so nothing that an agent prints reaches a terminal as it is: no title, no
clipboard, no question that a terminal would answer. A client that reads slowly costs nothing: tmux drops what it cannot write
and draws the screen anew.

Two things that surprise in tmux 3.3a: a client with ``ignore-size`` still sizes the window when it is the only one, so ours is
always exactly as large as the window is; and a read-only client still obeys the prefix key, so nothing is ever written to it:
keys go into the pane itself (``adapters.keys``).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

# What is read at once, and so the largest piece that is handed on.
CHUNK_BYTES = 32 * 1024
# Between two reads: small pieces become one, and a flood takes no more than some 4 MB/s.
PAUSE_SECONDS = 0.008
# A client of a server that answers ends at once.
END_SECONDS = 1.0

_BETWEEN = "\N{SYMBOL FOR UNIT SEPARATOR}"
_WINDOW_FORMAT = _BETWEEN.join(["#{session_id}", "#{window_width}", "#{window_height}", "#{status}", "#{status-position}"])
# Of the terminals that everything knows the one that a page's terminal is; and what it can do beyond that description.
_TERM = "xterm-256color"
_FEATURES = "256,RGB"


class Server(Protocol):
    async def command(self, *commands: Sequence[str]) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Window:
    """The window that an agent's session shows."""

    tmux_session: str
    """tmux's own id of the session, such as $3."""
    cols: int
    rows: int
    below: int
    """Lines of tmux's status bar that its clients show under the window."""
    above: int = 0
    """The same over it."""


async def window_of(server: Server, pane_id: str) -> Window:
    """Raises ``Refused`` when the pane is gone."""
    (line,) = await server.command(["display-message", "-p", "-t", pane_id, _WINDOW_FORMAT])
    session, cols, rows, status, position = line.split(_BETWEEN)
    bar = int(status) if status.isdigit() else int(status == "on")
    above = bar if position == "top" else 0
    return Window(session, int(cols), int(rows), bar - above, above)


async def earlier_lines(server: Server, pane_id: str, count: int) -> list[str]:
    """The newest lines that have gone off the top of the pane, the oldest first, with colours as SGR sequences. None while a
    program has the whole screen for itself."""
    (size,) = await server.command(["display-message", "-p", "-t", pane_id, "#{?alternate_on,0,#{history_size}}"])
    if not int(size):
        return []
    return await server.command(["capture-pane", "-e", "-p", "-S", str(-count), "-E", "-1", "-t", pane_id])


class Viewer:
    """One client. ``on_output`` gets its bytes, ``on_end`` is called once when it ends by itself, never after ``close``."""

    def __init__(
        self, words: Sequence[str], environ: Mapping[str, str], on_output: Callable[[bytes], None], on_end: Callable[[], None]
    ) -> None:
        """``words``: tmux with its socket, to which the command comes."""
        self._words = words
        self._environ = {**environ, "TERM": _TERM}
        self._on_output = on_output
        self._on_end = on_end
        self._master = -1
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._is_paused = False
        self._window: Window | None = None

    async def open(self, window: Window) -> None:
        self._master, slave = os.openpty()
        try:
            os.set_blocking(self._master, False)
            self._set_size(window)
            attach = ["attach-session", "-f", "read-only,ignore-size", "-t", window.tmux_session]
            argv = [*self._words, "-N", "-T", _FEATURES, *attach]
            self._process = await asyncio.create_subprocess_exec(
                *argv, stdin=slave, stdout=slave, stderr=slave, env=self._environ, cwd="/", start_new_session=True
            )
        except BaseException:
            self._let_go()
            raise
        finally:
            os.close(slave)
        self._listen()

    def resize(self, window: Window) -> None:
        """The window has another size now."""
        if window == self._window or self._master < 0:
            return
        self._set_size(window)
        # The pty is not its controlling terminal, so the kernel does not tell it.
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGWINCH)

    def pause(self) -> None:
        """Read nothing until ``resume``."""
        self._is_paused = True
        self._deafen()

    def resume(self) -> None:
        if self._is_paused and self._master >= 0:
            self._is_paused = False
            self._listen()

    async def close(self) -> None:
        """Ends the process too."""
        self._on_end = _nothing
        self._let_go()
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()

    def _set_size(self, window: Window) -> None:
        self._window = window
        rows = window.rows + window.above + window.below
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, window.cols, 0, 0))

    def _listen(self) -> None:
        self._reading = None
        if self._master >= 0 and not self._is_paused:
            asyncio.get_running_loop().add_reader(self._master, self._read)

    def _deafen(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)

    def _read(self) -> None:
        try:
            data = os.read(self._master, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:  # Linux: EIO when nobody holds the other side any more
            data = b""
        if not data:
            on_end, self._on_end = self._on_end, _nothing
            self._let_go()
            on_end()
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        self._reading = loop.call_later(PAUSE_SECONDS, self._listen)
        self._on_output(data)

    def _let_go(self) -> None:
        self._deafen()
        if self._master >= 0:
            os.close(self._master)
            self._master = -1


def _nothing() -> None:
    pass
