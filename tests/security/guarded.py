"""A small app behind the real guard and the real doors, and a client that can send anything at all, also wrong things."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from clawmux.hub import login
from clawmux.hub.auth import Auth
from clawmux.hub.body import read_json
from clawmux.hub.connection import Limits
from clawmux.hub.doors import WEBSOCKET_BYTES, Doors
from clawmux.hub.guard import CALLER, HEADERS, SOCKET_PROTOCOL, protect
from clawmux.hub.static import Assets
from clawmux.paths import Paths, locate
from clawmux.settings import Settings

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return ", ".join(value for known, value in self.headers if known.lower() == name.lower())

    def json(self) -> Any:
        return json.loads(self.body)


def assert_dressed(answer: Answer) -> None:
    """S8, S9: the headers of every answer, whatever it says."""
    for name, value in HEADERS.items():
        if name != "Cache-Control":
            assert answer.header(name) == value, name
    assert answer.header("Cache-Control") in ("no-store", "no-cache")
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


def assert_refused(answer: Answer, status: int) -> None:
    assert answer.status == status, answer
    assert answer.json()["type"] == "error"
    assert answer.json()["text"]
    assert_dressed(answer)


@dataclass
class House:
    """What a test may touch."""

    auth: Auth
    paths: Paths
    doors: Doors
    panes: dict[int, str]
    clock: list[float]
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def port(self) -> int:
        return self.doors.port

    @property
    def origin(self) -> str:
        return self.doors.addresses.page_url

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.auth.token.text()}"}

    async def ask(
        self, method: str = "GET", path: str = "/api/health", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        return await ask(self.port, method, path, headers, body)

    async def log_in(self) -> dict[str, str]:
        """Headers of a page that logged in: cookie, own origin, CSRF value, JSON."""
        key = self.auth.logins.issue_key(self.auth.clock())
        headers = {"Origin": self.origin, "Content-Type": JSON}
        answer = await self.ask("POST", "/api/login", headers, json.dumps({"key": key}).encode())
        assert answer.status == 200, answer
        cookie = answer.header("Set-Cookie").split(";")[0]
        return {**headers, "Cookie": cookie, "X-CSRF-Token": answer.json()["csrf"]}


async def ask(port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Answer:
    """One request over TCP, bytes as given; Host is ours unless ``headers`` says otherwise."""
    given = {"Host": f"clawmux.localhost:{port}", "Connection": "close", **(headers or {})}
    if body or method in ("POST", "PUT"):
        given.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "surrogateescape") + body
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            head = await reader.readuntil(b"\r\n\r\n")
            length = 0 if method == "HEAD" else int(parse(head).header("Content-Length") or 0)
            return parse(head + await reader.readexactly(length))
    finally:
        writer.close()


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


async def raw(port: int, data: bytes, seconds: float = 10.0) -> bytes:
    """All that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(seconds):
            return await reader.read()
    finally:
        writer.close()


def parse(answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in rest)]
    return Answer(int(first.split()[1]), pairs, body)


@asynccontextmanager
async def serve(root: Path, settings: Settings | None = None, limits: Limits | None = None) -> AsyncIterator[House]:
    paths = locate({"CLAWMUX_HOME": str(root)})
    panes: dict[int, str] = {}
    clock = [1_000_000.0]
    auth = Auth.open(paths.data, lambda: panes, lambda: clock[0])
    app = web.Application()
    protect(app, auth)
    doors = Doors(app, settings or Settings(hub_port=0), paths, limits)
    house = House(auth, paths, doors, panes, clock)
    app.add_routes(_routes(house, root))
    async with doors:
        yield house


def _routes(house: House, root: Path) -> list[web.AbstractRouteDef]:
    static = root / "static"
    if static.exists():
        shutil.rmtree(static)
    static.mkdir()
    (static / "index.html").write_text("<!doctype html><title>page</title>", encoding="utf-8")
    (static / "app.js").write_text("export {};", encoding="utf-8")
    (static / "token.txt").symlink_to(house.auth.token.file)
    (static / "link").symlink_to(house.auth.token.file.parent)
    assets = Assets(static)

    async def who(request: web.Request) -> web.Response:
        caller = request[CALLER]
        return web.json_response({"role": caller.role, "via": caller.via, "session_id": caller.session_id})

    async def echo(request: web.Request) -> web.Response:
        return web.json_response(await read_json(request), status=201)

    async def fail(request: web.Request) -> web.Response:
        raise RuntimeError("the reason is for the log only")

    async def wait(request: web.Request) -> web.Response:
        try:
            await asyncio.Event().wait()
        finally:
            house.cancelled.set()
        raise AssertionError

    return [
        web.get("/", assets.serve),
        web.get("/static/{path:.+}", assets.serve),
        *login.ROUTES,
        web.get("/api/health", who),
        web.post("/api/sessions", echo),
        web.delete("/api/sessions/{id}", who),
        web.get("/api/voices", fail),
        web.get("/api/history", wait),
        web.get("/ws", _socket),
        web.post("/cli/{session_id}", who),
        web.get("/api/forgotten", who),
    ]


async def _socket(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse(max_msg_size=WEBSOCKET_BYTES, compress=False, protocols=(SOCKET_PROTOCOL,))
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket
