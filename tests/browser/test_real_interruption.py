"""An agent's voice in a room with a microphone, with nothing but real parts: Chromium's echo cancelling, the hub, the engines.

Nobody but the agent speaks: it is not interrupted. Somebody does: it falls silent, and the agent is told what was heard.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests import sound
from tests.browser.chromium import Chromium
from tests.live_hub import LiveHub, said
from tests.long_form import IS_LONG
from tests.stand_ins.sound_room import PROGRAMS, SoundRoom
from tests.waiting import until_answer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.speech,
    pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason="PulseAudio is not installed"),
]

SENTENCES = (
    "The job timed out on the tax lookup, because the retry loop has no upper bound. ",
    "So a single slow response blocked the whole batch, and nothing after it was sent. ",
    "I changed two files, and the tests pass. ",
)
# 15 s of speech, or a minute.
REPEATS = 5 if IS_LONG else 1
LONG = "".join(SENTENCES) * REPEATS


@pytest_asyncio.fixture(loop_scope="session")
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("real") as hub:
        await hub.speech_is("ready")
        yield hub


@pytest_asyncio.fixture(loop_scope="session")
async def room() -> AsyncIterator[SoundRoom]:
    async with SoundRoom() as room:
        yield room


async def events(page: Page, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await page.evaluate("__clawmux_test.events")
    return [event for event in found if event["type"] == kind]


async def open_page(hub: LiveHub, chromium: Chromium, room: SoundRoom, query: str) -> Page:
    """Signed in, touched, and its microphone used once."""
    browser = await chromium.playwright.chromium.launch(
        executable_path=chromium.program,
        args=["--use-fake-ui-for-media-stream"],
        ignore_default_args=["--mute-audio"],
        env=dict(room.environ),
    )
    chromium.browsers.append(browser)
    page = await browser.new_page(viewport={"width": 1280, "height": 800})
    opened = await hub.call("POST", "/api/open", {})
    await page.goto(opened["url"].replace("/#", f"/?{query}#"))
    await page.locator("#talk").wait_for()
    await page.locator(".mic").click()
    await page.locator(".dock[data-mode=listening]").wait_for()
    await page.keyboard.press("Escape")
    await page.locator(".dock[data-mode=idle]").wait_for()
    return page


async def speaks(page: Page, count: int) -> None:
    async def has_begun() -> bool:
        return len(await events(page, "playback_started")) >= count

    await until_answer(has_begun, 60)


async def test_the_agent_does_not_interrupt_itself_and_a_person_does(
    hub: LiveHub, room: SoundRoom, chromium: Chromium, tmp_path: Path
) -> None:
    sky = await hub.spawn()
    page = await open_page(hub, chromium, room, "test=1&echo")
    telling = await hub.client(sky, "converse", LONG, "--no-listen")
    await speaks(page, 1)
    await expect(page.locator(".now-line")).to_contain_text("or talk to interrupt", timeout=10000)
    assert (await said(telling, seconds=60 + 60 * REPEATS)).out == "", "nothing was cut off"
    assert [event["why"] for event in await events(page, "playback_done")] == ["ended"]
    assert await events(page, "interrupt") == []
    # A machine that is busy with other things lets the sound stumble, and what cancels echoes with it: that may be a pause.
    stumbles = len(await events(page, "pause"))

    voice = sound.write_wav(tmp_path / "voice.wav", sound.clip("go-forward", 48000), 48000)
    asking = await hub.client(sky, "converse", "".join(SENTENCES))
    await speaks(page, 2)
    await expect(page.locator(".now-line")).to_contain_text("or talk to interrupt", timeout=10000)
    await asyncio.sleep(1.0)  # somewhere inside the first sentence
    await room.say(voice)
    told = await said(asking, seconds=90)
    assert told.code == 0
    words, note = told.out.splitlines()
    assert sound.word_error_rate(sound.WORDS["go-forward"], words) <= 0.5, words
    assert re.fullmatch(r"\(The user interrupted you after \d+\.\d s of \d+\.\d s, at: “… .+”\)", note), note

    pause = (await events(page, "pause"))[stumbles]
    vad = [event for event in await events(page, "vad") if event["at_ms"] <= pause["at_ms"]][-1]
    got = await page.evaluate(
        """async () => {
            const { rate, blocks } = await __clawmux_test.tap();
            return { rate, time: blocks[0].time, samples: blocks.map(b => Array.from(b.samples)).flat() };
        }"""
    )
    signal = np.abs(np.asarray(got["samples"]))
    after = int((float(pause["clock"]) - got["time"]) * got["rate"])
    loud = np.flatnonzero(signal[after : after + got["rate"]] > 1e-3)
    silent_ms = (loud[-1] / got["rate"] * 1000 if len(loud) else 0.0) + float(pause["at_ms"]) - float(vad["at_ms"])
    assert silent_ms <= 200, f"{silent_ms:.0f} ms from detection to silence"
    print(f"{stumbles} pauses for nothing; silent {silent_ms:.0f} ms after detection; heard {words!r}; {note}")
