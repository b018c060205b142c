"""What leaves the page's loudspeaker: the samples that were sent, all of them, once, and word of their true end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.async_api import Page

from tests.browser.page_fixtures import OpenPage, Signal, align, events, mode, pcm16, resampled, settle, speechlike, tapped
from tests.stand_ins.page_hub import RATE, PageHub

pytestmark = pytest.mark.browser
SECONDS = 3.0


@pytest.fixture(scope="module")
def speech() -> Signal:
    return speechlike(SECONDS, RATE, seed=11)


async def heard(page: Page, speech: Signal) -> tuple[float, float]:
    """How alike the master bus and the speech are, and the context's time of the last sample."""
    rate, time, signal = await tapped(page)
    wanted = resampled(speech, RATE, rate)
    at, alike = align(wanted, signal)
    return alike, time + (at + len(wanted)) / rate


async def test_speech_is_played_as_sent_and_its_end_is_told_once(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    page = await open_page()
    stream = await hub.say("af_sky", "Hello.", pcm16(speech))
    done = await hub.expect("playback_done")
    alike, last_sample = await heard(page, speech)
    assert alike >= 0.99
    told = (await events(page, "playback_done"))[0]["clock"]
    assert 0 <= (told - last_sample) * 1000 <= 80
    assert (done["stream"], done["why"], done["session_id"]) == (stream, "ended", "af_sky")
    assert done["ms"] == pytest.approx(SECONDS * 1000, abs=5)
    await settle(0.5)
    assert len(hub.all("playback_done")) == 1
    order = [e["type"] for e in await events(page) if e["type"] in ("speech_start", "playback_started", "playback_done")]
    assert order == ["speech_start", "playback_started", "playback_done"]
    assert [m["ms"] for m in hub.all("playback_progress")] == sorted(m["ms"] for m in hub.all("playback_progress"))


async def test_sound_starts_soon_after_the_first_frame(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    page = await open_page()
    for count in range(3):
        await hub.say("af_sky", "Hello.", pcm16(speech[:RATE]))
        await hub.expect("playback_done", count + 1)
    found = await events(page)
    first = [e["at_ms"] for e in found if e["type"] == "first_frame"]
    started = [e["at_ms"] for e in found if e["type"] == "playback_started"]
    delays = np.subtract(started, first)
    assert np.median(delays) <= 60 * 3, delays  # 60 ms on an idle machine, three times that under load


@pytest.mark.parametrize("how", ["mic", "escape"])
async def test_an_interrupt_silences_at_once(hub: PageHub, open_page: OpenPage, speech: Signal, how: str) -> None:
    page = await open_page()
    stream = await hub.say("af_sky", "Hello.", pcm16(speech))
    await hub.expect("playback_progress", 3)
    before = await page.evaluate("performance.now()")
    if how == "mic":
        await page.locator(".mic").click()
    else:
        await page.keyboard.press("Escape")
    done = await hub.expect("playback_done")
    assert (done["stream"], done["why"]) == (stream, "interrupted")
    assert 500 <= done["ms"] <= SECONDS * 1000
    interrupt = await hub.expect("interrupt")
    assert interrupt["stream"] == stream
    assert interrupt["at_ms"] == pytest.approx(done["ms"], abs=30)
    at = (await events(page, "interrupt"))[0]
    assert at["at_ms"] >= before
    rate, time, signal = await tapped(page)
    loud = np.flatnonzero(np.abs(signal) > 1e-4)
    assert time + loud[-1] / rate - at["clock"] <= 0.020 + 0.020  # 20 ms, and what was rendered ahead of the clock's reading
    await settle(0.5)
    assert len(hub.all("playback_done")) == 1


async def test_locked_sound_waits_for_a_gesture(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    """Nothing may be evaluated before the click: Chromium takes it for a gesture of the user."""
    page = await open_page(untouched=True)
    await hub.until(lambda: hub.sockets, "connection")
    await hub.say("af_sky", "Hello.", pcm16(speech[:RATE]))
    await settle(1)
    assert hub.all("playback_started") == []
    await page.mouse.click(640, 300)
    await hub.expect("playback_done")
    assert "locked" in [e["mode"] for e in await events(page, "mode")] or (await events(page, "mode"))[0]["by"] == "unlocked"
    alike, _ = await heard(page, speech[:RATE])
    assert alike >= 0.99


async def test_a_cancelled_stream_stops_and_says_so_once(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    page = await open_page()
    stream = await hub.say("af_sky", "Hello.", pcm16(speech))
    await hub.expect("playback_started")
    await hub.send({"type": "speech_cancel", "stream": stream, "why": "cancelled"})
    done = await hub.expect("playback_done")
    assert done["why"] == "interrupted"
    await mode(page, "idle")


async def test_a_stream_that_comes_back_from_another_page_is_played_on(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    await open_page()
    stream = await hub.say("af_sky", "Hello.", pcm16(speech))
    await hub.expect("playback_started")
    mine = hub.owner
    await hub.send({"type": "audio_owner", "client": "another", "device": "phone"})
    assert (await hub.expect("playback_done"))["why"] == "not_owner"
    await hub.send({"type": "audio_owner", "client": mine, "device": ""})
    hub.speeches[stream].done = False
    hub.socket.carry(stream, 24000)
    await hub.expect("playback_started", 2)
    assert (await hub.expect("playback_done", 2))["why"] == "ended"


async def test_a_slow_voice_is_heard_whole(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    """Synthesis slower than speech: breaks between, but nothing lost and nothing twice."""
    page = await open_page()
    await hub.say("af_sky", "Hello.", pcm16(speech[: 2 * RATE]), chunk_seconds=0.15)
    await hub.expect("playback_done")
    rate, _, signal = await tapped(page)
    sounding = np.abs(signal).sum() / rate
    assert sounding == pytest.approx(np.abs(speech[: 2 * RATE]).sum() / RATE, rel=0.02)


async def test_replay_asks_for_the_entry_again(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await hub.say("af_sky", "Hello.")
    await page.get_by_role("button", name="Play this message again").click()
    message = await hub.expect("replay")
    assert (message["session_id"], message["msg_id"]) == ("af_sky", "m1")


async def test_without_worklets_the_page_still_speaks(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    """A plain http page has no AudioWorklet; here it is taken away before the page runs."""
    page = await open_page(init_script="delete BaseAudioContext.prototype.audioWorklet", unlock=False)
    await page.locator(".head h1").click()
    await hub.say("af_sky", "Hello.", pcm16(speech[: 2 * RATE]))
    done: dict[str, Any] = await hub.expect("playback_done")
    assert done["why"] == "ended"
    assert done["ms"] == pytest.approx(2000, abs=20)
    started = (await hub.expect("playback_started"))["_at"]
    assert done["_at"] - started == pytest.approx(2.0, abs=0.4)
