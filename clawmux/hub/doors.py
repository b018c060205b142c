"""The two doors of the hub: a unix socket for agents and the command line, TCP for the browser. Opens and closes them.

    async with Doors(app, settings, paths) as doors:     the caller holds the lock of ``paths.lock_file``
        doors.port, doors.addresses.page_url
    doors.open_also(listener, tls)       one more TCP door while it runs; answers what closes it
    app[DOORS]                           the same, for what runs inside of the app

Who may pass is ``hub/guard.py``'s business; here no caller, known or not, can hold the hub up. aiohttp alone has no time
limit for headers, no cap on connections, and lets a handler run on when its client has gone: see ``hub/connection.py``.
The TCP door holds at most ``connection_cap()`` connections; the unix socket stands outside of that count.

The TCP port is bound before the app starts, so that a busy port breaks nothing; the app finds ``app[ADDRESSES]`` set in
its ``cleanup_ctx``. The WebSocket limits below are for ``hub/sockets.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import socket
import ssl
from asyncio import Task
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any
from weakref import WeakSet

from aiohttp import web

from clawmux.hub.addresses import Addresses
from clawmux.hub.binding import BACKLOG, bind_tcp, bind_unix, tls_context
from clawmux.hub.connection import Door, Guests, Limits, connection_cap
from clawmux.hub.guard import ADDRESSES
from clawmux.paths import Paths, check_socket_path
from clawmux.settings import Settings

# One frame of the older protocol carries a whole answer as base64 audio: a minute of Opus or MP3, 20 s of WAV. Live
# microphone frames are a hundredth of that.
WEBSOCKET_BYTES = 1024 * 1024
# Pages at once; a 17th is answered 503.
WEBSOCKET_CLIENTS = 16

SHUTDOWN_SECONDS = 2.0

log = logging.getLogger("clawmux.hub.doors")


class Doors:
    """Both doors, open for as long as the context lasts."""

    def __init__(self, app: web.Application, settings: Settings, paths: Paths, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._app = app
        self._settings = settings
        self._socket_file = check_socket_path(paths.hub_socket)
        self._tls = tls_context(settings)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=SHUTDOWN_SECONDS)
        self._guests = Guests(connection_cap(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
        self._tasks: set[Task[None]] = set()
        self._stack = contextlib.AsyncExitStack()
        self.are_open = asyncio.Event()
        app[DOORS] = self

    @property
    def addresses(self) -> Addresses:
        return self._app[ADDRESSES]

    @property
    def port(self) -> int:
        return self.addresses.port

    async def __aenter__(self) -> Doors:
        async with contextlib.AsyncExitStack() as stack:
            listeners = bind_tcp(self._settings.hub_host, self._settings.hub_port)
            for listener in listeners:
                stack.callback(listener.close)
            bound = [listener.getsockname()[:2] for listener in listeners]
            self._app[ADDRESSES] = Addresses.of(
                bound, self._settings.hub_host, self._tls is not None, self._settings.hub_public_url
            )
            await self._runner.setup()
            stack.push_async_callback(self._runner.cleanup)
            self._watch_requests()
            await self._open_unix(stack)
            for listener in listeners:
                # Once more, and first: who comes while requests end is refused at once and not left waiting.
                stack.callback(listener.close)
                self._start(self._accept(listener, self._tls))
            stack.push_async_callback(self._stop_accepting)
            self._stack = stack.pop_all()
        self.are_open.set()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    def open_also(self, listener: socket.socket, tls: ssl.SSLContext) -> Callable[[], None]:
        """Serves this listener too. What is answered closes it and cuts whoever came in by it."""
        inside = _Inside()
        accepting = self._start(self._accept(listener, tls, inside))
        # The event loop watches the socket until the task that waits for it has ended.
        accepting.add_done_callback(lambda _: listener.close())

        def close() -> None:
            accepting.cancel()
            inside.cut()

        return close

    def _server(self) -> web.Server:
        assert self._runner.server is not None
        return self._runner.server

    def _watch_requests(self) -> None:
        """aiohttp makes the request object once a header is complete: the moment ``Door`` waits for."""
        server = self._server()
        make = server.request_factory

        def make_and_tell(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
            protocol.began(payload)
            return make(message, payload, protocol, writer, task)

        server.request_factory = make_and_tell

    async def _open_unix(self, stack: contextlib.AsyncExitStack) -> None:
        listener = bind_unix(self._socket_file)
        stack.callback(_remove_own, self._socket_file, self._socket_file.lstat().st_ino)
        server = await asyncio.get_running_loop().create_unix_server(
            partial(Door, self._server(), self._limits, None), sock=listener, backlog=BACKLOG
        )
        # Not wait_closed(): it waits for connections, and those are the runner's to end.
        stack.callback(server.close)

    async def _accept(self, listener: socket.socket, tls: ssl.SSLContext | None, inside: _Inside | None = None) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError as error:
                # Out of files, most likely: the connection stays in the kernel's queue until some are free.
                log.error("no connection can be accepted: %s", error)
                await asyncio.sleep(1.0)
                continue
            if self._guests.make_room():
                self._start(self._welcome(sock, tls, inside))
            else:
                log.warning("more connections than the page door holds")
                sock.close()

    async def _welcome(self, sock: socket.socket, tls: ssl.SSLContext | None, inside: _Inside | None) -> None:
        self._guests.arriving += 1
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                partial(Door, self._server(), self._limits, self._guests),
                sock,
                ssl=tls,
                ssl_handshake_timeout=self._limits.handshake_seconds if tls else None,
            )
            if inside is not None:
                inside.add(transport)
        except OSError as error:  # ssl.SSLError too: plain HTTP on the TLS port, a stalled handshake
            log.debug("a connection was not made: %s", type(error).__name__)
            sock.close()
        finally:
            self._guests.arriving -= 1

    def _start(self, work: Any) -> Task[None]:
        task: Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _stop_accepting(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Inside:
    """Who came in by a door that may close before the others do."""

    def __init__(self) -> None:
        self._is_open = True
        self._transports: WeakSet[asyncio.Transport] = WeakSet()

    def add(self, transport: asyncio.Transport) -> None:
        if self._is_open:
            self._transports.add(transport)
        else:  # its handshake took longer
            transport.abort()

    def cut(self) -> None:
        self._is_open = False
        for transport in list(self._transports):
            transport.abort()


DOORS = web.AppKey("clawmux_doors", Doors)


def _remove_own(file: Path, inode: int) -> None:
    with contextlib.suppress(OSError):
        if file.lstat().st_ino == inode:
            file.unlink()
