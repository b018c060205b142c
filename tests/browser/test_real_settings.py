"""The settings of the page on a real hub: a quality is fetched, started and served from; one that fails is put back and told."""

from __future__ import annotations

import tomllib

import pytest
from playwright.async_api import expect

from tests.browser.chromium import Chromium
from tests.browser.test_real_loop import watch_page
from tests.tier_hub import TierHub

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
