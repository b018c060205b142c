"""The rows S1 to S5, S7, S13 and S25 against the real guard behind real doors, byte by byte over TCP: who is let in."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Mapping

import aiohttp
import pytest
from aiohttp import web

from clawmux.hub.guard import unlisted
from clawmux.hub.login import ROUTES
from tests.security.guarded import JSON, UPGRADE, House, ask, assert_dressed, assert_refused, parse, raw
from tests.security.test_addresses import WRONG_HOSTS, WRONG_ORIGINS


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer t\u00f6k\u00e9n"},
        {"Authorization": "Bearer \udcff\udcfe"},
        {"Authorization": "Bearer " + "a" * 8000},
        {"Authorization": "Basic TOKEN"},
        {"Authorization": "TOKEN"},
        {"X-Api-Key": "TOKEN"},
        {"Cookie": "clawmux_PORT=TOKEN"},
        {"Cookie": "clawmux_PORT="},
    ],
    ids=str,
)
async def test_s1_without_a_right_credential(house: House, shown: Mapping[str, str]) -> None:
    fill = {"TOKEN": house.auth.token.text(), "PORT": str(house.port)}
    headers = dict(shown)
    for name, value in fill.items():
        headers = {header: text.replace(name, value) for header, text in headers.items()}
    assert_refused(await house.ask(headers=headers), 401)


async def test_s1_the_token_is_taken(house: House) -> None:
    answer = await house.ask(headers=house.bearer)
    assert (answer.status, answer.json()) == (200, {"role": "owner", "via": "token", "session_id": ""})


@pytest.mark.parametrize("name", ["token", "access_token", "TOKEN", "api_key", "key", "k"])
async def test_s1_no_secret_in_the_url(house: House, name: str) -> None:
    path = f"/api/health?x=1&{name}={house.auth.token.text()}"
    assert_refused(await house.ask(path=path), 401)
    assert_refused(await house.ask(path=path, headers=house.bearer), 401)


async def test_s1_two_authorizations_are_none(house: House) -> None:
    token = house.bearer["Authorization"]
    assert_refused(await house.ask(headers={"Authorization": f"{token}\r\nAuthorization: {token}"}), 401)


# Blanks around a field are no part of it (RFC 9112 5.1).
@pytest.mark.parametrize("host", [host for host in WRONG_HOSTS if host == host.strip()])
async def test_s2_wrong_host(house: House, host: str) -> None:
    answer = await house.ask(headers={**house.bearer, "Host": host.replace("3460", str(house.port)).replace("3461", "1")})
    assert answer.status in (400, 421)
    assert_refused(answer, answer.status)


@pytest.mark.parametrize(
    "head",
    [
        "GET /api/health HTTP/1.1",
        "GET /api/health HTTP/1.0",
        "GET /api/health HTTP/1.1\r\nHost: clawmux.localhost:PORT\r\nHost: clawmux.localhost:PORT",
        "GET /api/health HTTP/1.1\r\nHost: clawmux.localhost:PORT\r\nHost: evil.example",
        "GET http://evil.example/api/health HTTP/1.1\r\nHost: clawmux.localhost:PORT",
        "GET http://clawmux.localhost:PORT/api/health HTTP/1.1\r\nHost: clawmux.localhost:PORT",
        "OPTIONS * HTTP/1.1\r\nHost: clawmux.localhost:PORT",
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: clawmux.localhost:PORT",
    ],
)
async def test_s2_wrong_request_forms(house: House, head: str) -> None:
    lines = f"{head}\r\nAuthorization: {house.bearer['Authorization']}\r\nConnection: close\r\n\r\n"
    answer = parse(await raw(house.port, lines.replace("PORT", str(house.port)).encode()))
    assert answer.status in (400, 421)
    assert_dressed(answer)


async def test_localhost_only_leads_to_the_canonical_address(house: House) -> None:
    localhost = {"Host": f"localhost:{house.port}"}
    answer = await house.ask(path="/", headers=localhost)
    assert (answer.status, answer.header("Location")) == (307, f"http://clawmux.localhost:{house.port}/")
    assert_dressed(answer)
    for method, path in [("GET", "/api/health"), ("GET", "/static/app.js"), ("POST", "/")]:
        assert_refused(await house.ask(method, path, {**house.bearer, **localhost}), 421)


@pytest.mark.parametrize("origin", WRONG_ORIGINS)
async def test_s3_wrong_origin(house: House, origin: str) -> None:
    origin = origin.replace("3460", str(house.port))
    for method, path in [("GET", "/api/health"), ("POST", "/api/sessions"), ("GET", "/ws"), ("POST", "/api/login"), ("GET", "/")]:
        assert_refused(await house.ask(method, path, {**house.bearer, "Origin": origin}), 403)


async def test_s3_two_origins(house: House) -> None:
    two = {"Origin": f"{house.origin}\r\nOrigin: {house.origin}"}
    assert_refused(await house.ask(headers={**house.bearer, **two}), 403)


async def test_s4_rebinding_where_host_and_origin_agree(house: House) -> None:
    evil = f"evil.example:{house.port}"
    answer = await house.ask(headers={**house.bearer, "Host": evil, "Origin": f"http://{evil}"})
    assert_refused(answer, 421)


@pytest.mark.parametrize(
    ("credential", "origin", "status"),
    [
        ("", "", 401),
        ("", "own", 401),
        ("wrong", "", 401),
        ("cookie", "http://evil.example", 403),
        ("cookie", "", 403),
        ("cookie", "own", 403),
        ("cookie and CSRF value", "own", 101),
        ("cookie and CSRF value", "", 403),
        ("cookie and wrong CSRF value", "own", 403),
        ("token", "", 101),
        ("token", "http://evil.example", 403),
    ],
)
async def test_s5_websocket(house: House, credential: str, origin: str, status: int) -> None:
    page = await house.log_in()
    headers = {
        "": {},
        "wrong": {"Authorization": "Bearer wrong"},
        "cookie": {"Cookie": page["Cookie"]},
        "cookie and CSRF value": {"Cookie": page["Cookie"], "Sec-WebSocket-Protocol": f"clawmux, csrf.{page['X-CSRF-Token']}"},
        "cookie and wrong CSRF value": {"Cookie": page["Cookie"], "Sec-WebSocket-Protocol": "clawmux, csrf.wrong"},
        "token": house.bearer,
    }[credential]
    if origin:
        headers = {**headers, "Origin": house.origin if origin == "own" else origin}
    answer = await house.ask(path="/ws", headers={**UPGRADE, **headers})
    assert answer.status == status
    assert_dressed(answer)


@pytest.mark.parametrize(
    ("site", "path", "status"),
    [
        ("same-origin", "/api/health", 200),
        ("none", "/api/health", 200),
        ("cross-site", "/api/health", 403),
        ("same-site", "/api/health", 403),
        ("anything", "/api/health", 403),
        ("cross-site", "/ws", 403),
        ("same-site", "/ws", 403),
        ("cross-site", "/static/app.js", 403),
        ("cross-site", "/", 200),
    ],
)
async def test_s7_sec_fetch_site(house: House, site: str, path: str, status: int) -> None:
    answer = await house.ask(path=path, headers={**house.bearer, "Sec-Fetch-Site": site})
    assert answer.status == status


async def test_s13_comparing_takes_the_same_time(house: House) -> None:
    """A wide bound: other work on this machine is louder than any leak could be. The figures are printed."""
    token = house.auth.token.text()
    early, late = "#" + token[1:], token[:-1] + "#"
    times: dict[str, list[float]] = {early: [], late: []}
    async with aiohttp.ClientSession() as client:
        for _ in range(300):
            for wrong, taken in times.items():
                started = time.perf_counter()
                async with client.get(
                    f"http://127.0.0.1:{house.port}/api/health", headers={"Authorization": f"Bearer {wrong}"}
                ) as got:
                    assert got.status == 401
                taken.append(time.perf_counter() - started)
    first, last = (statistics.median(taken) * 1e6 for taken in times.values())
    print(f"wrong at the first letter {first:.0f} us, at the last {last:.0f} us")
    assert abs(first - last) / max(first, last) < 0.3


async def test_a_route_without_a_row_is_for_nobody(house: House) -> None:
    assert_refused(await house.ask(path="/api/forgotten", headers=house.bearer), 403)
    assert_refused(await house.ask(path="/api/forgotten"), 401)


def test_forgotten_routes_are_found() -> None:
    app = web.Application()
    app.add_routes(ROUTES)
    assert unlisted(app) == []
    app.router.add_put("/api/forgotten", ROUTES[0].handler)
    assert unlisted(app) == ["PUT /api/forgotten"]


async def over_unix(house: House, method: str, path: str) -> tuple[int, dict[str, str]]:
    connector = aiohttp.UnixConnector(str(house.paths.hub_socket))
    async with aiohttp.ClientSession(connector=connector) as client, client.request(method, f"http://clawmux{path}") as answer:
        return answer.status, await answer.json()


async def test_the_owner_over_the_unix_socket(house: House) -> None:
    assert await over_unix(house, "GET", "/api/health") == (200, {"role": "owner", "via": "socket", "session_id": ""})
    status, opened = await over_unix(house, "POST", "/api/open")
    url, _, key = opened["url"].partition("#k=")
    assert (status, url) == (200, f"{house.origin}/")
    answer = await house.ask(
        "POST", "/api/login", {"Origin": house.origin, "Content-Type": JSON}, json.dumps({"key": key}).encode()
    )
    assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/health", 200),
        ("POST", "/cli/sky", 200),
        ("POST", "/cli/echo", 200),
        ("POST", "/api/sessions", 403),
        ("DELETE", "/api/sessions/sky", 403),
        ("GET", "/api/history", 403),
        ("GET", "/ws", 403),
        ("POST", "/api/open", 403),
        ("GET", "/api/session", 403),
    ],
)
async def test_s25_an_agent_is_whom_the_kernel_says(house: House, method: str, path: str, status: int) -> None:
    house.panes[os.getpid()] = "sky"
    got, answer = await over_unix(house, method, path)
    assert got == status
    if status == 200:
        assert answer == {"role": "agent", "via": "socket", "session_id": "sky"}


@pytest.mark.parametrize(("method", "path"), [("POST", "/cli/sky"), ("POST", "/api/open")])
async def test_some_routes_are_never_for_tcp(house: House, method: str, path: str) -> None:
    assert_refused(await house.ask(method, path, house.bearer), 403)
    assert_refused(await house.ask(method, path, await house.log_in(), b"{}"), 403)
    assert_refused(await ask(house.port, method, path), 401)
