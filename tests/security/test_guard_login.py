"""The rows S6, S10 and S12 against the real guard: pages that log in, what their cookie is good for, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping

import aiohttp
import pytest

from tests.security.guarded import JSON, House, assert_dressed, assert_refused


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
