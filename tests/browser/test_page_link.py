"""Signing in, breaks of the connection, and several devices: nothing lost, nothing twice, one that plays."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.async_api import Browser, Page

from tests.browser.page_fixtures import OpenPage, Signal, align, blank_page, mode, pcm16, resampled, settle, speechlike, tapped
from tests.stand_ins.page_hub import RATE, PageHub, session

pytestmark = pytest.mark.browser


async def texts(page: Page) -> list[str]:
    found: list[str] = await page.locator(".msg").evaluate_all(
        "nodes => nodes.map((node) => node.querySelector('p')?.textContent ?? node.lastChild.textContent)"
    )
    return found


async def test_the_key_signs_in_and_leaves_the_address(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    assert "k=" not in page.url
    await page.reload()
    await hub.expect("hello", 2)
    first, second = hub.all("hello")
    assert first["client"] == second["client"]
    assert first["last"] is None
    assert first["v"] == 2
    assert first["device"] == "Chromium on Linux"


async def test_without_a_key_it_says_what_to_run(browser: Browser, hub: PageHub) -> None:
    page = await browser.new_page()
    await page.goto(hub.origin)
    await page.get_by_text("Run clawmux open and open the link it prints").wait_for()
    assert hub.received == []
    await page.goto(hub.url)  # only the fragment differs from what stands there
    await hub.expect("hello")


async def test_a_stream_continues_after_the_connection_broke(hub: PageHub, open_page: OpenPage) -> None:
    speech: Signal = speechlike(6, RATE, seed=3)
    page = await open_page()
    stream = await hub.say("af_sky", "Hello.", pcm16(speech), chunk_seconds=0.05)
    await hub.expect("playback_progress", 3)
    await hub.drop()
    hello = await hub.expect("hello", 2)
    held = hello["streams"][stream]
    assert held["received"] > 0
    assert not held["done"]
    done = await hub.expect("playback_done")
    assert (done["why"], done["stream"]) == ("ended", stream)
    rate, _, signal = await tapped(page)
    _, alike = align(resampled(speech, RATE, rate), signal)
    assert alike >= 0.99
    await settle(0.5)
    assert len(hub.all("playback_done")) == 1


async def test_what_is_sent_again_is_not_heard_twice(hub: PageHub, open_page: OpenPage) -> None:
    """A hub that starts over before what the page holds: the page leaves out what it has."""
    speech: Signal = speechlike(4, RATE, seed=4)
    page = await open_page()
    stream = await hub.say("af_sky", "Hello.", pcm16(speech), chunk_seconds=0.05)
    await hub.expect("playback_progress", 3)
    hub.speeches[stream].restart_at = RATE // 4
    await hub.drop()
    done = await hub.expect("playback_done")
    rate, _, signal = await tapped(page)
    assert done["ms"] == pytest.approx(4000, abs=5)
    assert np.abs(signal).sum() / rate == pytest.approx(np.abs(speech).sum() / RATE, rel=0.02)


async def test_an_end_that_was_reached_offline_is_told_after_the_reconnect(hub: PageHub, open_page: OpenPage) -> None:
    await open_page()
    stream = await hub.say("af_sky", "Hello.", pcm16(speechlike(1, RATE, seed=6)), chunk_seconds=0)
    await hub.expect("playback_started")
    hub.refuses = True
    await hub.drop()
    await settle(1.5)
    assert hub.all("playback_done") == []
    hub.refuses = False
    assert (await hub.expect("playback_done"))["stream"] == stream
    assert hub.all("hello")[-1]["streams"][stream]["done"]
    await settle(0.3)
    assert len(hub.all("playback_done")) == 1


async def test_events_are_shown_once_and_in_order_across_breaks_and_reloads(hub: PageHub, open_page: OpenPage) -> None:
    for number in range(3):
        await hub.say("af_sky", f"Old {number}")
    page = await open_page()
    await page.get_by_text("Old 2").wait_for()
    await hub.say("af_sky", "Live")
    hub.refuses = True
    await hub.drop()
    await hub.say("af_sky", "Missed")
    hub.refuses = False
    await page.get_by_text("Missed").wait_for()
    wanted = ["Old 0", "Old 1", "Old 2", "Live", "Missed"]
    assert await texts(page) == wanted
    assert hub.all("hello")[-1]["last"] == 4
    await page.reload()
    await page.get_by_text("Missed").wait_for()
    assert await texts(page) == wanted
    await hub.send({"type": "resync"})
    await settle(0.3)
    await page.get_by_text("Missed").wait_for()
    assert await texts(page) == wanted
    await hub.drop()
    assert (await hub.expect("hello", 4))["last"] == 5


async def test_typed_words_wait_for_the_connection_and_arrive_once(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    hub.refuses = True
    await hub.drop()
    await page.wait_for_selector(".linkline >> text=Reconnecting")
    await page.get_by_label("Message to Sky").fill("Hello agent")
    await page.keyboard.press("Enter")
    await page.get_by_text("Sending…").wait_for()
    hub.refuses = False
    await hub.expect("text")
    await page.get_by_text("Sending…").wait_for(state="detached")
    assert await texts(page) == ["Hello agent"]
    assert len(hub.all("text")) == 1


async def test_one_of_two_tabs_plays_and_the_other_says_where(hub: PageHub, open_page: OpenPage) -> None:
    first = await open_page()
    second = await open_page(context=first.context, url=f"{hub.origin}/?test=1")
    await hub.until(lambda: len(hub.sockets) == 2, "two pages")
    banner = second.get_by_text("Playing on Chromium on Linux.")
    await banner.wait_for()
    await hub.say("af_sky", "Hello.", pcm16(speechlike(4, RATE, seed=7)))
    await hub.expect("playback_started")
    await second.get_by_role("button", name="Play here").click()
    done = await hub.expect("playback_done")
    assert done["why"] == "not_owner"
    await banner.wait_for(state="detached")
    await first.get_by_text("Playing on Chromium on Linux.").wait_for()
    await hub.say("af_sky", "Again.", pcm16(speechlike(1, RATE, seed=8)))
    assert (await hub.expect("playback_done", 2))["_client"] == hub.owner
    await mode(first, "idle")
    _, _, signal = await tapped(second)
    assert abs(signal).max() > 0.1


async def test_a_hub_that_answers_nothing_is_left(hub: PageHub, open_page: OpenPage) -> None:
    """The clock of the page is moved on instead of waiting: nobody answers its ping, so it connects again."""
    script = """const real = performance.now.bind(performance);
      globalThis.__skip = 0;
      performance.now = () => real() + globalThis.__skip;"""
    page = await open_page(init_script=script)
    hub.answers_pings = True
    await page.evaluate("__skip = 13000")
    await hub.expect("ping")
    await settle(0.5)
    hub.answers_pings = False
    await page.evaluate("__skip = 26000")
    await hub.expect("ping", 2)
    await page.evaluate("__skip = 50000")
    await hub.expect("hello", 2)


async def test_retry_delays_grow_and_are_spread(browser: Browser, hub: PageHub) -> None:
    page = await blank_page(browser, hub)
    delays = await page.evaluate(
        "(tries) => import('/static/ws.js').then(({ retryDelayMs }) => tries.map((of) => retryDelayMs(...of)))",
        [[0, 0], [0, 1], [3, 0], [9, 0], [9, 1]],
    )
    assert delays == [150, 300, 1200, 2500, 5000]


async def test_a_session_that_comes_and_one_that_ends(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    hub.sessions.append(session("am_adam", state="starting"))
    await hub.status("am_adam")
    await page.get_by_text("Starting…").wait_for()
    await hub.status(
        "am_adam", state="active", needs_you=True, question={"id": "q", "text": "Now?", "stage": "waiting", "since": 0}
    )
    await page.get_by_text("Adam asks:").wait_for()
    assert (await page.title()).startswith("(1) ")
    hub.sessions.pop()
    await hub.send({"type": "session_terminated", "session_id": "am_adam", "reason": "You ended it."})
    await page.locator('[data-session="am_adam"]').wait_for(state="detached")
