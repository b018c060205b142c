"""Talking into an agent's speech: only after the echo check, recoverable, and told to the hub with what was heard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Page, expect

from tests.browser.chromium import Chromium
from tests.browser.page_fixtures import (
    OpenPage,
    Signal,
    align,
    blank_page,
    events,
    mode,
    pcm16,
    resampled,
    settle,
    speechlike,
    tapped,
)
from tests.sound import write_microphone
from tests.stand_ins.page_hub import RATE, Message, PageHub

pytestmark = pytest.mark.browser
SECONDS = 5.0


@pytest.fixture(scope="module")
def speech() -> Signal:
    return speechlike(SECONDS, RATE, seed=11)


OpenQuiet = Callable[..., Awaitable[Page]]


@pytest.fixture
def open_quiet(chromium: Chromium, open_page: OpenPage, hub: PageHub, tmp_path: Path) -> OpenQuiet:
    """A page whose microphone has been used once, in a silent room."""

    async def open_quiet() -> Page:
        browser = await chromium.start(write_microphone(tmp_path / "room.wav", [1.0]))
        page = await open_page(context=await browser.new_context(viewport={"width": 1280, "height": 800}))
        await page.locator(".mic").click()
        opened = await hub.expect("mic_open")
        await mode(page, "listening")
        await page.keyboard.press("Escape")
        await hub.send({"type": "turn_done", "turn": opened["turn"], "text": None, "reason": "discard"})
        await mode(page, "idle")
        return page

    return open_quiet


def overheard(message: Message) -> bool:
    return (message["type"], message.get("why")) == ("mic_open", "overheard")


async def talk_in(hub: PageHub, page: Page, speech: Signal) -> tuple[str, str]:
    """An agent speaks and is talked into. Returns stream and turn."""
    stream = await hub.say("af_sky", "One two three four.", pcm16(speech))
    turn = (await hub.expect(overheard))["turn"]
    await expect(page.locator(".now-line")).to_contain_text("Tap or talk to interrupt")
    await hub.until(lambda: hub.turns[turn].frames, "frames")
    await hub.send({"type": "vad", "turn": turn, "speaking": True})
    await mode(page, "listening")
    return stream, turn


async def test_words_interrupt_and_tell_how_much_was_heard(hub: PageHub, open_quiet: OpenQuiet, speech: Signal) -> None:
    page = await open_quiet()
    stream, turn = await talk_in(hub, page, speech)
    paused = await hub.expect("playback_paused")
    assert (paused["stream"], paused["on"]) == (stream, True)
    assert 500 <= paused["ms"] <= SECONDS * 1000
    await hub.send({"type": "turn_end", "turn": turn, "why": "endpoint"})
    await mode(page, "sending")
    await hub.send({"type": "turn_done", "turn": turn, "text": "stop", "reason": ""})
    interrupt = await hub.expect("interrupt")
    assert (interrupt["stream"], interrupt["at_ms"]) == (stream, pytest.approx(paused["ms"], abs=60))
    done = await hub.expect("playback_done")
    assert (done["stream"], done["why"]) == (stream, "interrupted")
    await mode(page, "waiting")
    vad = (await events(page, "vad"))[0]["at_ms"]
    listening = next(e["at_ms"] for e in await events(page, "mode") if e["mode"] == "listening" and e["by"] == "overheard")
    assert listening - vad <= 50


async def test_without_words_it_goes_on_from_the_same_sample(hub: PageHub, open_quiet: OpenQuiet, speech: Signal) -> None:
    page = await open_quiet()
    stream, turn = await talk_in(hub, page, speech)
    await hub.expect("playback_paused")
    await settle(0.4)
    await hub.send({"type": "turn_end", "turn": turn, "why": "endpoint"})
    await hub.send({"type": "turn_done", "turn": turn, "text": None, "reason": "nothing_heard"})
    await mode(page, "speaking")
    second = await hub.expect(lambda m: overheard(m) and m["turn"] != turn)
    assert second["turn"] != turn, "it is listened on"
    done = await hub.expect("playback_done")
    assert (done["stream"], done["why"], done["ms"]) == (stream, "ended", pytest.approx(SECONDS * 1000, abs=5))
    assert hub.all("interrupt") == []
    closed = await hub.expect(lambda m: m["type"] == "mic_close" and m["turn"] == second["turn"])
    assert closed["why"] == "discard", "what was overheard after that is nobody's"
    rate, _, signal = await tapped(page)
    loud = np.flatnonzero(np.abs(signal) > 1e-4)
    gaps = np.flatnonzero(np.diff(loud) > 0.1 * rate)
    assert len(gaps) == 1
    pieces = signal[loud[0] : loud[gaps[0]]], signal[loud[gaps[0] + 1] : loud[-1]]
    wanted = resampled(speech, RATE, rate)
    assert sum(map(len, pieces)) == pytest.approx(len(wanted), abs=0.012 * rate)
    assert all(align(piece, wanted)[1] >= 0.99 for piece in pieces)


async def test_an_agent_that_heard_itself_goes_on_and_listens_no_more(
    hub: PageHub, open_quiet: OpenQuiet, speech: Signal
) -> None:
    page = await open_quiet()
    _, turn = await talk_in(hub, page, speech)
    await hub.send({"type": "turn_done", "turn": turn, "text": None, "reason": "echo"})
    await mode(page, "speaking")
    await expect(page.locator(".now-line")).to_contain_text("Tap to interrupt")
    await page.get_by_role("button", name="Talk options").click()
    await expect(page.locator("#talk-options")).to_contain_text("Headphones help")
    assert (await hub.expect("playback_done"))["why"] == "ended"
    assert len([m for m in hub.received if overheard(m)]) == 1


async def test_nobody_is_overheard_who_does_not_want_it(hub: PageHub, open_quiet: OpenQuiet, speech: Signal) -> None:
    page = await open_quiet()
    options = page.get_by_role("button", name="Talk options")
    talk_in = page.get_by_role("switch", name="Talk to interrupt")
    await hub.say("af_sky", "One two.", pcm16(speech[: 2 * RATE]))
    await hub.expect(overheard)
    await hub.expect("playback_done")

    async def said_unheard(count: int) -> None:
        await hub.say("af_sky", "One two.", pcm16(speech[:RATE]))
        await hub.expect("playback_done", count)
        assert len([m for m in hub.received if overheard(m)]) == 1

    for count, switch in ((2, "mute"), (3, "auto")):
        await page.locator(f"[data-do={switch}]").click()
        await said_unheard(count)
        await page.locator(f"[data-do={switch}]").click()
    await options.click()
    await expect(page.locator("#talk-options")).to_contain_text("falls silent when you talk")
    await talk_in.uncheck()
    await page.keyboard.press("Escape")
    await said_unheard(4)


CHECK = """async (rounds) => {
  const { EchoCheck } = await import('/static/audio/echo-check.js');
  return rounds.map(({ room, mic, out, frames, streams }) => {
    const check = new EchoCheck();
    for (let i = 0; i < 64; i++) check.quiet(room);
    for (let s = 0; s < streams; s++) {
      check.begin();
      for (let i = 0; i < frames; i++) check.sounding(mic, out);
    }
    return check.verdict;
  });
}"""

# Levels from 0 to 1: a silent, digitally silent or noisy room; what the microphone hears while the speaker sounds.
ROUNDS: list[tuple[dict[str, float], str | None]] = [
    ({"room": 0.0, "mic": 0.0, "out": 0.1, "frames": 40, "streams": 1}, "clear"),
    ({"room": 0.0, "mic": 0.0015, "out": 0.1, "frames": 40, "streams": 1}, "clear"),
    ({"room": 0.0, "mic": 0.018, "out": 0.1, "frames": 60, "streams": 1}, "echo"),
    ({"room": 0.01, "mic": 0.015, "out": 0.1, "frames": 40, "streams": 1}, "clear"),
    ({"room": 0.01, "mic": 0.05, "out": 0.1, "frames": 60, "streams": 1}, "echo"),
    ({"room": 0.01, "mic": 0.05, "out": 0.1, "frames": 20, "streams": 1}, None),
    ({"room": 0.0, "mic": 0.0, "out": 0.1, "frames": 10, "streams": 5}, None),
    ({"room": 0.0, "mic": 0.0, "out": 0.001, "frames": 99, "streams": 1}, None),
]


async def test_the_echo_check(hub: PageHub, chromium: Chromium) -> None:
    page = await blank_page(await chromium.start(), hub)
    verdicts = await page.evaluate(CHECK, [facts for facts, _ in ROUNDS])
    assert verdicts == [wanted for _, wanted in ROUNDS]
