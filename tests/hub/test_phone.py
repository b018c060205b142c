"""An https address for another device: tailscale, the user's own proxy, and a door of our own with its authority."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import json
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import pytest

from clawmux.adapters import authority as x509
from clawmux.adapters import tailscale as adapter
from clawmux.adapters.authority import is_private
from clawmux.adapters.tailscale import Tailscale, choose_port
from clawmux.hub.authority import Authority
from clawmux.hub.guard import HEADERS
from clawmux.hub.lan import LanDoor
from clawmux.hub.phone import PHONE, Phone
from clawmux.settings import DECLARATIONS, load
from clawmux.wire.errors import ClawMuxError
from tests.security.guarded import JSON
from tests.security.real_hub import RealHub, real_hub
from tests.stand_ins import tailscale as stand_in
from tests.waiting import until

# Of loopback, and no address that anything else listens on.
HERE = "127.0.0.3"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def root() -> Iterator[Path]:
    with TemporaryDirectory(prefix="cm-") as folder:
        yield Path(folder)


@pytest.fixture
async def hub(root: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RealHub]:
    monkeypatch.setenv("PATH", stand_in.install(root)["PATH"])
    async with real_hub(root) as served:
        served.runtime.settings = dataclasses.replace(served.runtime.settings, hub_lan_port=0)
        yield served


def phone_of(hub: RealHub) -> Phone:
    return hub.app[PHONE]


async def wish(hub: RealHub, **fields: str) -> tuple[int, Any]:
    """As the page asks it."""
    answer = await hub.ask("POST", "/api/phone", await hub.log_in(), json.dumps(fields).encode())
    return answer.status, answer.json()


# -- the authority --


def test_a_server_certificate_is_renewed_before_it_ends(tmp_path: Path) -> None:
    clock = [NOW]
    here = Authority(tmp_path / "tls", lambda: clock[0])
    first = here.server_file([HERE, "sky.local"]).read_text()
    own = here.certificate()
    assert x509.read(first).names == (HERE, "sky.local")
    assert here.server_file([HERE, "sky.local"]).read_text() == first
    clock[0] = x509.read(first).until - timedelta(days=31)
    assert here.server_file([HERE, "sky.local"]).read_text() == first
    clock[0] += timedelta(days=2)
    assert x509.read(here.server_file([HERE, "sky.local"]).read_text()).until > x509.read(first).until
    assert here.certificate() == own, "phones would have to trust another one"
    assert x509.read(here.server_file(["10.0.0.5"]).read_text()).names == ("10.0.0.5",)
    clock[0] = own.until - timedelta(days=x509.LEAF_DAYS - 1)
    here.server_file([HERE])
    assert here.certificate().until > own.until


def test_the_keys_are_ours_alone(tmp_path: Path) -> None:
    here = Authority(tmp_path / "tls", lambda: NOW)
    file = here.server_file([HERE])
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()} == {0o600}
    (file.parent / "authority.pem").chmod(0o644)
    with pytest.raises(ClawMuxError) as refused:
        here.server_file([HERE])
    assert refused.value.code == "unsafe_files"


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"])
def test_a_broken_authority_is_named_and_a_broken_server_certificate_is_made_anew(tmp_path: Path, content: str) -> None:
    here = Authority(tmp_path / "tls", lambda: NOW)
    file = here.server_file([HERE])
    file.write_text(content)
    assert x509.read(here.server_file([HERE]).read_text()).names == (HERE,)
    (file.parent / "authority.pem").write_text(content)
    with pytest.raises(ClawMuxError) as refused:
        here.server_file([HERE])
    assert refused.value.code == "bad_file" and "authority.pem" in refused.value.text


@pytest.mark.parametrize("name", ["bank.example", "203.0.113.5", "2001:db8::1"])
def test_a_stolen_authority_can_vouch_for_nothing_public(tmp_path: Path, name: str) -> None:
    """Judged by OpenSSL, whatever we think that we wrote."""
    now = datetime.now(UTC)
    own = x509.new_authority("ClawMux on sky", now)
    assert handshake_fault(tmp_path, own, x509.new_leaf(own, [name], now), name)
    for good in (HERE, "sky.local"):
        assert not handshake_fault(tmp_path, own, x509.new_leaf(own, [good], now), good)


def handshake_fault(folder: Path, own: str, leaf: str, name: str) -> str:
    """Why a client that trusts the authority refuses this certificate; in memory, without sockets."""
    (folder / "leaf.pem").write_text(leaf)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "leaf.pem")
    client = ssl.create_default_context(cadata=own[own.index("-----BEGIN CERT") :])
    ways = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(*ways, server_hostname=name), server.wrap_bio(ways[1], ways[0], server_side=True)
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                return str(error)
    return ""


@pytest.mark.parametrize(
    ("ip", "private"),
    [
        *(("192.168.1.20", True), ("10.0.0.1", True), ("172.31.9.9", True), ("172.32.0.1", False), ("100.64.0.1", True)),
        *(("fe80::1", True), ("fd00::1", True), ("2001:db8::1", False), ("8.8.8.8", False), ("0.0.0.0", False), ("::", False)),
    ],
)
def test_which_addresses_are_private(ip: str, private: bool) -> None:
    assert is_private(ip) is private


# -- a door in the local network --


async def test_a_door_in_the_local_network(hub: RealHub, root: Path) -> None:
    assert (await hub.ask("GET", "/ca.crt", {})).status == 404
    status, view = await wish(hub, way="lan", host=HERE)
    assert (status, view["way"], view["lan"]["host"]) == (200, "lan", HERE)
    url = view["url"]
    assert url == view["lan"]["urls"][0] and url.startswith(f"https://{HERE}:")
    assert load(hub.paths.config_file).hub_lan_host == HERE
    certificate = (await hub.ask("GET", "/ca.crt", {})).body
    trusting = ssl.create_default_context(cadata=certificate)
    code = (await hub.ask("POST", "/api/phone/code", await hub.log_in(), b"{}")).json()
    assert code["link"] == f"{url}/#k={code['code']}" and code["svg"].startswith("<svg") and code["certificate_svg"]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as client:
        async with client.get(url) as page:
            assert page.status == 200 and page.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
        headers = {"Origin": url, "Content-Type": JSON}
        body = json.dumps({"key": code["code"], "device": "Safari on iPhone"})
        async with client.post(f"{url}/api/login", data=body, headers=headers) as login:
            cookie = login.headers["Set-Cookie"]
            assert login.status == 200 and cookie.startswith("__Host-") and "Secure" in cookie
            csrf = (await login.json())["csrf"]
        shown = {**headers, "X-CSRF-Token": csrf, "Cookie": cookie.split(";")[0]}
        async with client.get(f"{url}/api/devices", headers=shown) as listed:
            [own] = [device for device in await listed.json() if device["own"]]
            assert (own["name"], own["address"]) == ("Safari on iPhone", "127.0.0.1")
        # Another name of the very same door is refused, and so is plain http.
        async with client.get(url, headers={"Host": "evil.example"}) as foreign:
            assert foreign.status == 421
        with pytest.raises(aiohttp.ClientError):
            await client.get(url.replace("https", "http"))


async def test_the_door_closes_and_cuts_who_is_inside(hub: RealHub) -> None:
    _, view = await wish(hub, way="lan", host=HERE)
    port = int(view["url"].rpartition(":")[2])
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(HERE, port, ssl=blind)
    await until(lambda: phone_of(hub).lan.is_open)
    status, view = await wish(hub, way="off")
    assert (status, view["url"], view["lan"]["urls"]) == (200, "", [])
    async with asyncio.timeout(1):
        assert await reader.read() == b""
    writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection(HERE, port)
    assert not load(hub.paths.config_file).hub_lan_host
    assert (await hub.ask("POST", "/api/phone/code", await hub.log_in(), b"{}")).status == 409


async def test_a_door_that_is_open_stays_so_when_another_cannot_be(hub: RealHub) -> None:
    with socket.create_server((HERE, 0)) as free:
        port = free.getsockname()[1]
    hub.runtime.settings = dataclasses.replace(hub.runtime.settings, hub_lan_port=port)
    await wish(hub, way="lan", host=HERE)
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(HERE, port, ssl=blind)
    status, error = await wish(hub, way="lan", host="10.255.255.254")
    assert (status, error["code"]) == (400, "usage")
    lan = phone_of(hub).lan
    assert (lan.is_open, lan.host, lan.fault) == (True, HERE, None)
    assert load(hub.paths.config_file).hub_lan_host == HERE
    writer.write(f"GET /ca.crt HTTP/1.1\r\nHost: {HERE}:{port}\r\n\r\n".encode())
    assert b" 200 " in await reader.readline(), "who was inside still is"
    writer.close()


@pytest.mark.parametrize("host", ["203.0.113.5", "0.0.0.0", "::", "evil.example", "10.0.0.1; rm", "192.0.2.7"])
async def test_no_door_at_an_address_that_is_not_private(hub: RealHub, host: str) -> None:
    status, error = await wish(hub, way="lan", host=host)
    assert (status, error["code"]) == (400, "usage") and "hub.lan_host" in error["text"]
    answer = await hub.ask("PUT", "/api/settings", None, json.dumps({"hub.lan_host": host}).encode())
    assert (answer.status, answer.json()["code"]) == (400, "usage")
    assert not phone_of(hub).lan.is_open and not load(hub.paths.config_file).hub_lan_host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "nonsense"])
async def test_a_setting_that_was_written_by_hand_opens_nothing_either(hub: RealHub, host: str) -> None:
    hub.runtime.change_settings({"hub_lan_host": host})
    lan = phone_of(hub).lan
    assert not lan.is_open and lan.fault and "hub.lan_host" in lan.fault.text
    assert (await hub.ask("GET", "/api/phone")).json()["lan"]["fault"] == lan.fault.text


async def test_an_address_that_this_machine_does_not_have_now(hub: RealHub) -> None:
    """A laptop elsewhere: the hub starts, says why, and looks again."""
    lan = phone_of(hub).lan
    lan.want(hub.doors, "10.255.255.254", 0)
    assert not lan.is_open and lan.fault and "10.255.255.254" in lan.fault.text
    lan.look()
    assert not lan.is_open
    lan.host = HERE  # the machine is at home again
    lan.look()
    assert lan.is_open and lan.fault is None


class OnFullDisk(Authority):
    def server_file(self, names: Sequence[str]) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


async def test_a_certificate_that_cannot_be_kept_leaves_the_door_closed_and_says_why(hub: RealHub, tmp_path: Path) -> None:
    lan = LanDoor(OnFullDisk(tmp_path), lambda: None)
    lan.want(hub.doors, HERE, 0)
    assert not lan.is_open and lan.fault and (lan.fault.code, HERE in lan.fault.text) == ("disk_full", True)


async def test_the_door_opens_again_with_the_hub(hub: RealHub, root: Path) -> None:
    await wish(hub, way="lan", host=HERE)
    before = phone_of(hub).authority.certificate().fingerprint
    hub.runtime.change_settings({"hub_lan_host": ""})
    assert not phone_of(hub).lan.is_open
    hub.runtime.change_settings({"hub_lan_host": HERE})
    assert phone_of(hub).lan.is_open and phone_of(hub).authority.certificate().fingerprint == before


# -- a proxy of the user's own --


async def test_a_proxy_of_ones_own_counts_at_once(hub: RealHub) -> None:
    there = {"Host": "voice.example", "Origin": "https://voice.example"}
    assert (await hub.ask("GET", "/", {"Host": "voice.example"})).status == 421
    status, view = await wish(hub, way="proxy", url="https://voice.example/")
    assert (status, view["url"], view["way"]) == (200, "https://voice.example", "proxy")
    assert (await hub.ask("GET", "/", {"Host": "voice.example"})).status == 200
    code = (await hub.ask("POST", "/api/phone/code", await hub.log_in(), b"{}")).json()
    assert "certificate_svg" not in code
    body = json.dumps({"key": code["code"]}).encode()
    login = await hub.ask("POST", "/api/login", {**there, "Content-Type": JSON, "X-Forwarded-For": "100.64.0.7"}, body)
    assert login.status == 200 and login.header("Set-Cookie").startswith("__Host-")
    addresses = [device["address"] for device in (await hub.ask("GET", "/api/devices", await hub.log_in())).json()]
    assert "100.64.0.7" in addresses
    assert (await wish(hub, way="off"))[0] == 200
    assert (await hub.ask("GET", "/", {"Host": "voice.example"})).status == 421


@pytest.mark.parametrize("url", ["http://voice.example", "voice.example", "https://a@b", "https://a/path", "https://", ""])
async def test_a_wrong_address_is_refused_before_it_is_kept(hub: RealHub, url: str) -> None:
    status, error = await wish(hub, way="proxy", url=url)
    assert (status, error["code"]) == (400, "usage")
    if url:
        answer = await hub.ask("PUT", "/api/settings", None, json.dumps({"hub.public_url": url}).encode())
        assert (answer.status, answer.json()["code"]) == (400, "usage")
    assert load(hub.paths.config_file).hub_public_url == ""


async def test_only_who_is_at_hand_opens_the_hub_to_others(hub: RealHub) -> None:
    """A program's token does not do: what it leaks must end with it."""
    for path, body in (("/api/phone", b'{"way": "off"}'), ("/api/phone/code", b"{}")):
        assert (await hub.ask("POST", path, None, body)).status == 403
        assert (await hub.ask("POST", path, {"Content-Type": JSON}, body)).status == 401
    for setting in ({"hub.lan_host": HERE}, {"hub.public_url": "https://voice.example"}):
        answer = await hub.ask("PUT", "/api/settings", None, json.dumps(setting).encode())
        assert answer.status == 403 and answer.json()["code"] == "forbidden"
        at_hand = await hub.ask("PUT", "/api/settings", await hub.log_in(), json.dumps(dict.fromkeys(setting)).encode())
        assert at_hand.status == 200
    values = load(hub.paths.config_file)
    assert (values.hub_lan_host, values.hub_public_url, phone_of(hub).lan.is_open) == ("", "", False)
    assert (await hub.ask("GET", "/api/phone")).status == 200


async def test_no_program_widens_the_rights_of_agents(hub: RealHub) -> None:
    """Agents of this user could read the token that it shows. Taking a setting back may be the wider one."""
    by_hand = [d.name for d in DECLARATIONS.values() if d.at_hand]
    assert {name.partition(".")[2] for name in by_hand} == {
        "host", "public_url", "lan_host", "tls_certificate", "tls_key", "server_url",
        "skip_permissions", "whisper_url", "kokoro_url", "token_file",
    }  # fmt: skip
    for name in by_hand:
        answer = await hub.ask("PUT", "/api/settings", None, json.dumps({"speech.speed": 1.5, name: None}).encode())
        assert (answer.status, answer.json()["code"]) == (403, "forbidden") and name in answer.json()["text"]
    assert hub.runtime.settings.speech_speed == 1.0, "nor is anything beside it changed"


# -- tailscale --


async def test_tailscale_serves_the_page(hub: RealHub, root: Path) -> None:
    status, view = await wish(hub, way="tailscale")
    target = f"http://127.0.0.1:{hub.port}"
    assert (status, view["url"], view["way"]) == (200, f"https://{stand_in.NAME}", "tailscale")
    assert stand_in.calls(root) == [f"serve --bg --https=443 {target}"]
    assert (await hub.ask("GET", "/", {"Host": stand_in.NAME})).status == 200
    status, view = await wish(hub, way="tailscale")  # once more changes nothing
    assert (status, view["url"]) == (200, f"https://{stand_in.NAME}")
    assert (await wish(hub, way="off"))[1]["url"] == ""
    assert stand_in.calls(root)[-1] == "serve --https=443 off" and stand_in.config(root)["TCP"] == {}
    assert load(hub.paths.config_file).hub_public_url == ""


@pytest.mark.parametrize(
    ("state", "code", "words", "remedy"),
    [
        ({"backend": "NeedsLogin"}, "missing_program", "not connected", "tailscale up"),
        ({"https": False}, "missing_program", "HTTPS", "login.tailscale.com/admin/dns"),
        ({"denied": True}, "forbidden", "lets this user change nothing", "--operator=$USER"),
        ({"waits": True}, "conflict", "not switched on", "https://login.tailscale.com/f/serve?node=abc"),
    ],
)
async def test_why_tailscale_cannot_serve(
    hub: RealHub, root: Path, state: dict[str, Any], code: str, words: str, remedy: str
) -> None:
    stand_in.install(root, **state)
    status, error = await wish(hub, way="tailscale")
    assert status >= 400 and error["code"] == code and words in error["text"] and remedy in error["remedy"]
    assert load(hub.paths.config_file).hub_public_url == ""


async def test_without_tailscale_and_once_it_is_installed(tmp_path: Path) -> None:
    tailscale = Tailscale({"PATH": str(tmp_path / "programs")})
    tailnet = await tailscale.look()
    assert tailnet.state == "missing" and "tailscale.com/download" in tailnet.remedy
    stand_in.install(tmp_path)
    assert (await tailscale.look()).state == "up", "without a new start of the hub"


OURS = "http://127.0.0.1:3460"
NAME = stand_in.NAME


def shown(port: int, target: str, funnel: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {
        "TCP": {str(port): {"HTTPS": True}},
        "Web": {f"{NAME}:{port}": {"Handlers": {"/": {"Proxy": target}}}},
    }
    return found | ({"AllowFunnel": {f"{NAME}:{port}": True}} if funnel else {})


@pytest.mark.parametrize(
    ("config", "port"),
    [
        ({}, 443),
        ({"TCP": None, "Web": None}, 443),
        (shown(443, OURS), 443),
        (shown(443, "http://127.0.0.1:9"), 8443),
        (shown(8443, OURS), 8443),
        ({"TCP": {"443": {"TCPForward": "127.0.0.1:22"}}}, 8443),
        (shown(443, "http://127.0.0.1:9", funnel=True), 8443),
    ],
)
def test_what_is_served_already_is_left_alone(config: dict[str, Any], port: int) -> None:
    assert choose_port(config, NAME, OURS) == port


@pytest.mark.parametrize(
    "config", [shown(443, OURS, funnel=True), {"TCP": {str(port): {"HTTPS": True} for port in adapter.PORTS}}]
)
def test_neither_a_full_tailscale_nor_a_funnel(config: dict[str, Any]) -> None:
    with pytest.raises(ClawMuxError) as refused:
        choose_port(config, NAME, OURS)
    assert refused.value.code == "conflict" and "tailscale" in refused.value.remedy
