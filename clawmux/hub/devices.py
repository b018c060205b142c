"""The devices that are in: listed, and put out. Each is one browser's login; ``hub/logins.py`` keeps them.

app.add_routes(ROUTES)      GET /api/devices, DELETE /api/devices/{id}
watch(app)                  tells every page when the list has changed, and ends the push messages of who is out
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from clawmux.hub.browser import RUNTIME
from clawmux.hub.guard import AUTH, CALLER, CONNECTED
from clawmux.hub.logins import Login
from clawmux.wire.errors import ClawMuxError

# A login's own id is the hash of its cookie; so much of it is enough to name it.
ID_CHARACTERS = 16


def watch(app: web.Application) -> None:
    def changed() -> None:
        app[RUNTIME].notifier.logins_changed()
        app[RUNTIME].pages.broadcast({"type": "devices"})

    app[AUTH].logins.on_changed = changed


async def list_devices(request: web.Request) -> web.Response:
    auth = request.app[AUTH]
    connected = request.app[CONNECTED].logins()
    own = request[CALLER].login
    good = auth.logins.devices(auth.clock())
    return web.json_response([_view(login, kept, login in connected, login == own) for login, kept in good.items()])


async def revoke(request: web.Request) -> web.Response:
    """Its open sockets are cut at once, and its cookie opens nothing any more."""
    auth = request.app[AUTH]
    wanted = request.match_info["id"]
    for login, kept in auth.logins.devices(auth.clock()).items():
        if login[:ID_CHARACTERS] == wanted:
            auth.logins.end(login)
            return web.json_response({"id": wanted, "name": kept.device})
    raise ClawMuxError("not_found", f"there is no device {wanted[:40]!r}.", "See `clawmux phone --devices`.")


def _view(login: str, kept: Login, is_connected: bool, is_own: bool) -> dict[str, Any]:
    return {
        "id": login[:ID_CHARACTERS],
        "name": kept.device,
        "address": kept.address,
        "paired": kept.born,
        "seen": kept.seen,
        "connected": is_connected,
        "own": is_own,
    }


ROUTES = [
    web.get("/api/devices", list_devices),
    web.delete("/api/devices/{id}", revoke),
]
