"""What who tries messages first meets: the demo agent, which needs no account, and a shell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.hub.messengers import spawn
from tests.live_hub import LiveHub
from tests.stand_ins.page import StandInPage
from tests.waiting import until_answer

OWNER = ""


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        yield hub


async def doing(hub: LiveHub, session_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = await hub.call("GET", "/api/sessions")
    return dict(next(session["doing"] for session in found if session["id"] == session_id))


async def comes_to_do(hub: LiveHub, session_id: str, activity: str, detail: str = "") -> None:
    async def does() -> bool:
        now = await doing(hub, session_id)
        return (now["activity"], now["detail"]) == (activity, detail)

    await until_answer(does, 10)


async def test_the_demo_rests_and_answers_where_nobody_can_hear_it(hub: LiveHub) -> None:
    sky = await spawn(hub, "demo")
    await comes_to_do(hub, sky, "idle")
    told = await hub.run(OWNER, "send", "--to", "sky", "--wait-response", "Hello there!")
    assert (told.code, told.out.splitlines()[1:]) == (0, ["I heard: Hello there."])


async def test_the_demo_answers_messages_and_typed_words_while_it_waits_for_its_user(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token) as page:
        sky = await spawn(hub, "demo")
        await page.until(lambda: page.texts("assistant_text"))
        told = await hub.run(OWNER, "send", "--to", "sky", "--wait-response", "list your folder")
        assert told.code == 0 and "My folder has" in told.out
        await page.say({"type": "text", "id": "x1", "session_id": sky, "text": "Still there?"})
        await page.until(lambda: "I heard: Still there. What else?" in page.texts("assistant_text"))


async def test_two_demos_do_not_keep_each_other_going(hub: LiveHub) -> None:
    sky, adam = await spawn(hub, "demo"), await spawn(hub, "demo", name="adam")
    told = await hub.run(sky, "send", "--to", "adam", "--wait-ack", "Hello!")
    asked = await hub.run(adam, "send", "--to", "sky", "--wait-response", "Hello?")
    assert (told.code, asked.code, asked.out.splitlines()[1:]) == (0, 0, ["I heard: Hello."])
    assert len((await hub.call("GET", "/api/messages"))["messages"]) == 2
