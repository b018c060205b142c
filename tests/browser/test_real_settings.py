"""The settings of the page on a real hub: a quality is fetched, started and served from; one that fails is put back and told."""

from __future__ import annotations

import asyncio
import tomllib
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.chromium import Chromium
from tests.browser.test_real_loop import watch_page
from tests.live_hub import LiveHub
from tests.tier_hub import TierHub
from tests.waiting import until

pytestmark = pytest.mark.browser


async def test_a_quality_is_changed_from_the_page(chromium: Chromium) -> None:
    async with TierHub(here=("tiny",)) as hub:
        await hub.speech_is("ready")
        await hub.spawn()
        watched = await watch_page(hub, await chromium.start())
        page, told = watched.page, watched.page.locator(".told")
        await page.locator("[data-open=settings]").click()
        await expect(page.locator(".hw h2")).to_have_text("Eight of them")
        await expect(told).to_contain_text("Tiny is in use")

        hub.pulls(seconds=1.5)
        hub.behaves(low={"loads_seconds": 0.5})
        await page.locator("[data-tier=low]").click()
        await page.locator("[data-do=use]").click()
        await expect(told).to_contain_text("Downloading Low")
        await expect(told).to_contain_text("Tiny serves until it is ready.")
        await expect(told).to_contain_text("Low is in use", timeout=20000)
        await expect(page.locator("[data-tier=low]")).to_contain_text("Installed")
        assert tomllib.loads(hub.paths.config_file.read_text()) == {"speech": {"quality": "low"}}

        hub.pulls(error="No source could be reached.")
        await page.locator("[data-tier=high]").click()
        await page.locator("[data-do=use]").click()
        await expect(told).to_have_text("High could not be used. No source could be reached. Low still serves.", timeout=20000)
        await expect(page.locator("[data-tier=low] input")).to_be_checked()
        assert tomllib.loads(hub.paths.config_file.read_text()) == {"speech": {"quality": "low"}}

        await page.get_by_label("Language you speak").select_option(label="German")
        await expect(page.locator('[data-setting="speech.language"] .saved')).to_have_text("Saved")
        await page.get_by_role("button", name="Back to English for Language you speak").click()
        await expect(page.get_by_label("Language you speak")).to_have_value("en")
        assert tomllib.loads(hub.paths.config_file.read_text()) == {"speech": {"quality": "low"}}
        assert watched.errors == []


async def test_a_voice_is_tried_and_a_screen_reader_gets_replies_in_place_of_one(chromium: Chromium) -> None:
    async with LiveHub("stand-in") as hub:
        await hub.speech_is("ready")
        sky = await hub.spawn()
        watched = await watch_page(hub, await chromium.start())
        page = watched.page

        def done() -> list[dict[str, Any]]:
            return [message for message in watched.said if message["type"] == "playback_done"]

        await page.locator("[data-open=settings]").click()
        await page.locator("[data-voice=am_adam] button").click()
        await until(done, 30)
        assert done()[0]["why"] == "ended" and done()[0]["stream"].startswith("preview-") and done()[0]["ms"] > 500

        await page.get_by_role("switch", name="Screen reader announces replies instead of voice").click()
        asking = asyncio.create_task(hub.run(sky, "converse", "Shall I **go on**?"))
        await expect(page.get_by_role("log", name="Replies")).to_have_text("Sky asks: Shall I go on?")
        await until(lambda: len(done()) == 2, 30)
        await page.get_by_role("button", name="Back to the conversation").click()
        await page.locator(".typebox textarea").fill("Yes, go on.")
        await page.keyboard.press("Enter")
        assert (await asking).out == "Yes, go on.\n"
        played = [m for m in watched.said if m["type"] == "playback_started"]
        assert len(played) == 1 and not [m for m in watched.said if m["type"] == "mic_open"]
        assert watched.errors == []
