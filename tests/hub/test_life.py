"""The life of the hub process with everything real inside: started twice, killed, stopped, idle agents, models missing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sqlite3
import sys
import time

import pytest

from clawmux.adapters.tmux import Tmux
from tests.live_hub import ROOT, LiveHub, Said, said
from tests.stand_ins.page import StandInPage
from tests.waiting import until, until_answer


async def clawmux(hub: LiveHub, *words: str) -> Said:
    """A command of the person at the keyboard."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clawmux", *words,
        env=hub.environ, cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    return await said(process)


async def test_a_second_start_says_where_the_first_is(hub: LiveHub) -> None:
    told = await clawmux(hub, "start", "--no-open")
    assert told.code == 13
    assert str(hub.port) in told.out + told.err
    assert (await hub.call("GET", "/api/health"))["ok"]


async def test_a_busy_port_is_named_and_nothing_is_left_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        hub = LiveHub("none")
        told = await clawmux(hub, "start", "--no-open", "--port", str(port))
        assert told.code == 19 and str(port) in told.err
        assert str(os.getpid()) in told.err, "names who holds it"
        assert not hub.paths.hub_socket.exists()
        async with hub:
            assert (await hub.call("GET", "/api/health"))["ok"], "a start on another port works"


async def test_what_kill_9_leaves_behind_does_not_matter(hub: LiveHub) -> None:
    await hub.kill()
    assert hub.paths.hub_socket.exists() and hub.paths.lock_file.exists()
    await hub.start()
    assert (await hub.call("GET", "/api/health"))["ok"]


async def test_the_hub_ends_within_two_seconds_also_while_somebody_waits(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token) as page:
        asking = await hub.client(await hub.spawn(), "converse", "Well?")
        await page.until(lambda: page.moment("listening"))
        began = time.monotonic()
        await hub.stop()
        assert time.monotonic() - began < 2 + 1, "2 s, and 1 for a busy machine"
        asking.kill()
        await asking.wait()


async def test_stop_and_start_by_command_keep_the_agents(hub: LiveHub) -> None:
    sky = await hub.spawn()
    (before,) = await hub.call("GET", "/api/sessions")
    assert (await clawmux(hub, "stop")).code == 0
    assert hub.process is not None
    await hub.process.wait()
    assert (await clawmux(hub, "status")).code == 3
    async with Tmux(hub.paths.tmux_socket) as tmux:
        assert [pane.session_id for pane in await tmux.panes()] == [sky]
    await hub.start()
    (after,) = await hub.call("GET", "/api/sessions")
    assert (after["id"], after["created"], after["voice"]) == (sky, before["created"], before["voice"])


async def test_an_idle_session_ends_and_says_why() -> None:
    async with LiveHub("none", agents_idle_minutes="0.03") as hub:
        await hub.spawn()

        async def gone() -> bool:
            return bool(await hub.call("GET", "/api/sessions") == [])

        await until_answer(gone, 10)
        async with StandInPage(hub.url, hub.token) as page:
            page.last = 0
            await page.cut()
            ended = await page.until(lambda: next((e for e in page.events if e["type"] == "session_terminated"), None))
            assert "idle" in ended["reason"]


async def test_an_agent_that_works_without_a_word_is_not_idle() -> None:
    async with LiveHub("none", agents_idle_minutes="0.05") as hub:
        manifest = (
            'title = "Busy"\nprogram = "sh"\narguments = ["-c", "while :; do echo tick; sleep 0.5; done"]\nready = "tick"\n'
        )
        (hub.paths.user_runtimes / "busy.toml").write_text(manifest)
        busy, quiet = await hub.spawn("busy"), await hub.spawn("quiet")

        async def living() -> list[str]:
            return [session["id"] for session in await hub.call("GET", "/api/sessions")]

        async def quiet_gone() -> bool:
            return quiet not in await living()

        await until_answer(quiet_gone, 15)
        assert await living() == [busy]


async def test_text_goes_on_without_any_speech_service() -> None:
    async with LiveHub("none") as hub:
        await hub.speech_is("failed")
        async with StandInPage(hub.url, hub.token) as page:
            sky = await hub.spawn()
            asking = await hub.client(sky, "converse", "Can you read this?")
            await page.until(lambda: "Can you read this?" in page.texts("assistant_text"))
            await page.until(lambda: any(e["type"] == "not_spoken" for e in page.events))
            await page.say({"type": "text", "id": "x1", "session_id": sky, "text": "I can"})
            assert (await said(asking)).out == "I can\n"
            told = await hub.run(sky, "converse", "And this?", "--no-listen")
            assert told.code == 8 and "shown" in told.err
            assert "And this?" in page.texts("assistant_text")


async def test_a_lost_tmux_server_ends_its_sessions_soon(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token) as page:
        asking = await hub.client(await hub.spawn(), "converse", "Well?")
        await page.until(lambda: page.moment("listening"))
        process = await asyncio.create_subprocess_exec("tmux", "-S", str(hub.paths.tmux_socket), "kill-server")
        await process.wait()
        assert (await said(asking, seconds=10)).code == 7
        assert await hub.call("GET", "/api/sessions") == []
        assert await hub.spawn(), "and new agents can be started"


async def test_files_of_agents_are_made_as_the_user_makes_them(hub: LiveHub) -> None:
    """The hub's own files are private; an agent's work in the user's project must not become so."""
    script = 'title = "Maker"\nprogram = "sh"\narguments = ["-c", "touch made; sleep 999"]\nready = ".*"\n'
    (hub.paths.user_runtimes / "maker.toml").write_text(script)
    await hub.spawn("maker")
    made = hub.home / "made"
    await until(made.exists, 10)
    user_umask = os.umask(0o022)
    os.umask(user_umask)
    assert made.stat().st_mode & 0o777 == 0o666 & ~user_umask


async def test_rows_that_cannot_be_read_do_not_keep_the_hub_from_starting(hub: LiveHub) -> None:
    sky = await hub.spawn()
    await hub.stop()
    with contextlib.closing(sqlite3.connect(hub.paths.store_file)) as store, store:
        store.execute("INSERT INTO sessions (id, body) VALUES ('x', '{\"unknown\": 1}'), ('y', 'no json')")
        store.execute(
            "INSERT INTO questions (id, session_id, request, msg_id, created, stage, shown, spoken, parked)"
            " VALUES ('q', 'x', '[]', 'q', 0, 'queued', 0, 0, 0)"
        )
    await hub.start()
    assert [session["id"] for session in await hub.call("GET", "/api/sessions")] == [sky]


async def test_a_refused_start_leaves_no_tmux_server_behind() -> None:
    hub = LiveHub("none", hub_host="192.0.2.1")
    with pytest.raises(AssertionError, match="did not start"):
        await hub.start()
    assert not hub.paths.tmux_socket.exists()
    shutil.rmtree(hub.home)


async def test_an_ended_session_is_still_listed_and_its_conversation_can_be_read(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token):
        sky = await hub.spawn()
        await hub.run(sky, "converse", "Remember this.", "--no-listen")
        await hub.call("DELETE", f"/api/sessions/{sky}")
    assert await hub.call("GET", "/api/sessions") == []
    (ended,) = await hub.call("GET", "/api/sessions?all=true")
    assert (ended["id"], ended["state"], ended["reason"]) == (sky, "dead", "You ended it.")
    entries = (await hub.call("GET", f"/api/history?session_id={sky}"))["entries"]
    assert [entry["text"] for entry in entries if entry["type"] == "assistant_text"] == ["Remember this."]
    assert "sky" not in (await clawmux(hub, "status")).out
    assert "dead" in (await clawmux(hub, "status", "--all")).out
