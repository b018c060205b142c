"""The way in for a browser: key for cookie, and out again. Decides nothing: ``hub/auth.py`` does, ``hub/guard.py`` admits.

app.add_routes(ROUTES)      POST /api/open, POST /api/login, GET /api/session, POST /api/logout
login_url(app)              a URL with a fresh one-time key, for `clawmux start` to print
"""

from __future__ import annotations

from aiohttp import hdrs, web

from clawmux.hub.auth import Via
from clawmux.hub.body import read_json
from clawmux.hub.guard import ADDRESSES, AUTH, CALLER, address_of, shown_csrf
from clawmux.hub.logins import LOGIN_SECONDS
from clawmux.wire.errors import ClawMuxError

# A key is 43 letters; more is nobody's honest try.
LOGIN_BYTES = 1024


def login_url(app: web.Application) -> str:
    """The key stands in the fragment: browsers keep that to themselves, no server or log sees it."""
    auth = app[AUTH]
    return f"{app[ADDRESSES].page_url}/#k={auth.logins.issue_key(auth.clock())}"


async def _open(request: web.Request) -> web.Response:
    return web.json_response({"url": login_url(request.app)})


async def _login(request: web.Request) -> web.Response:
    body = await read_json(request, LOGIN_BYTES)
    key, device = body.get("key"), body.get("device", "")
    if not isinstance(key, str) or not isinstance(device, str):
        raise ClawMuxError("usage", "key, device: texts were expected.", "Run `clawmux open` and follow its link.")
    auth = request.app[AUTH]
    cookie, csrf = auth.logins.redeem(key, auth.clock(), device, address_of(request))
    if request[CALLER].via is Via.COOKIE:
        # The same browser once more: its cookie is replaced, so what that opened is nobody's now.
        auth.logins.end(request[CALLER].login)
    response = web.json_response({"csrf": csrf})
    name, secure = request.app[ADDRESSES].cookie(request.headers[hdrs.HOST])
    response.set_cookie(name, cookie, path="/", httponly=True, samesite="Strict", secure=secure, max_age=int(LOGIN_SECONDS))
    return response


async def _session(request: web.Request) -> web.Response:
    """Whether the login that the page remembers is still good."""
    return web.json_response({"csrf": shown_csrf(request)})


async def _logout(request: web.Request) -> web.Response:
    request.app[AUTH].logins.end(request[CALLER].login)
    response = web.json_response({})
    name, secure = request.app[ADDRESSES].cookie(request.headers[hdrs.HOST])
    response.del_cookie(name, path="/", httponly=True, samesite="Strict", secure=secure)
    return response


ROUTES = [
    web.post("/api/open", _open),
    web.post("/api/login", _login),
    web.get("/api/session", _session),
    web.post("/api/logout", _logout),
]
