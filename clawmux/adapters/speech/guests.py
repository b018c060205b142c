"""The TCP connections of the speech service, with the limits that aiohttp lacks: time for a header, and how many there are.

The hub's page door does the same in clawmux/hub/connection.py, which the adapters may not import. Who a client is, is not
judged here: the token is asked for before a body is read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Limits:
    header_seconds: float = 5.0
    """From the first byte of a request to the end of its header."""
    idle_seconds: float = 30.0
    """Without a request, before the first as well as between two."""
    handshake_seconds: float = 5.0
    """For TLS."""
    connections: int = 64
    """A hub uses a handful; when all are taken the oldest that asks for nothing makes room."""


class Guests:
    """All connections, oldest first."""

    def __init__(self, server: web.Server, limits: Limits) -> None:
        self._server = server
        self._limits = limits
        self._guests: dict[_Guest, None] = {}
        self._watch_requests()

    def welcome(self) -> _Guest:
        return _Guest(self, self._server, self._limits)

    def enter(self, guest: _Guest) -> bool:
        """Whether there is room, if need be after another has gone."""
        if len(self._guests) >= self._limits.connections:
            idle = next((each for each in self._guests if not each.is_busy), None)
            if idle is None:
                return False
            self.leave(idle)
            idle.force_close()
        self._guests[guest] = None
        return True

    def leave(self, guest: _Guest) -> None:
        self._guests.pop(guest, None)

    def _watch_requests(self) -> None:
        """aiohttp makes the request object once a header is complete: the moment a guest waits for."""
        make = self._server.request_factory

        def make_and_tell(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
            if isinstance(protocol, _Guest):
                protocol.began()
            return make(message, payload, protocol, writer, task)

        self._server.request_factory = make_and_tell


class _Guest(web.RequestHandler):
    __slots__ = ("_guests", "_limits", "_reads_header", "_timer", "is_busy")

    def __init__(self, guests: Guests, server: web.Server, limits: Limits) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # None is aiohttp's own way to say: no log of requests
            keepalive_timeout=limits.idle_seconds,
        )
        self._guests = guests
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self._reads_header = False
        self.is_busy = False
        """A request is being answered, or a WebSocket is open."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._guests.enter(self):
            self._wait(self._limits.idle_seconds)
        else:
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._guests.leave(self)
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.is_busy and not self._reads_header:
            self._reads_header = True
            self._wait(self._limits.header_seconds)
        super().data_received(data)

    def began(self) -> None:
        """A header is complete."""
        self._stop_waiting()
        self._reads_header, self.is_busy = False, True

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self.is_busy = False

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._timer = self._loop.call_later(seconds, self.force_close)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@asynccontextmanager
async def tcp_door(
    runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None, limits: Limits = Limits()
) -> AsyncIterator[list[Any]]:
    """Its addresses. Raises OSError when the port cannot be had."""
    assert runner.server is not None
    guests = Guests(runner.server, limits)
    server = await asyncio.get_running_loop().create_server(
        guests.welcome, host, port, ssl=tls, ssl_handshake_timeout=limits.handshake_seconds if tls else None
    )
    try:
        yield [socket.getsockname() for socket in server.sockets]
    finally:
        server.close()
