"""What the microphone hears reaches the hub: the same samples, in order, also across a broken connection."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser.page_fixtures import OpenPage, Signal, align, mode, resampled, settle
from tests.stand_ins.page_hub import PageHub

pytestmark = pytest.mark.browser
RATE = 16000


def alikeness(pcm: bytes, source: Signal) -> float:
    """Median over half-second windows: Chromium's fake device skips on a busy machine, so the whole cannot be compared."""
    got = np.frombuffer(pcm, dtype="<i2").astype(np.float64)
    wanted = resampled(source, 48000, RATE)
    windows = [got[at : at + RATE // 2] for at in range(0, len(got) - RATE // 2, RATE // 2)]
    loud = [window for window in windows if np.abs(window).max() > 500]
    assert len(loud) >= 2
    return float(np.median([align(window, wanted)[1] for window in loud]))


async def test_a_turn_is_the_sound_of_the_microphone(hub: PageHub, open_page: OpenPage, microphone_source: Signal) -> None:
    page = await open_page()
    await page.locator(".mic").click()
    opened = await hub.expect("mic_open")
    turn = hub.turns[opened["turn"]]
    await hub.until(lambda: len(turn.frames) > 100, "3 s of sound")
    await page.locator(".mic").click()
    closed = await hub.expect("mic_close")
    assert (opened["session_id"], opened["why"], closed["why"]) == ("af_sky", "tap", "send")
    assert 0 <= opened["pre_ms"] <= 300
    assert {len(frame.payload) for frame in turn.frames[:-1]} == {1024}
    assert [frame.flags for frame in turn.frames] == [1, *[0] * (len(turn.frames) - 2), 2]
    assert alikeness(turn.pcm, microphone_source) >= 0.97


async def test_holding_space_sends_on_release_and_a_short_press_toggles(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.keyboard.down("Space")
    opened = await hub.expect("mic_open")
    assert opened["why"] == "hold"
    await hub.until(lambda: len(hub.turns[opened["turn"]].frames) > 20, "frames")
    await page.keyboard.up("Space")
    await hub.expect("mic_close")
    await hub.send({"type": "turn_done", "turn": opened["turn"], "text": None, "reason": "nothing_heard"})
    await mode(page, "idle")
    await page.keyboard.press("Space")
    assert (await hub.expect("mic_open", 2))["why"] == "tap"
    await page.keyboard.press("Space")
    assert (await hub.expect("mic_close", 2))["why"] == "send"


async def test_escape_discards(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.keyboard.press("Space")
    await hub.expect("mic_open")
    await page.keyboard.press("Escape")
    assert (await hub.expect("mic_close"))["why"] == "discard"
    await mode(page, "idle")


async def test_a_question_opens_the_microphone_by_itself(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await hub.send({"type": "listening", "session_id": "af_sky", "auto": True})
    opened = await hub.expect("mic_open")
    assert opened["why"] == "auto"
    await hub.send({"type": "partial_text", "turn": opened["turn"], "text": "Commit it", "stable": False})
    await page.get_by_text("Commit it").wait_for()
    await hub.send({"type": "turn_end", "turn": opened["turn"], "why": "endpoint"})
    await mode(page, "sending")
    await hub.send({"type": "turn_done", "turn": opened["turn"], "text": "Commit it.", "reason": ""})
    await hub.send({"type": "user_text", "session_id": "af_sky", "msg_id": "u", "text": "Commit it.", "via": "voice"})
    await mode(page, "waiting")
    assert await page.locator(".partial").count() == 0


async def test_nothing_is_sent_while_muted(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.keyboard.press("m")
    assert (await hub.expect(lambda m: m["type"] == "prefs" and m["muted"]))["auto"] is True
    await hub.send({"type": "listening", "session_id": "af_sky", "auto": True})
    await mode(page, "muted")
    await settle(0.5)
    assert hub.all("mic_open") == []


async def test_a_turn_is_sent_again_after_the_connection_broke(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.locator(".mic").click()
    opened = await hub.expect("mic_open")
    turn = hub.turns[opened["turn"]]
    await hub.until(lambda: len(turn.frames) > 40, "frames")
    before = [frame.payload for frame in turn.frames]
    hub.refuses = True
    await hub.drop()
    await page.wait_for_selector(".linkline >> text=Reconnecting")
    await page.locator(".mic").click()
    await page.get_by_text("It is sent when the connection is back").wait_for()
    hub.refuses = False
    again = await hub.expect("mic_open", 2)
    assert again["turn"] == opened["turn"]
    hello = hub.all("hello")[-1]
    assert hello["turns"] == [opened["turn"]]
    await hub.expect("mic_close")
    assert [frame.payload for frame in turn.frames[: len(before)]] == before
    assert len(turn.frames) > len(before)
    assert turn.frames[-1].flags == 2
    await hub.send({"type": "turn_done", "turn": opened["turn"], "text": "Yes.", "reason": ""})
    await mode(page, "waiting")
    await hub.drop()
    hello = await hub.expect("hello", len(hub.all("hello")) + 1)
    assert hello["turns"] == []
    await settle(0.3)
    assert len(hub.all("mic_open")) == 2
