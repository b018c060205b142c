"""Faults of the world around a hub whose agents send messages: signals, disks, clocks, crowds. Real tmux throughout."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from clawmux.adapters import headers
from tests.hub.messengers import add_messengers, comes_to, has_read, inputs, read_ids, spawn, view
from tests.hub.test_messages_restart import change
from tests.live_hub import ROOT, LiveHub, said
from tests.long_form import IS_LONG
from tests.stand_ins import jumping_hub
from tests.stand_ins.page import StandInPage
from tests.waiting import until, until_answer

pytestmark = pytest.mark.faults

DISK_FULL = 23


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        add_messengers(hub)
        yield hub


# -- F2: ended between paste and Enter --


async def test_a_half_typed_message_that_is_settled_meanwhile_is_taken_back(hub: LiveHub) -> None:
    """Its reply has gone to the command that waits, say, which came back before the typing did."""
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    sender = (await hub.call("GET", "/api/sessions"))[0]["name"]
    first = (await hub.run(sky, "send", "--to", "adam", "Once.")).out.strip()
    await comes_to(hub, first, "pending")
    await hub.kill()
    left = "msg-000000000000"
    change(hub, first, state="acknowledged", id=left)
    tmux = ["tmux", "-S", str(hub.paths.tmux_socket)]
    pane = await pane_of(hub, adam)
    await run(*tmux, "set-buffer", "-b", "left", headers.line(left, sender, "adam", "Once."))
    await run(*tmux, "paste-buffer", "-d", "-p", "-b", "left", "-t", pane)
    await hub.start()
    then = (await hub.run(sky, "send", "--to", "adam", "Then.")).out.strip()
    await has_read(hub, adam, then)
    assert read_ids(hub, adam) == [first, then]


async def test_an_answer_to_what_was_acknowledged_before_a_kill_is_printed_and_not_typed_as_well(hub: LiveHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    waiting = await hub.client(sky, "send", "--to", "adam", "--wait-response", "Still there?")
    (message_id,) = await until(lambda: read_ids(hub, adam), 10)
    assert (await hub.run(adam, "ack", message_id)).code == 0
    waiting.send_signal(signal.SIGSTOP)
    await hub.kill()
    await hub.start()
    assert (await hub.run(adam, "reply", message_id, "Yes.")).code == 0
    await asyncio.sleep(1.5)  # as long as its pause between two looks for a hub may be, and some more
    waiting.send_signal(signal.SIGCONT)
    told = await said(waiting)
    assert (told.code, told.out.splitlines()) == (0, [message_id, "Yes."])
    await asyncio.sleep(4)
    assert inputs(hub, sky) == []


async def test_an_answer_between_two_kills_is_printed_and_not_typed_as_well(hub: LiveHub) -> None:
    """The second hub has the answer, and the command that waits for it finds only the third."""
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    waiting = await hub.client(sky, "send", "--to", "adam", "--wait-response", "Still there?")
    (message_id,) = await until(lambda: read_ids(hub, adam), 10)
    waiting.send_signal(signal.SIGSTOP)
    await hub.kill()
    await hub.start()
    assert (await hub.run(adam, "reply", message_id, "Yes.")).code == 0
    await hub.kill()
    await hub.start()
    await asyncio.sleep(1.5)  # as long as its pause between two looks for a hub may be, and some more
    waiting.send_signal(signal.SIGCONT)
    told = await said(waiting)
    assert (told.code, told.out.splitlines()) == (0, [message_id, "Yes."])
    await asyncio.sleep(4)
    assert inputs(hub, sky) == []


async def run(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0, words
    return out.decode()


async def pane_of(hub: LiveHub, session_id: str) -> str:
    listed = await run("tmux", "-S", str(hub.paths.tmux_socket), "list-panes", "-a", "-F", "#{@clawmux_id} #{pane_id}")
    return next(line.split()[1] for line in listed.splitlines() if line.startswith(f"{session_id} "))


# -- F4: SIGTERM --


async def test_a_stopped_hub_lets_three_kinds_of_waiters_go_and_they_come_back(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token) as page:
        sky, eve = await spawn(hub, "nothing"), await spawn(hub, "nothing")
        adam = await spawn(hub, "nothing", name="adam")
        for_reply = await hub.client(sky, "send", "--to", "adam", "--wait-response", "One?")
        for_ack = await hub.client(sky, "send", "--to", "adam", "--wait-ack", "Two.")
        asking = await hub.client(eve, "converse", "Shall I?")
        await page.until(lambda: page.texts("assistant_text"))
        await until(lambda: len(read_ids(hub, adam)) == 2, 15)
        began = time.monotonic()
        await hub.stop()
        assert time.monotonic() - began < 2 + 1, "2 s, and 1 for a busy machine"
        log = hub.paths.store_file.with_name(hub.paths.store_file.name + "-wal")
        assert not log.exists() or log.stat().st_size == 0, "all of it is in the file itself"
        await hub.start()
        for message_id in read_ids(hub, adam):
            await hub.run(adam, "ack", message_id)
            await hub.run(adam, "reply", message_id, "Yes.")
        await page.say({"type": "text", "id": "x1", "session_id": eve, "text": "do"})
        assert (await said(for_reply)).out.endswith("\nYes.\n")
        assert (await said(for_ack)).code == 0
        assert (await said(asking)).out == "do\n"


# -- F5: SIGSTOP --


async def test_a_hub_that_stood_still_for_a_minute_fails_nothing(hub: LiveHub) -> None:
    """65 s in the long form: ``CLAWMUX_TEST_LONG=1 python -m pytest tests/faults/test_hub_faults.py -k stood_still``."""
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
    ids = [(await hub.run(sky, "send", "--to", "adam", f"Number {n}.")).out.strip() for n in range(3)]
    for message_id in ids:
        await comes_to(hub, message_id, "pending")
    assert hub.process is not None
    hub.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(65 if IS_LONG else 5)
    hub.process.send_signal(signal.SIGCONT)
    assert (await hub.run(adam, "ack", ids[0])).code == 0
    states = [(await view(hub, message_id))["state"] for message_id in ids]
    assert states[0] == "acknowledged" and not set(states[1:]) - {"pending", "injecting"}
    assert read_ids(hub, adam) == ids


# -- F7: a disk that is really full --


@pytest.fixture
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sd"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("a small disk cannot be mounted here, which needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    shutil.rmtree(folder, ignore_errors=True)


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            out.write(bytes(4096))
    return filler


async def test_on_a_full_disk_a_message_is_refused_whole_and_the_next_one_goes_without_a_restart(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    async with LiveHub("none") as hub:
        add_messengers(hub)
        adam = await spawn(hub, "nothing", name="adam")
        filler = fill(small_disk)
        sent, refused = {}, []
        # What is in the log of the store already has room for a few more.
        for number in range(40):
            text = f"number {number}{', and so on' * 400}"
            told = await hub.run("", "send", "--to", "adam", text)
            if told.code == 0:
                sent[told.out.strip()] = text
            else:
                assert (told.code, told.out) == (DISK_FULL, "") and "full" in told.err, told
                refused.append(text)
            if len(refused) == 3:
                break
        assert len(refused) == 3, "the disk was never full"
        assert (await hub.call("GET", "/api/health"))["ok"]
        listed = (await hub.call("GET", "/api/messages?limit=200"))["messages"]
        assert {m["id"]: m["text"] for m in listed} == sent, "what was refused is nowhere"
        filler.unlink()
        then = (await hub.run("", "send", "--to", "adam", "Then.")).out.strip()
        await has_read(hub, adam, then, 30)
        await until(lambda: set(read_ids(hub, adam)) == {*sent, then}, 30)
        assert len(read_ids(hub, adam)) == len(sent) + 1


# -- F8: a broken file --


@pytest.mark.parametrize("how", ["zeroed", "cut"])
async def test_a_broken_store_is_put_aside_and_messages_go_on(hub: LiveHub, how: str) -> None:
    await spawn(hub, "nothing", name="adam")
    await comes_to(hub, (await hub.run("", "send", "--to", "adam", "Once.")).out.strip(), "pending")
    await hub.stop()
    whole = hub.paths.store_file.read_bytes()
    hub.paths.store_file.write_bytes(bytes(4096) + whole[4096:] if how == "zeroed" else whole[: len(whole) // 2])
    broken = hub.paths.store_file.read_bytes()
    await hub.start()
    (aside,) = [file for file in hub.paths.store_file.parent.glob("*.corrupt-*") if not file.name.endswith(("-wal", "-shm"))]
    assert aside.read_bytes() == broken, "kept as it was"
    async with StandInPage(hub.url, hub.token) as page:
        page.last = 0
        await page.cut()
        await page.until(lambda: any(e["type"] == "notice" and aside.name in e["text"] for e in page.events))
    eve = await spawn(hub, "nothing", name="eve")
    then = (await hub.run("", "send", "--to", "eve", "Then.")).out.strip()
    await has_read(hub, eve, then)


# -- F11: two at once --


async def test_of_two_hubs_started_at_once_one_serves(hub: LiveHub) -> None:
    await hub.stop()
    argv = [sys.executable, "-m", "clawmux", "start", "--foreground", "--port", str(hub.port)]
    both = [
        await asyncio.create_subprocess_exec(
            *argv, env=hub.environ, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    try:
        done, _ = await asyncio.wait(
            [asyncio.create_task(process.wait()) for process in both], timeout=20, return_when="FIRST_COMPLETED"
        )
        assert len(done) == 1

        async def serves() -> bool:
            with contextlib.suppress(OSError):
                return bool((await hub.call("GET", "/api/health"))["ok"])
            return False

        await until_answer(serves, 15)
        (refused,) = [process for process in both if process.returncode is not None]
        assert refused.returncode == 13 and refused.stderr is not None
        assert b"Traceback" not in await refused.stderr.read()
    finally:
        for process in both:
            if process.returncode is None:
                process.terminate()
                await process.wait()


# -- F17: an agent that prints without end --


async def test_a_flood_on_a_screen_costs_the_hub_no_memory_and_messages_no_time(hub: LiveHub) -> None:
    flood = 'title = "Flood"\nprogram = "yes"\narguments = ["all work and no play"]\nready = "play"\n'
    (hub.paths.user_runtimes / "flood.toml").write_text(flood)
    adam = await spawn(hub, "ack", name="adam")
    assert (await hub.run("", "send", "--to", "adam", "--wait-ack", "Before.")).code == 0
    await hub.spawn("flood")
    await asyncio.sleep(1)
    before = resident(hub)
    began = time.monotonic()
    while time.monotonic() - began < (60 if IS_LONG else 8):
        told = await hub.run("", "send", "--to", "adam", "--wait-ack", "While it prints.")
        assert told.code == 0
        await asyncio.sleep(1.1)
    assert resident(hub) - before < 8_000_000
    assert read_ids(hub, adam)


def resident(hub: LiveHub) -> int:
    """Bytes."""
    assert hub.process is not None
    return int(Path(f"/proc/{hub.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


# -- F22: clocks --


class JumpingHub(LiveHub):
    module = "tests.stand_ins.jumping_hub"

    def jump(self, seconds: int) -> None:
        (self.home / jumping_hub.FILE).write_text(str(seconds))


async def test_a_clock_that_jumps_fails_no_message_and_keeps_their_order() -> None:
    async with JumpingHub("none") as hub:
        add_messengers(hub)
        sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
        ids = []
        for seconds in (0, 3600, -3600, 0):
            hub.jump(seconds)
            ids.append((await hub.run(sky, "send", "--to", "adam", f"At {seconds}.")).out.strip())
            await has_read(hub, adam, ids[-1])
        assert read_ids(hub, adam) == ids
        assert {(await comes_to(hub, i, "pending"))["tries"] for i in ids} == {1}, "no try for the jump"
        assert [m["id"] for m in (await hub.call("GET", "/api/messages"))["messages"]] == ids[::-1], "by number, not by time"
        waiting = await hub.client(sky, "send", "--to", "adam", "--wait-ack", "--timeout", "60", "And now?")
        await until(lambda: len(read_ids(hub, adam)) == 5, 10)
        hub.jump(3600)
        assert (await hub.run(adam, "ack", read_ids(hub, adam)[-1])).code == 0
        assert (await said(waiting)).code == 0
        assert len(await hub.call("GET", "/api/sessions")) == 2 and len(inputs(hub, adam)) == 5


async def test_what_is_said_after_the_clock_was_set_back_is_still_between_the_same_two() -> None:
    """Both are younger than the message then, and an id that was given again opens nothing that is older than its session."""
    async with JumpingHub("none") as hub:
        add_messengers(hub)
        hub.jump(3600)
        sky, adam = await spawn(hub, "nothing"), await spawn(hub, "nothing", name="adam")
        hub.jump(0)
        asked = (await hub.run(sky, "send", "--to", "adam", "What time is it?")).out.strip()
        await has_read(hub, adam, asked)
        assert [(await hub.run(adam, *words)).code for words in (("ack", asked), ("inbox", "show", asked))] == [0, 0]
        assert (await hub.run(adam, "reply", asked, "An hour ago.")).code == 0
        [answer] = await until(lambda: read_ids(hub, sky), 10)
        assert asked in (await hub.run(sky, "messages")).out and (await hub.run(sky, "ack", answer)).code == 0


# -- F27: a crowd --


async def test_a_crowd_of_connections_leaves_agents_their_messages(hub: LiveHub) -> None:
    """4000 in the long form, where so many files may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    size = 4000 if IS_LONG else 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, size + 500), hard), hard))
    adam = await spawn(hub, "ack", name="adam")
    crowd = [socket.socket() for _ in range(min(size, hard - 500))]
    try:
        for connection in crowd:
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", hub.port))
        for number in range(5):
            told = await hub.run("", "send", "--to", "adam", "--wait-ack", f"Number {number}.")
            assert told.code == 0, told
        assert len(read_ids(hub, adam)) == 5 and hub.process is not None and hub.process.returncode is None
    finally:
        for connection in crowd:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
