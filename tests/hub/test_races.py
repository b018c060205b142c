"""What comes at the wrong moment: two questions of an agent that is ended, words twice, an answer that is not yet stored.

Everything is real but the page and the speech engines.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator

import aiohttp
import pytest

from clawmux.adapters.tmux import Tmux
from clawmux.wire.errors import ClawMuxError
from tests.live_hub import LiveHub, said
from tests.stand_ins.page import StandInPage
from tests.waiting import until, until_answer


async def test_an_agent_with_two_questions_is_ended_and_both_are_cancelled(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token) as page:
        sky = await hub.spawn()
        first = await hub.client(sky, "converse", "First?")
        await page.until(lambda: page.moment("listening"))
        second = await hub.client(sky, "converse", "Second?")
        await page.until(lambda: "Second?" in page.texts("assistant_text"))
        await hub.call("DELETE", f"/api/sessions/{sky}")
        assert [(await said(process, seconds=10)).code for process in (first, second)] == [7, 7]
        async with Tmux(hub.paths.tmux_socket) as tmux:
            assert await tmux.panes() == []


async def test_a_page_that_missed_very_much_fetches_the_history_instead() -> None:
    hub = LiveHub("none")
    async with hub:
        await hub.stop()
        with sqlite3.connect(hub.paths.store_file) as store:
            for n in range(1, 1501):
                event = {"type": "notice", "n": n, "ts": 0.0, "session_id": None, "level": "info", "text": str(n), "remedy": ""}
                store.execute("INSERT INTO events VALUES (?, NULL, 'notice', 0, ?)", (n, json.dumps(event)))
        store.close()
        await hub.start()
        page = StandInPage(hub.url, hub.token)
        page.last = 3
        async with asyncio.timeout(10), page:
            await page.until(lambda: page.moment("resync"))
            assert page.breaks == 0


async def test_an_answer_that_is_not_yet_stored_is_not_asked_for_again(hub: LiveHub) -> None:
    """Its command loses its connection and comes back while a slow disk holds the answer up."""
    connector = aiohttp.UnixConnector(str(hub.paths.hub_socket))
    async with StandInPage(hub.url, hub.token) as page, aiohttp.ClientSession(connector=connector) as session:
        sky = await hub.spawn()
        body = {"type": "converse", "id": "a" * 32, "text": "Well?"}

        async def ask() -> str:
            async with session.post(f"http://clawmux/cli/{sky}", json=body) as response:
                return str((await response.json())["text"])

        first = asyncio.create_task(ask())
        await page.until(lambda: page.moment("listening"))
        async with held_up(hub):
            await page.say({"type": "text", "id": "x1", "session_id": sky, "text": "yes"})
            await page.say({"type": "ping"})
            await page.until(lambda: page.moment("pong"))
            first.cancel()
            again = asyncio.create_task(ask())
            await asyncio.wait([again], timeout=0.3)
        assert await asyncio.wait_for(again, 10) == "yes"
        await page.until(lambda: page.texts("user_text") == ["yes"])
        (view,) = await hub.call("GET", "/api/sessions")
        assert view["question"] is None, "it is not asked a second time"


async def test_a_pane_that_the_hub_does_not_know_blocks_no_new_agent(hub: LiveHub) -> None:
    """It was killed in the middle of a start, say."""
    async with Tmux(hub.paths.tmux_socket) as tmux:
        await tmux.spawn("af_sky", ["sleep", "999"], hub.home, {})
        assert await hub.spawn() != "af_sky"
        assert [s["name"] for s in await hub.call("GET", "/api/sessions")] != []


async def test_nothing_is_started_that_is_not_stored_first(hub: LiveHub) -> None:
    """A hub that is killed in the middle of a start must find its agent again, or no agent."""
    async with Tmux(hub.paths.tmux_socket) as tmux, held_up(hub):
        starting = asyncio.create_task(hub.spawn())
        await until_answer(lambda: is_known(hub, "af_sky"))
        await asyncio.wait([starting], timeout=0.3)
        assert await tmux.panes() == []
        await hub.kill()
    await asyncio.gather(starting, return_exceptions=True)
    await hub.start()
    assert await hub.call("GET", "/api/sessions") == []
    assert await hub.spawn() == "af_sky"


async def test_an_agent_ended_while_it_starts_leaves_nothing_in_tmux(hub: LiveHub) -> None:
    async with held_up(hub):
        starting = asyncio.create_task(hub.spawn())
        await until_answer(lambda: is_known(hub, "af_sky"))
        await hub.call("DELETE", "/api/sessions/af_sky")
    with pytest.raises(ClawMuxError, match="while it was starting"):
        await starting
    async with Tmux(hub.paths.tmux_socket) as tmux:
        assert await tmux.panes() == []
    page = StandInPage(hub.url, hub.token)
    page.last = 0
    async with page:
        await page.until(lambda: len(page.events) == 1 and page.events[0]["type"] == "session_terminated")
    assert await hub.spawn() == "af_sky"


async def test_a_start_whose_caller_has_gone_is_carried_through(hub: LiveHub) -> None:
    async with held_up(hub):
        starting = asyncio.create_task(hub.spawn())
        await until_answer(lambda: is_known(hub, "af_sky"))
        starting.cancel()
        await asyncio.wait([starting])
    (session,) = await hub.call("GET", "/api/sessions")
    assert session["id"] == "af_sky"
    async with Tmux(hub.paths.tmux_socket) as tmux:

        async def has_pane() -> bool:
            return [pane.session_id for pane in await tmux.panes()] == ["af_sky"]

        await until_answer(has_pane)
    assert await hub.spawn() != "af_sky"


async def test_words_sent_again_while_they_are_typed_are_typed_once(hub: LiveHub) -> None:
    script = "while :; do printf '> '; read line; echo $line >>said; done"
    program = f"title = 'Prompt'\nprogram = 'sh'\narguments = ['-c', {json.dumps(script)}]\nready = '^>'\n"
    manifest = program + "[input]\nprompt = '^>\\s?'\n"
    (hub.paths.user_runtimes / "prompt.toml").write_text(manifest)
    async with StandInPage(hub.url, hub.token) as page:
        agent = await hub.spawn("prompt")
        await page.until(lambda: page.moment("session_status", session_id=agent, status="ready"))
        for _ in range(3):
            await page.say({"type": "text", "id": "x1", "session_id": agent, "text": "hello"})
        await page.say({"type": "text", "id": "x2", "session_id": agent, "text": "bye"})
        await page.until(lambda: page.moment("text_ack", id="x2", state="delivered"))
        assert page.texts("user_text") == ["hello", "bye"]
        typed = hub.home / "said"
        await until(lambda: len(typed.read_text().splitlines()) >= 2)
        assert [line.rpartition(" ")[2] for line in typed.read_text().splitlines()] == ["hello", "bye"]


async def test_an_entry_is_replayed_as_often_as_it_is_asked_for(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token) as page:
        sky = await hub.spawn()
        assert (await hub.run(sky, "converse", "Again?", "--no-listen")).code == 0
        (entry,) = [event for event in page.events if event["type"] == "assistant_text"]
        for number in (2, 3):
            await page.say({"type": "replay", "session_id": sky, "msg_id": entry["msg_id"]})
            await page.until(lambda number=number: len(page.done) == number, 10)  # type: ignore[misc]


async def test_agents_are_not_idle_because_the_hub_was_away() -> None:
    async with LiveHub("none", agents_idle_minutes="0.05") as hub:
        sky = await hub.spawn()

        async def is_ready() -> bool:
            return bool((await hub.call("GET", "/api/sessions"))[0]["state"] == "ready")

        await until_answer(is_ready)
        await hub.stop()
        await asyncio.sleep(3.0)  # as long as an agent may be idle
        await hub.start()
        await asyncio.sleep(1.8)  # the first look at the agents is after 1 s
        assert await is_known(hub, sky)


async def is_known(hub: LiveHub, session_id: str) -> bool:
    return session_id in [session["id"] for session in await hub.call("GET", "/api/sessions")]


@contextlib.asynccontextmanager
async def held_up(hub: LiveHub) -> AsyncIterator[None]:
    """The disk is slow: nothing that the hub writes is durable before the end of this."""
    other = sqlite3.connect(hub.paths.store_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.close()
