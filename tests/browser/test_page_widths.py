"""Every view at every width: nothing to scroll to the side, no control cut off; and the dock in every state of the voice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from tests.browser.page_fixtures import OUTPUT, OpenPage, comes_true, mode, pcm16, speechlike
from tests.browser.test_page_look import ask_permission, furnish, furnish_changes, furnish_messages
from tests.stand_ins.machines import CARD, answer
from tests.stand_ins.page_hub import RATE, PageHub

pytestmark = pytest.mark.browser
LONG_NAME = "a-name-that-somebody-made-far-too-long-for-any-column"
MARKS = [[i * 100, i * 100 + 90, i * 5, i * 5 + 4] for i in range(60)]

# Controls of which a part lies beyond the window, or beyond what cuts it off, to the side. What scrolls there by itself shows
# them.
CUT = """() => {
  const bad = [];
  for (const node of document.querySelectorAll('button, a[href], select, input, textarea, [role=option], summary')) {
    if (!node.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || node.closest('.skip, .sr')) continue;
    const box = node.getBoundingClientRect();
    let [left, right] = [0, innerWidth];
    for (let out = node.parentElement; out; out = out.parentElement) {
      const { overflowX } = getComputedStyle(out);
      if (['auto', 'scroll'].includes(overflowX) && out.scrollWidth > out.clientWidth + 1) {
        [left, right] = [-Infinity, Infinity];
        break;
      }
      if (overflowX === 'visible') continue;
      const edge = out.getBoundingClientRect();
      [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
    }
    const name = node.className || node.id || node.name;
    if (box.left < left - 1 || box.right > right + 1) bad.push([name, Math.round(box.left), Math.round(box.right), left, right]);
  }
  return bad;
}"""

Show = Callable[[PageHub, Page], Awaitable[None]]


async def more(page: Page, name: str) -> None:
    await page.locator("[data-open=more]").click()
    await page.locator(f"[data-do={name}]").click()


async def palette(hub: PageHub, page: Page) -> None:
    await more(page, "find-all")
    await page.locator("[role=combobox]").fill("retry")
    await page.locator("mark").first.wait_for()


async def dialog(page: Page, name: str) -> None:
    if name == "new-agent":
        await page.get_by_role("button", name="New agent").first.click()
    else:
        await more(page, name)
    await page.locator("dialog .modal-in").wait_for()


async def panel(page: Page, name: str, part: str) -> None:
    if name == "debug":
        await more(page, name)
    elif await page.locator(f"[data-open={name}]").is_visible():
        await page.locator(f"[data-open={name}]").click()
    else:
        await page.evaluate("name => { location.hash = name; }", name)
    await page.locator(part).first.wait_for()


async def find(hub: PageHub, page: Page) -> None:
    await more(page, "find")
    await page.locator(".find input").fill("retry")
    await expect(page.locator(".find .count")).to_have_text("1 of 1")


async def message(hub: PageHub, page: Page) -> None:
    await panel(page, "messages", ".mlog > li")
    await page.locator('[data-message="msg-5"] .mrow').click()
    await page.locator(".steps").wait_for()


async def changes(hub: PageHub, page: Page) -> None:
    await panel(page, "changes", ".crow")
    await page.locator(".crow").first.click()
    await page.locator(".patch").wait_for()


async def permission(hub: PageHub, page: Page) -> None:
    ask_permission(hub)
    await hub.status("af_sky")
    await expect(page.locator("[data-do=approve]")).to_be_enabled()


async def talk_options(hub: PageHub, page: Page) -> None:
    await page.locator("[data-open=talk-options]").click()
    await page.locator(".opts").wait_for()


async def listening(hub: PageHub, page: Page) -> None:
    await page.locator(".mic").click()
    turn = (await hub.expect("mic_open"))["turn"]
    words = "Commit it, and ask Adam " + "to-check-the-client-" * 12
    await hub.send({"type": "partial_text", "turn": turn, "text": words, "stable": False})
    bubble = page.locator(".partial")
    await bubble.wait_for()
    await inside_the_log(page, ".partial")


async def speaking(hub: PageHub, page: Page) -> None:
    await page.keyboard.press("Escape")
    stream = await hub.say("af_sky", "word " * 60, pcm16(speechlike(6, RATE, seed=2)))
    await hub.send({"type": "speech_marks", "stream": stream, "words": MARKS})
    await mode(page, "speaking")
    await comes_true(page, "(CSS.highlights.get('word-now')?.size ?? 0) > 0")
    word = """(() => {
      const [{ startContainer, startOffset, endContainer, endOffset }] = CSS.highlights.get('word-now');
      const range = new Range();
      range.setStart(startContainer, startOffset);
      range.setEnd(endContainer, endOffset);
      return range.getBoundingClientRect().toJSON();
    })()"""
    box = await page.evaluate(word)
    assert box["left"] >= 0 and box["right"] <= await page.evaluate("innerWidth")


async def folded(hub: PageHub, page: Page) -> None:
    await hub.say("af_sky", "\n\n".join(["A long text, " + "without-a-break-" * 20] * 100))
    await page.locator(".fold").last.click()
    await expect(page.locator(".fold").last).to_have_text("Show less")


async def inside_the_log(page: Page, part: str) -> None:
    beyond = (
        "([part]) => { const b = document.querySelector(part).getBoundingClientRect(); return [b.left, innerWidth - b.right]; }"
    )
    assert min(await page.evaluate(beyond, [part])) >= 0


VIEWS: dict[str, Show] = {
    "idle": lambda hub, page: page.locator(".dock").wait_for(),
    "more": lambda hub, page: page.locator("[data-open=more]").click(),
    "find": find,
    "palette": palette,
    "help": lambda hub, page: dialog(page, "help"),
    "new-agent": lambda hub, page: dialog(page, "new-agent"),
    "close-agent": lambda hub, page: dialog(page, "close-agent"),
    "messages": message,
    "changes": changes,
    "debug": lambda hub, page: panel(page, "debug", ".facts2"),
    "settings": lambda hub, page: panel(page, "settings", ".tier"),
    "permission": permission,
    "talk-options": talk_options,
    "listening": listening,
    "speaking": speaking,
    "folded": folded,
}


# 640 by 400 is what a window of 1280 by 800 has at a zoom of 200 %, 320 by 256 what it has at 400 %.
@pytest.mark.parametrize("size", [(320, 568), (320, 256), (640, 400), (2560, 1440)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_no_view_is_wider_than_the_window(hub: PageHub, open_page: OpenPage, size: tuple[int, int]) -> None:
    hub.tiers = answer(CARD, ("tiny",))
    await furnish(hub)
    await furnish_messages(hub)
    furnish_changes(hub)
    hub.sessions[0]["name"] = LONG_NAME
    page = await open_page(viewport={"width": size[0], "height": size[1]})
    OUTPUT.joinpath("screens").mkdir(parents=True, exist_ok=True)
    for name, show in VIEWS.items():
        await show(hub, page)
        await page.screenshot(path=OUTPUT / "screens" / f"at-{size[0]}x{size[1]}-{name}.png")
        assert await page.evaluate("document.documentElement.scrollWidth") == size[0], name
        assert await page.evaluate(CUT) == [], name
        if await page.locator("#log").is_visible():
            wide = await page.locator("#log").evaluate("log => [log.scrollWidth, log.clientWidth]")
            assert wide[0] == wide[1], name
        await leave(page)


async def leave(page: Page) -> None:
    """Back to the conversation alone."""
    if await page.locator("dialog, .find, :popover-open").count():
        await page.keyboard.press("Escape")
    if await page.evaluate("location.hash"):
        await page.evaluate("history.back()")
    await expect(page.locator("dialog, .find, :popover-open, .panel, .sets")).to_have_count(0)


MODES = "locked idle arming listening sending waiting speaking paused muted blocked".split()
PARTS = [".dock", ".mic", ".micw", "[data-do=mute]", "[data-do=auto]", ".voice", ".now-line", ".typebox"]
BOXES = f"""() => Object.fromEntries({PARTS}.map((part) => {{
  const {{ x, y, width, height }} = document.querySelector(part).getBoundingClientRect();
  return [part, [x, y, width, height].map(Math.round)];
}}))"""
# The state as the reducer would have it; what it is drawn from is all that counts here.
PUT = """async ([mode, other]) => {
  const store = await import('/static/store.js');
  const { INITIAL } = await import('/static/voice.js');
  const id = store.currentId.value;
  const session_id = other ? 'am_adam' : id;
  const why = other ? 'hold' : 'tap';
  const turn = ['arming', 'listening', 'sending'].includes(mode) ? { id: 't', session_id, why } : null;
  const stream = ['speaking', 'paused', 'locked'].includes(mode) ? { id: 's', session_id } : null;
  store.note.value = null;
  store.voice.value = { ...INITIAL, session: id, mode, turn, stream, since_ms: performance.now() - 3_600_000, held: other,
    muted: mode === 'muted', mic: mode === 'blocked' ? 'denied' : 'ok', auto: !other, unlocked: mode !== 'locked' };
}"""


@pytest.mark.parametrize("size", [(1280, 800), (390, 844), (320, 568)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_dock_stands_still_in_every_state_of_the_voice(
    hub: PageHub, open_page: OpenPage, size: tuple[int, int]
) -> None:
    await furnish(hub)
    hub.sessions[1]["name"] = LONG_NAME
    page = await open_page(viewport={"width": size[0], "height": size[1]})
    rest = await page.evaluate(BOXES)
    seen = set()
    for other in (False, True):
        for state in MODES:
            await page.evaluate(PUT, [state, other])
            await page.locator(f'.dock[data-mode="{state}"]').wait_for()
            seen.add(await page.locator(".now-line").inner_text())
            assert await page.evaluate(BOXES) == rest, (state, other)
            assert await page.evaluate(CUT) == [], (state, other)
            line = await page.locator(".now").evaluate("n => [n.scrollWidth <= n.clientWidth, n.scrollHeight <= n.clientHeight]")
            assert line == [True, True], (state, other)
    assert len(seen) > len(MODES)
    words = "A refusal in many words, which says what was wrong and what can be done about it. " * 4
    await hub.send({"type": "error", "code": "internal", "text": words, "remedy": ""})
    await page.evaluate(PUT, ["idle", False])
    for about in (f"note.value = {{ text: {words!r}, level: 'error' }}", "link.value = 'offline'"):
        await page.evaluate(f"import('/static/store.js').then((store) => void (store.{about}))")
        await expect(page.locator(".now-line")).to_contain_text("refusal" if "note" in about else "A refusal")
        assert await page.evaluate(BOXES) == rest, about
