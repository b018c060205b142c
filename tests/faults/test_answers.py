"""Answers to a command that waits, when that command or the hub ends at the worst moment. Real tmux, a real hub.

An answer reaches its asker: on stdout of the command, or, when that is not there to print it, typed as a message.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest

from tests.hub.messengers import add_messengers, has_read, inputs, read_ids, spawn, view
from tests.live_hub import LiveHub, said
from tests.stand_ins.dying_hub import MARK
from tests.waiting import until

pytestmark = pytest.mark.faults

HELD_BACK_SECONDS = 3.0
"""After which no command is expected to come back any more."""


class DyingHub(LiveHub):
    module = "tests.stand_ins.dying_hub"

    async def ends_after(self, text: str) -> None:
        (self.home / MARK).write_text(text)

    async def start_again(self) -> None:
        assert self.process is not None
        await asyncio.wait_for(self.process.wait(), 15)
        (self.home / MARK).unlink()
        await self.start()


@pytest.fixture
async def hub() -> AsyncIterator[DyingHub]:
    async with DyingHub("none") as hub:
        add_messengers(hub)
        yield hub


async def name_of(hub: LiveHub, session_id: str) -> str:
    return str(next(s["name"] for s in await hub.call("GET", "/api/sessions") if s["id"] == session_id))


async def test_an_answer_is_typed_when_hub_and_command_ended_before_it_was_printed(hub: DyingHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    waiting = await hub.client(sky, "send", "--to", "adam", "--wait-response", "Which port?")
    (message_id,) = await until(lambda: read_ids(hub, adam), 10)
    await hub.ends_after("Port 80.")
    replying = await hub.client(adam, "reply", message_id, "Port 80.")
    assert hub.process is not None
    await hub.process.wait()
    waiting.kill()
    await hub.start_again()
    assert (await said(replying)).code == 0
    line = await until(lambda: next((text for text in inputs(hub, sky) if "Port 80." in text), ""), HELD_BACK_SECONDS + 12)
    assert f"reply-to:{message_id}]" in line
    # Not once more by the next hub.
    await hub.kill()
    await hub.start()
    await asyncio.sleep(HELD_BACK_SECONDS + 2)
    assert len(inputs(hub, sky)) == 1


async def test_an_answer_is_printed_and_not_typed_when_only_the_hub_ended_before(hub: DyingHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    waiting = await hub.client(sky, "send", "--to", "adam", "--wait-response", "Which port?")
    (message_id,) = await until(lambda: read_ids(hub, adam), 10)
    await hub.ends_after("Port 80.")
    replying = await hub.client(adam, "reply", message_id, "Port 80.")
    await hub.start_again()
    told = await said(waiting)
    assert (told.code, told.out.splitlines()) == (0, [message_id, "Port 80."])
    assert (await said(replying)).code == 0
    await asyncio.sleep(HELD_BACK_SECONDS + 2)
    assert inputs(hub, sky) == []
    history = await hub.call("GET", f"/api/history?session_id={sky}")
    shown = [(e["direction"], e["text"]) for e in history["entries"] if e["type"] == "agent_message"]
    assert shown == [("out", "Which port?"), ("in", "Port 80.")]


async def test_what_one_of_two_has_answered_is_typed_when_the_command_ends_before_the_other(hub: DyingHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    await spawn(hub, "nothing", name="eve")
    waiting = await hub.client(sky, "send", "--to", "adam,eve", "--wait-response", "Which port?")
    (message_id,) = await until(lambda: read_ids(hub, adam), 10)
    assert (await hub.run(adam, "reply", message_id, "Port 80.")).code == 0
    waiting.kill()
    await waiting.wait()
    line = await until(lambda: next((text for text in inputs(hub, sky) if "Port 80." in text), ""), HELD_BACK_SECONDS + 12)
    assert f"reply-to:{message_id}]" in line
    answers = await hub.call("GET", "/api/messages")
    assert [m["re"] for m in answers["messages"] if m["re"]] == [message_id]
    history = await hub.call("GET", f"/api/history?session_id={adam}")
    shown = [(e["direction"], e["text"]) for e in history["entries"] if e["type"] == "agent_message"]
    assert shown == [("in", "Which port?"), ("out", "Port 80.")], "said once"


async def test_what_one_of_two_has_answered_is_printed_by_a_command_that_is_stopped(hub: DyingHub) -> None:
    """It asks once more what there is, over a connection of its own."""
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    await spawn(hub, "nothing", name="eve")
    waiting = await hub.client(sky, "send", "--to", "adam,eve", "--wait-response", "Which port?")
    (message_id,) = await until(lambda: read_ids(hub, adam), 10)
    assert (await hub.run(adam, "reply", message_id, "Port 80.")).code == 0
    waiting.send_signal(signal.SIGTERM)
    told = await said(waiting)
    assert told.code == 128 + signal.SIGTERM and told.out.splitlines()[2:] == ["adam: Port 80."]
    await asyncio.sleep(HELD_BACK_SECONDS + 2)
    assert inputs(hub, sky) == []


async def test_an_answer_in_place_of_the_acknowledgment_is_printed_and_not_typed_as_well(hub: DyingHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    waiting = await hub.client(sky, "send", "--to", "adam", "--wait-ack", "Ready?")
    (message_id,) = await until(lambda: read_ids(hub, adam), 10)
    assert (await hub.run(adam, "reply", message_id, "Ready.")).code == 0
    told = await said(waiting)
    assert (told.code, told.out.splitlines()) == (0, [message_id, "Ready."])
    then = (await hub.run(adam, "send", "--to", await name_of(hub, sky), "Then.")).out.strip()
    await has_read(hub, sky, then)
    assert read_ids(hub, sky) == [then]


async def test_an_answer_that_was_printed_is_owed_to_nobody(hub: DyingHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "answer", name="adam")
    told = await hub.run(sky, "send", "--to", "adam", "--wait-response", "Which port?")
    message_id = told.out.split()[0]
    assert told.code == 0 and (await view(hub, message_id))["state"] == "responded"
    assert "did not arrive" not in (await hub.run(sky, "status")).out
    await hub.kill()
    await hub.start()
    assert (await hub.run(sky, "send", "--to", "adam", "Thank you for that.")).code == 0
    await until(lambda: len(read_ids(hub, adam)) == 2, 10)
    await asyncio.sleep(HELD_BACK_SECONDS + 2)
    assert inputs(hub, sky) == []
    await has_read(hub, adam, message_id)
