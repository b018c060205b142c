"""The panel's tabs with the real hub: an agent's folder under git, a text to everybody, and how the hub stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from clawmux import __version__
from tests.adapters.test_git import repository, run  # noqa: F401 (a fixture)
from tests.browser.chromium import Chromium
from tests.browser.test_real_loop import watch_page
from tests.hub.messengers import add_messengers, spawn
from tests.live_hub import LiveHub

pytestmark = pytest.mark.browser


async def test_the_tabs_of_the_panel(chromium: Chromium, repository: Path) -> None:  # noqa: F811
    async with LiveHub("none") as hub:
        add_messengers(hub)
        sky = await spawn(hub, "ack", voice="af_sky", dir=str(repository))
        await spawn(hub, "ack", voice="am_adam")
        watched = await watch_page(hub, await chromium.start())
        page = watched.page
        await page.locator(f'[data-session="{sky}"] .row').click()

        await page.keyboard.press("d")
        await page.get_by_text("Nothing has changed since the last commit.").wait_for()
        (repository / "kept.txt").write_text("one\n<b>2</b>\nthree\n")
        (repository / "<img src=x>.txt").write_text("x\n")
        await page.get_by_role("button", name="Look again").click()
        await expect(page.locator(".cpath")).to_have_text(["<img src=x>.txt", "kept.txt"])
        await expect(page.locator(".chead")).to_contain_text("2 files +1 −1")
        await page.locator(".crow").last.click()
        await expect(page.locator(".patch .add code")).to_have_text("+<b>2</b>")

        await page.get_by_role("tab", name="Messages").click()
        box = page.get_by_label("Message to everyone")
        await box.fill("Stand-up in <i>ten</i> minutes.")
        await box.press("Enter")
        row = page.locator("[data-batch]")
        await expect(row).to_contain_text("You to Everyone")
        await expect(row.locator(".tag")).to_have_text("read by 2", timeout=30000)
        await page.reload()
        await expect(row.locator(".tag")).to_have_text("read by 2")

        await page.get_by_role("tab", name="Debug").click()
        await expect(page.locator(".facts2")).to_contain_text("2 agents, 1 page")
        await expect(page.locator(".facts2")).to_contain_text(f"{__version__}, Python")
        await expect(page.locator(".facts2")).to_contain_text("ms, 0 dropped frames", timeout=15000)
        assert watched.errors == []
