"""The hub is ended and started again, by turns gently and by force, under a page whose reader is in mid-conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.chromium import Chromium
from tests.browser.test_page_history import NUMBERS, TOPMOST
from tests.browser.test_real_loop import watch_page
from tests.hub.test_history import entry, filled
from tests.live_hub import LiveHub

pytestmark = [pytest.mark.browser, pytest.mark.faults]

TIMES = 20
OLD = 200
SHOWN = "all => all.map((one) => [Number(one.dataset.n), one.querySelector('.md').textContent.trim()])"
SECONDS = 30


@pytest_asyncio.fixture(loop_scope="session")
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        yield hub


async def test_every_event_comes_once_and_the_reader_stays_where_he_is(hub: LiveHub, chromium: Chromium) -> None:
    words = "Words of an answer. " * 20
    session, _ = await filled(
        hub, [entry("assistant_text", msg_id=f"m{i}", text=f"{i}: {words}", question=False) for i in range(OLD)]
    )
    watched = await watch_page(hub, await chromium.start())
    page = watched.page
    log = page.locator("#log")
    await page.get_by_text(f"{OLD - 1}: Words").wait_for()
    await log.evaluate("log => log.scrollBy(0, -1500)")
    latest = page.locator("[data-do=latest]")
    await latest.wait_for()
    place = await log.evaluate(TOPMOST)
    said: list[str] = []

    async def say() -> None:
        said.append(f"Fresh words number {len(said)}")
        await hub.run(session, "converse", "--no-listen", said[-1])

    for time in range(TIMES):
        await say()
        await (hub.kill() if time % 2 else hub.stop())
        await hub.start()
        await say()
        await expect(latest).to_have_text(f"{len(said)} new", timeout=SECONDS * 1000)
        assert await log.evaluate(TOPMOST) == place, time
    await latest.click()
    await page.get_by_text(said[-1], exact=True).wait_for()
    numbers: list[int] = await log.evaluate(NUMBERS)
    assert numbers == sorted(set(numbers)), "each once, in order"
    shown = await page.locator("#log .msg.bot").evaluate_all(SHOWN)
    stored: list[dict[str, Any]] = (await hub.call("GET", f"/api/history?session_id={session}&limit=200"))["entries"]
    texts = [[e["n"], e["text"].strip()] for e in stored if e["type"] == "assistant_text"]
    assert shown == texts[-len(shown) :]
    assert [text for _, text in shown[-len(said) :]] == said
    unexpected = [error for error in watched.errors if "WebSocket" not in error and "net::ERR" not in error]
    assert unexpected == []
