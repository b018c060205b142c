"""The rows S1 to S10, S12, S13, S17 and S18 against the real guard behind real doors, byte by byte over TCP."""

from __future__ import annotations

import json
import logging
import os
import statistics
import time
from collections.abc import Mapping

import aiohttp
import pytest
from aiohttp import web

from clawmux.hub.guard import HEADERS, unlisted
from clawmux.hub.login import ROUTES
from tests.security.guarded import JSON, UPGRADE, Answer, House, ask, parse, raw
from tests.security.test_addresses import WRONG_HOSTS, WRONG_ORIGINS


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
    ("change", "status"),
    [
        ({}, 201),
        ({"X-CSRF-Token": None}, 403),
        ({"X-CSRF-Token": ""}, 403),
        ({"X-CSRF-Token": "0" * 64}, 403),
        ({"X-CSRF-Token": "\xe9"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "text/plain; application/json"}, 415),
        ({"Content-Type": None}, 415),
        ({"Cookie": None}, 401),
        ({"Cookie": "other=1"}, 401),
    ],
    ids=str,
)
async def test_s6_post_by_cookie(house: House, change: Mapping[str, str | None], status: int) -> None:
    headers = {name: value for name, value in {**await house.log_in(), **change}.items() if value is not None}
    answer = await house.ask("POST", "/api/sessions", headers, b"{}")
    assert answer.status == status, answer
    assert_dressed(answer)


async def test_s6_the_csrf_value_of_another_login_does_not_fit(house: House) -> None:
    one, other = await house.log_in(), await house.log_in()
    answer = await house.ask("POST", "/api/sessions", {**one, "X-CSRF-Token": other["X-CSRF-Token"]}, b"{}")
    assert_refused(answer, 403)


async def test_s6_delete_by_cookie_is_guarded_alike(house: House) -> None:
    page = await house.log_in()
    assert (await house.ask("DELETE", "/api/sessions/sky", page)).status == 200
    for missing in ("X-CSRF-Token", "Origin"):
        headers = {name: value for name, value in page.items() if name != missing}
        assert_refused(await house.ask("DELETE", "/api/sessions/sky", headers), 403)
    # Forms and beacons can send no JSON type; where no body is read nothing else would look.
    assert_refused(await house.ask("DELETE", "/api/sessions/sky", {**page, "Content-Type": "text/plain"}), 415)


async def test_the_page_asks_whether_its_login_is_good(house: House) -> None:
    page = await house.log_in()
    both = {name: page[name] for name in ("Cookie", "X-CSRF-Token")}
    assert (await house.ask(path="/api/session", headers=both)).json() == {"csrf": page["X-CSRF-Token"]}
    assert_refused(await house.ask(path="/api/session"), 401)
    assert_refused(await house.ask(path="/api/session", headers=house.bearer), 403)


async def test_a_stolen_cookie_reads_nothing(house: House) -> None:
    """Cookies are not kept apart by port: test_browser.py shows how one is got."""
    page = await house.log_in()
    for headers in ({"Cookie": page["Cookie"]}, {"Cookie": page["Cookie"], "Origin": house.origin}):
        for path in ("/api/health", "/api/history", "/api/session", "/ws"):
            assert_refused(await house.ask(path=path, headers=headers), 403)


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


@pytest.mark.parametrize(("origin", "status"), [("http://evil.example", 403), ("own", 405), ("", 405)])
@pytest.mark.parametrize("path", ["/api/sessions", "/ws", "/"])
async def test_s8_no_cors(house: House, path: str, origin: str, status: int) -> None:
    headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    if origin:
        headers["Origin"] = house.origin if origin == "own" else origin
    assert_refused(await house.ask("OPTIONS", path, headers), status)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("GET", "/static/app.js", 200),
        ("GET", "/static/none.js", 404),
        ("GET", "/none", 404),
        ("GET", "/api/none", 404),
        ("PATCH", "/api/health", 405),
        ("GET", "/api/health", 200),
        ("GET", "/api/voices", 500),
        ("GET", "/ws", 400),
        ("BREW", "/", 400),
    ],
)
async def test_s9_headers_on_every_answer(house: House, method: str, path: str, status: int) -> None:
    answer = await house.ask(method, path, house.bearer)
    assert answer.status == status
    assert_dressed(answer)


async def test_static_files_are_asked_for_again_each_time(house: House) -> None:
    first = await house.ask(path="/static/app.js")
    assert (first.status, first.header("Cache-Control")) == (200, "no-cache")
    again = await house.ask(path="/static/app.js", headers={"If-None-Match": first.header("ETag")})
    assert again.status == 304
    assert_dressed(again)


async def test_a_fault_of_ours_is_told_to_the_log_only(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = await house.ask(path="/api/voices", headers=house.bearer)
    assert_refused(answer, 500)
    assert b"the reason" not in answer.body
    assert "the reason is for the log only" in caplog.text


async def test_s10_cookie_flags(house: House) -> None:
    key = house.auth.logins.issue_key(house.clock[0])
    answer = await house.ask(
        "POST", "/api/login", {"Origin": house.origin, "Content-Type": JSON}, json.dumps({"key": key}).encode()
    )
    name, _, rest = answer.header("Set-Cookie").partition("=")
    flags = {flag.strip().lower() for flag in rest.split(";")[1:]}
    assert name == f"clawmux_{house.port}"
    assert {"httponly", "samesite=strict", "path=/"} <= flags
    assert not [flag for flag in flags if flag.startswith("domain")]


async def test_s10_logout_and_rotation_end_logins(house: House) -> None:
    for end in ("logout", "rotation"):
        page = await house.log_in()
        assert (await house.ask(headers=page)).status == 200
        if end == "logout":
            answer = await house.ask("POST", "/api/logout", page, b"{}")
            assert answer.status == 200
            assert "Max-Age=0" in answer.header("Set-Cookie")
        else:
            old = house.bearer
            house.auth.token.rotate()
            assert_refused(await house.ask(headers=old), 401)
        assert_refused(await house.ask(headers={"Cookie": page["Cookie"]}), 401)


@pytest.mark.parametrize("end", ["logout", "rotation", "rotation, by token"])
async def test_s10_open_sockets_end_with_what_let_them_in(house: House, end: str) -> None:
    page = await house.log_in()
    offer = {"Sec-WebSocket-Protocol": f"clawmux, csrf.{page['X-CSRF-Token']}"}
    headers = house.bearer if end == "rotation, by token" else {"Cookie": page["Cookie"], "Origin": house.origin, **offer}
    url = f"http://127.0.0.1:{house.port}/ws"
    async with aiohttp.ClientSession() as client, client.ws_connect(url, headers={**headers, "Host": house.origin[7:]}) as socket:
        await socket.send_str("here")
        assert await socket.receive_str(timeout=3) == "here"
        if end == "logout":
            await house.ask("POST", "/api/logout", page, b"{}")
        else:
            house.auth.token.rotate()
        assert (await socket.receive(timeout=3)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_s12_login_limit(house: House) -> None:
    headers = {"Origin": house.origin, "Content-Type": JSON}
    bodies = [{"key": "wrong"}, {"key": "wrong", "user": "a"}, {"key": "x", "token": house.auth.token.text()}] * 3
    answers = [
        await house.ask("POST", "/api/login", {**headers, "X-Forwarded-For": f"10.0.0.{n}"}, json.dumps(body).encode())
        for n, body in enumerate(bodies)
    ]
    assert [answer.status for answer in answers] == [403] * 5 + [429] * 4
    good = json.dumps({"key": house.auth.logins.issue_key(house.clock[0])}).encode()
    assert_refused(await house.ask("POST", "/api/login", headers, good), 429)
    assert (await house.ask(headers=house.bearer)).status == 200
    house.clock[0] += 12
    assert (await house.ask("POST", "/api/login", headers, good)).status == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [({"Origin": None}, 403), ({"Origin": "http://evil.example"}, 403), ({"Content-Type": "text/plain"}, 415)],
    ids=str,
)
async def test_login_is_for_the_own_page_only(house: House, change: Mapping[str, str | None], status: int) -> None:
    headers = {"Origin": house.origin, "Content-Type": JSON}
    given = {name: value for name, value in {**headers, **change}.items() if value is not None}
    key = house.auth.logins.issue_key(house.clock[0])
    assert_refused(await house.ask("POST", "/api/login", given, json.dumps({"key": key}).encode()), status)


@pytest.mark.parametrize("body", [b"{}", b'{"key": 1}', b'{"key": null}', b'{"key": ["a"]}'])
async def test_login_names_the_field(house: House, body: bytes) -> None:
    answer = await house.ask("POST", "/api/login", {"Origin": house.origin, "Content-Type": JSON}, body)
    assert_refused(answer, 400)
    assert "key" in answer.json()["text"]


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


@pytest.mark.parametrize(
    "path",
    [
        "/static/../data/token", "/static/%2e%2e/data/token", "/static/..%2fdata%2ftoken", "/static//etc/passwd",
        "/static/%2fetc%2fpasswd", "/static/....//data/token", "/static/..\\data\\token", "/../data/token",
        "/static/%00", "/static/link/token", "/static/token.txt", "/static/", "/static",
    ],
)  # fmt: skip
async def test_s17_only_static_files(house: House, path: str) -> None:
    answer = await house.ask(path=path)
    assert_refused(answer, 404)
    assert house.auth.token.text().encode() not in answer.body


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (JSON, b'{"a": "' + b"x" * 300_000 + b'"}', 413),
        (JSON, b"{", 400),
        (JSON, b'{"a": "\xff"}', 400),
        (JSON, b"[" * 100_000, 400),
        (JSON, b"[]", 400),
        (JSON, b'{"a": "\\ud800"}', 201),
        ("text/plain", b"{}", 415),
        ("application/jsonp", b"{}", 415),
        ("APPLICATION/JSON; charset=utf-8", b"{}", 201),
    ],
    ids=str,
)
async def test_s18_bodies(house: House, kind: str, body: bytes, status: int) -> None:
    answer = await house.ask("POST", "/api/sessions", {**house.bearer, "Content-Type": kind}, body)
    assert answer.status == status, answer
    assert_dressed(answer)
    assert (await house.ask(headers=house.bearer)).status == 200


async def test_s18_a_body_without_a_length_is_bounded_too(house: House) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    head = (
        f"POST /api/sessions HTTP/1.1\r\nHost: clawmux.localhost:{house.port}\r\nContent-Type: {JSON}\r\n"
        f"Authorization: {house.bearer['Authorization']}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    assert_refused(parse(await raw(house.port, head.encode() + chunk * 5)), 413)


async def test_s18_a_compressed_body_is_not_unpacked(house: House) -> None:
    headers = {**house.bearer, "Content-Type": JSON, "Content-Encoding": "gzip"}
    assert_refused(await house.ask("POST", "/api/sessions", headers, b"\x1f\x8b"), 415)


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
