"""From the switch in the settings of a real hub's page to a message that the device reads, and to its notification."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import expect

from tests.browser.chromium import Chromium
from tests.browser.test_page_notify import HIDDEN, SUBSCRIBES, Pushes, number
from tests.hub.test_push import PushingHub
from tests.live_hub import said
from tests.stand_ins.push_service import PushService
from tests.waiting import until_answer

pytestmark = pytest.mark.browser


async def test_an_agent_reaches_a_device_that_looks_elsewhere(chromium: Chromium) -> None:
    async with PushingHub("none") as hub, PushService() as service:
        device = service.device()
        keys = {name: device.subscription[name] for name in ("p256dh", "auth")}
        script = SUBSCRIBES.replace("'https://push.example/1'", json.dumps(device.endpoint)).replace(
            "{ p256dh: 'p', auth: 'a' }", json.dumps(keys)
        )
        sky, nova = await hub.spawn(name="sky"), await hub.spawn(name="nova")
        browser = await chromium.start(workers=True)
        context = await browser.new_context(permissions=["notifications"])
        page = await context.new_page()
        await page.add_init_script(script)
        url: str = (await hub.call("POST", "/api/open", {}))["url"]
        await page.goto(url)
        await page.locator(f'[data-session="{sky}"] button').first.click()
        await expect(page.locator(".head h1")).to_have_text("Sky")
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        await page.locator("[data-open=settings]").click()
        section = page.locator("section.notifications")
        await section.get_by_label("Notify on this device").check()
        await expect(section).to_have_attribute("data-way", "push")
        await section.get_by_label("Show what agents say").check()
        await section.locator("[data-do=test-notification]").click()
        await service.until(lambda: device.messages)
        assert device.messages[0]["title"] == "ClawMux can reach you here"

        # Seen at once on the page that is looked at; and on the device, when nobody looks.
        await page.get_by_role("button", name="Back to the conversation").click()
        await page.get_by_role("button", name="Auto listening").click()  # which would bring the agent into view
        await page.evaluate(HIDDEN, True)
        process = await hub.client(nova, "converse", "Apply the migration?")
        await service.until(lambda: len(device.messages) == 2)
        told = device.messages[1]
        assert (told["title"], told["words"], told["session_id"]) == ("Nova asks", "Apply the migration?", nova)
        await expect(page).to_have_title("(1) Sky · ClawMux")

        # The browser gives it to the service worker; its press leads to the agent, where it is answered.
        pushes = Pushes(page, url.partition("/#")[0])
        await pushes.start()
        await pushes.deliver(json.dumps(told))
        await until_answer(lambda: number(pushes, 1))
        await context.service_workers[0].evaluate(
            """async (tag) => {
                const [notification] = await registration.getNotifications({ tag });
                dispatchEvent(new NotificationEvent('notificationclick', { notification }));
            }""",
            told["id"],
        )
        await expect(page.locator(".head h1")).to_have_text("Nova")
        await page.evaluate(HIDDEN, False)
        await page.get_by_label("Message to Nova").fill("Yes, apply it")
        await page.keyboard.press("Enter")
        assert (await said(process)).out.strip() == "Yes, apply it"
        await expect(page).to_have_title("Nova · ClawMux")
