"""Two devices on a real hub: the second is paired over https in the local network, takes the sound, and is put out."""

from __future__ import annotations

import time

import pytest
from playwright.async_api import expect

from tests.browser.chromium import Chromium
from tests.live_hub import LiveHub

pytestmark = pytest.mark.browser
HERE = "127.0.0.3"
# From the request of the one page to the end of the other's socket.
OUT_SECONDS = 1.0


async def test_a_phone_is_paired_takes_the_sound_and_is_put_out(chromium: Chromium) -> None:
    lan = {"CLAWMUX_HUB_LAN_HOST": HERE, "CLAWMUX_HUB_LAN_PORT": "0"}
    async with LiveHub(speech="none", environ=lan) as hub:
        await hub.spawn()
        browser = await chromium.start()
        desk = await (await browser.new_context(viewport={"width": 1280, "height": 800})).new_page()
        await desk.goto((await hub.call("POST", "/api/open", {}))["url"])
        await desk.locator(".dock").wait_for()
        await desk.locator("[data-open=settings]").click()
        section = desk.locator("section.phone")
        await section.locator("[data-do=pair]").click()
        code = await section.locator(".code").inner_text()
        url = await section.locator(".url").inner_text()
        assert url.startswith(f"https://{HERE}:")

        mobile = await browser.new_context(
            viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, ignore_https_errors=True,
            user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Safari/604.1",
        )  # fmt: skip
        phone = await mobile.new_page()
        cut: list[float] = []
        phone.on("websocket", lambda socket: socket.on("close", lambda _: cut.append(time.monotonic())))
        # Typed as people do; the picture leads to the same address with the code behind it.
        await phone.goto(url)
        await phone.get_by_label("type the code").fill(code.lower().replace("-", " "))
        await phone.get_by_role("button", name="Pair").click()
        await phone.locator(".dock").wait_for()
        assert await phone.evaluate("isSecureContext && !!navigator.mediaDevices && !!window.AudioWorklet")
        assert code not in phone.url
        await expect(section.locator(".told.good")).to_have_text("Safari on iPhone is in.")

        # The sound goes over to the phone, and both say where it is.
        await phone.locator("[data-banner=elsewhere] button").click()
        await expect(phone.locator("[data-banner=elsewhere]")).to_have_count(0)
        await desk.locator(".setshd .ibtn").click()
        await expect(desk.locator("[data-banner=elsewhere]")).to_contain_text("Playing on Safari on iPhone")

        await desk.locator("[data-open=settings]").click()
        remove = section.locator('[data-device="Safari on iPhone"] [data-do=revoke]')
        await expect(section.locator('[data-device="Safari on iPhone"]')).to_contain_text("Connected now")
        await remove.click()
        asked: list[float] = []
        desk.on("request", lambda request: asked.append(time.monotonic()) if request.method == "DELETE" else None)
        await remove.click()
        await phone.locator("#pair-code").wait_for()
        assert cut[0] - asked[0] < OUT_SECONDS  # the others in ``cut`` are its refused tries to come back
        await expect(section.locator('[data-device="Safari on iPhone"]')).to_have_count(0)
        assert await phone.evaluate("fetch('/api/sessions').then(({ status }) => status)") == 401
        # The same code again opens nothing, and the sound comes back to the desk.
        await phone.get_by_label("type the code").fill(code)
        await phone.get_by_role("button", name="Pair").click()
        await expect(phone.locator(".calm [role=alert]")).to_contain_text("wrong, used or too old")
        await desk.locator(".setshd .ibtn").click()
        await expect(desk.locator("[data-banner=elsewhere]")).to_have_count(0, timeout=10000)
        # A fresh picture, scanned: its link changes but the fragment of the page that is open already.
        made = await hub.call("POST", "/api/phone/code", {})
        await phone.goto(made["link"])
        await phone.locator(".dock").wait_for()
        assert made["code"] not in phone.url
