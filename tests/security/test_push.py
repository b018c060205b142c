"""Push messages: where the hub can be made to send something, and where not; who may ask for it."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import abc

from clawmux.hub.push import PUBLIC, Guarded, Message, NotPublic, Outcome, Push, Reach, is_public
from clawmux.hub.subscriptions import PER_LOGIN, Subscription, Subscriptions
from clawmux.paths import make_private
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Need
from tests.security.real_hub import RealHub
from tests.stand_ins.push_service import HERE, Device, PushService

MESSAGE = Message({"type": "notify"}, "topic", 60)
KEYS = {"p256dh": Device.new().subscription["p256dh"], "auth": "A" * 22}

PRIVATE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1",
    "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::",
    "2002:a00:1::", "::127.0.0.1", "2001:0:53aa:64c:0:0:f5ff:fffe", "", "push.example", "127.1",
]  # fmt: skip
PUBLICS = ["1.1.1.1", "142.250.1.1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_address_of_ours(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLICS)
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "endpoint",
    [
        "", "push", "//push.example/x", "http://push.example/x", "ftp://push.example/x", "file:///etc/passwd", "https://",
        "https:///x", "https://push.example:8443/x", "https://push.example:22/x", "https://push.example:99999/x",
        "https://user@push.example/x", "https://user:word@push.example/x", "https://push.example/x#y",
        "https://push.example/a b", "https://push.example/\r\nHost: x", "https://push.example/\u00e4", "https://p\u00fcsh.example/x",
        "https://push.example/" + "x" * 1024, "https://[::1]/x", "https://[::ffff:127.0.0.1]/x", "https://[fe80::1%25eth0]/x",
        *(f"https://{address}/x" for address in PRIVATE if address.count(".") == 3 and ":" not in address),
    ],
)  # fmt: skip
async def test_endpoints_that_are_none(endpoint: str, tmp_path: Path) -> None:
    push = Push(tmp_path / "key.pem")
    with pytest.raises(ClawMuxError) as refused:
        await push.check(endpoint)
    assert refused.value.code == "usage"


class Named(Guarded):
    """Names as an attacker's server of names gives them, each time the next answer."""

    def __init__(self, reach: Reach, *answers: list[str]) -> None:
        super().__init__(reach)
        self._resolver = Names(answers)  # type: ignore[assignment]


class Names(abc.AbstractResolver):
    def __init__(self, answers: tuple[list[str], ...]) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[abc.ResolveResult]:
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            abc.ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in found
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("found", [["10.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::ffff:192.168.0.1"], ["fe80::1%2"], []])
async def test_a_name_that_leads_to_us_is_refused(found: list[str]) -> None:
    with pytest.raises(NotPublic):
        await Named(PUBLIC, found).resolve("push.example", 443)


@pytest.mark.parametrize("name", ["localhost", "2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
async def test_other_ways_to_write_this_machine(name: str, tmp_path: Path) -> None:
    push = Push(tmp_path / "key.pem", retry_seconds=())
    subscription = Subscription(f"https://{name}/x", KEYS["p256dh"], KEYS["auth"], "login", (Need.QUESTION,))
    with pytest.raises(ClawMuxError, match="public internet"):
        await push.check(subscription.endpoint)
    assert await push.deliver(subscription, MESSAGE) is Outcome.REFUSED
    await push.stop()


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with PushService() as service:
        yield service


@pytest.fixture
async def push(tmp_path: Path) -> AsyncIterator[Push]:
    push = Push(tmp_path / "key.pem", HERE, (0.01, 0.02))
    yield push
    await push.stop()


def subscription(device: Device) -> Subscription:
    body = device.subscription
    return Subscription(body["endpoint"], body["p256dh"], body["auth"], "login", (Need.QUESTION,))


async def test_what_is_stored_is_judged_again_when_it_is_sent(service: PushService, tmp_path: Path) -> None:
    """A file that somebody has edited, or a version of ours that judged otherwise."""
    push = Push(tmp_path / "key.pem")
    assert await push.deliver(subscription(service.device()), MESSAGE) is Outcome.REFUSED
    secure = replace(subscription(service.device()), endpoint=service.origin.replace("http://", "https://") + "/push/phone")
    assert await push.deliver(secure, MESSAGE) is Outcome.REFUSED
    assert service.requests == []
    await push.stop()


async def test_a_name_that_leads_elsewhere_since_it_was_looked_at(service: PushService, tmp_path: Path) -> None:
    """Rebinding: the connection goes to what was judged, and nobody asks for the name once more."""
    push = Push(tmp_path / "key.pem", replace(PUBLIC, schemes=HERE.schemes, ports=None), ())
    device = service.device()
    device.endpoint = device.endpoint.replace("127.0.0.1", "push.example")
    names = Named(PUBLIC, ["127.0.0.1"])
    push._session().connector._resolver = names  # type: ignore[union-attr]
    assert await push.deliver(subscription(device), MESSAGE) is Outcome.REFUSED
    assert service.requests == []
    await push.stop()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_nothing_is_redirected(service: PushService, push: Push, status: int) -> None:
    device, elsewhere = service.device(), service.device("elsewhere")
    service.answers["phone"], service.location = [status], elsewhere.endpoint
    assert await push.deliver(subscription(device), MESSAGE) is Outcome.REFUSED
    assert service.requests == [("phone", status)]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([201], Outcome.SENT),
        ([200], Outcome.SENT),
        ([429, 201], Outcome.SENT),
        ([500, 503, 201], Outcome.SENT),
        ([503, 503, 503, 201], Outcome.FAILED),
        ([404], Outcome.GONE),
        ([429, 410], Outcome.GONE),
        ([400], Outcome.REFUSED),
        ([401], Outcome.REFUSED),
        ([413], Outcome.REFUSED),
    ],
)
async def test_what_comes_of_each_answer(service: PushService, push: Push, answers: list[int], outcome: Outcome) -> None:
    device, given = service.device(), list(answers)
    service.answers["phone"] = answers
    assert await push.deliver(subscription(device), MESSAGE) is outcome
    tries = 3 if outcome is Outcome.FAILED else len(given)
    assert [status for _, status in service.requests] == given[:tries]


async def test_the_service_says_how_long_to_wait(service: PushService, push: Push) -> None:
    device = service.device()
    service.answers["phone"], service.retry_after = [429], "1"
    began = time.monotonic()
    assert await push.deliver(subscription(device), MESSAGE) is Outcome.SENT
    assert time.monotonic() - began >= 1
    service.answers["phone"], service.retry_after = [429], "100000"
    assert await push.deliver(subscription(device), MESSAGE) is Outcome.FAILED, "the message is worth less than the wait"


async def test_nobody_listens(service: PushService, push: Push) -> None:
    device = service.device()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        device.endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}/push/phone"
        assert await push.deliver(subscription(device), MESSAGE) is Outcome.FAILED


async def test_the_key_is_the_hubs_own_for_ever(tmp_path: Path) -> None:
    file = make_private(tmp_path / "data") / "key.pem"
    first = await Push(file).public_key()
    assert file.stat().st_mode & 0o777 == 0o600 and await Push(file).public_key() == first
    file.chmod(0o644)
    with pytest.raises(ClawMuxError) as unsafe:
        await Push(file).public_key()
    assert unsafe.value.code == "unsafe_files"
    file.chmod(0o600)
    file.write_text("nothing")
    with pytest.raises(ClawMuxError) as broken:
        await Push(file).public_key()
    assert broken.value.code == "bad_file"


# -- what is kept --


def test_a_handful_for_each_device(tmp_path: Path) -> None:
    file = make_private(tmp_path / "data") / "push.json"
    kept = Subscriptions(file)
    for i in range(PER_LOGIN + 2):
        for login in ("a", "b"):
            kept.put(Subscription(f"https://push.example/{login}{i}", KEYS["p256dh"], KEYS["auth"], login, (Need.DONE,)))
    assert [s.endpoint[-2:] for s in kept.of("a")] == ["a2", "a3", "a4"]
    assert list(Subscriptions(file)) == list(kept) and len(kept) == 2 * PER_LOGIN
    kept.keep_logins({"b"})
    assert {s.login for s in Subscriptions(file)} == {"b"}
    file.write_text('[{"endpoint": 5}]')
    assert len(Subscriptions(file)) == 0


# -- over the wire --


async def post(hub: RealHub, page: dict[str, str], body: dict[str, Any], method: str = "POST") -> tuple[int, dict[str, Any]]:
    answer = await hub.ask(method, "/api/push", page, json.dumps(body).encode())
    return answer.status, answer.json()


async def test_a_real_hub_takes_public_endpoints_with_good_keys_only(hub: RealHub) -> None:
    page = await hub.log_in()
    good = {"endpoint": "https://1.1.1.1/push/secret", **KEYS, "kinds": ["question"], "words": True}
    wrong: list[dict[str, Any]] = [
        {"endpoint": f"https://{host}/x"}
        for host in ("127.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "localhost", "169.254.169.254", f"127.0.0.1:{hub.port}")
    ]
    wrong += [
        {"p256dh": "AAAA"},
        {"p256dh": "\u00e4"},
        {"auth": "AAAA"},
        {"auth": 5},
        {"kinds": ["all"]},
        {"kinds": [{}]},
        {"kinds": "x"},
    ]
    wrong += [{"words": "yes"}, {"more": 1}, {"endpoint": ""}, {"endpoint": None}]
    for change in wrong:
        status, answer = await post(hub, page, {**good, **change})
        assert (status, answer["code"]) == (400, "usage"), change
        assert len(hub.runtime.notifier.subscriptions) == 0
    status, answer = await post(hub, page, good)
    assert status == 200
    view = (await hub.ask("GET", "/api/push", page)).json()
    assert view["subscriptions"] == [{"id": answer["id"], "kinds": ["question"], "words": True}]
    assert "secret" not in json.dumps(view)


async def test_a_subscription_is_its_own_devices(hub: RealHub) -> None:
    page, other = await hub.log_in(), await hub.log_in()
    body = {"endpoint": "https://1.1.1.1/push/secret", **KEYS, "kinds": ["done"]}
    assert (await post(hub, page, body))[0] == 200
    assert (await hub.ask("GET", "/api/push", other)).json()["subscriptions"] == []
    assert (await post(hub, other, {"endpoint": body["endpoint"]}, "DELETE"))[0] == 404
    assert await post(hub, other, {}, "DELETE") == (200, {"dropped": 0})
    assert len(hub.runtime.notifier.subscriptions) == 1
    # Whoever logs out gets nothing any more.
    assert (await hub.ask("POST", "/api/logout", page, b"{}")).status == 200
    assert len(hub.runtime.notifier.subscriptions) == 0


async def test_a_token_has_no_browser(hub: RealHub) -> None:
    body = {"endpoint": "https://1.1.1.1/push/secret", **KEYS}
    for method, path in (("GET", "/api/push"), ("POST", "/api/push"), ("DELETE", "/api/push"), ("POST", "/api/push/test")):
        assert (await hub.ask(method, path, None, json.dumps(body).encode())).status == 403
    assert len(hub.runtime.notifier.subscriptions) == 0


async def test_a_new_token_ends_all_of_them(hub: RealHub) -> None:
    page = await hub.log_in()
    assert (await post(hub, page, {"endpoint": "https://1.1.1.1/push/secret", **KEYS}))[0] == 200
    hub.auth.token.rotate()
    await asyncio.sleep(0)
    assert (await hub.ask("GET", "/api/push", page)).status == 401
    assert len(hub.runtime.notifier.subscriptions) == 0
