"""What a listener does with speech on the page: pause, skip, speed, and the word that sounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.page_fixtures import (
    OpenPage,
    Signal,
    align,
    blank_page,
    comes_true,
    events,
    mode,
    pcm16,
    resampled,
    settle,
    speechlike,
    tapped,
)
from tests.stand_ins.page_hub import RATE, PageHub
from tests.waiting import until_answer

pytestmark = pytest.mark.browser
SECONDS = 3.0


@pytest.fixture(scope="module")
def speech() -> Signal:
    return speechlike(SECONDS, RATE, seed=11)


async def begun(hub: PageHub, page: Page, speech: Signal, text: str = "One two three four five six seven.") -> str:
    """An agent says the text, and some of it has been heard."""
    stream = await hub.say("af_sky", text, pcm16(speech))
    await hub.expect("playback_progress", 2)
    return stream


# -- pause, skip --


async def test_a_pause_loses_nothing(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    page = await open_page()
    stream = await begun(hub, page, speech)
    await page.get_by_role("button", name="Pause").click()
    await mode(page, "paused")
    await expect(page.locator(".now-line")).to_contain_text("Sky is paused")
    paused = await hub.expect("playback_paused")
    assert (paused["stream"], paused["on"]) == (stream, True)
    assert 400 <= paused["ms"] <= SECONDS * 1000
    await settle(0.4)
    assert hub.all("playback_done") == []
    await page.get_by_role("button", name="Go on").click()
    await mode(page, "speaking")
    again = await hub.expect("playback_paused", 2)
    assert (again["stream"], again["on"]) == (stream, False)
    assert again["ms"] == pytest.approx(paused["ms"], abs=80), "it goes on where it was"
    done = await hub.expect("playback_done")
    assert (done["why"], done["ms"]) == ("ended", pytest.approx(SECONDS * 1000, abs=5))
    # All of it sounded: before the pause to where it faded out, and from there on after it.
    rate, _, signal = await tapped(page)
    wanted = resampled(speech, RATE, rate)
    loud = np.flatnonzero(np.abs(signal) > 1e-4)
    gaps = np.flatnonzero(np.diff(loud) > 0.3 * rate)
    assert len(gaps) == 1
    first, second = signal[loud[0] : loud[gaps[0]]], signal[loud[gaps[0] + 1] : loud[-1]]
    assert len(first) + len(second) == pytest.approx(len(wanted), abs=0.012 * rate)
    assert align(first, wanted)[1] >= 0.99
    assert align(second, wanted)[1] >= 0.99


async def test_what_was_skipped_is_over(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    page = await open_page()
    stream = await begun(hub, page, speech)
    await page.get_by_role("button", name="Skip the rest").click()
    done = await hub.expect("playback_done")
    assert (done["stream"], done["why"]) == (stream, "interrupted")
    interrupt = await hub.expect("interrupt")
    assert 400 <= interrupt["at_ms"] <= SECONDS * 1000
    await mode(page, "idle")
    await expect(page.get_by_role("button", name="Skip the rest")).to_have_count(0)


async def test_a_pause_outlives_a_break_of_the_network(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    page = await open_page()
    await begun(hub, page, speech)
    await page.keyboard.press(".")
    await hub.expect("playback_paused")
    await hub.drop()
    await hub.expect("hello", 2)
    assert (await hub.expect("playback_paused", 2))["on"] is True
    await mode(page, "paused")
    await page.get_by_role("button", name="Go on").click()
    assert (await hub.expect("playback_done"))["why"] == "ended"


# -- speed --


def pitch_of(signal: Signal, rate: int) -> float:
    """The fundamental of a steady tone, in Hz."""
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    return float(np.argmax(spectrum) * rate / len(signal))


STRETCHED = """async ({ samples, rate, speed }) => {
  const { Stretch } = await import('/static/audio/stretch.js');
  const stretch = new Stretch(rate);
  stretch.setSpeed(speed);
  const out = [];
  const piece = new Float32Array(128);
  const pull = () => { for (let n; (n = stretch.pull(piece)) > 0; ) out.push(...piece.subarray(0, n)); };
  for (let at = 0; at < samples.length; at += 4800) {
    stretch.feed(Float32Array.from(samples.slice(at, at + 4800)));
    pull();
  }
  stretch.end();
  pull();
  return { out, left: stretch.left };
}"""


async def test_speed_keeps_the_pitch(hub: PageHub, browser: Browser) -> None:
    page = await blank_page(browser, hub)
    rate, hertz = 48000, 150.0
    time = np.arange(rate) / rate
    tone = np.sin(2 * np.pi * hertz * time) + 0.4 * np.sin(4 * np.pi * hertz * time)
    for speed in (0.75, 1, 1.5, 2):
        out = await page.evaluate(STRETCHED, {"samples": tone.tolist(), "rate": rate, "speed": speed})
        heard = np.asarray(out["out"])
        assert len(heard) / rate == pytest.approx(1 / speed, abs=0.05), speed
        assert out["left"] == 0, speed
        middle = heard[len(heard) // 4 : len(heard) * 3 // 4]
        assert pitch_of(middle, rate) == pytest.approx(hertz, abs=4), speed
        assert np.abs(middle).max() <= np.abs(tone).max() * 1.05, speed
        assert np.abs(np.diff(heard)).max() <= np.abs(np.diff(tone)).max() * 1.5, f"no clicks at the joints, speed {speed}"


async def test_faster_and_slower_by_keys_and_menu(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    page = await open_page()
    for _ in range(3):
        await page.keyboard.press("+")
    await expect(page.get_by_role("button", name="Talk options, speed 1.75×")).to_have_count(1)
    stream = await hub.say("af_sky", "One two three.", pcm16(speech))
    done = await hub.expect("playback_done")
    assert (done["stream"], done["why"], done["ms"]) == (stream, "ended", pytest.approx(SECONDS * 1000, abs=5))
    started = (await events(page, "playback_started"))[0]["at_ms"]
    ended = (await events(page, "playback_done"))[0]["at_ms"]
    assert (ended - started) / 1000 == pytest.approx(SECONDS / 1.75, abs=0.4)
    await page.get_by_role("button", name="Talk options").click()
    menu = page.locator("#talk-options")
    await menu.get_by_role("button", name="Slower").click()
    await expect(menu.locator("output")).to_have_text("1.5×")
    await page.keyboard.press("Escape")
    await expect(menu).to_be_hidden()
    await page.reload()
    await expect(page.get_by_role("button", name="Talk options, speed 1.5×")).to_have_count(1)


# -- the word that sounds --

LIT = """(name) => [...(CSS.highlights.get(name) ?? [])].map((r) => {
  const range = document.createRange();
  range.setStart(r.startContainer, r.startOffset);
  range.setEnd(r.endContainer, r.endOffset);
  return range.toString();
})"""


async def lit(page: Page, name: str) -> list[str]:
    found: list[str] = await page.evaluate(LIT, name)
    return found


async def until_lit(page: Page, wanted: list[str]) -> None:
    async def is_so() -> bool:
        return await lit(page, "word-now") == wanted

    await until_answer(is_so, 10)


WORDS = "Now I **changed** two files:\n\n- the `tax` lookup\n- the batch runner\n\nShall I commit it?"


async def test_the_word_that_sounds_is_marked(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    page = await open_page()
    stream = await begun(hub, page, speech, WORDS)
    await page.keyboard.press(".")
    places = [(w, WORDS.index(w)) for w in ("Now", "changed", "files", "tax", "batch", "commit")]
    # All are said at once but the fourth, which sounds on: what is marked then does not depend on how fast this machine is.
    marks = [[0 if i < 4 else 60_000, 0, at, at + len(w)] for i, (w, at) in enumerate(places)]
    await hub.send({"type": "speech_marks", "stream": stream, "words": marks})
    await until_lit(page, ["tax"])
    (later,) = await lit(page, "word-later")
    assert later.startswith("batch runner")
    assert later.rstrip().endswith("commit it?")
    await page.keyboard.press("Escape")
    await until_lit(page, [])
    assert await lit(page, "word-later") == []


async def test_without_marks_words_are_estimated(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    page = await open_page()
    await hub.say("af_sky", "One two three four five six seven.", pcm16(speech))
    seen: list[str] = []
    while not hub.all("playback_done"):
        seen += [word for word in await lit(page, "word-now") if word not in seen]
        await settle(0.02)
    words = ["One", "two", "three", "four", "five", "six", "seven"]
    assert [word for word in words if word in seen] == seen, "in order"
    assert len(seen) >= 4


PLACED = """async ({ text, shown, from }) => {
  const { estimated, markAt, placed, wordsOf } = await import('/static/marks.js');
  const marks = estimated(text, 10000);
  const words = wordsOf(shown);
  const places = placed(text, marks, words);
  return { said: marks.map(([, , a, b]) => text.slice(a, b)), shown: places.map((i) => (i < 0 ? null : words[i].word)),
    starts: marks.map(([s]) => s), at: [markAt(marks, -1), markAt(marks, 1e9)], end: marks.at(-1)?.[1] ?? 0 };
}"""


TEXTS: dict[str, tuple[str, str, list[str]]] = {
    "links are not shown": (
        "See [the plan](https://example.org/the/plan) for the rest",
        "See the plan for the rest",
        ["see", "the", "plan", "for", "the", "rest"],
    ),
    "code is not spoken": (
        "Run it:\n```sh\nmake it so\n```\nand wait",
        "Run it: make it so and wait",
        ["run", "it", "and", "wait"],
    ),
    "other scripts": ("Ça va, naïve?", "Ça va, naïve?", ["ça", "va", "naïve"]),
    "nothing": ("", "", []),
    "signs only": ("…!?", "…!?", []),
}


async def test_words_are_found_again_on_the_page(hub: PageHub, browser: Browser) -> None:
    page = await blank_page(browser, hub)
    for name, (text, shown, wanted) in TEXTS.items():
        found: dict[str, Any] = await page.evaluate(PLACED, {"text": text, "shown": shown})
        assert found["shown"] == wanted, name
        assert found["starts"] == sorted(found["starts"]), name
        assert found["end"] <= 10000.1, name


# As long as an agent may say, and made to be looked through again from every character.
ENDLESS = ["](" * 32_768, "](a " * 16_384, "a." * 32_768, "a-" * 32_768, "](x\t" * 16_384, "a+" * 32_768, "```\n" * 16_384]


async def test_no_text_makes_its_words_slow(hub: PageHub, browser: Browser) -> None:
    page = await blank_page(browser, hub)
    took: list[float] = await page.evaluate(
        """async (texts) => {
          const { estimated, placed, wordsOf } = await import('/static/marks.js');
          return texts.map((text) => {
            const begun = performance.now();
            placed(text, estimated(text, null), wordsOf(text));
            return performance.now() - begun;
          });
        }""",
        ENDLESS,
    )
    assert max(took) < 1000, dict(zip([text[:4] for text in ENDLESS], took, strict=True))


# -- words that are looked at before they are sent --


async def test_words_are_corrected_before_they_are_sent(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.get_by_role("button", name="Talk options").click()
    await page.get_by_role("switch", name="Review before sending").check()
    await page.keyboard.press("Escape")
    await page.locator("#typebox").fill("First,")
    await page.locator(".mic").click()
    opened = await hub.expect("mic_open")
    assert opened["review"] is True
    await hub.until(lambda: hub.turns[opened["turn"]].frames, "frames")
    await page.locator(".mic").click()
    await hub.expect("mic_close")
    words = {"text": "ten the tests", "reason": "", "review": True}
    await hub.send({"type": "turn_done", "turn": opened["turn"], **words})
    box = page.locator("#typebox")
    await expect(box).to_have_value("First, ten the tests")
    await expect(box).to_be_focused()
    await expect(page.locator(".now-line")).to_contain_text("press Enter")
    assert hub.all("text") == []
    await box.fill("First, run the tests")
    await box.press("Enter")
    assert (await hub.expect("text"))["text"] == "First, run the tests"
    await expect(box).to_have_value("")


# -- the device --

WATCHED = """
  const real = AudioContext;
  globalThis.__contexts = [];
  globalThis.AudioContext = class extends real { constructor(...given) { super(...given); __contexts.push(this); } };
  globalThis.__keys = {};
  const set = MediaSession.prototype.setActionHandler;
  MediaSession.prototype.setActionHandler = function (name, act) { __keys[name] = act; return set.call(this, name, act); };
  globalThis.__locks = 0;
  Object.defineProperty(navigator, 'wakeLock', { value: { request: async () => { __locks += 1; return new EventTarget(); } } });
"""


async def test_the_device_knows_who_speaks_and_its_keys_act(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    page = await open_page(init_script=WATCHED)
    assert await page.evaluate("__locks") == 0
    await begun(hub, page, speech)
    await comes_true(page, "'play' in __keys && __locks > 0")
    told = "[navigator.mediaSession.playbackState, navigator.mediaSession.metadata?.title ?? null, __locks]"
    assert await page.evaluate(told) == ["playing", "Sky", 1]
    await page.evaluate("__keys.pause()")
    await mode(page, "paused")
    assert await page.evaluate(told) == ["paused", "Sky", 1]
    await page.evaluate("__keys.pause()")
    await page.evaluate("__keys.play()")
    await mode(page, "speaking")
    await page.evaluate("__keys.nexttrack()")
    assert (await hub.expect("playback_done"))["why"] == "interrupted"
    await mode(page, "idle")
    assert (await page.evaluate(told))[:2] == ["none", None]
    await page.evaluate("__keys.previoustrack()")
    await hub.expect("replay")


async def test_a_call_interrupts_the_sound_and_a_tap_brings_it_back(hub: PageHub, open_page: OpenPage, speech: Signal) -> None:
    """WebKit's own state of a context, after a call or the lock of the screen."""
    page = await open_page(init_script=WATCHED)
    await begun(hub, page, speech)
    await page.evaluate(
        """() => {
          const [context] = __contexts;
          Object.defineProperty(context, 'state', { configurable: true, get: () => 'interrupted' });
          context.dispatchEvent(new Event('statechange'));
        }"""
    )
    await mode(page, "paused")
    await expect(page.locator(".now-line")).to_contain_text("Tap anywhere to go on")
    await page.evaluate("delete __contexts[0].state")
    await page.locator(".head h1").click()
    await mode(page, "speaking")
    assert (await hub.expect("playback_done"))["why"] == "ended"
