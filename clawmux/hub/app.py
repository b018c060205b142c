"""The hub as one application, and serving it until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

from aiohttp import web

from clawmux.adapters.store import Store
from clawmux.adapters.tmux import Tmux
from clawmux.hub import (
    agent_door,
    changes,
    debug_routes,
    devices,
    history_routes,
    login,
    message_routes,
    phone_routes,
    project_routes,
    push_routes,
    routes,
    speech_routes,
    state_routes,
)
from clawmux.hub.auth import Auth
from clawmux.hub.browser import RUNTIME, SOCKETS, serve_page
from clawmux.hub.doors import Doors
from clawmux.hub.guard import protect
from clawmux.hub.phone import PHONE, Phone
from clawmux.hub.routes import STOPPING
from clawmux.hub.runtime import Runtime
from clawmux.hub.static import BUILD, Assets
from clawmux.paths import Paths, static_files
from clawmux.settings import Settings


def build_app(runtime: Runtime) -> web.Application:
    """Every route there is. The runtime starts and stops with the application."""
    app = web.Application()
    protect(app, Auth.open(runtime.paths.data, runtime.agents.panes))
    app[RUNTIME] = runtime
    app[SOCKETS] = set()
    app[STOPPING] = asyncio.Event()
    assets = Assets(static_files())
    app[BUILD] = assets.build
    app[PHONE] = Phone(app, runtime)
    devices.watch(app)
    push_routes.join(app, runtime)
    speech_routes.join(app, runtime)
    app.add_routes(
        [
            *login.ROUTES,
            *devices.ROUTES,
            *phone_routes.ROUTES,
            *push_routes.ROUTES,
            *routes.ROUTES,
            *project_routes.ROUTES,
            *speech_routes.ROUTES,
            *history_routes.ROUTES,
            *message_routes.ROUTES,
            *state_routes.ROUTES,
            *changes.routes(),
            *debug_routes.ROUTES,
            *agent_door.ROUTES,
        ]
    )
    app.add_routes([web.get("/ws", serve_page)])
    app.add_routes(
        [web.get("/", assets.serve), web.get("/static/{path:.+}", assets.serve), web.get("/sw.js", assets.serve_worker)]
    )
    app.cleanup_ctx.append(_running)
    app.cleanup_ctx.append(app[PHONE].running)
    app.on_shutdown.append(_leave)
    return app


async def _leave(app: web.Application) -> None:
    """Before aiohttp waits for open connections: those that wait for a person would hold it up."""
    app[RUNTIME].leave()


async def _running(app: web.Application) -> AsyncIterator[None]:
    """From here on, with the port bound: a start that is refused before leaves no tmux server behind."""
    async with app[RUNTIME].tmux:
        await app[RUNTIME].start()
        yield
        await app[RUNTIME].stop()


async def serve(settings: Settings, paths: Paths, on_ready: Callable[[str], None], agents_umask: int = -1) -> None:
    """Be the hub until SIGTERM, SIGINT or ``POST /api/stop``. The caller holds the lock of the data folder.

    ``on_ready`` gets the page's base URL when both doors are open. ``agents_umask``: the user's own, for what agents make.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(paths.store_file))
        tmux = Tmux(paths.tmux_socket, agents_umask=agents_umask)
        app = build_app(Runtime(settings, paths, store, tmux))
        doors = await stack.enter_async_context(Doors(app, settings, paths))
        with _signals(app[STOPPING]):
            on_ready(doors.addresses.page_url)
            await app[STOPPING].wait()


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
