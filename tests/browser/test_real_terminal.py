"""An agent's terminal on the page, with the real hub and real tmux: what is seen, who types, what goes wrong on the way."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from clawmux.hub.login import login_url
from tests.browser.chromium import Chromium
from tests.browser.page_fixtures import DESKTOP, OUTPUT, PHONE
from tests.hub.test_terminals import SHELL, pane, run, shell, shows, size, viewers
from tests.security.real_hub import RealHub, real_hub
from tests.waiting import until, until_answer

pytestmark = pytest.mark.browser

OpenPage = Callable[..., Awaitable[Page]]
SCREEN = ".termbox .xterm-rows"


async def violations(page: Page, axe: str) -> list[Any]:
    await page.evaluate(axe)
    found = await page.evaluate("axe.run()")
    return [(fault["id"], [node["target"] for node in fault["nodes"]]) for fault in found["violations"]]


@pytest_asyncio.fixture(loop_scope="session")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealHub]:
    async with real_hub(tmp_path_factory.mktemp("h")) as hub:
        (hub.paths.user_runtimes / "plain.toml").write_text(SHELL, encoding="utf-8")
        yield hub


@pytest_asyncio.fixture(loop_scope="session")
async def browser(chromium: Chromium) -> Browser:
    return await chromium.start()


@pytest_asyncio.fixture(loop_scope="session")
async def sky(hub: RealHub) -> str:
    return await shell(hub)


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, hub: RealHub) -> AsyncIterator[OpenPage]:
    """A page that is signed in and shows its agent. What it logs as an error fails the test."""
    errors: list[str] = []

    async def open_page(bypass_csp: bool = False, **options: Any) -> Page:
        context = await browser.new_context(**{"viewport": DESKTOP, "bypass_csp": bypass_csp, **options})
        page = await context.new_page()
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: errors.append(str(e)))
        await page.goto(login_url(hub.app))
        await page.locator(".dock").wait_for()
        return page

    yield open_page
    expected = ("net::ERR_", "WebSocket connection to", "Failed to load resource")
    assert [error for error in errors if not any(words in error for words in expected)] == []


async def open_terminal(page: Page) -> None:
    await page.locator("[data-open=terminal]").click()
    await page.locator(".termbox[data-state=open]").wait_for()


async def take_keyboard(page: Page) -> None:
    await page.locator("[data-do=keyboard]").click()
    await page.locator(".termbox[data-mine]").wait_for()


async def test_it_shows_the_terminal_and_types_only_when_asked(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    page = await open_page()
    before = await size(hub, sky)
    await open_terminal(page)
    await run(hub, sky, "echo so'me 'words")
    await expect(page.locator(SCREEN)).to_contain_text("some words")
    await expect(page.locator(".termst")).to_contain_text("read only")
    box = await page.locator(".termscroll").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + 100, box["y"] + 40)
    await page.keyboard.type("m1 not typed")
    await take_keyboard(page)
    await page.keyboard.type("echo ty''ped")
    await page.keyboard.press("Enter")
    await expect(page.locator(SCREEN)).to_contain_text("typed")
    assert not await shows(hub, sky, "not typed")()
    await expect(page.locator(".termst")).to_have_text("you type into Sky")
    await expect(page.locator(".termnote")).to_contain_text("messages to it wait")
    assert hub.runtime.terminals.is_taken(sky)
    await page.locator("[data-do=keyboard]").click()
    await expect(page.locator(".termst")).to_contain_text("read only")
    assert not hub.runtime.terminals.is_taken(sky)
    assert await size(hub, sky) == before


async def test_tab_belongs_to_the_agent_and_there_is_a_way_out(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    page = await open_page()
    await open_terminal(page)
    await take_keyboard(page)
    await page.keyboard.type("cat -v")
    for key in ("Enter", "Tab", "Shift+Tab", "Escape", "Control+a", "ArrowUp", "Enter"):
        await page.keyboard.press(key)
    await until_answer(shows(hub, sky, "        ^[[Z^[^A^[[A"))
    for way_out in ("Control+Shift+Escape", "Control+Shift+ArrowUp"):
        await page.locator(".xterm-helper-textarea").focus()
        await page.keyboard.press(way_out)
        await expect(page.locator("[data-do=keyboard]")).to_be_focused()
        assert hub.runtime.terminals.is_taken(sky)
    await page.keyboard.press("Escape")
    await expect(page.locator(".termbox")).to_have_count(0)
    await expect(page.locator("[data-open=terminal]")).to_be_focused()
    await until(lambda: not hub.runtime.terminals.is_taken(sky))


async def test_a_paste_is_one_text(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    page = await open_page()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await open_terminal(page)
    await take_keyboard(page)
    await page.keyboard.type(f"cat -v > {hub.paths.data}/got; echo do''ne")
    await page.keyboard.press("Enter")
    await page.evaluate("navigator.clipboard.writeText('one\\ntwo\\x1b[31m')")
    await page.keyboard.press("Control+v")
    for key in ("Enter", "Control+d"):
        await page.keyboard.press(key)
    await until_answer(shows(hub, sky, "done"))
    assert (hub.paths.data / "got").read_text() == "one\ntwo[31m\n"


async def test_a_paste_that_is_too_long_ends_nothing(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    page = await open_page()
    await open_terminal(page)
    await take_keyboard(page)
    pasted = """() => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', 'x'.repeat(1500000));
      const paste = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
      document.querySelector('.termscroll').dispatchEvent(paste);
    }"""
    await page.evaluate(pasted)
    await expect(page.locator(".now")).to_contain_text("too long to be pasted")
    await page.keyboard.type("echo still h''ere")
    await page.keyboard.press("Enter")
    await until_answer(shows(hub, sky, "still here"))


async def test_two_pages_see_who_types(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    desk, phone = await open_page(), await open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    await open_terminal(desk)
    await open_terminal(phone)
    await take_keyboard(desk)
    await expect(phone.locator(".termst")).to_contain_text("Chromium on Linux types")
    await take_keyboard(phone)
    await expect(desk.locator(".termst")).to_contain_text("has taken the keyboard")
    await expect(desk.locator(".termkeys")).to_have_count(0)
    assert len(await viewers(hub)) == 2
    await phone.context.close()
    await expect(desk.locator(".termst")).not_to_contain_text("types")


async def test_a_phone_has_the_keys_that_its_keyboard_lacks(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    page = await open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    before = await size(hub, sky)
    await open_terminal(page)
    box = await page.locator(".termbox").bounding_box()
    assert box is not None and (box["x"], box["y"], box["width"]) == (0, 0, 390) and box["height"] > 800
    await take_keyboard(page)
    await page.keyboard.type(f"cat -v > {hub.paths.data}/got")
    for name in ("Enter", "Esc", "Up", "Left", "Tab", "Shift+Tab"):
        await page.get_by_role("button", name=name, exact=True).tap()
        await expect(page.locator(".xterm-helper-textarea")).to_be_focused()
    await page.get_by_role("button", name="Ctrl, for the next key").tap()
    await page.keyboard.type("ax")
    await page.get_by_role("button", name="Enter", exact=True).tap()
    await until((hub.paths.data / "got").read_text)
    assert (hub.paths.data / "got").read_text() == "^[^[[A^[[D\t^[[Z^Ax\n"
    await page.get_by_role("button", name="Ctrl+C").tap()
    await until_answer(shows(hub, sky, "^C\n$"))
    for target in await page.locator(".termbox button").all():
        room = await target.bounding_box()
        assert room is not None and room["width"] >= 40 and room["height"] >= 40
        assert room["x"] >= 0 and room["x"] + room["width"] <= 390
    assert await size(hub, sky) == before


async def test_after_a_break_it_is_there_again_and_read_only(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    page = await open_page()
    await open_terminal(page)
    await take_keyboard(page)
    await run(hub, sky, "echo be''fore")
    await expect(page.locator(SCREEN)).to_contain_text("before")
    for connected in hub.runtime.pages:
        connected.close()
    await expect(page.locator(".termst")).to_contain_text("The connection broke: the keyboard went back.")
    await run(hub, sky, "echo af''ter")
    await expect(page.locator(SCREEN)).to_contain_text("after")
    assert not hub.runtime.terminals.is_taken(sky)
    await until_answer(lambda: _one_viewer(hub))


async def _one_viewer(hub: RealHub) -> bool:
    return len(await viewers(hub)) == 1


async def test_the_end_of_the_view_is_said_and_it_opens_again(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    page = await open_page()
    await open_terminal(page)
    tty = (await viewers(hub))[0].split()[0]
    await hub.runtime.tmux.command(["detach-client", "-t", tty])
    await expect(page.locator(".termover")).to_contain_text("closed by tmux")
    await page.get_by_role("button", name="Open again").click()
    await expect(page.locator(".termbox")).to_have_attribute("data-state", "open")
    await hub.runtime.agents.kill(sky, "It was asked to end.")
    await expect(page.locator(".termbox")).to_have_count(0)


async def test_a_flood_leaves_the_page_alive_and_ends_right(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    page = await open_page()
    await open_terminal(page)
    await run(hub, sky, "yes | head -c 2000000; echo fl''ood over")
    await expect(page.locator(SCREEN)).to_contain_text("y")
    slowest = 0.0
    for _ in range(5):
        before = time.monotonic()
        await page.evaluate("new Promise(requestAnimationFrame)")
        slowest = max(slowest, time.monotonic() - before)
    assert slowest < 2.0
    await expect(page.locator(SCREEN)).to_contain_text("flood over", timeout=30_000)


HOSTILE = """async () => {
  const { Screen } = await import('/static/screen.js');
  const [holder, past, scroller] = ['div', 'div', 'div'].map((name) => document.createElement(name));
  scroller.append(past, holder);
  document.body.append(scroller);
  const typed = [];
  const ears = { onKeys: (keys) => typed.push(keys), onLeave() {}, onTop() {}, reader: false };
  const screen = new Screen({ scroller, past, holder }, ears);
  screen.resize({ cols: 80, rows: 24, above: 0, below: 0 });
  screen.take(true);
  const title = document.title;
  const draw = (text) => new Promise((done) => screen.draw(new TextEncoder().encode(text), done));
  await draw('\\x1b]52;c;aGFja2Vk\\x07\\x1b]0;evil\\x07\\x1b]2;evil\\x07\\x1b]8;;javascript:alert(1)\\x07link\\x1b]8;;\\x07 http://example.com');
  await draw('\\x1b[c\\x1b[>c\\x1b[=c\\x1b[5n\\x1b[6n\\x1b[?6n\\x1b[>q');
  await draw('\\x1b[14t\\x1b[18t\\x1b[?2026$p\\x1bP$qm\\x1b\\\\\\x1b]10;?\\x07\\x1b]4;1;?\\x07');
  await draw('\\x1b[?1000h\\x1b[?1003h\\x1b[?1006h\\x1b[?1004h\\x1b[?2004h<b>bold</b><img src=x onerror=alert(1)>\\u202eabc');
  const before = performance.now();
  await draw('x'.repeat(1_000_000) + '\\r\\n');
  const long_ms = performance.now() - before;
  screen.term.blur();
  screen.term.focus();
  const rect = holder.getBoundingClientRect();
  for (const type of ['mousedown', 'mouseup', 'click', 'mousemove']) {
    screen.term.element.dispatchEvent(new MouseEvent(type, { clientX: rect.x + 4, clientY: rect.y + 4, bubbles: true }));
  }
  const made = holder.querySelectorAll('a, img, b, script, iframe, style').length;
  const result = { typed, same: document.title === title, made, long_ms, sheets: document.adoptedStyleSheets.length };
  screen.end();
  scroller.remove();
  return { ...result, left: document.adoptedStyleSheets.length };
}"""


async def test_hostile_bytes_do_nothing_even_to_the_page_itself(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    """tmux lets none of this through; the page's own terminal would not obey it either."""
    page = await open_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.evaluate("navigator.clipboard.writeText('mine')")
    await open_terminal(page)
    got = await page.evaluate(HOSTILE)
    assert got["typed"] == []
    assert got["same"] and got["made"] == 0
    assert got["long_ms"] < 5000
    assert got["left"] < got["sheets"]
    assert await page.evaluate("navigator.clipboard.readText()") == "mine"
    assert dialogs == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("form", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_it_can_be_used_by_everybody(
    hub: RealHub, sky: str, open_page: OpenPage, axe: str, form: dict[str, int], theme: str
) -> None:
    is_phone = form is PHONE
    page = await open_page(viewport=form, color_scheme=theme, has_touch=is_phone, is_mobile=is_phone, bypass_csp=True)
    await open_terminal(page)
    colours = "printf '\\033[31mred \\033[34mblue \\033[90mgrey \\033[44;97m on blue \\033[0m \\033[2mdim\\033[0m\\n'; ls /"
    await run(hub, sky, f"clear; {colours}")
    await expect(page.locator(SCREEN)).to_contain_text("on blue")
    kind = "phone" if is_phone else "desktop"
    await page.screenshot(path=OUTPUT / "screens" / f"terminal-{kind}-{theme}.png")
    assert await violations(page, axe) == []
    await take_keyboard(page)
    await page.screenshot(path=OUTPUT / "screens" / f"terminal-taken-{kind}-{theme}.png")
    assert await violations(page, axe) == []


async def test_a_screen_reader_gets_the_lines(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    page = await open_page()
    await open_terminal(page)
    choice = page.get_by_label("For screen readers")
    await choice.focus()  # which shows it
    await choice.check()
    await run(hub, sky, "echo he''ard")
    await expect(page.locator(".xterm-accessibility")).to_contain_text("heard")
    await page.reload()
    await page.locator(".termbox[data-state=open]").wait_for()
    await expect(page.locator(".xterm-accessibility")).to_contain_text("heard")


async def test_the_view_keeps_to_the_cursor_and_the_width(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    page = await open_page()
    await open_terminal(page)
    await run(hub, sky, "seq 1 45; echo bot''tom")
    row = page.locator(f"{SCREEN} > div", has_text="bottom").last
    await expect(row).to_be_in_viewport(ratio=0.5)
    room = ".termscroll"
    assert await page.evaluate(f"(s => s.scrollWidth > s.clientWidth)(document.querySelector('{room}'))")
    await page.locator("[data-do=fit]").click()
    await until_answer(lambda: page.evaluate(f"(s => s.scrollWidth <= s.clientWidth)(document.querySelector('{room}'))"))
    # tmux's own bar is not shown.
    assert await page.locator(SCREEN).inner_text()
    bar = page.locator(f"{SCREEN} > div", has_text="Ctrl-b d leaves")
    await expect(bar).not_to_be_in_viewport()
    await hub.runtime.tmux.command(["resize-window", "-t", pane(hub, sky), "-x", "90", "-y", "30"])
    await expect(page.locator(f"{SCREEN} > div")).to_have_count(31)


async def test_earlier_lines_stand_over_the_screen_and_go_again(hub: RealHub, sky: str, open_page: OpenPage) -> None:
    page = await open_page()
    await open_terminal(page)
    await page.locator(".termearlier").evaluate("button => button.click()")
    await expect(page.locator(".termearlier")).to_have_text("No earlier lines")
    await run(hub, sky, "printf '\\033[31mlong ago\\033[0m\\n'; seq 1 300; echo bot''tom")
    await expect(page.locator(SCREEN)).to_contain_text("bottom")
    where = "(s => [s.scrollTop, document.querySelector('.termpast').offsetHeight])(document.querySelector('.termscroll'))"
    await page.locator(".termscroll").hover()
    await page.mouse.wheel(0, -5000)
    await expect(page.locator(".termearlier")).to_have_text("Show earlier lines")
    await page.locator(".termpast .xterm-rows").wait_for()
    top, height = await page.evaluate(where)
    assert 0 < top < height  # the first line of the screen has stayed where it was, but for a few of the lines before it
    await page.mouse.wheel(0, -100_000)
    await expect(page.locator(".termpast .xterm-rows > div", has_text=re.compile("^long ago$"))).to_be_in_viewport()
    await run(hub, sky, "echo mean''while")
    await until_answer(shows(hub, sky, "meanwhile\n$"))  # xterm.js draws it when it is in view again
    await page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert (await page.evaluate(where))[0] < 100  # who reads above is left there
    await page.mouse.wheel(0, 100_000)
    await expect(page.locator(".termpast")).to_be_empty()
    await expect(page.locator(f"{SCREEN} > div", has_text="meanwhile").last).to_be_in_viewport(ratio=0.5)
