"""The page kept on the device: opened from there, of one build at a time, and in the way of nobody.

A page counts as touched as soon as Playwright looks into it, so what an untouched one does is seen from the hub's side.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, Page, Playwright, Response

from clawmux.hub.static import BUILD_HEADER, Assets
from tests.browser.chromium import Chromium, fake_microphone
from tests.browser.page_fixtures import DESKTOP, OUTPUT, PHONE, OpenPage, comes_true, mode
from tests.live_hub import LiveHub
from tests.stand_ins.page_hub import RATE, STATIC, PageHub, session
from tests.waiting import until

pytestmark = pytest.mark.browser
READY = "navigator.serviceWorker.ready.then(() => caches.keys())"
KEPT = """caches.keys().then(async (names) => {
    const found = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return found.flat().map(({ url }) => url);
})"""
LOADED = "performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)"
REGISTERED = "navigator.serviceWorker.getRegistrations().then((found) => found.length)"


class Other(Assets):
    """Something else that answers at the address: another program, a proxy before a hub that is off, a slow one."""

    def __init__(self, status: int = 200) -> None:
        super().__init__(STATIC)
        self.status = status
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def serve(self, request: web.Request) -> web.Response:
        await self.goes_on.wait()
        return web.Response(
            text="<!doctype html><title>Other</title><h1>Another program</h1>", status=self.status, content_type="text/html"
        )

    async def serve_worker(self, request: web.Request) -> web.Response:
        raise web.HTTPNotFound


@pytest.fixture(scope="session")
def built() -> Assets:
    return Assets(STATIC)


@pytest.fixture(scope="session")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Assets:
    """The same page of a hub with another version: each of its modules says so."""
    folder = tmp_path_factory.mktemp("newer") / "static"
    shutil.copytree(STATIC, folder)
    for module in folder.rglob("*.js"):
        module.write_text(module.read_text(encoding="utf-8") + "\n// newer\n", encoding="utf-8")
    return Assets(folder)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def working_browser(playwright: Playwright, microphone_file: Path) -> AsyncIterator[Browser]:
    """One whose pages have workers."""
    browsers = Chromium(playwright)
    yield await browsers.start(microphone_file, workers=True)
    await browsers.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(working_browser: Browser, hub: PageHub, built: Assets) -> AsyncIterator[BrowserContext]:
    """The hub serves the page as the real one does, and the page may be kept."""
    hub.built = built
    async with await working_browser.new_context(viewport=DESKTOP) as context:  # type: ignore[arg-type]
        yield context


async def kept_page(context: BrowserContext, hub: PageHub) -> Page:
    """Signed in, and its files on the device."""
    page = await context.new_page()
    await page.goto(hub.url)
    await hub.expect("hello")
    await page.evaluate(READY)
    return page


def builds(paths: list[str]) -> set[str]:
    return {path.split("/")[2] for path in paths if path.endswith((".js", ".css")) and path.startswith("/static/")}


async def test_a_build_is_named_by_its_contents(built: Assets, newer: Assets) -> None:
    assert built.build == Assets(STATIC).build
    assert built.build != newer.build
    assert len(built.build) == 16


async def test_the_second_load_comes_from_the_device(context: BrowserContext, hub: PageHub, built: Assets) -> None:
    page = await kept_page(context, hub)
    kept = await page.evaluate(KEPT)
    assert len(kept) > 60
    # Nothing of the API, no address with a key, nothing that tells one user from another.
    assert all(url.startswith(f"{hub.origin}/static/{built.build}/") for url in kept), kept
    hub.asked.clear()
    past_the_worker: list[str] = []

    def saw(answer: Response) -> None:
        if not answer.from_service_worker:
            past_the_worker.append(answer.url.removeprefix(hub.origin))

    page.on("response", saw)
    await page.reload()
    await hub.expect("hello", 2)
    await page.wait_for_selector(".dock")
    assert [path for path in past_the_worker if path.endswith((".js", ".css"))] == []
    files = [path for path in hub.asked if path.startswith("/static/") and not path.endswith((".webmanifest", ".png"))]
    assert files == []
    assert {"/", "/api/session", "/ws"} <= set(hub.asked)
    assert builds(await page.evaluate(LOADED)) == {built.build}
    assert await page.evaluate(KEPT) == kept
    # Who is out is out, whatever the device keeps.
    hub.cookies.clear()
    await page.reload()
    await page.get_by_text("Run clawmux open and open the link it prints").wait_for()


async def test_a_link_with_a_key_goes_past_the_worker_which_tidies_up(context: BrowserContext, hub: PageHub) -> None:
    page = await kept_page(context, hub)
    await page.evaluate("caches.open('clawmux-shell-of-a-build-that-no-page-runs')")
    plain = await page.goto(f"{hub.origin}/?test=1")
    assert plain is not None
    assert plain.from_service_worker
    await hub.expect("hello", 2)
    await page.goto("about:blank")
    hub.key = "another-key"
    with_key = await page.goto(f"{hub.origin}/?test=1#k={hub.key}")
    assert with_key is not None
    assert not with_key.from_service_worker
    await hub.expect("hello", 3)
    assert hub.key == ""
    await comes_true(page, "caches.keys().then((names) => names.length === 1)")


async def test_a_page_nobody_touched_goes_to_the_new_build_by_itself(
    context: BrowserContext, hub: PageHub, newer: Assets
) -> None:
    page = await context.new_page()
    await page.goto(hub.url)
    await hub.expect("hello")
    await until(lambda: "/sw.js" in hub.asked)
    hub.built = newer
    await hub.drop()
    await hub.expect("hello", 3)  # of the old page, and of the new one
    await page.wait_for_selector(".dock")
    assert builds(await page.evaluate(LOADED)) == {newer.build}
    await comes_true(page, f"caches.keys().then((names) => names.join() === 'clawmux-shell-{newer.build}')")


async def test_a_page_in_use_says_that_there_is_a_new_build(
    context: BrowserContext, hub: PageHub, built: Assets, newer: Assets
) -> None:
    page = await kept_page(context, hub)
    await page.locator(".head h1").click()
    await hub.say("af_sky", "A long answer.", bytes(2 * 20 * RATE))
    await mode(page, "speaking")
    hub.built = newer
    await hub.drop()
    await hub.expect("hello", 2)
    await mode(page, "speaking")
    notice = page.locator("[data-banner=updated]")
    assert await notice.count() == 0, "not while an agent speaks"
    await page.keyboard.press("Escape")
    await notice.get_by_text("ClawMux was updated.").wait_for()
    # What this page fetches now is of its own build, which the hub has no more.
    await comes_true(page, f"caches.keys().then((names) => names.includes('clawmux-shell-{newer.build}'))")
    await page.evaluate("navigator.serviceWorker.ready")
    await page.keyboard.press("?")
    await page.get_by_role("dialog").wait_for()
    await page.keyboard.press("Escape")
    assert builds(await page.evaluate(LOADED)) == {built.build}
    await notice.get_by_role("button", name="Reload").click()
    await hub.expect("hello", 3)
    await page.wait_for_selector(".dock")
    assert builds(await page.evaluate(LOADED)) == {newer.build}


async def test_without_the_hub_the_page_says_so_and_comes_back(working_browser: Browser) -> None:
    async with LiveHub("none") as real, await working_browser.new_context() as context:
        page = await context.new_page()
        await page.goto((await real.call("POST", "/api/open", {}))["url"])
        await page.wait_for_selector(".empty")
        await page.evaluate(READY)
        await real.stop()
        await page.goto(f"http://clawmux.localhost:{real.port}/")
        await page.get_by_role("heading", name="The hub is not reachable").wait_for()
        await page.get_by_role("button", name="Try now").click()
        await page.get_by_role("heading", name="The hub is not reachable").wait_for()
        await real.start()
        await page.wait_for_selector(".empty", timeout=15000)
        assert await page.get_by_role("heading", name="The hub is not reachable").count() == 0


async def test_another_program_at_the_address_is_not_stood_before(context: BrowserContext, hub: PageHub) -> None:
    page = await kept_page(context, hub)
    hub.built = Other()
    await page.goto(f"{hub.origin}/?test=1")
    await page.get_by_role("heading", name="Another program").wait_for()
    assert await page.evaluate(REGISTERED) == 0
    assert await page.evaluate("caches.keys()") == []


async def test_a_slow_answer_is_waited_for_behind_the_kept_page(context: BrowserContext, hub: PageHub) -> None:
    page = await kept_page(context, hub)
    hub.built = other = Other()
    other.goes_on.clear()
    await page.goto(f"{hub.origin}/?test=1")
    await page.wait_for_selector(".dock")
    other.goes_on.set()
    await page.get_by_role("heading", name="Another program").wait_for()
    assert await page.evaluate(REGISTERED) == 0


async def test_a_proxy_before_a_hub_that_is_off_is_no_other_program(context: BrowserContext, hub: PageHub) -> None:
    page = await kept_page(context, hub)
    hub.built = Other(502)
    await page.goto(f"{hub.origin}/?test=1")
    await page.wait_for_selector(".dock")
    assert await page.evaluate(REGISTERED) == 1


async def test_the_page_can_be_installed(
    chromium: Chromium, hub: PageHub, built: Assets, tmp_path: Path, microphone_file: Path
) -> None:
    hub.built = built
    arguments = fake_microphone(microphone_file)
    launch = chromium.playwright.chromium.launch_persistent_context
    # Not "incognito", as every other context is.
    async with await launch(tmp_path, executable_path=chromium.program, args=arguments) as context:
        page = await kept_page(context, hub)
        devtools = await context.new_cdp_session(page)
        manifest = await devtools.send("Page.getAppManifest")
        assert manifest["errors"] == []
        assert (await devtools.send("Page.getInstallabilityErrors"))["installabilityErrors"] == []
        assert (await devtools.send("Page.getAppId"))["appId"] == f"{hub.origin}/"


async def test_the_offline_view_reads_well(browser: Browser, hub: PageHub, axe: str) -> None:
    folder = OUTPUT / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    for (size, viewport), scheme in itertools.product({"desktop": DESKTOP, "phone": PHONE}.items(), ["light", "dark"]):
        looks: Any = {"viewport": viewport, "color_scheme": scheme}
        async with await browser.new_context(**looks, bypass_csp=True) as context:
            page = await context.new_page()
            await page.route("**/api/**", lambda route: route.abort())
            await page.goto(hub.url)
            await page.get_by_role("heading", name="The hub is not reachable").wait_for()
            await page.screenshot(path=folder / f"unreachable-{size}-{scheme}.png")
            await page.evaluate(axe)
            assert (await page.evaluate("axe.run()"))["violations"] == [], f"{size} {scheme}"


async def linked(open_page: OpenPage, hub: PageHub, link: str) -> Page:
    hub.sessions.append(session("af_nova"))
    page = await open_page(url=f"{hub.origin}/?test=1&{link}#k={hub.key}", unlock=False)
    await comes_true(page, "location.search === '?test=1' && location.hash === ''")
    return page


async def test_a_link_selects_the_agent_and_the_first_tap_talks(hub: PageHub, open_page: OpenPage) -> None:
    page = await linked(open_page, hub, "agent=Nova&talk=1")
    await page.get_by_role("heading", name="Nova").wait_for()
    await page.locator("[data-banner=talk]").get_by_text("Tap anywhere, and talk with Nova.").wait_for()
    assert hub.all("mic_open") == []
    await asyncio.sleep(0.9)  # a tap before would be meant for what was there before the page
    await page.locator("#log").click()
    assert (await hub.expect("mic_open"))["session_id"] == "af_nova"
    assert await page.locator("[data-banner=talk]").count() == 0


async def test_a_tap_on_something_else_does_not_talk(hub: PageHub, open_page: OpenPage) -> None:
    page = await linked(open_page, hub, "talk=1")
    await page.locator("[data-banner=talk]").wait_for()
    await page.get_by_role("button", name="Not now").click()
    await page.locator("#log").click()
    await mode(page, "idle")
    assert hub.all("mic_open") == []


async def test_a_link_to_nobody_says_so(hub: PageHub, open_page: OpenPage) -> None:
    page = await linked(open_page, hub, "agent=zoe&talk=1")
    await page.get_by_text("There is no agent named zoe.").first.wait_for()
    await page.get_by_role("heading", name="Sky").wait_for()
    assert await page.locator("[data-banner=talk]").count() == 0


async def test_a_hostile_name_in_a_link_is_not_repeated(hub: PageHub, open_page: OpenPage) -> None:
    page = await linked(open_page, hub, "agent=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    words = "The link names no agent of this hub."
    await page.get_by_text(words).first.wait_for()
    names = ["../../api", "\u202eyks", "a" * 3000, "__proto__", "constructor", ""]
    ask = """(names) => import("/static/deep-link.js").then(({ chosen, unknownWords }) =>
        names.map((agent) => [chosen(new URLSearchParams({ agent }), [{ id: "sky" }]) ?? null, unknownWords(agent)]))"""
    told = await page.evaluate(ask, names)
    assert [session for session, _ in told] == [None] * len(names)
    # The last but one could be somebody's name.
    assert [said for _, said in told] == [*[words] * 4, "There is no agent named constructor.", words]


def test_the_hub_marks_its_own_page() -> None:
    worker = (STATIC / "sw.js").read_text(encoding="utf-8")
    assert f'const MARK = "{BUILD_HEADER}";' in worker
