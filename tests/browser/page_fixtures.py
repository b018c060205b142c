"""Fixtures of the page's tests: a stand-in hub, a fake microphone that plays a known signal, pages that report errors."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Playwright, async_playwright

from clawmux.hardware import Hardware
from tests.browser.chromium import Chromium
from tests.stand_ins.machines import CARD, answer
from tests.stand_ins.page_hub import PageHub
from tests.waiting import until_answer

OUTPUT = Path(__file__).parents[1] / "output"
AXE = "axe-core@4.14.1"
PAGE_SECONDS = 15.0
"""How long a page may take to come to something."""
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
Signal = npt.NDArray[np.float64]


def speechlike(seconds: float, rate: int, seed: int) -> Signal:
    """Syllables of a gliding voice with breaks between: no two moments alike, so an alignment has one answer."""
    rng = np.random.default_rng(seed)
    count = int(seconds * rate)
    time = np.arange(count) / rate
    pitch = 120 + 40 * np.sin(2 * np.pi * 0.7 * time + rng.uniform(0, 6)) + np.cumsum(rng.normal(0, 0.02, count))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 18))
    noise = np.convolve(rng.normal(0, 1, count), np.ones(4) / 4, "same")
    knots = np.arange(0, seconds + 0.15, 0.15)
    loud = np.interp(time, knots, rng.uniform(0.1, 1, len(knots)))
    signal = (voice + 0.3 * noise) * loud
    return np.asarray(0.5 * signal / np.abs(signal).max(), dtype=np.float64)


def pcm16(signal: Signal) -> bytes:
    return (signal * 32767).astype("<i2").tobytes()


@pytest.fixture(scope="session")
def microphone_source() -> Signal:
    """What the fake microphone plays, at 48 kHz."""
    return speechlike(12, 48000, seed=5)


@pytest.fixture(scope="session")
def microphone_file(tmp_path_factory: pytest.TempPathFactory, microphone_source: Signal) -> Path:
    file = tmp_path_factory.mktemp("microphone") / "voice.wav"
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48000)
        out.writeframes(pcm16(microphone_source))
    return file


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as playwright:
        yield playwright


@pytest_asyncio.fixture(loop_scope="session")
async def chromium(playwright: Playwright) -> AsyncIterator[Chromium]:
    """For browsers of the test's own, with other arguments than those of ``browser``."""
    browsers = Chromium(playwright)
    try:
        yield browsers
    finally:
        await browsers.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_browsers(playwright: Playwright) -> AsyncIterator[Chromium]:
    browsers = Chromium(playwright)
    try:
        yield browsers
    finally:
        await browsers.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browser(shared_browsers: Chromium, microphone_file: Path) -> AsyncIterator[Browser]:
    """The one that the tests share, with the microphone; pages and their storage end with the test. A new one after a crash."""
    living = [browser for browser in shared_browsers.browsers if browser.is_connected()]
    browser = living[-1] if living else await shared_browsers.start(microphone_file)
    yield browser
    for context in browser.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def hub() -> AsyncIterator[PageHub]:
    async with PageHub() as hub:
        yield hub


async def blank_page(browser: Browser, hub: PageHub) -> Page:
    """For modules without a DOM: they are imported there."""
    page = await browser.new_page()
    await page.goto(f"{hub.origin}/blank")
    return page


OpenPage = Callable[..., Awaitable[Page]]
OpenSettings = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, hub: PageHub) -> AsyncIterator[OpenPage]:
    """``await open_page(...)``: the page, signed in and connected. Errors it logs fail the test at its end."""
    errors: list[str] = []
    contexts: list[BrowserContext] = []

    async def open_page(
        unlock: bool = True,
        context: BrowserContext | None = None,
        url: str = "",
        init_script: str = "",
        untouched: bool = False,
        **options: Any,
    ) -> Page:
        context = context or await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = await context.new_page()
        if init_script:
            await page.add_init_script(init_script)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: errors.append(str(e)))
        await page.goto(url or hub.url)
        await hub.until(lambda: hub.all("hello"), "hello")
        if untouched:
            return page
        await page.wait_for_selector(".dock, .calm, .empty")
        if unlock:
            await page.locator(".head h1").click()
            await comes_true(page, "__clawmux_test.events.some(e => e.type === 'mode')")
        return page

    yield open_page
    for context in contexts:
        await context.close()
    expected = ("net::ERR_", "WebSocket connection to", "Failed to load resource")
    unexpected = [error for error in errors if not any(words in error for words in expected)]
    assert unexpected == [], unexpected


@pytest.fixture
def open_settings(hub: PageHub, open_page: OpenPage) -> OpenSettings:
    """The page with its settings open, on a machine of choice."""

    async def open_settings(machine: Hardware = CARD, installed: tuple[str, ...] = ("tiny",), **options: Any) -> Page:
        furnish_speech(hub, machine, installed)
        page = await open_page(**options)
        gear = page.locator("[data-open=settings]")
        if not await gear.is_visible():  # a phone has them in the menu
            await page.locator("[data-open=more]").click()
            gear = page.locator("#more [data-do=settings]")
        await gear.click()
        await page.locator(".tier").first.wait_for()
        await page.locator("[data-setting]").first.wait_for()
        return page

    return open_settings


def furnish_speech(hub: PageHub, machine: Hardware, installed: tuple[str, ...] = ("tiny",)) -> None:
    hub.tiers = answer(machine, installed)
    hub.speech_state = {"state": "ready", "reason": "", "progress": None, "serving": "tiny", "wanted": "tiny"}


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core from the npm registry, fetched once."""
    file = OUTPUT / "axe" / "package" / "axe.min.js"
    if not file.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed")
        file.parent.parent.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run([npm, "pack", "--silent", AXE], cwd=OUTPUT / "axe", capture_output=True, text=True, check=False)
        if packed.returncode:
            pytest.skip(f"axe-core could not be fetched: {packed.stderr[-200:]}")
        subprocess.run(["tar", "xzf", packed.stdout.split()[-1]], cwd=OUTPUT / "axe", check=True)
    return file.read_text(encoding="utf-8")


async def comes_true(page: Page, expression: str) -> None:
    """Playwright's wait_for_function looks again by eval, which the page's policy forbids: it would see the first look only."""
    await until_answer(lambda: page.evaluate(expression), PAGE_SECONDS)


async def events(page: Page, kind: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await page.evaluate("__clawmux_test.events")
    return [event for event in found if not kind or event["type"] == kind]


async def mode(page: Page, wanted: str) -> None:
    await page.wait_for_selector(f'.dock[data-mode="{wanted}"]', timeout=10000)


async def tapped(page: Page) -> tuple[int, float, Signal]:
    """What the master bus carried: rate, time of the first sample, samples."""
    got = await page.evaluate(
        """async () => {
            const { rate, blocks } = await __clawmux_test.tap();
            return { rate, time: blocks[0]?.time ?? 0, samples: blocks.map(b => Array.from(b.samples)).flat() };
        }"""
    )
    return got["rate"], got["time"], np.asarray(got["samples"], dtype=np.float64)


def resampled(signal: Signal, rate: int, to: int) -> Signal:
    """Exact for band-limited signals: by the spectrum."""
    count = round(len(signal) * to / rate)
    spectrum = np.fft.rfft(signal)
    wanted = np.zeros(count // 2 + 1, dtype=complex)
    kept = min(len(spectrum), len(wanted))
    wanted[:kept] = spectrum[:kept]
    return np.asarray(np.fft.irfft(wanted, count) * count / len(signal), dtype=np.float64)


def align(part: Signal, whole: Signal) -> tuple[int, float]:
    """Where ``part`` lies in ``whole``, and how alike they are there (1 = the same but for loudness)."""
    size = 1 << (len(part) + len(whole)).bit_length()
    product = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)[
        : max(1, len(whole) - len(part) + 1)
    ]
    at = int(product.argmax())
    piece = whole[at : at + len(part)]
    part = part[: len(piece)]
    return at, float(part @ piece / (np.linalg.norm(part) * np.linalg.norm(piece) + 1e-12))


async def settle(seconds: float) -> None:
    """For proving that something does NOT happen: nothing can be waited for."""
    await asyncio.sleep(seconds)
