"""The keyboard: what the help says is what is bound, and single keys can be switched off."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.page_fixtures import OpenPage, mode
from tests.browser.test_page_look import furnish
from tests.stand_ins.page_hub import PageHub

pytestmark = pytest.mark.browser
# The help writes keys as they are printed; these mean the same.
PRINTED = {"-": "−", "=": "+", "Escape": "Esc"}
# Bound beside the table: held, with Ctrl, or by number.
BESIDE = {"Space", "Ctrl", "K", "1", "…", "9"}


async def test_the_help_lists_what_is_bound_and_nothing_else(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    bound, told = await page.evaluate(
        "import('/static/keys.js').then(({ KEYS, HELP }) => [Object.keys(KEYS), HELP.flatMap(([keys]) => keys)])"
    )
    names = {PRINTED.get(key, key) for key in bound}
    names = {name.upper() if len(name) == 1 else name for name in names}
    assert set(told) == names | BESIDE


async def switched_off(page: Page) -> None:
    await page.locator("[data-open=more]").click()
    await page.locator("[data-do=help]").click()
    await page.get_by_role("switch", name="Single keys").uncheck()
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog")).to_have_count(0)
    await page.locator("#log").focus()


async def test_single_keys_can_be_switched_off(hub: PageHub, open_page: OpenPage) -> None:
    await furnish(hub)
    page = await open_page()
    await expect(page.locator(".now kbd")).to_have_text("Space")
    await switched_off(page)
    await expect(page.locator(".now kbd")).to_have_count(0)
    for key in ("m", "2", "d", "?", ",", "Space", "`"):
        await page.keyboard.press(key)
    await page.keyboard.press("Control+k")  # this one is not a single key
    await page.locator(".palette").wait_for()
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog, .panel, .sets, .termbox")).to_have_count(0)
    await expect(page.locator(".head h1")).to_have_text("Sky")
    assert hub.all("mic_open") == [] and await page.locator(".dock").get_attribute("data-mode") == "idle"
    await page.locator("#talk").focus()
    await page.keyboard.press("Space")  # now it presses the button, like any other
    await mode(page, "listening")
    await expect(page.locator(".now .keys")).to_have_count(0)
    await page.keyboard.press("Escape")
    await mode(page, "idle")
    await page.reload()
    await expect(page.locator(".now-line")).to_contain_text("and talk to Sky")
    await expect(page.locator(".now kbd")).to_have_count(0)  # kept by this browser


async def test_both_skip_links_lead_there(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    for words, target in (("Skip to conversation", "#log"), ("Skip to talk", "#talk")):
        link = page.get_by_role("link", name=words)
        await link.focus()
        box = await link.bounding_box()
        assert box is not None and box["y"] >= 0
        await page.keyboard.press("Enter")
        await expect(page.locator(target)).to_be_focused()


async def test_no_key_is_promised_while_keys_go_to_a_terminal(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await expect(page.locator(".now kbd")).to_have_text("Space")
    await page.keyboard.press("`")
    await hub.expect("term_open")
    (client,) = hub.sockets
    about = {"session_id": "af_sky", "slot": 1}
    await hub.send({"type": "term_opened", **about})
    await hub.send({"type": "term_size", **about, "cols": 80, "rows": 24})
    for mine, hints in ((client, 0), (None, 1), (client, 0)):
        await hub.send({"type": "term_keyboard", "session_id": "af_sky", "client": mine, "device": "here"})
        await expect(page.locator(".now kbd")).to_have_count(hints)
    await page.get_by_role("button", name="Close terminal").click()
    await expect(page.locator(".now kbd")).to_have_count(1)
