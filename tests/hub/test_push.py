"""Push messages of a real hub to devices behind a stand-in of a push service: who is told, once, and who is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from tests.live_hub import LiveHub, said
from tests.stand_ins.push_service import Device, PushService
from tests.stand_ins.pushing_hub import AWAY_SECONDS, GRACE_SECONDS, PAGE_SECONDS
from tests.waiting import until_answer

ALL = ["question", "permission", "done", "error"]
# In which a message that must not come would have come.
QUIET_SECONDS = GRACE_SECONDS + 0.7


class PushingHub(LiveHub):
    module = "tests.stand_ins.pushing_hub"


@pytest.fixture
async def hub() -> AsyncIterator[PushingHub]:
    async with PushingHub("none") as hub:
        yield hub


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with PushService() as service:
        yield service


@dataclass
class Browser:
    """One device that is in, as its page talks to the hub."""

    hub: LiveHub
    client: aiohttp.ClientSession
    headers: dict[str, str]
    cookie: str

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self.client.request(
            method, f"{self.hub.url}{path}", json=body, headers={**self.headers, "Cookie": self.cookie}
        ) as answer:
            return {"status": answer.status, **(await answer.json())}

    async def subscribe(self, device: Device, kinds: list[str] = ALL, words: bool = False) -> None:
        answer = await self.ask("POST", "/api/push", {**device.subscription, "kinds": kinds, "words": words})
        assert answer["status"] == 200, answer

    async def page(self, in_view: str | None, visible: bool = True, name: str = "page") -> aiohttp.ClientWebSocketResponse:
        protocols = ("clawmux", f"csrf.{self.headers['X-CSRF-Token']}")
        headers = {"Origin": self.headers["Origin"], "Host": self.headers["Host"], "Cookie": self.cookie}
        socket = await self.client.ws_connect(f"{self.hub.url}/ws", headers=headers, protocols=protocols)
        hello = {"type": "hello", "v": 2, "client": name, "in_view": in_view, "visible": visible, "muted": False, "auto": False}
        await socket.send_json(hello)
        await heard(socket, "session_list")
        return socket


async def heard(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    while (message := await socket.receive_json(timeout=15))["type"] != kind:
        pass
    return dict(message)


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield client


async def let_in(hub: LiveHub, client: aiohttp.ClientSession) -> Browser:
    origin, _, key = (await hub.call("POST", "/api/open"))["url"].partition("/#k=")
    headers = {"Origin": origin, "Host": origin.removeprefix("http://")}
    async with client.post(f"{hub.url}/api/login", json={"key": key}, headers=headers) as answer:
        assert answer.status == 200
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return Browser(hub, client, {**headers, "X-CSRF-Token": (await answer.json())["csrf"]}, cookie)


async def test_a_question_that_nobody_sees_is_pushed_and_waits_for_its_answer(
    hub: PushingHub, service: PushService, client: aiohttp.ClientSession
) -> None:
    browser, phone = await let_in(hub, client), service.device()
    await browser.subscribe(phone)
    key = (await browser.ask("GET", "/api/push"))["key"]
    session = await hub.spawn(name="sky")
    process = await hub.client(session, "converse", "Apply the secret plan?")
    await service.until(lambda: phone.messages)
    [message] = phone.messages
    assert message == {
        "type": "notify", "id": message["id"], "session_id": session, "kind": "question", "agent": "sky", "badge": 1,
        "title": "Sky asks", "body": "It waits for your answer.", "words": "",
    }  # fmt: skip
    headers = phone.headers[0]
    assert headers["Urgency"] == "high" and headers["TTL"] == "14400" and len(headers["Topic"]) == 32
    assert headers["Authorization"].endswith(f", k={key}")
    # Nobody has a page, and it waits all the same.
    await asyncio.sleep(PAGE_SECONDS)
    assert process.returncode is None
    socket = await browser.page(None, visible=False)
    await socket.send_json({"type": "text", "id": "t1", "session_id": session, "text": "Yes, apply it"})
    assert (await said(process)).out.strip() == "Yes, apply it"
    await service.until(lambda: len(phone.messages) == 2)
    assert phone.messages[1] == {"type": "clear", "id": message["id"], "badge": 0}
    assert phone.headers[1]["Topic"] == headers["Topic"]
    await socket.close()


async def test_without_a_device_to_tell_a_question_ends_as_before(hub: PushingHub) -> None:
    session = await hub.spawn(name="sky")
    answer = await hub.run(session, "converse", "Anybody?")
    assert answer.code == 4


async def test_what_is_answered_at_once_or_in_view_is_not_pushed(
    hub: PushingHub, service: PushService, client: aiohttp.ClientSession
) -> None:
    browser, other, phone = await let_in(hub, client), await let_in(hub, client), service.device()
    await other.subscribe(phone)
    session = await hub.spawn(name="sky")
    socket = await browser.page(None)
    process = await hub.client(session, "converse", "Quick?")
    await heard(socket, "attention")
    await socket.send_json({"type": "text", "id": "t1", "session_id": session, "text": "Yes"})
    assert (await said(process)).code == 0
    await socket.send_json({"type": "in_view", "session_id": session, "visible": True})
    process = await hub.client(session, "converse", "Seen?")
    await heard(socket, "attention")
    await asyncio.sleep(QUIET_SECONDS)
    assert service.requests == []
    # Turned away from, it is told, later than what nobody has seen.
    loop = asyncio.get_running_loop()
    began = loop.time()
    await socket.send_json({"type": "in_view", "session_id": None, "visible": False})
    await service.until(lambda: phone.messages)
    assert loop.time() - began >= AWAY_SECONDS - 0.05
    # Looked at again, it is shown nowhere any more, and never told again.
    await socket.send_json({"type": "in_view", "session_id": session, "visible": True})
    await service.until(lambda: len(phone.messages) == 2)
    assert [message["type"] for message in phone.messages] == ["notify", "clear"]
    await socket.send_json({"type": "in_view", "session_id": None, "visible": False})
    await asyncio.sleep(AWAY_SECONDS + 0.5)
    assert len(service.requests) == 2
    process.terminate()
    await process.wait()
    await socket.close()


async def test_a_restart_of_the_hub_tells_nothing_twice_and_loses_nothing(
    hub: PushingHub, service: PushService, client: aiohttp.ClientSession
) -> None:
    browser, phone = await let_in(hub, client), service.device()
    await browser.subscribe(phone, words=True)
    first, second = await hub.spawn(name="sky"), await hub.spawn(name="nova")
    told = await hub.client(first, "converse", "Told before?")
    await service.until(lambda: phone.messages)
    new = await hub.client(second, "converse", "Too new?")
    await until_answer(lambda: has_question(hub, second))
    await hub.kill()
    await hub.start()
    await service.until(lambda: len(phone.messages) == 2)
    assert [message["words"] for message in phone.messages] == ["Told before?", "Too new?"]
    await asyncio.sleep(QUIET_SECONDS)
    assert len(service.requests) == 2
    socket = await browser.page(None, visible=False)
    await socket.send_json({"type": "text", "id": "t1", "session_id": first, "text": "Yes"})
    await service.until(lambda: len(phone.messages) == 3)
    assert phone.messages[2] == {"type": "clear", "id": phone.messages[0]["id"], "badge": 1}
    assert (await said(told)).out.strip() == "Yes"
    new.terminate()
    await new.wait()
    await socket.close()


async def has_question(hub: LiveHub, session: str) -> bool:
    listed = await hub.call("GET", "/api/sessions")
    return any(row["id"] == session and row["question"] for row in listed)


async def test_each_device_gets_what_it_wants_and_none_that_is_out(
    hub: PushingHub, service: PushService, client: aiohttp.ClientSession
) -> None:
    browsers = [await let_in(hub, client) for _ in range(4)]
    wants, otherwise, gone, out = (service.device(name) for name in ("wants", "otherwise", "gone", "out"))
    service.answers = {"gone": [410], "wants": [429, 503]}
    service.retry_after = "0"
    for browser, device in zip(browsers, (wants, otherwise, gone, out), strict=True):
        await browser.subscribe(device, ["done"] if device is otherwise else ALL)
    own = next(d["id"] for d in (await devices(browsers[3])) if d["own"])
    assert (await browsers[0].ask("DELETE", f"/api/devices/{own}", {}))["status"] == 200
    session = await hub.spawn(name="sky")
    process = await hub.client(session, "converse", "Who hears this?")
    await service.until(lambda: wants.messages)
    assert [status for name, status in service.requests if name == "wants"] == [429, 503, 201]
    assert (otherwise.messages, out.messages) == ([], []) and ("gone", 410) in service.requests
    assert (await browsers[2].ask("GET", "/api/push"))["subscriptions"] == []
    assert '"login"' in (hub.paths.data / "push.json").read_text()
    assert "push/out" not in (hub.paths.data / "push.json").read_text()
    for name in ("push.json", "push_key.pem"):
        assert (hub.paths.data / name).stat().st_mode & 0o777 == 0o600
    process.terminate()
    await process.wait()


async def devices(browser: Browser) -> list[dict[str, Any]]:
    headers = {**browser.headers, "Cookie": browser.cookie}
    async with browser.client.get(f"{browser.hub.url}/api/devices", headers=headers) as answer:
        return list(await answer.json())


async def test_trying_it_out_goes_the_real_way(hub: PushingHub, service: PushService, client: aiohttp.ClientSession) -> None:
    browser, phone = await let_in(hub, client), service.device()
    socket = await browser.page(None)
    assert (await browser.ask("POST", "/api/push/test", {}))["pushed"] == 0
    shown = await heard(socket, "notify")
    assert (shown["kind"], shown["title"]) == ("test", "ClawMux can reach you here")
    await browser.subscribe(phone)
    assert (await browser.ask("POST", "/api/push/test", {}))["pushed"] == 1
    await service.until(lambda: phone.messages)
    assert phone.messages[0]["title"] == "ClawMux can reach you here"
    assert (await browser.ask("DELETE", "/api/push", {}))["dropped"] == 1
    await socket.close()


async def test_a_hidden_page_without_push_is_told_and_told_when_it_is_over(
    hub: PushingHub, client: aiohttp.ClientSession
) -> None:
    browser = await let_in(hub, client)
    session = await hub.spawn(name="sky")
    socket = await browser.page(None, visible=False)
    process = await hub.client(session, "converse", "Are you there?")
    shown = await heard(socket, "notify")
    assert (shown["title"], shown["words"], shown["session_id"]) == ("Sky asks", "Are you there?", session)
    await socket.send_json({"type": "text", "id": "t1", "session_id": session, "text": "Yes"})
    assert (await heard(socket, "notify_clear"))["id"] == shown["id"]
    assert (await said(process)).code == 0
    await socket.close()
