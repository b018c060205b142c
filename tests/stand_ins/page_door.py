"""The door of the stand-in hub: who is signed in, what every request must carry, and the files of the page."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from clawmux.hub.guard import HEADERS, SECRET_PARAMETERS

if TYPE_CHECKING:
    from tests.stand_ins.page_hub import PageHub

STATIC = Path(__file__).parents[2] / "static"
TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".svg": "image/svg+xml"}


class PageDoor:
    """Sign-in by the key, then by the cookie; asserts that the page asks as the real guard wants it."""

    def __init__(self, hub: PageHub) -> None:
        self.hub = hub

    def table(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._index),
            web.get("/static/{path:.+}", self._file),
            web.get("/sw.js", self._worker),
            web.get("/blank", self._blank),
            web.post("/api/login", self._login),
            web.get("/api/session", self._session),
            web.get("/api/health", self._health),
        ]

    @web.middleware
    async def guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.hub.asked.append(request.path)
        open_paths = ("/", "/blank", "/sw.js", "/api/login", "/ws")
        if request.path not in open_paths and not request.path.startswith("/static/") and not self.is_signed_in(request):
            error = {"type": "error", "code": "unauthorized", "text": "Not signed in.", "remedy": "Run `clawmux open`."}
            return web.json_response(error, status=401, headers=HEADERS)
        if request.path.startswith("/api/") and request.method != "GET" and request.path != "/api/login":
            assert request.headers["X-CSRF-Token"] == self.hub.csrf
            assert request.content_type == "application/json"
        assert not SECRET_PARAMETERS & set(request.query), "the hub refuses what looks like a secret in an address"
        response: web.StreamResponse = await handler(request)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    def is_signed_in(self, request: web.Request) -> bool:
        return request.cookies.get("clawmux") in self.hub.cookies

    async def _index(self, request: web.Request) -> web.Response:
        if self.hub.built is not None:
            return await self.hub.built.serve(request)
        return web.Response(body=(STATIC / "index.html").read_bytes(), content_type="text/html", charset="utf-8")

    async def _file(self, request: web.Request) -> web.Response:
        if self.hub.built is not None:
            return await self.hub.built.serve(request)
        file = STATIC / request.match_info["path"]
        if not file.is_file():
            raise web.HTTPNotFound
        content_type = TYPES.get(file.suffix)
        return web.Response(
            body=file.read_bytes(), content_type=content_type or {".css": "text/css"}.get(file.suffix, "image/png")
        )

    async def _worker(self, request: web.Request) -> web.Response:
        if self.hub.built is None:
            raise web.HTTPNotFound
        return await self.hub.built.serve_worker(request)

    async def _blank(self, _: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>blank</title>", content_type="text/html")

    async def _login(self, request: web.Request) -> web.Response:
        if (await request.json()).get("key") != self.hub.key:
            return web.json_response({"code": "unauthorized", "text": "That key was used or is wrong."}, status=401)
        self.hub.key = ""
        cookie = secrets.token_hex(8)
        self.hub.cookies.add(cookie)
        response = web.json_response({"csrf": self.hub.csrf})
        response.set_cookie("clawmux", cookie, httponly=True, samesite="Strict")
        return response

    async def _session(self, _: web.Request) -> web.Response:
        return web.json_response({"csrf": self.hub.csrf})

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})
