"""What becomes of messages that nobody acknowledges, of loops, and what the owner and the page see. Real tmux, a real hub."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from clawmux.wire.errors import ClawMuxError
from tests.hub.messengers import add_messengers, comes_to, has_read, inputs, is_shown, read_ids, spawn, view
from tests.live_hub import LiveHub
from tests.stand_ins.page import StandInPage
from tests.waiting import until, until_answer

ID = re.compile(r"msg-[0-9a-hjkmnp-tv-z]{12}")


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        add_messengers(hub)
        yield hub


# -- never acknowledged --


class QuickHub(LiveHub):
    module = "tests.stand_ins.quick_hub"


@pytest.fixture
async def quick() -> AsyncIterator[LiveHub]:
    async with QuickHub("none") as hub:
        add_messengers(hub)
        yield hub


async def test_a_message_that_is_never_acknowledged_fails_after_four_tries_and_is_told_once(quick: LiveHub) -> None:
    async with StandInPage(quick.url, quick.token) as page:
        sky, adam = await spawn(quick, "nothing"), await spawn(quick, "nothing", name="adam")
        message_id = (await quick.run(sky, "send", "--to", "adam", "Hello?")).out.strip()
        found = await comes_to(quick, message_id, "failed", 20)
        assert found["tries"] == 4 and "never acknowledged" in found["reason"]
        typed = [text for text in inputs(quick, adam) if message_id in text]
        assert len(typed) == 4 and read_ids(quick, adam) == [message_id], "typed once, then reminded"
        assert all("reminder]" in text for text in typed[1:])
        await page.until(lambda: any(e["type"] == "notice" and "did not arrive" in e["text"] for e in page.events))
        told = await quick.run(sky, "converse", "By the way.", "--no-listen")
        assert message_id in told.err and told.out == ""
        assert message_id not in (await quick.run(sky, "converse", "And.", "--no-listen")).err
        assert "did not arrive" not in (await quick.run(sky, "status")).out
        assert (await quick.run(adam, "ack", message_id)).code == 0, "late is better than never"
        assert (await view(quick, message_id))["state"] == "acknowledged"
        assert "after all" in (await quick.run(sky, "status")).out


async def test_what_fails_for_the_user_is_told_on_the_page_and_never_owed(quick: LiveHub) -> None:
    async with StandInPage(quick.url, quick.token) as page:
        adam = await spawn(quick, "nothing", name="adam")
        ids = [(await quick.run("", "send", "--to", "adam", f"Number {n}.")).out.strip() for n in range(2)]
        await quick.call("DELETE", f"/api/sessions/{adam}")
        notice = await page.until(lambda: next((e for e in page.events if e["type"] == "notice"), None))
        assert notice["text"].startswith("2 messages of yours to Adam did not arrive.") and ids[1] in notice["remedy"]
        await until(lambda: unsettled(quick) == 0)


def unsettled(hub: LiveHub) -> int:
    """Messages in the store that a start of the hub would take up."""
    connection = sqlite3.connect(f"file:{hub.paths.store_file}?mode=ro", uri=True)
    query = "SELECT count(*) FROM messages WHERE state IN ('queued', 'injecting', 'pending') OR owed"
    try:
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()


async def test_who_waits_for_a_message_that_fails_is_told_so(quick: LiveHub) -> None:
    sky, _ = await spawn(quick, "nothing"), await spawn(quick, "nothing", name="adam")
    told = await quick.run(sky, "send", "--to", "adam", "--wait-ack", "Hello?")
    assert told.code == 26 and ID.fullmatch(told.out.strip()) and "4 tries" in told.err
    assert "did not arrive" not in (await quick.run(sky, "status")).out


# -- the owner --


async def test_the_user_sends_and_gets_the_reply_on_the_page(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token) as page:
        adam = await spawn(hub, "answer", name="adam")
        told = await hub.run("", "send", "--to", "adam", "--wait-response", "Which port?")
        message_id, answer = told.out.splitlines()
        assert answer == "user said: Which port?"
        assert (await has_read(hub, adam, message_id)).startswith(f"[MSG id:{message_id} from:user to:adam expect-response]")
        (sent,) = await hub.call("POST", "/api/messages", {"to": ["adam"], "text": "From the page."})
        await has_read(hub, adam, sent["id"])
        assert (sent["from"], sent["to_name"]) == ("user", "adam")
        await comes_to(hub, sent["id"], "acknowledged")
        assert (await hub.run(adam, "reply", sent["id"], "Seen.")).code == 0
        await page.until(lambda: is_shown(page, sent["id"], "responded"))
        await page.until(lambda: len([e for e in page.events if e["type"] == "agent_message"]) == 4)
        told_page = [(e["direction"], e["peer"], e["text"]) for e in page.events if e["type"] == "agent_message"]
        assert sorted(told_page) == sorted(
            [
                ("in", "user", "Which port?"),
                ("out", "user", "user said: Which port?"),
                ("in", "user", "From the page."),
                ("out", "user", "Seen."),
            ]
        )


async def test_both_conversations_show_what_was_said_once(hub: LiveHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "ack", name="adam")
    message_id = (await hub.run(sky, "send", "--to", "adam", "--wait-ack", "Ready?")).out.split()[0]
    await hub.run(adam, "reply", message_id, "Ready.")
    await until(lambda: len(inputs(hub, sky)) == 1)

    async def entries(session: str) -> list[tuple[str, str, str]]:
        history = await hub.call("GET", f"/api/history?session_id={session}")
        return [(e["direction"], e["peer_name"], e["text"]) for e in history["entries"] if e["type"] == "agent_message"]

    await until_answer(lambda: has_entries(entries(sky), 2))
    assert await entries(sky) == [("out", "adam", "Ready?"), ("in", "adam", "Ready.")]
    assert await entries(adam) == [("in", "sky", "Ready?"), ("out", "sky", "Ready.")]


async def has_entries(entries: Any, number: int) -> bool:
    return len(await entries) == number


async def test_messages_are_listed_searched_and_traced(hub: LiveHub) -> None:
    sky, _ = await spawn(hub, "nothing", name="sky"), await spawn(hub, "ack", name="adam")
    eve = await spawn(hub, "nothing", name="eve")
    ids = [(await hub.run(sky, "send", "--to", "adam", f"Number {number}.")).out.strip() for number in range(5)]
    other = (await hub.run(eve, "send", "--to", "adam", "Something Else.")).out.strip()
    listed = await hub.call("GET", "/api/messages?limit=2")
    assert [m["id"] for m in listed["messages"]] == [other, ids[4]] and listed["more"] is True
    older = await hub.call("GET", f"/api/messages?limit=10&before={ids[4]}")
    assert [m["id"] for m in older["messages"]] == ids[3::-1] and older["more"] is False
    assert [m["id"] for m in (await hub.call("GET", "/api/messages?q=something"))["messages"]] == [other]
    assert [m["id"] for m in (await hub.call("GET", "/api/messages?with=eve"))["messages"]] == [other]
    mine = (await hub.run(sky, "messages")).out
    assert all(i in mine for i in ids) and other not in mine, "an agent sees its own"
    assert (await hub.run(sky, "trace", other)).code == 11
    traced = (await hub.run(sky, "trace", ids[0])).out
    assert "queued" in traced and "Number 0." in traced
    assert other in (await hub.run("", "messages")).out, "the owner sees all"
    with pytest.raises(ClawMuxError) as missing:
        await view(hub, "msg-000000000000")
    assert missing.value.code == "not_found"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"to": "adam", "text": "x"}, "usage"),
        ({"to": [], "text": "x"}, "usage"),
        ({"to": [1], "text": "x"}, "usage"),
        ({"to": ["adam"], "text": ""}, "usage"),
        ({"to": ["adam"], "text": "x" * 70000}, "too_large"),
        ({"to": ["nobody"], "text": "x"}, "unknown_recipient"),
        ({"text": "x"}, "usage"),
    ],
)
async def test_a_wrong_letter_is_refused_by_its_field(hub: LiveHub, body: dict[str, Any], code: str) -> None:
    with pytest.raises(ClawMuxError) as refused:
        await hub.call("POST", "/api/messages", body)
    assert refused.value.code == code


# -- loops --


async def test_two_that_only_thank_each_other_are_stopped_with_a_notice(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token) as page:
        sky, adam = await spawn(hub, "nothing", name="sky"), await spawn(hub, "nothing", name="adam")
        codes = []
        for sender, to, text in [(sky, "adam", "Thanks!"), (adam, "sky", "You're welcome."), (sky, "adam", "Great, thanks.")]:
            codes.append((await hub.run(sender, "send", "--to", to, text)).code)
        refused = await hub.run(adam, "send", "--to", "sky", "Ok, got it.")
        assert codes == [0, 0, 0] and refused.code == 17 and "acknowledge" in refused.err
        await page.until(lambda: any(e["type"] == "notice" and "stopped" in e["text"] for e in page.events))


async def test_messages_that_lead_to_messages_end_when_no_person_has_spoken(hub: LiveHub) -> None:
    names = {name: await spawn(hub, "ack", name=name) for name in ("sky", "adam")}
    sender, to = "sky", "adam"
    for hop in range(9):
        told = await hub.run(names[sender], "send", "--to", to, "--wait-ack", f"Fact number {hop} of the report.")
        assert told.code == 0, f"hop {hop}: {told.err}"
        sender, to = to, sender
    refused = await hub.run(names[sender], "send", "--to", to, "Fact number 9 of the report.")
    assert refused.code == 17 and "without a word from the user" in refused.err
    await hub.run("", "send", "--to", sender, "--wait-ack", "Go on.")
    assert (await hub.run(names[sender], "send", "--to", to, "Fact number 9 of the report.")).code == 0


# -- many at once --


async def test_a_thousand_at_once_to_one_agent_are_bounded_and_hold_nobody_else_up(hub: LiveHub) -> None:
    """F26. From twenty senders, as one alone is stopped much earlier."""
    senders = [await hub.spawn("quiet", name=f"sender-{number}") for number in range(20)]
    slow, quick = await hub.spawn("quiet", name="slow"), await spawn(hub, "ack", name="quick")
    connector = aiohttp.UnixConnector(str(hub.paths.hub_socket), limit=40)
    async with aiohttp.ClientSession(connector=connector) as client:

        async def send(number: int) -> int:
            body = "\0".join(["send", "--to", "slow", f"Number {number}."]).encode()
            headers = {"Content-Type": "application/x-clawmux-argv"}
            async with client.post(f"http://clawmux/cli/{senders[number % 20]}", data=body, headers=headers) as answer:
                return int(answer.headers["Clawmux-Exit"])

        flood = asyncio.gather(*(send(number) for number in range(1000)))
        told = await hub.run(senders[0], "send", "--to", "quick", "--wait-ack", "And you?")
        codes = await flood
    assert told.code == 0 and len(read_ids(hub, quick)) == 1
    assert codes.count(0) == 500 and codes.count(17) == 500
    sessions = {session["id"]: session["messages"] for session in await hub.call("GET", "/api/sessions")}
    assert sessions[slow]["waiting"] == 500
