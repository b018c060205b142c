"""Pairing by code, the list of devices, and putting one out: the core with time as a number, and two pages of the real hub."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import aiohttp
import pytest

from clawmux.hub.guard import SOCKET_PROTOCOL
from clawmux.hub.logins import (
    CODE_LETTERS,
    CODE_SECONDS,
    DEVICE_CHARACTERS,
    SECONDS_PER_TRY,
    SEEN_SECONDS,
    TRIES,
    Logins,
)
from clawmux.paths import make_private
from clawmux.wire.errors import ClawMuxError
from tests.security.guarded import JSON, House, serve
from tests.security.real_hub import RealHub
from tests.waiting import until

NOW = 1_000_000.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return make_private(tmp_path / "data") / "logins.json"


def names(logins: Logins) -> list[str]:
    return [login.device for login in logins.devices(NOW).values()]


# -- codes --


@pytest.mark.parametrize("typed", [str, str.lower, lambda c: c.replace("-", ""), lambda c: f" {c.replace('-', ' ')} ", " ".join])
def test_a_code_opens_however_it_is_typed(file: Path, typed: object) -> None:
    here = Logins.open(file, NOW)
    code = here.issue_code(NOW)
    assert callable(typed)
    cookie, _ = here.redeem(typed(code), NOW + 1)
    assert here.find(cookie, NOW + 1)


def test_letters_that_look_alike_are_the_same(file: Path) -> None:
    here = Logins.open(file, NOW)
    code = next(code for _ in range(1000) if {"0", "1"} <= set(code := here.issue_code(NOW)))
    assert here.redeem(code.replace("0", "o").replace("1", "l"), NOW)


def test_a_code_is_long_and_never_the_same(file: Path) -> None:
    here = Logins.open(file, NOW)
    codes = {here.issue_code(NOW) for _ in range(200)}
    assert len(codes) == 200 and {len(code.replace("-", "")) for code in codes} == {CODE_LETTERS}
    assert not set("ILOU") & set("".join(codes))


@pytest.mark.parametrize(("age", "is_good"), [(0.0, True), (CODE_SECONDS - 1, True), (CODE_SECONDS, False), (-1.0, False)])
def test_a_code_ages(file: Path, age: float, is_good: bool) -> None:
    here = Logins.open(file, NOW)
    code = here.issue_code(NOW)
    if is_good:
        assert here.redeem(code, NOW + age)
    else:
        with pytest.raises(ClawMuxError, match="too old"):
            here.redeem(code, NOW + age)


def test_a_code_opens_once(file: Path) -> None:
    here = Logins.open(file, NOW)
    code = here.issue_code(NOW)
    assert here.redeem(code, NOW)
    with pytest.raises(ClawMuxError) as refused:
        here.redeem(code, NOW)
    assert refused.value.code == "forbidden"


def test_guessing_is_limited_for_all_together(file: Path) -> None:
    here = Logins.open(file, NOW)
    code = here.issue_code(NOW)
    tries = 0
    for second in range(int(CODE_SECONDS)):
        try:
            here.redeem("00000000", NOW + second)
        except ClawMuxError as refused:
            tries += refused.code == "forbidden"
    assert tries == TRIES + int((CODE_SECONDS - 1) // SECONDS_PER_TRY)
    with pytest.raises(ClawMuxError) as limited:
        here.redeem(code, NOW + CODE_SECONDS - 1)
    assert limited.value.code == "too_many"


# -- devices --


def test_devices_have_names_unlike_each_other(file: Path) -> None:
    here = Logins.open(file, NOW)
    for device in ("Safari on iPhone", "Safari on iPhone", "", "Safari on iPhone"):
        here.redeem(here.issue_code(NOW), NOW, device, "192.168.1.7")
    assert sorted(names(here)) == ["Browser", "Safari on iPhone", "Safari on iPhone 2", "Safari on iPhone 3"]


@pytest.mark.parametrize("name", ["\x1b[31mred\x1b[0m", "a\nb\x00", "\u202eknow", "x" * 500, "\ud800", "<b>bold</b>", "  "])
def test_a_device_cannot_have_a_name_that_does_harm(file: Path, name: str) -> None:
    here = Logins.open(file, NOW)
    here.redeem(here.issue_code(NOW), NOW, name)
    [shown] = names(here)
    assert shown.isprintable() and 0 < len(shown) <= DEVICE_CHARACTERS and "\ud800" not in shown
    assert names(Logins.open(file, NOW)) == [shown]


def test_what_is_known_of_a_device_outlives_the_hub(file: Path) -> None:
    here = Logins.open(file, NOW)
    cookie, _ = here.redeem(here.issue_code(NOW), NOW, "Safari on iPhone", "192.168.1.7")
    login = here.find(cookie, NOW)
    assert login
    here.saw(login, NOW + SEEN_SECONDS, "192.168.1.8")
    here.saw(login, NOW + SEEN_SECONDS + 1, "192.168.1.9")  # too soon to be written again
    [kept] = Logins.open(file, NOW).devices(NOW).values()
    assert (kept.device, kept.address, kept.seen) == ("Safari on iPhone", "192.168.1.8", NOW + SEEN_SECONDS)


def test_an_older_file_of_logins_is_read(file: Path) -> None:
    here = Logins.open(file, NOW)
    cookie, _ = here.redeem(here.issue_key(NOW), NOW, "Firefox on Linux")
    kept = json.loads(file.read_text())
    assert set(kept["devices"]) == set(kept["logins"])
    del kept["devices"]
    file.write_text(json.dumps(kept))
    after = Logins.open(file, NOW)
    assert after.find(cookie, NOW) and names(after) == ["Browser"]


# -- over the wire --


async def pair(house: House, device: str, headers: dict[str, str] | None = None) -> dict[str, str]:
    """Headers of a page that came in by a code."""
    code = house.auth.logins.issue_code(house.auth.clock())
    given = {"Origin": house.origin, "Content-Type": JSON, **(headers or {})}
    answer = await house.ask("POST", "/api/login", given, json.dumps({"key": code, "device": device}).encode())
    assert answer.status == 200, answer
    return {**given, "Cookie": answer.header("Set-Cookie").split(";")[0], "X-CSRF-Token": answer.json()["csrf"]}


async def test_the_same_browser_is_one_device(house: House) -> None:
    first = await pair(house, "Firefox on Linux")
    again = await pair(house, "Firefox on Linux", {"Cookie": first["Cookie"]})
    assert [kept.device for kept in house.auth.logins.devices(house.clock[0]).values()] == ["Firefox on Linux 2"]
    assert (await house.ask("GET", "/api/session", first)).status == 401
    assert (await house.ask("GET", "/api/session", again)).status == 200


@pytest.mark.parametrize(
    ("told", "shown"), [("100.64.0.9", "100.64.0.9"), ("evil, 10.0.0.5", "10.0.0.5"), ("<b>", "127.0.0.1"), ("", "127.0.0.1")]
)
async def test_where_a_device_is_behind_a_proxy(house: House, told: str, shown: str) -> None:
    await pair(house, "Safari on iPhone", {"X-Forwarded-For": told} if told else {})
    [kept] = house.auth.logins.devices(house.clock[0]).values()
    assert kept.address == shown


@pytest.mark.parametrize("body", [{"key": "x", "device": 5}, {"key": 5}, {"device": "x"}, {"key": ["x"]}])
async def test_a_wrong_login_is_told_what_is_expected(house: House, body: dict[str, object]) -> None:
    headers = {"Origin": house.origin, "Content-Type": JSON}
    answer = await house.ask("POST", "/api/login", headers, json.dumps(body).encode())
    assert (answer.status, answer.json()["code"]) == (400, "usage")


async def test_a_token_is_no_login_that_another_could_replace(root: Path) -> None:
    async with serve(root) as house:
        page = await pair(house, "Firefox on Linux")
        ended: list[frozenset[str]] = []
        house.auth.logins.on_ended = ended.append
        await pair(house, "Program", house.bearer)
        assert [login for those in ended for login in those] == [], "sockets that the token opened would be cut"
        assert (await house.ask("GET", "/api/session", page)).status == 200


async def test_a_revoked_device_is_out_within_a_second(hub: RealHub) -> None:
    here, phone = await hub.log_in(), await hub.log_in()
    listed = (await hub.ask("GET", "/api/devices", here)).json()
    assert [device["own"] for device in listed].count(True) == 1
    [away] = [device for device in listed if not device["own"]]
    async with aiohttp.ClientSession() as client:
        sockets = [await connect(client, hub, page) for page in (here, phone)]
        await until(lambda: len(hub.runtime.pages) == 2)
        assert all(device["connected"] for device in (await hub.ask("GET", "/api/devices", here)).json())
        began = time.monotonic()
        answer = await hub.ask("DELETE", f"/api/devices/{away['id']}", here)
        assert (answer.status, answer.json()) == (200, {"id": away["id"], "name": away["name"]})
        async with asyncio.timeout(1):
            while (await sockets[1].receive()).type not in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                pass
        assert time.monotonic() - began < 1
        assert (await hub.ask("GET", "/api/session", phone)).status == 401
        assert (await hub.ask("GET", "/api/history", phone)).status == 401
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await connect(client, hub, phone)
        # The one that put it out stays, and is told.
        assert (await hub.ask("GET", "/api/session", here)).status == 200
        while "devices" not in (message := json.loads((await sockets[0].receive(timeout=5)).data))["type"]:
            assert message["type"] != "error"
        await sockets[0].close()
    again = await hub.ask("DELETE", f"/api/devices/{away['id']}", here)
    assert (again.status, again.json()["code"]) == (404, "not_found")


async def test_a_device_that_puts_itself_out_is_out(hub: RealHub) -> None:
    here = await hub.log_in()
    [own] = (await hub.ask("GET", "/api/devices", here)).json()
    assert (await hub.ask("DELETE", f"/api/devices/{own['id']}", here)).status == 200
    assert (await hub.ask("GET", "/api/session", here)).status == 401


async def connect(client: aiohttp.ClientSession, hub: RealHub, page: dict[str, str]) -> aiohttp.ClientWebSocketResponse:
    host = {"Host": hub.origin.removeprefix("http://")}
    protocols = (SOCKET_PROTOCOL, f"csrf.{page['X-CSRF-Token']}")
    headers = {**host, "Cookie": page["Cookie"], "Origin": hub.origin}
    socket = await client.ws_connect(f"http://127.0.0.1:{hub.port}/ws", headers=headers, protocols=protocols)
    number = page["X-CSRF-Token"][:8]
    await socket.send_json(
        {"type": "hello", "v": 2, "client": number, "device": number, "audio_in": [], "audio_out": [], "last": None}
        | {"muted": False, "auto": True, "streams": {}, "turns": []}
    )
    return socket
