"""Every route and socket of the real application, as its own router lists them: who is refused, and that nothing happened."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
import pytest

from clawmux.hub.doors import WEBSOCKET_BYTES, WEBSOCKET_CLIENTS
from clawmux.hub.guard import ACCESS, HEADERS, unlisted
from clawmux.hub.routes import STOPPING
from tests.security.guarded import JSON, UPGRADE, Answer, ask
from tests.security.real_hub import RealHub

# Written down here as well, and not read from the table that is tested.
FOR_ANYBODY = {"GET /", "GET /static/{path}", "GET /sw.js", "GET /ca.crt", "POST /api/login"}
FOR_AGENTS = {
    "GET /api/health",
    "GET /cli/{session_id}",
    "POST /cli/{session_id}",
    "GET /mcp/{session_id}",
    "POST /mcp/{session_id}",
}
NEVER_OVER_TCP = {"POST /api/open", "POST /api/stop"} | (FOR_AGENTS - {"GET /api/health"})
PARAMETERS = {"{id}": "sky", "{session_id}": "sky", "{path}": "app.js"}


def routes(hub: RealHub) -> list[str]:
    """ "METHOD /path" of everything, HEAD left to GET."""
    found = {f"{r.method} {r.resource.canonical}" for r in hub.app.router.routes() if r.resource and r.method != "HEAD"}
    assert len(found) >= 20
    return sorted(found)


def target(route: str) -> tuple[str, str]:
    method, _, path = route.partition(" ")
    for name, value in PARAMETERS.items():
        path = path.replace(name, value)
    return method, path


async def all_answers(
    hub: RealHub, headers: Mapping[str, str], chosen: Callable[[str], bool] = lambda route: True
) -> dict[str, Answer]:
    """What each route says to these headers; as a WebSocket too, where it is a GET."""
    answers = {}
    for route in filter(chosen, routes(hub)):
        method, path = target(route)
        answers[route] = await ask(hub.port, method, path, headers, b"{}" if method in ("POST", "PUT") else b"")
        if method == "GET":
            answers[route + " (socket)"] = await ask(hub.port, method, path, {**UPGRADE, **headers})
    return answers


def assert_all(answers: Mapping[str, Answer], *statuses: int) -> None:
    assert {route: answer.status for route, answer in answers.items() if answer.status not in statuses} == {}
    for route, answer in answers.items():
        assert {name: value for name, value in HEADERS.items() if answer.header(name) != value} == {}, route
        assert not answer.header("Access-Control-Allow-Origin"), route
        assert answer.json()["type"] == "error", route


async def assert_nothing_happened(hub: RealHub) -> None:
    assert (await hub.ask("GET", "/api/sessions")).json() == []
    assert not hub.app[STOPPING].is_set()
    assert not hub.paths.config_file.exists()


def closed(route: str) -> bool:
    return route not in FOR_ANYBODY


async def test_every_route_has_a_row_and_every_row_a_route(hub: RealHub) -> None:
    assert unlisted(hub.app) == []
    assert set(routes(hub)) <= set(ACCESS)
    assert set(ACCESS) - set(routes(hub)) <= {"POST /mcp/{session_id}"}


async def test_without_a_credential(hub: RealHub) -> None:
    assert_all(await all_answers(hub, {}, closed), 401)
    assert_all(await all_answers(hub, {"Origin": hub.origin, "Content-Type": JSON}, closed), 401)
    await assert_nothing_happened(hub)


async def test_with_a_wrong_credential(hub: RealHub) -> None:
    assert_all(await all_answers(hub, {"Authorization": "Bearer wrong"}), 401)
    assert_all(await all_answers(hub, {"Authorization": hub.bearer["Authorization"][:-1]}), 401)
    wrong_cookie = {"Cookie": f"clawmux_{hub.port}=wrong", "Origin": hub.origin, "Content-Type": JSON}
    assert_all(await all_answers(hub, wrong_cookie, closed), 401)
    await assert_nothing_happened(hub)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost", "127.0.0.1", "clawmux.localhost:1", "0.0.0.0:PORT", "foo.localhost:PORT"]
)
async def test_with_a_foreign_host(hub: RealHub, host: str) -> None:
    headers = {**hub.bearer, "Host": host.replace("PORT", str(hub.port)), "Content-Type": JSON}
    assert_all(await all_answers(hub, headers), 421)
    await assert_nothing_happened(hub)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:PORT", "http://clawmux.localhost:1"])
@pytest.mark.parametrize("by", ["token", "cookie"])
async def test_with_a_foreign_origin(hub: RealHub, by: str, origin: str) -> None:
    credential = hub.bearer if by == "token" else await hub.log_in()
    headers = {**credential, "Origin": origin.replace("PORT", str(hub.port)), "Content-Type": JSON}
    assert_all(await all_answers(hub, headers), 403)
    await assert_nothing_happened(hub)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_from_a_page_of_another_site(hub: RealHub, site: str) -> None:
    headers = {**await hub.log_in(), "Sec-Fetch-Site": site}
    assert_all(await all_answers(hub, headers, lambda route: route != "GET /"), 403)
    await assert_nothing_happened(hub)


async def test_by_cookie_without_what_only_the_page_has(hub: RealHub) -> None:
    page = await hub.log_in()
    changing = [route for route in routes(hub) if not route.startswith("GET ") and closed(route)]
    for missing in ("X-CSRF-Token", "Origin"):
        headers = {name: value for name, value in page.items() if name != missing}
        assert_all(await all_answers(hub, headers, changing.__contains__), 403)
    without_origin = {"Cookie": page["Cookie"]}
    sockets = {r: a for r, a in (await all_answers(hub, without_origin, closed)).items() if r.endswith("(socket)")}
    assert_all(sockets, 403)
    await assert_nothing_happened(hub)


async def test_the_token_in_the_url(hub: RealHub) -> None:
    for route in filter(closed, routes(hub)):
        method, path = target(route)
        answer = await ask(hub.port, method, f"{path}?token={hub.auth.token.text()}", {"Content-Type": JSON}, b"{}")
        assert_all({route: answer}, 401)
    await assert_nothing_happened(hub)


async def test_what_is_never_for_tcp(hub: RealHub) -> None:
    assert_all(await all_answers(hub, {**hub.bearer, "Content-Type": JSON}, NEVER_OVER_TCP.__contains__), 403)
    assert_all(await all_answers(hub, await hub.log_in(), NEVER_OVER_TCP.__contains__), 403)
    await assert_nothing_happened(hub)


async def over_unix(hub: RealHub, route: str) -> tuple[int, bytes]:
    method, path = target(route)
    connector = aiohttp.UnixConnector(str(hub.paths.hub_socket))
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.request(method, f"http://clawmux{path}", json={} if method in ("POST", "PUT") else None) as answer,
    ):
        return answer.status, await answer.read()


async def test_an_agent_may_only_speak(hub: RealHub) -> None:
    hub.auth.panes = lambda: {os.getpid(): "sky"}
    for route in routes(hub):
        status, body = await over_unix(hub, route)
        if route in FOR_AGENTS | FOR_ANYBODY:
            assert status != 403, route
        else:
            assert (status, json.loads(body)["code"]) == (403, "forbidden"), route
    hub.auth.panes = hub.runtime.agents.panes
    await assert_nothing_happened(hub)


ASK_ALL = """
import json, socket, sys
socket_file, targets = sys.argv[1], json.loads(sys.argv[2])
for method, path in targets:
    s = socket.socket(socket.AF_UNIX)
    s.connect(socket_file)
    s.sendall(f"{method} {path} HTTP/1.1\\r\\nHost: clawmux\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n".encode())
    answer = b""
    while part := s.recv(65536):
        answer += part
    print(method, path, answer.split()[1].decode(), flush=True)
"""
SYSTEM_PYTHON = Path("/usr/bin/python3")


@pytest.mark.skipif(os.getuid() != 0 or not SYSTEM_PYTHON.exists(), reason="only root may become another user")
async def test_from_another_users_process(hub: RealHub) -> None:
    targets = [target(route) for route in routes(hub)]

    async def as_nobody() -> str:
        child = await asyncio.create_subprocess_exec(
            SYSTEM_PYTHON, "-I", "-c", ASK_ALL, str(hub.paths.hub_socket), json.dumps(targets),
            user=65534, group=65534, extra_groups=[], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await child.communicate()
        return out.decode()

    assert "PermissionError" in await as_nobody()
    # Should somebody open the modes, the kernel still names the caller.
    for folder in (hub.paths.run, hub.paths.state, hub.paths.state.parent):
        folder.chmod(0o755)
    hub.paths.hub_socket.chmod(0o666)
    assert (await as_nobody()).splitlines() == [f"{method} {path} 403" for method, path in targets]
    await assert_nothing_happened(hub)


async def test_s19_pages_are_counted(hub: RealHub) -> None:
    url = f"http://127.0.0.1:{hub.port}/ws"
    async with aiohttp.ClientSession() as client:
        pages = [await client.ws_connect(url, headers=hub.bearer) for _ in range(WEBSOCKET_CLIENTS)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(url, headers=hub.bearer)
        assert refused.value.status == 503
        await pages[0].close()
        async with asyncio.timeout(5):
            while True:
                try:
                    await (await client.ws_connect(url, headers=hub.bearer)).close()
                    break
                except aiohttp.WSServerHandshakeError:
                    await asyncio.sleep(0.02)


@pytest.mark.parametrize("size", [WEBSOCKET_BYTES + 1, 5 * 1024 * 1024])
async def test_s19_a_frame_too_large_ends_that_page_only(hub: RealHub, size: int) -> None:
    url = f"http://127.0.0.1:{hub.port}/ws"
    async with aiohttp.ClientSession() as client, client.ws_connect(url, headers=hub.bearer) as socket:
        # Only the frame's head: who sends all of it may be cut before it could read why.
        head = bytes([0x82, 0xFF]) + size.to_bytes(8, "big") + bytes(4)
        transport = socket.get_extra_info("socket")
        assert os.write(transport.fileno(), head) == len(head)
        while (message := await socket.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert (message.type, socket.close_code) == (aiohttp.WSMsgType.CLOSE, 1009)
    assert (await hub.ask("GET", "/api/health")).status == 200


async def test_s19_compression_is_not_taken(hub: RealHub) -> None:
    url = f"http://127.0.0.1:{hub.port}/ws"
    async with aiohttp.ClientSession() as client:
        socket = await client.ws_connect(url, headers=hub.bearer, compress=15)
        assert socket.compress == 0
        await socket.close()
