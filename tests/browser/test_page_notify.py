"""What tells of an agent that needs the user: title, badge, sounds, notifications, and push messages in the service worker."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, ViewportSize, expect

from clawmux.hub.static import Assets
from tests.browser.chromium import Chromium
from tests.browser.page_fixtures import DESKTOP, OUTPUT, PHONE, OpenPage, OpenSettings, comes_true, furnish_speech
from tests.stand_ins.machines import CARD
from tests.stand_ins.page_hub import STATIC, PageHub, session
from tests.stand_ins.page_push import PUBLIC_KEY
from tests.waiting import until_answer

pytestmark = pytest.mark.browser

HIDDEN = """on => {
    Object.defineProperty(document, 'visibilityState', { value: on ? 'hidden' : 'visible', configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
}"""
BADGES = """
    globalThis.badges = [];
    navigator.setAppBadge = async (number) => badges.push(number);
    navigator.clearAppBadge = async () => badges.push(0);
"""
TONES = """
    globalThis.tones = [];
    const Real = OscillatorNode;
    globalThis.OscillatorNode = function (context, options) { tones.push(options.frequency); return new Real(context, options); };
"""
# Chromium asks a push service of its maker for a subscription, which there is none of here.
SUBSCRIBES = """
    globalThis.asked = [];
    let subscription = null;
    const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0)).buffer;
    PushManager.prototype.getSubscription = async () => subscription;
    PushManager.prototype.subscribe = async (options) => {
        asked.push(options);
        if (globalThis.refuses) throw new DOMException(globalThis.refuses, 'AbortError');
        return subscription = {
            options: { applicationServerKey: bytes(options.applicationServerKey) },
            toJSON: () => ({ endpoint: 'https://push.example/1', keys: { p256dh: 'p', auth: 'a' } }),
            unsubscribe: async () => { subscription = null; return true; },
        };
    };
"""
PERMITTED = """
    let permission = 'default';
    globalThis.notified = [];
    globalThis.Notification = class {
        static get permission() { return permission; }
        static async requestPermission() { return permission = globalThis.answer ?? 'granted'; }
        constructor(title, options) { this.title = title; this.options = options; notified.push(this); }
        close() { this.closed = true; this.onclose?.(); }
    };
"""


def asks(name: str, stage: str = "waiting") -> dict[str, Any]:
    return {"needs_you": True, "question": {"id": f"q-{name}", "text": "Apply it?", "stage": stage, "since": 0}}


async def last(hub: PageHub, **wanted: Any) -> None:
    """The page says at last that this is in view."""

    def is_so() -> bool:
        told = hub.all("in_view")
        return bool(told) and {k: v for k, v in told[-1].items() if k in ("session_id", "visible")} == wanted

    await hub.until(is_so, f"in_view {wanted}")


async def test_what_is_in_view_is_told(hub: PageHub, open_page: OpenPage) -> None:
    furnish_speech(hub, CARD)
    hub.sessions.append(session("af_nova"))
    page = await open_page()
    await last(hub, session_id="af_sky", visible=True)
    await page.locator('[data-session="af_nova"] .agent-main, [data-session="af_nova"] button').first.click()
    await last(hub, session_id="af_nova", visible=True)
    await page.evaluate(HIDDEN, True)
    await last(hub, session_id=None, visible=False)
    await page.evaluate(HIDDEN, False)
    await last(hub, session_id="af_nova", visible=True)
    await page.keyboard.press(",")
    await last(hub, session_id=None, visible=True)
    await hub.drop()
    hello = await hub.expect("hello", 2)
    assert (hello["in_view"], hello["visible"]) == (None, True)


async def test_title_and_badge_count_who_needs_the_user(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions += [session("af_nova"), session("am_adam")]
    page = await open_page(init_script=BADGES)
    await hub.status("af_nova", **asks("nova"))
    await comes_true(page, "document.title === '(1) Sky · ClawMux' && badges.at(-1) === 1")
    await hub.status("am_adam", **asks("adam"))
    await comes_true(page, "document.title === '(2) Sky · ClawMux' && badges.at(-1) === 2")
    # The agent in view counts as soon as nobody looks, but not while its question is being answered by voice.
    await hub.status("af_sky", **asks("sky"))
    await page.evaluate(HIDDEN, True)
    await comes_true(page, "document.title === '(3) Sky · ClawMux' && badges.at(-1) === 3")
    await hub.status("af_sky", **asks("sky", "listening"))
    await comes_true(page, "badges.at(-1) === 2")
    for name in ("af_nova", "am_adam", "af_sky"):
        await hub.status(name, needs_you=False, question=None)
    await comes_true(page, "badges.at(-1) === 0")
    await expect(page).to_have_title("Sky · ClawMux")


async def test_each_need_has_its_sound_on_the_device_that_has_the_sound(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("af_nova"))
    page = await open_page(init_script=TONES)
    heard: dict[str, list[float]] = {}
    for kind in ("question", "permission", "done", "error"):
        await page.evaluate("tones.length = 0")
        await hub.send({"type": "attention", "session_id": "af_nova", "kind": kind, "text": ""})
        await comes_true(page, "tones.length > 1")
        heard[kind] = await page.evaluate("[...tones]")
    assert len({tuple(tones) for tones in heard.values()}) == 4
    await expect(page.locator(".sr[role=status]")).to_have_text("Nova cannot go on")
    await page.evaluate("tones.length = 0")
    await hub.send({"type": "attention", "session_id": "af_sky", "kind": "question", "text": ""})
    await hub.expect("seen")
    await hub.send({"type": "audio_owner", "client": "another", "device": "Phone"})
    await hub.send({"type": "attention", "session_id": "af_nova", "kind": "question", "text": ""})
    await expect(page.locator("[data-banner=elsewhere]")).to_be_visible()
    assert await page.evaluate("tones") == [], "in view, or sounding elsewhere"


# -- notifications of an open page --


async def test_an_open_page_notifies_while_it_is_hidden(hub: PageHub, open_settings: OpenSettings) -> None:
    hub.sessions.append(session("af_nova"))
    page = await open_settings(init_script=PERMITTED)
    section = page.locator("section.notifications")
    await section.get_by_label("Notify on this device").check()
    await expect(section).to_contain_text("while a page of ClawMux is open")
    told = {"session_id": "af_nova", "agent": "nova", "title": "Nova asks", "body": "It waits.", "words": "<b>Apply?</b>"}
    await hub.send({"type": "notify", "id": "n0", "kind": "question", **told})
    await hub.send({"type": "attention", "session_id": "af_nova", "kind": "done", "text": ""})
    await comes_true(page, "[...document.querySelectorAll('.sr[role=status]')].some((it) => it.textContent === 'Nova is done')")
    await page.evaluate(HIDDEN, True)
    await hub.send({"type": "notify", "id": "n1", "kind": "question", **told})
    await comes_true(page, "notified.length")
    assert await page.evaluate("notified.map(({ title, options }) => [title, options.body, options.tag])") == [
        ["Nova asks", "It waits.", "n1"]
    ]
    await page.evaluate(HIDDEN, False)
    await section.get_by_label("Show what agents say").check()
    await section.get_by_label("Finished work").uncheck()
    await page.evaluate(HIDDEN, True)
    await hub.send({"type": "notify", "id": "n2", "kind": "done", **told})
    await hub.send({"type": "notify", "id": "n3", "kind": "permission", **told})
    await comes_true(page, "notified.length === 2")
    assert await page.evaluate("[notified[1].options.tag, notified[1].options.body]") == ["n3", "<b>Apply?</b>"]
    await hub.send({"type": "notify_clear", "id": "n3"})
    await comes_true(page, "notified[1].closed")
    await page.evaluate("notified[0].onclick()")
    await expect(page.locator(".head h1")).to_have_text("Nova")
    assert await page.evaluate("notified[0].closed")


async def test_a_browser_that_refuses_is_believed(hub: PageHub, open_settings: OpenSettings) -> None:
    page = await open_settings(init_script=PERMITTED + "globalThis.answer = 'denied';")
    section = page.locator("section.notifications")
    await section.get_by_label("Notify on this device").click()
    await expect(section.locator("[data-why=denied]")).to_contain_text("Allow them beside the address")
    assert await section.get_by_role("button").count() == 0


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("Object.defineProperty(globalThis, 'isSecureContext', { value: false });", "run clawmux phone"),
        (
            "delete globalThis.Notification; Object.defineProperty(navigator, 'userAgent', { value: 'iPhone' });",
            "Add to Home Screen",
        ),
    ],
)
async def test_where_there_are_none_it_says_why(hub: PageHub, open_settings: OpenSettings, script: str, words: str) -> None:
    page = await open_settings(init_script=script)
    section = page.locator("section.notifications")
    await expect(section).to_contain_text(words)
    # Sounds can still be chosen, and nothing is offered that would do nothing.
    await expect(section.get_by_role("switch")).to_have_count(4)
    assert await section.get_by_role("button").count() == 0


# -- push --


@pytest_asyncio.fixture(loop_scope="session")
async def installed(chromium: Chromium, hub: PageHub) -> AsyncIterator[BrowserContext]:
    """A browser that has the service worker, and may notify."""
    hub.built = Assets(STATIC)
    browser = await chromium.start(workers=True)
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, permissions=["notifications"])
    yield context
    await context.close()


async def opened(context: BrowserContext, hub: PageHub, script: str = "") -> Page:
    page = await context.new_page()
    if script:
        await page.add_init_script(script)
    await page.goto(hub.url)
    await page.wait_for_selector(".dock")
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    return page


class Pushes:
    """Push messages into the service worker, as the browser gives them to it."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page, self.origin = page, origin
        self.registration = ""

    async def start(self) -> Pushes:
        self.session = await self.page.context.new_cdp_session(self.page)
        self.session.on("ServiceWorker.workerRegistrationUpdated", self._found)
        await self.session.send("ServiceWorker.enable")
        await until_answer(self._is_found)
        return self

    def _found(self, event: dict[str, Any]) -> None:
        self.registration = next((r["registrationId"] for r in event["registrations"] if not r["isDeleted"]), "")

    async def _is_found(self) -> str:
        return self.registration

    async def deliver(self, data: str) -> None:
        where = {"origin": self.origin, "registrationId": self.registration}
        await self.session.send("ServiceWorker.deliverPushMessage", {**where, "data": data})

    async def shown(self) -> list[list[str]]:
        found: list[list[str]] = await self.page.evaluate(
            "navigator.serviceWorker.ready.then((r) => r.getNotifications())"
            ".then((all) => all.map(({ title, body, tag }) => [title, body, tag]))"
        )
        return found


def pushed(**changes: Any) -> str:
    message = {"type": "notify", "id": "n1", "session_id": "af_nova", "kind": "question", "agent": "nova", "badge": 1}
    return json.dumps({**message, "title": "Nova asks", "body": "It waits for your answer.", "words": "", **changes})


CLICK = """async (tag) => {
    const [notification] = await registration.getNotifications({ tag });
    globalThis.openedAt ??= [];
    clients.openWindow = async (url) => void openedAt.push(url);
    dispatchEvent(new NotificationEvent('notificationclick', { notification }));
}"""


async def test_a_push_is_shown_and_leads_to_its_agent(hub: PageHub, installed: BrowserContext) -> None:
    hub.sessions.append(session("af_nova", **asks("nova")))
    page = await opened(installed, hub, "localStorage.setItem('clawmux.notify', '{\"on\":true}');")
    pushes = await Pushes(page, hub.origin).start()
    await pushes.deliver(pushed())
    await until_answer(pushes.shown)
    assert await pushes.shown() == [["Nova asks", "It waits for your answer.", "n1"]]
    await pushes.deliver(pushed(words="<img src=x> Apply it?"))
    await until_answer(lambda: says(pushes, [["Nova asks", "<img src=x> Apply it?", "n1"]]))
    await pushes.deliver(pushed(id="n2", title="Nova needs your permission"))
    await until_answer(lambda: number(pushes, 2))
    # Answered elsewhere.
    await pushes.deliver(json.dumps({"type": "clear", "id": "n2", "badge": 1}))
    await until_answer(lambda: says(pushes, [["Nova asks", "<img src=x> Apply it?", "n1"]]))
    # What means nothing is shown, too: a browser counts pushes of which nothing is seen.
    await pushes.deliver("nonsense")
    await until_answer(lambda: number(pushes, 2))
    [worker] = installed.service_workers
    await worker.evaluate(CLICK, "n1")
    await expect(page.locator(".head h1")).to_have_text("Nova")
    await until_answer(lambda: number(pushes, 1))
    # Without a page one is opened, at that agent.
    await page.goto("about:blank")
    await pushes.deliver(pushed(id="n3"))
    await until_answer(lambda: worker.evaluate("registration.getNotifications({ tag: 'n3' }).then((all) => all.length)"))
    await worker.evaluate(CLICK, "n3")
    await until_answer(lambda: worker.evaluate("openedAt[0]"))
    assert await worker.evaluate("openedAt") == ["/?agent=nova"]


async def says(pushes: Pushes, wanted: list[list[str]]) -> bool:
    return await pushes.shown() == wanted


async def number(pushes: Pushes, wanted: int) -> bool:
    return len(await pushes.shown()) == wanted


async def test_from_the_switch_to_a_subscription_and_back(hub: PageHub, installed: BrowserContext) -> None:
    furnish_speech(hub, CARD)
    page = await opened(installed, hub, SUBSCRIBES)
    await page.locator("[data-open=settings]").click()
    section = page.locator("section.notifications")
    await section.get_by_label("Notify on this device").check()
    await hub.until(lambda: hub.push.subscribed, "a subscription")
    await expect(section).to_have_attribute("data-way", "push")
    assert await page.evaluate("asked") == [{"userVisibleOnly": True, "applicationServerKey": PUBLIC_KEY}]
    endpoint = "https://push.example/1"
    wanted = {"endpoint": endpoint, "p256dh": "p", "auth": "a", "words": False}
    kinds = ["question", "permission", "done", "error"]
    assert hub.push.subscribed == {endpoint: {**wanted, "kinds": kinds}}
    await section.get_by_label("Finished work").uncheck()
    await hub.until(lambda: "done" not in hub.push.subscribed[endpoint]["kinds"], "other wishes")
    await section.get_by_label("Show what agents say").check()
    await hub.until(lambda: hub.push.subscribed[endpoint]["words"], "words")
    await section.locator("[data-do=test-notification]").click()
    await expect(section.get_by_role("status")).to_contain_text("on its way")
    # Kept over a reload, and told to the hub again: it may have lost it, or the login may be another.
    hub.push.subscribed.clear()
    await page.reload()
    await hub.until(lambda: hub.push.subscribed, "the subscription again")
    await section.get_by_label("Notify on this device").uncheck()
    await hub.until(lambda: not hub.push.subscribed, "no subscription")
    await expect(section.locator("[data-do=test-notification]")).to_have_count(0)


async def test_without_a_push_service_the_page_says_what_remains(hub: PageHub, installed: BrowserContext) -> None:
    furnish_speech(hub, CARD)
    page = await opened(installed, hub, SUBSCRIBES + "globalThis.refuses = 'Registration failed - push service error';")
    await page.locator("[data-open=settings]").click()
    section = page.locator("section.notifications")
    await section.get_by_label("Notify on this device").check()
    await expect(section).to_contain_text("gives no push messages here: Registration failed - push service error.")
    await section.locator("[data-do=test-notification]").click()
    await expect(section.get_by_role("status")).to_have_text("This page shows it.")
    await until_answer(
        lambda: page.evaluate("navigator.serviceWorker.ready.then((r) => r.getNotifications()).then((all) => all.length === 1)")
    )


# -- its look --


async def test_the_section_is_good_to_look_at(hub: PageHub, open_settings: OpenSettings, axe: str) -> None:
    page = await open_settings(init_script=PERMITTED, bypass_csp=True)
    section = page.locator("section.notifications")
    await section.get_by_label("Notify on this device").check()
    await expect(section.locator("[data-do=test-notification]")).to_be_visible()
    await page.evaluate(axe)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for (size, viewport), scheme in itertools.product((("desktop", DESKTOP), ("phone", PHONE)), schemes):
        await page.set_viewport_size(ViewportSize(width=viewport["width"], height=viewport["height"]))
        await page.emulate_media(color_scheme=scheme)
        await section.scroll_into_view_if_needed()
        await section.screenshot(path=str(OUTPUT / f"notifications-{size}-{scheme}.png"), animations="disabled")
        found = await page.evaluate("axe.run('section.notifications').then(({ violations }) => violations.map(({ id }) => id))")
        assert found == [], (size, scheme)
