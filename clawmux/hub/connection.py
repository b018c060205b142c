"""One connection of a door: aiohttp's, with the limits it lacks. Judges how a client behaves, never who it is.

``Limits`` says how long a header, a body and silence may last (a late body is answered 408, the rest is cut).
``Guests`` counts: when all places are taken the oldest connection that asks for nothing makes room.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import TimerHandle
from dataclasses import dataclass
from typing import Any

from aiohttp import hdrs, web

from clawmux.hub.guard import HEADERS, BodyStalled, error_response
from clawmux.wire.errors import ClawMuxError

# How long a body that no handler wanted is read on, so that the client sees the answer and not a reset.
LINGER_SECONDS = 2.0
TCP_CONNECTIONS = 128


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient a door is."""

    header_seconds: float = 3.0
    """From the first byte of a request to the end of its header."""
    body_stall_seconds: float = 10.0
    """Longest pause within a body."""
    body_seconds: float = 60.0
    """Whole body: who sends a byte now and then is cut as well. The largest takes 1 s over a bad mobile link."""
    idle_seconds: float = 15.0
    """Without a request, before the first as well as between two."""
    handshake_seconds: float = 3.0
    """For TLS."""


log = logging.getLogger("clawmux.hub.connection")


def connection_cap(file_limit: int) -> int:
    """A quarter of the files this process may open: agents, store, tmux and the unix socket need theirs."""
    return max(8, min(TCP_CONNECTIONS, file_limit // 4))


class Guests:
    """The connections of the TCP door, oldest first."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._doors: dict[Door, None] = {}
        self.arriving = 0
        """Accepted, and still in the TLS handshake."""

    def make_room(self) -> bool:
        """Whether one more may come in, if need be in place of the oldest that asks for nothing at the moment."""
        if len(self._doors) + self.arriving < self._cap:
            return True
        idle = next((door for door in self._doors if not door.is_busy), None)
        if idle is None:
            return False
        self.leave(idle)
        idle.force_close()
        return True

    def enter(self, door: Door) -> None:
        self._doors[door] = None

    def leave(self, door: Door) -> None:
        self._doors.pop(door, None)


class Door(web.RequestHandler):
    """One connection: aiohttp's, with time limits for header and body, and plain answers to broken requests."""

    __slots__ = ("_body", "_body_end", "_guests", "_limits", "_moved", "_timer", "is_busy")

    def __init__(self, server: web.Server, limits: Limits, guests: Guests | None) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # None is aiohttp's own way to say: no log of URLs
            keepalive_timeout=limits.idle_seconds,
            lingering_time=LINGER_SECONDS,
            max_headers=64,
            # A compressed body may unpack to gigabytes; see hub/body.py.
            auto_decompress=False,
        )
        self._limits = limits
        self._guests = guests
        self._timer: TimerHandle | None = None
        self._body: Any = None
        self._body_end = self._moved = 0.0
        self.is_busy = False
        """A request is being answered, or a WebSocket is open."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._guests is not None:
            self._guests.enter(self)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._guests is not None:
            self._guests.leave(self)
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._moved = self._loop.time()
        if not self.is_busy and self._timer is None:
            self._timer = self._loop.call_later(self._limits.header_seconds, self.force_close)
        super().data_received(data)

    def began(self, body: Any) -> None:
        """A header is complete; ``body`` is what aiohttp will read the rest from."""
        self._stop_timer()
        self.is_busy = True
        self._body = body
        self._moved = self._loop.time()
        self._body_end = self._moved + self._limits.body_seconds
        self._watch_body()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._stop_timer()
            self._body = None
            self.is_busy = False

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What never reached the middleware: HTTP that could not be read. Its bytes are not repeated, here or in the log."""
        log.debug("refused a request that is not HTTP: %s", type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        if status >= 500:
            log.error("a request failed outside of the guard", exc_info=exc)
        code = "internal" if status >= 500 else "usage"
        response = error_response(ClawMuxError(code, "this request could not be read as HTTP."), status)
        response.headers.update(HEADERS | {hdrs.CACHE_CONTROL: "no-store"})
        response.force_close()
        return response

    def _watch_body(self) -> None:
        if self._body is None or self._body.is_eof():
            self._timer = None
            return
        due = min(self._moved + self._limits.body_stall_seconds, self._body_end)
        if self._loop.time() < due:
            self._timer = self._loop.call_at(due, self._watch_body)
        else:
            self._timer = None
            self._body.set_exception(BodyStalled())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
