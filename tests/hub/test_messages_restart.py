"""Messages when the hub is killed and started again, stands still, or its disk is full. Real tmux throughout."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.hub.messengers import add_messengers, comes_to, has_read, inputs, read_ids, spawn, view
from tests.live_hub import LiveHub, said
from tests.stand_ins.full_disk_hub import MARK
from tests.stand_ins.page import StandInPage
from tests.waiting import until, until_answer


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        add_messengers(hub)
        yield hub


def stored(hub: LiveHub, message_id: str) -> dict[str, Any]:
    """The row as it lies on the disk."""
    connection = sqlite3.connect(f"file:{hub.paths.store_file}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        return dict(connection.execute("SELECT * FROM messages WHERE id = ?", (message_id,)).fetchone())
    finally:
        connection.close()


def change(hub: LiveHub, message_id: str, **columns: Any) -> None:
    """While no hub runs."""
    connection = sqlite3.connect(hub.paths.store_file)
    for name, value in columns.items():
        connection.execute(f"UPDATE messages SET {name} = ? WHERE id = ?", (value, message_id))
    connection.commit()
    connection.close()


@pytest.mark.parametrize("way", ["kill", "stop"])
async def test_who_waits_for_a_reply_gets_it_through_a_restart_and_only_once(hub: LiveHub, way: str) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    waiting = await hub.client(sky, "send", "--to", "adam", "--wait-response", "Still there?")
    (message_id,) = await until(lambda: read_ids(hub, adam), 10)
    await (hub.kill() if way == "kill" else hub.stop())
    await hub.start()
    # At once, before the command that waits may be back.
    assert (await hub.run(adam, "reply", message_id, "Yes.")).code == 0
    told = await said(waiting)
    assert (told.code, told.out.splitlines()) == (0, [message_id, "Yes."])
    await asyncio.sleep(4)  # longer than a try takes: nothing comes
    assert inputs(hub, sky) == [] and read_ids(hub, adam) == [message_id], "neither is typed again"


async def test_what_waited_is_typed_after_a_restart_in_order(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token) as page:
        sky, adam = await spawn(hub, "nothing"), await spawn(hub, "ack", name="adam")
        asking = await hub.client(adam, "converse", "Shall I?")
        await page.until(lambda: page.texts("assistant_text"))
        ids = [(await hub.run(sky, "send", "--to", "adam", f"Number {n}.")).out.strip() for n in range(3)]
        await hub.kill()
        await hub.start()
        await page.until(lambda: page.breaks and page.moments[-1])
        assert [(await view(hub, i))["state"] for i in ids] == ["queued"] * 3 and inputs(hub, adam) == []
        await page.say({"type": "text", "id": "x1", "session_id": adam, "text": "yes"})
        assert (await said(asking)).out == "yes\n"
        await until(lambda: len(read_ids(hub, adam)) == 3, 15)
        assert read_ids(hub, adam) == ids
        for message_id in ids:
            await comes_to(hub, message_id, "acknowledged")


async def test_one_that_was_sent_when_the_hub_was_killed_is_not_typed_again(hub: LiveHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    message_id = (await hub.run(sky, "send", "--to", "adam", "Once.")).out.strip()
    await has_read(hub, adam, message_id)
    await comes_to(hub, message_id, "pending")
    await hub.kill()
    change(hub, message_id, state="injecting", tries=0, taken=0)  # as if it had been killed before it could write so
    await hub.start()
    await comes_to(hub, message_id, "pending")
    after = (await hub.run(sky, "send", "--to", "adam", "Then.")).out.strip()
    await has_read(hub, adam, after)
    assert read_ids(hub, adam) == [message_id, after]


async def test_one_that_was_not_typed_yet_when_the_hub_was_killed_is_typed(hub: LiveHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    message_id = (await hub.run(sky, "send", "--to", "adam", "Once.")).out.strip()
    await comes_to(hub, message_id, "pending")
    await hub.kill()
    change(hub, message_id, state="injecting", tries=0, taken=0, id="msg-000000000000")
    await hub.start()
    await has_read(hub, adam, "msg-000000000000")
    assert read_ids(hub, adam) == [message_id, "msg-000000000000"]


async def test_the_end_of_a_recipient_while_no_hub_ran_is_told(hub: LiveHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    message_id = (await hub.run(sky, "send", "--to", "adam", "Hello.")).out.strip()
    await comes_to(hub, message_id, "pending")
    waiting = await hub.client(sky, "send", "--to", "adam", "--wait-response", "Hello?")
    await until(lambda: len(read_ids(hub, adam)) == 2, 10)
    pid = await pane_pid(hub, adam)
    await hub.kill()
    os.kill(pid, signal.SIGKILL)
    await hub.start()
    assert (await said(waiting)).code == 27
    await comes_to(hub, message_id, "undeliverable")
    assert message_id in (await hub.run(sky, "status")).out


async def pane_pid(hub: LiveHub, session_id: str) -> int:
    process = await asyncio.create_subprocess_exec(
        "tmux", "-S", str(hub.paths.tmux_socket), "list-panes", "-a", "-F", "#{@clawmux_id} #{pane_pid}",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    return int(next(line.split()[1] for line in out.decode().splitlines() if line.startswith(f"{session_id} ")))


async def test_what_a_sender_was_not_told_before_a_restart_they_are_told_after_it(hub: LiveHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    message_id = (await hub.run(sky, "send", "--to", "adam", "Hello.")).out.strip()
    await hub.call("DELETE", f"/api/sessions/{adam}")
    await comes_to(hub, message_id, "undeliverable")
    await hub.kill()
    await hub.start()
    assert message_id in (await hub.run(sky, "status", "--json")).out
    # Told first and marked then: a hub killed in between tells it once more.
    await until(lambda: stored(hub, message_id)["owed"] == 0)
    await hub.kill()
    await hub.start()
    told = json.loads((await hub.run(sky, "status", "--json")).out)["result"]["owed"]
    assert told == []


async def test_a_printed_id_is_on_the_disk(hub: LiveHub) -> None:
    sky, _ = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    message_id = (await hub.run(sky, "send", "--to", "adam", "Hello.")).out.strip()
    await hub.kill()
    assert stored(hub, message_id)["text"] == "Hello."


async def test_a_hub_that_stood_still_fails_nothing(hub: LiveHub) -> None:
    """F5: stopped for longer than the tries take, it goes on where it was."""
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    message_id = (await hub.run(sky, "send", "--to", "adam", "Hello.")).out.strip()
    await comes_to(hub, message_id, "pending")
    assert hub.process is not None
    hub.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(3)  # the time that it stands still
    hub.process.send_signal(signal.SIGCONT)
    assert (await view(hub, message_id))["state"] == "pending" and read_ids(hub, adam) == [message_id]


# -- a full disk --


class FullDiskHub(LiveHub):
    module = "tests.stand_ins.full_disk_hub"

    def fill(self, is_full: bool) -> None:
        if is_full:
            (self.home / MARK).touch()
        else:
            (self.home / MARK).unlink()


@pytest.fixture
async def small() -> AsyncIterator[FullDiskHub]:
    async with FullDiskHub("none") as hub:
        add_messengers(hub)
        yield hub


async def test_what_a_full_disk_refuses_was_not_sent_and_the_next_goes_through(small: FullDiskHub) -> None:
    sky, adam = await spawn(small, "nothing"), await spawn(small, "nothing", name="adam")
    small.fill(True)
    refused = await small.run(sky, "send", "--to", "adam", "Lost?")
    assert (refused.code, refused.out) == (23, "") and "full" in refused.err
    assert (await small.call("GET", "/api/messages"))["messages"] == []
    small.fill(False)
    message_id = (await small.run(sky, "send", "--to", "adam", "Not lost.")).out.strip()
    await has_read(small, adam, message_id)
    await small.kill()
    await small.start()
    assert [m["text"] for m in (await small.call("GET", "/api/messages"))["messages"]] == ["Not lost."]
    assert read_ids(small, adam) == [message_id]


async def test_an_acknowledgment_on_a_full_disk_is_refused_and_kept_when_there_is_room(small: FullDiskHub) -> None:
    sky, adam = await spawn(small, "nothing"), await spawn(small, "nothing", name="adam")
    message_id = (await small.run(sky, "send", "--to", "adam", "Hello.")).out.strip()
    await comes_to(small, message_id, "pending")
    small.fill(True)
    assert (await small.run(adam, "ack", message_id)).code == 23
    assert stored(small, message_id)["state"] == "pending"
    small.fill(False)
    assert (await small.run(adam, "ack", message_id)).code == 0
    assert stored(small, message_id)["state"] == "acknowledged"


async def test_nothing_is_typed_that_could_not_be_stored_and_all_of_it_later(small: FullDiskHub) -> None:
    async with StandInPage(small.url, small.token) as page:
        sky, adam = await spawn(small, "nothing"), await spawn(small, "nothing", name="adam")
        asking = await small.client(adam, "converse", "Shall I?")
        await page.until(lambda: page.texts("assistant_text"))
        message_id = (await small.run(sky, "send", "--to", "adam", "Hello.")).out.strip()
        small.fill(True)
        await page.say({"type": "text", "id": "x1", "session_id": adam, "text": "yes"})
        assert (await said(asking)).out == "yes\n"

        async def is_held() -> bool:
            return "disk" in (await view(small, message_id))["held"]

        await until_answer(is_held)
        assert inputs(small, adam) == []
        small.fill(False)
        await has_read(small, adam, message_id)
        await comes_to(small, message_id, "pending")
        await until(lambda: stored(small, message_id)["state"] == "pending")
        assert read_ids(small, adam) == [message_id]


async def test_an_answer_that_a_full_disk_refused_is_typed_when_there_is_room(small: FullDiskHub) -> None:
    sky, adam = await spawn(small, "nothing"), await spawn(small, "nothing", name="adam")
    message_id = (await small.run(sky, "send", "--to", "adam", "Which port?")).out.strip()
    await comes_to(small, message_id, "pending")
    small.fill(True)
    assert (await small.run(adam, "reply", message_id, "Port 80.")).code == 23
    small.fill(False)
    assert (await small.run(adam, "reply", message_id, "Port 80.")).code == 0
    await until(lambda: any("Port 80." in text for text in inputs(small, sky)), 15)
    await asyncio.sleep(4)  # longer than a try takes: nothing more comes
    assert len(inputs(small, sky)) == 1
    assert [m["re"] for m in (await small.call("GET", "/api/messages"))["messages"]] == [message_id, ""]
