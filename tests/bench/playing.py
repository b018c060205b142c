"""Row ``playing``: from the request of a converse to sound in a real Chromium, against the engine's own first chunk.

Twice: with Kokoro, and with tones that are there at once and so show what hub and page add without an engine's scatter.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass

from playwright.async_api import Page, async_playwright

from tests.bench.figure import Figure, Target, Unmeasured
from tests.bench.rounds import interleave
from tests.bench.speaking import Speaking, speaking
from tests.browser.chromium import NAMES
from tests.live_hub import LiveHub

SENTENCE = "All tests pass."
TARGET = Target(above=60)
ENGINES = {"real": "converse to playing in Chromium", "stand-in": "the same, with tones for an engine"}


async def measure(rounds: int) -> list[Figure]:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        raise Unmeasured("Chromium is not on PATH")
    figures = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found)
        for engine, what in ENGINES.items():
            async with speaking(engine) as voice:
                page = await _open(voice.hub, await browser.new_page())
                figures.append(await _measure_page(rounds, voice, page, what))
                await page.page.close()
        await browser.close()
    return figures


@dataclass(frozen=True, slots=True)
class _Clocked:
    """A signed-in page whose clock we know."""

    page: Page
    offset_ms: float
    """Our clock less the page's."""

    async def started_at(self) -> float:
        """When the last playback began, by our clock. Asked afterwards: a page that is watched works for its watcher."""
        at_ms = await self.page.evaluate("__clawmux_test.events.findLast(e => e.type === 'playback_started').at_ms")
        return float(at_ms) + self.offset_ms


async def _open(hub: LiveHub, page: Page) -> _Clocked:
    """Through the link of `clawmux open`, and touched once: until then a browser keeps a page silent."""
    opened = await hub.call("POST", "/api/open", {})
    await page.goto(opened["url"].replace("/#", "/?test=1#"))
    await page.wait_for_selector("#talk", state="attached")
    await page.locator("body").click(position={"x": 640, "y": 300})
    await page.wait_for_function("__clawmux_test.events.some(e => e.type === 'mode')")
    return _Clocked(page, await _offset(page))


async def _offset(page: Page) -> float:
    """Of the answers to "what time is it", the quickest is the truest."""
    best, offset = float("inf"), 0.0
    for _ in range(20):
        asked = time.perf_counter() * 1000
        told = await page.evaluate("performance.now()")
        took = time.perf_counter() * 1000 - asked
        if took < best:
            best, offset = took, asked + took / 2 - told
    return offset


async def _measure_page(rounds: int, voice: Speaking, page: _Clocked, what: str) -> Figure:
    async def chunk() -> float:
        return await voice.first_chunk_ms(SENTENCE)

    async def played() -> float:
        asked = time.perf_counter() * 1000
        await voice.converse(SENTENCE, listen=False)
        return await page.started_at() - asked

    floor, ours = await interleave(rounds, chunk, played)
    return Figure(what, "ms", ours, floor, TARGET)
