"""Phone access in the settings, and the field for a code where a browser is not in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from clawmux.wire.text import shown
from tests.browser.page_fixtures import DESKTOP, OUTPUT, PHONE, OpenPage, OpenSettings, furnish_speech
from tests.browser.test_page_look import furnish
from tests.stand_ins.machines import CARD
from tests.stand_ins.page_hub import PageHub, device, phone

pytestmark = pytest.mark.browser
OWN = device("Chromium on Linux", own=True, connected=True, address="127.0.0.1")
IPHONE = device("Safari on iPhone")


async def asked(hub: PageHub, path: str) -> list[Any]:
    return [(method, body) for method, known, body in hub.requests if known == path]


async def test_from_no_address_to_a_paired_phone(hub: PageHub, open_settings: OpenSettings) -> None:
    hub.paired = [OWN]
    page = await open_settings()
    section = page.locator("section.phone")
    await expect(section).to_contain_text("https://sky.tail1234.ts.net")
    await expect(section.locator("[data-device]")).to_have_count(1)
    await section.locator("[data-do=tailscale]").click()
    await expect(section.locator(".url")).to_have_text("https://sky.tail1234.ts.net")
    await expect(section.locator("[data-do=pair]")).to_be_focused()
    assert await asked(hub, "/api/phone") == [("POST", {"way": "tailscale"})]
    await section.locator("[data-do=pair]").click()
    await expect(section.locator(".code")).to_have_text("K7QD-4MPX")
    await expect(section.get_by_text(re.compile("for another [45] min"))).to_be_visible()
    picture = section.locator("img.qr")
    await expect(picture).to_have_count(1)
    assert await picture.evaluate("image => image.complete && image.naturalWidth") > 100
    hub.paired = [IPHONE, OWN]
    await hub.send({"type": "devices"})
    await expect(section.locator(".told.good")).to_have_text("Safari on iPhone is in.")
    await expect(picture).to_have_count(0)


async def test_a_device_is_removed_at_the_second_press(hub: PageHub, open_settings: OpenSettings) -> None:
    hub.paired = [IPHONE, OWN]
    page = await open_settings()
    row = page.locator('[data-device="Safari on iPhone"]')
    await expect(row).to_contain_text("at 100.64.0.7")
    button = row.locator("[data-do=revoke]")
    await button.click()
    await expect(button).to_have_text("Really remove Safari on iPhone")
    assert await asked(hub, "/api/devices/Safari-on-iPhone") == []
    await page.keyboard.press("Tab")  # who goes on has not meant it
    await expect(button).to_have_text("Remove Safari on iPhone")
    await button.click()
    await button.click()
    await expect(row).to_have_count(0)
    assert await asked(hub, "/api/devices/Safari-on-iPhone") == [("DELETE", None)]
    own = page.locator('[data-device="Chromium on Linux"] [data-do=revoke]')
    await expect(own).to_have_text("Sign out Chromium on Linux")
    await own.click()
    await own.click()
    await expect(page.locator(".calm")).to_contain_text("clawmux phone")


async def test_the_own_authority_comes_with_what_each_device_needs(hub: PageHub, open_settings: OpenSettings) -> None:
    hub.phone = phone(tailscale="missing")
    page = await open_settings()
    section = page.locator("section.phone")
    await expect(section).to_contain_text("Tailscale is not installed. Install it from")
    await expect(section.locator("[data-do=tailscale]")).to_have_count(0)
    await section.locator("[data-do=lan]").click()
    await section.locator("[data-do=pair]").click()
    await section.get_by_text("let it trust this hub's certificate").click()
    await expect(section.locator("img.qr")).to_have_count(2)
    await expect(section).to_contain_text("Certificate Trust Settings")
    await expect(section).to_contain_text("00:01:02")
    await section.locator("[data-do=close-ways]").click()
    await expect(section.locator("[data-do=lan]")).to_be_visible()
    assert await asked(hub, "/api/phone") == [("POST", {"way": "lan", "host": "192.168.1.20"}), ("POST", {"way": "off"})]


async def test_a_refusal_is_shown_where_it_was_asked_for(hub: PageHub, open_settings: OpenSettings) -> None:
    page = await open_settings()
    hub.refuses_way = {
        "code": "usage",
        "text": "hub.public_url = 'http://x' is not https://name.",
        "remedy": "Set the bare address.",
    }
    await page.get_by_label("A proxy of yours").fill("http://x")
    await page.keyboard.press("Enter")
    await expect(page.locator("section.phone .refusal")).to_contain_text("is not https://name. Set the bare address.")
    await expect(page.get_by_label("A proxy of yours")).to_have_value("http://x")


async def test_a_devices_name_is_text(hub: PageHub, open_settings: OpenSettings) -> None:
    names = ["<img src=x onerror=alert(1)>", "\u202eevil", "x" * 60]
    hub.paired = [*map(device, names), OWN]
    page = await open_settings()
    await expect(page.locator("[data-device] b")).to_have_text([*map(shown, names), OWN["name"]])
    assert await page.locator("section.phone img").count() == 0


async def test_a_code_lets_a_browser_in(hub: PageHub, browser: Browser) -> None:
    options: Any = {"viewport": PHONE}
    page = await (await browser.new_context(**options)).new_page()
    await page.goto(f"{hub.origin}/?test=1")
    field = page.get_by_label("type the code")
    await field.fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.locator(".calm [role=alert]")).to_contain_text("used or is wrong")
    await field.fill(hub.key)
    await page.get_by_role("button", name="Pair").click()
    await page.wait_for_selector(".dock")
    assert hub.all("hello")[-1]["device"] in ("Chromium on Linux", "Chromium on this device")
    assert "K7" not in page.url and "#k" not in page.url


async def show(page: Page) -> None:
    top = "document.querySelector('section.phone').getBoundingClientRect().top"
    await page.evaluate(f"document.getElementById('settings').scrollTop += {top} - 90")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("size", "viewport"), [("desktop", DESKTOP), ("phone", PHONE)])
async def test_it_is_accessible_in_every_state(
    hub: PageHub, open_page: OpenPage, axe: str, size: str, viewport: dict[str, int], scheme: str
) -> None:
    await furnish(hub)
    furnish_speech(hub, CARD)
    hub.paired = [IPHONE, OWN]
    page = await open_page(viewport=viewport, color_scheme=scheme, bypass_csp=True, has_touch=size == "phone")
    await page.evaluate("location.hash = 'settings'")
    await page.add_script_tag(content=axe)
    section = page.locator("section.phone")
    shown = "ways code trust out".split()
    for state in shown:
        if state == "code":
            await section.locator("[data-do=lan]").click()
            await section.locator("[data-do=pair]").click()
            await section.locator("img.qr").last.wait_for()
        elif state == "trust":
            await section.locator("summary").click()
        elif state == "out":
            own = section.locator('[data-device="Chromium on Linux"] [data-do=revoke]')
            await own.click()
            await own.click()
            await page.locator("#pair-code").wait_for()
        else:
            await section.locator("[data-do=lan]").wait_for()
            await section.locator("[data-device]").first.wait_for()
        if state != "out":
            await show(page)
        await page.screenshot(path=OUTPUT / "screens" / f"phone-{state}-{size}-{scheme}.png")
        found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        faults = [(fault["id"], [node["html"] for node in fault["nodes"]]) for fault in found["violations"]]
        assert faults == [], state
        wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, state
