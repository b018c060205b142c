"""What stands before every handler: who may pass, and what every answer carries. The only place that turns callers away.

    protect(app, auth)        first thing of build_app: installs the middleware and the header signal
    request[CALLER]           clawmux.hub.auth.Caller, for every handler
    app[AUTH], app[ADDRESSES] the Auth, and the names we answer to (``Doors`` sets it once the port is known)
    app[CONNECTED].logins()   ids of the logins that have a socket open
    ACCESS                    "METHOD /path/as/registered" -> who may call; a route without a row answers 403
    unlisted(app)             routes without a row; a test keeps it empty
    error_response(error)     ClawMuxError -> its JSON object and status

Over TCP a request passes, in this order: target form and Host (421), Origin and Sec-Fetch-Site (403), no secret in the
query (401), credential (401), for cookies the own Origin, JSON type and CSRF value (403, 415), the route's row (403).
Over the unix socket the kernel names the caller and no header counts. WebSockets, static files, unknown paths and errors
go through the same middleware. There are no CORS headers, ever: no other origin has business here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from http import HTTPStatus
from ipaddress import ip_address

from aiohttp import hdrs, web

from clawmux.hub.addresses import Addresses
from clawmux.hub.auth import STRANGER, Auth, Caller, Role, Via
from clawmux.hub.peer import identify, process_table, read_peer
from clawmux.wire.errors import ClawMuxError

CALLER = web.RequestKey("clawmux_caller", Caller)
AUTH = web.AppKey("clawmux_auth", Auth)
ADDRESSES = web.AppKey("clawmux_addresses", Addresses)
_ANSWER_BEGAN = web.RequestKey("clawmux_answer_began", bool)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Access = frozenset[tuple[Role, Via]]

SOCKET_OWNER: Access = frozenset({(Role.OWNER, Via.SOCKET)})
PAGE: Access = frozenset({(Role.OWNER, Via.COOKIE)})
AT_HAND: Access = SOCKET_OWNER | PAGE
OWNER: Access = SOCKET_OWNER | PAGE | {(Role.OWNER, Via.TOKEN)}
SOCKET: Access = SOCKET_OWNER | {(Role.AGENT, Via.SOCKET)}
ANYBODY: Access = OWNER | SOCKET | {(Role.STRANGER, Via.NOTHING)}

ACCESS: dict[str, Access] = {
    # The page itself holds no secret, and must load before it can log in.
    "GET /": ANYBODY,
    "GET /static/{path}": ANYBODY,
    "GET /sw.js": ANYBODY,
    "POST /api/login": ANYBODY,
    "GET /api/session": PAGE,
    "POST /api/logout": PAGE,
    "GET /api/devices": OWNER,
    "DELETE /api/devices/{id}": OWNER,
    "GET /api/phone": OWNER,
    # What opens the hub to further devices takes a person, or who may end the hub anyway; a program's token does not do.
    "POST /api/phone": AT_HAND,
    "POST /api/phone/code": AT_HAND,
    # A subscription belongs to the login of its browser.
    "GET /api/push": PAGE,
    "POST /api/push": PAGE,
    "DELETE /api/push": PAGE,
    "POST /api/push/test": PAGE,
    # A certificate is no secret, and a phone needs this one before it can trust the page.
    "GET /ca.crt": ANYBODY,
    "POST /api/open": SOCKET_OWNER,
    "POST /api/stop": SOCKET_OWNER,
    "GET /api/health": OWNER | SOCKET,
    "GET /api/status": OWNER,
    "GET /api/sessions": OWNER,
    "POST /api/sessions": OWNER,
    "DELETE /api/sessions/{id}": OWNER,
    "PUT /api/sessions/{id}/voice": OWNER,
    "POST /api/sessions/{id}/permission": OWNER,
    "POST /api/sessions/{id}/interrupt": OWNER,
    "GET /api/sessions/{id}/changes": OWNER,
    "GET /api/sessions/{id}/changes/file": OWNER,
    "GET /api/messages": OWNER,
    "POST /api/messages": OWNER,
    "GET /api/messages/{id}": OWNER,
    "POST /api/messages/{id}/cancel": OWNER,
    "GET /api/history": OWNER,
    "GET /api/history/export": OWNER,
    "GET /api/settings": OWNER,
    "PUT /api/settings": OWNER,
    "GET /api/projects": OWNER,
    "GET /api/tiers": OWNER,
    "POST /api/tiers/measure": OWNER,
    "DELETE /api/tiers/measure": OWNER,
    "GET /api/debug": OWNER,
    "GET /api/voices": OWNER,
    "POST /api/voices/{id}/preview": OWNER,
    # It goes wherever it is told to, as the settings it is for do once they are saved: those are changed by hand only.
    "POST /api/speech/test": AT_HAND,
    "GET /api/runtimes": OWNER,
    "GET /ws": OWNER,
    # Agents speak here. Over TCP nobody does: only the kernel can say which agent it is.
    "GET /cli/{session_id}": SOCKET,
    "POST /cli/{session_id}": SOCKET,
    "GET /mcp/{session_id}": SOCKET,
    "POST /mcp/{session_id}": SOCKET,
}

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types dompurify clawmux-worker",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self)",
    # Instead of aiohttp's, which names the versions of everything.
    "Server": "ClawMux",
}

# Names under which other programs take secrets in a URL, where history, logs and referrers keep them.
SECRET_PARAMETERS = frozenset({"token", "access_token", "auth", "authorization", "api_key", "apikey", "key", "k", "bearer"})
# One stat(2) each; whoever rotates the token because it leaked waits so long at most.
TOKEN_LOOK_SECONDS = 2.0
# What the hub picks from the protocols a page offers; beside it the page offers "csrf." and its CSRF value.
SOCKET_PROTOCOL = "clawmux"
SAFE_METHODS = frozenset({"GET", "HEAD"})
_CODES = {
    400: "usage",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "usage",
    408: "timeout",
    413: "too_large",
    415: "unsupported",
    417: "unsupported",
    503: "too_many",
}

log = logging.getLogger("clawmux.hub.guard")
_processes = process_table()


class BodyStalled(TimeoutError):
    """The client stopped sending in the middle of a body; raised by whatever reads it. Set by ``hub/doors.py``."""


def protect(app: web.Application, auth: Auth, access: Mapping[str, Access] = ACCESS) -> None:
    """Guard every route of ``app``. Call before anything else is added, so that nothing stands outside."""
    app[AUTH] = auth
    sockets = OpenSockets()
    auth.logins.on_ended = sockets.cut
    app[CONNECTED] = sockets

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            request[CALLER] = caller = admit(request, auth, access)
            if caller.via is Via.COOKIE:
                auth.logins.saw(caller.login, auth.clock(), address_of(request))
            with sockets.watch(request, caller):
                return await handler(request)
        except (ConnectionError, web.HTTPRedirection):
            raise
        except Exception as error:
            if _ANSWER_BEGAN in request:
                log.exception("%s %s failed in the middle of its answer", request.method, request.path)
                raise ConnectionResetError("the answer is broken off") from error
            return _answer(request, error)

    app.middlewares.insert(0, guard)
    app.on_response_prepare.append(_dress)
    app.cleanup_ctx.append(_watch_token)


async def _watch_token(app: web.Application) -> AsyncIterator[None]:
    """Every request notices a rotated token; this is for a hub that gets none, only an open WebSocket."""

    async def watch() -> None:
        while True:
            await asyncio.sleep(TOKEN_LOOK_SECONDS)
            app[AUTH].refresh()

    task = asyncio.create_task(watch(), name="watch the token")
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class OpenSockets:
    """WebSockets outlive the request that was judged; when what let them in ends, they end too."""

    def __init__(self) -> None:
        self._open: dict[asyncio.Transport, str] = {}

    @contextlib.contextmanager
    def watch(self, request: web.Request, caller: Caller) -> Iterator[None]:
        transport = request.transport
        if transport is None or not caller.login or hdrs.UPGRADE not in request.headers:
            yield
            return
        self._open[transport] = caller.login
        try:
            yield
        finally:
            self._open.pop(transport, None)

    def logins(self) -> frozenset[str]:
        return frozenset(self._open.values())

    def cut(self, ended: frozenset[str]) -> None:
        for transport in [transport for transport, login in self._open.items() if login in ended]:
            transport.abort()


CONNECTED = web.AppKey("clawmux_connected", OpenSockets)


def unlisted(app: web.Application, access: Mapping[str, Access] = ACCESS) -> list[str]:
    """Routes that nobody may call because the table does not know them."""
    return [name for route in app.router.routes() if (name := _row_name(route.method, route)) not in access]


def admit(request: web.Request, auth: Auth, access: Mapping[str, Access]) -> Caller:
    """The caller, when it may call this route. Raises what to answer otherwise."""
    auth.refresh()
    sock = request.get_extra_info("socket")
    if sock is None:
        raise ConnectionResetError("the client went away")
    peer = read_peer(sock)
    if peer is not None:
        caller = identify(peer, auth.panes(), os.getuid(), _processes)
        if caller.role is Role.STRANGER:
            log.warning("refused process %d of user %d on the unix socket", peer.pid, peer.uid)
            raise ClawMuxError("forbidden", "this process is not one of the hub's user.", "Run it as the user of the hub.")
    else:
        _check_address(request)
    if request.match_info.http_exception is not None:
        raise request.match_info.http_exception
    row = access.get(_row_name(request.method, request.match_info.route), frozenset())
    if peer is None:
        caller = _credential(request, auth, row)
    if (caller.role, caller.via) in row:
        return caller
    if caller.role is Role.STRANGER:
        raise ClawMuxError("unauthorized", "no credential.", "Run `clawmux open`, or send `Authorization: Bearer` and the token.")
    raise ClawMuxError(
        "forbidden", f"{request.method} {request.path} is not for this {caller.role}.", "Ask the owner of the hub."
    )


def is_at_hand(request: web.Request) -> bool:
    """A person, or who may end the hub anyway; for a route of which only a part is theirs."""
    caller = request[CALLER]
    return (caller.role, caller.via) in AT_HAND


def _row_name(method: str, route: web.AbstractRoute) -> str:
    canonical = route.resource.canonical if route.resource is not None else "?"
    return f"{'GET' if method == 'HEAD' else method} {canonical}"


def _check_address(request: web.Request) -> None:
    addresses = request.app[ADDRESSES]
    hosts = request.headers.getall(hdrs.HOST, [])
    # "GET http://evil/ HTTP/1.1" routes like "GET /", so the target must be a path (RFC 9112 3.2.2).
    if len(hosts) != 1 or not request.raw_path.startswith("/"):
        raise ClawMuxError("wrong_host", "one Host header and a path are expected.", f"Use {addresses.page_url}/")
    if addresses.origin_of(hosts[0]) is None:
        if (target := addresses.leads_to(hosts[0])) and request.path == "/" and request.method in SAFE_METHODS:
            raise web.HTTPTemporaryRedirect(target)
        raise ClawMuxError("wrong_host", f"Host {hosts[0][:100]!r} is no address of this hub.", f"Use {addresses.page_url}/")
    origins = request.headers.getall(hdrs.ORIGIN, [])
    if any(not addresses.knows(origin) for origin in origins) or len(origins) > 1:
        raise ClawMuxError("forbidden", f"Origin {origins[0][:100]!r} may not call this hub.", f"Use {addresses.page_url}/")
    # A link on another page may open ours (it gets nothing but the page); it may load or call nothing else.
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none") and request.path != "/":
        raise ClawMuxError("forbidden", "another site may not call this hub.", f"Use {addresses.page_url}/")


def _credential(request: web.Request, auth: Auth, row: Access) -> Caller:
    if SECRET_PARAMETERS & {name.lower() for name in request.query}:
        raise ClawMuxError("unauthorized", "secrets are not taken from the URL.", "Send them as `Authorization: Bearer`.")
    if shown := request.headers.getall(hdrs.AUTHORIZATION, []):
        scheme, _, token = shown[0].partition(" ")
        if len(shown) > 1 or scheme.lower() != "bearer" or not auth.token.matches(token.strip()):
            raise ClawMuxError("unauthorized", "the Authorization header is wrong.", "`clawmux token` prints the token.")
        return Caller(Role.OWNER, Via.TOKEN, login=auth.logins.bound_to)
    caller = _by_cookie(request, auth)
    if (caller.via is Via.COOKIE or request.method not in SAFE_METHODS) and (caller.role, caller.via) in row:
        _check_page(request)
        # The page itself, and logging in, need no login, so nothing is to be proven about one.
        if (STRANGER.role, STRANGER.via) not in row and not auth.logins.fits(caller.login, shown_csrf(request)):
            raise ClawMuxError("forbidden", "the X-CSRF-Token header is missing or wrong.", "Run `clawmux open`.")
    return caller


def address_of(request: web.Request) -> str:
    """Where a caller over TCP is, behind a proxy of this machine as that tells it. For people to read: decides nothing."""
    peer = request.get_extra_info("peername")
    here = str(peer[0]) if isinstance(peer, tuple) else ""
    told = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(told)) if told and ip_address(here).is_loopback else here
    except ValueError:
        return here


def _by_cookie(request: web.Request, auth: Auth) -> Caller:
    name, _ = request.app[ADDRESSES].cookie(request.headers[hdrs.HOST])
    cookie = request.cookies.get(name, "")
    login = auth.logins.find(cookie, auth.clock()) if cookie else None
    return Caller(Role.OWNER, Via.COOKIE, login=login) if login else STRANGER


def _check_page(request: web.Request) -> None:
    """A browser sends cookies by itself: what changes something, or opens a socket, must show that our page means it."""
    changes = request.method not in SAFE_METHODS
    if (changes or hdrs.UPGRADE in request.headers) and hdrs.ORIGIN not in request.headers:
        raise ClawMuxError("forbidden", "the Origin header is missing.", "Programs send `Authorization: Bearer` instead.")
    if changes and request.content_type != "application/json":
        raise ClawMuxError("unsupported", f"Content-Type {request.content_type!r} is not application/json.", "Send JSON.")


def shown_csrf(request: web.Request) -> str:
    """From the header, or for a WebSocket, where pages cannot set headers, from the protocols it offers."""
    if hdrs.UPGRADE not in request.headers:
        return request.headers.get("X-CSRF-Token", "")
    offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")
    return next((word.strip().removeprefix("csrf.") for word in offered if word.strip().startswith("csrf.")), "")


def error_response(error: ClawMuxError, status: int = 0) -> web.Response:
    return web.json_response(error.to_wire(), status=status or error.http_status)


def _answer(request: web.Request, error: Exception) -> web.Response:
    """Every failure as an error object; what is our own fault is told to the log only."""
    if isinstance(error, ClawMuxError):
        return error_response(error)
    if isinstance(error, BodyStalled):
        response = error_response(ClawMuxError("timeout", "the body did not arrive in time.", "Send it again."), 408)
        response.force_close()
        return response
    if isinstance(error, web.HTTPException):
        code = _CODES.get(error.status, "internal" if error.status >= 500 else "usage")
        text = f"{request.method} {request.path[:200]}: {HTTPStatus(error.status).phrase}."
        response = error_response(ClawMuxError(code, text), error.status)
        kept = {hdrs.ALLOW, hdrs.RETRY_AFTER} & set(error.headers)
        response.headers.update({name: error.headers[name] for name in kept})
        return response
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return error_response(ClawMuxError("internal", "a fault of ClawMux itself.", "The hub's log has more."))


async def _dress(request: web.Request, response: web.StreamResponse) -> None:
    request[_ANSWER_BEGAN] = True
    response.headers.update(HEADERS)
    # The page's own files say no-cache with their ETag; everything else stays out of the browser's disk.
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
