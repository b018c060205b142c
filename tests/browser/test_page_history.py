"""Long conversations: loaded piece by piece without a jump, kept bounded, searched, exported."""

from __future__ import annotations

from typing import Any, Self

import pytest
from playwright.async_api import Browser, CDPSession, Page, expect

from tests.browser.page_fixtures import OpenPage, blank_page
from tests.stand_ins.page_hub import PageHub, session
from tests.waiting import until_answer

pytestmark = pytest.mark.browser

MANY = 10_000
KEPT_MAX = 350
QUICK_MS = 200.0
BEHIND = "log => log.scrollHeight - log.scrollTop - log.clientHeight"
# Numbers of the entries that the page holds, from the top.
NUMBERS = "log => [...log.querySelectorAll('[data-n]')].map((entry) => Number(entry.dataset.n))"
TOPMOST = """log => {
  const { top } = log.getBoundingClientRect();
  const entry = [...log.querySelectorAll('[data-n]')].find((one) => one.getBoundingClientRect().bottom > top + 1);
  return [Number(entry.dataset.n), entry.getBoundingClientRect().top];
}"""


# One step, and where the entry that is topmost then is before and after what is fetched because of it has come in.
STEP = f"""async (log, by) => {{
  const topmost = {TOPMOST};
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  log.scrollBy(0, by);
  const before = topmost(log);
  do await frame(); while (log.querySelector('[data-fetch]:disabled'));
  await frame();
  return [before[1], log.querySelector(`[data-n="${{before[0]}}"]`).getBoundingClientRect().top];
}}"""


def fill(hub: PageHub, count: int) -> None:
    """Entries of different heights, with all that there is in a conversation."""
    for n in range(len(hub.events) + 1, len(hub.events) + count + 1):
        event: dict[str, Any]
        base = {"session_id": "af_sky", "n": n, "ts": 1_790_000_000 + n, "msg_id": f"m{n}"}
        if n % 5 == 1:
            event = {"type": "user_text", "text": f"Question {n}?", "via": "typed"}
        elif n % 5 == 2:
            done = {"tool": "Bash", "detail": f"make {n}", "seconds": 1, "ok": True}
            event = {"type": "work", "items": [done], "seconds": 1, "left": 0}
        else:
            code = "\n\n```py\nx = 1\ny = 2\n```" if n % 7 == 0 else ""
            event = {"type": "assistant_text", "text": f"Answer {n} {'of some words ' * (n % 40)}{code}", "question": False}
        hub.events.append({**base, **event})


async def numbers(page: Page) -> list[int]:
    found: list[int] = await page.locator("#log").evaluate(NUMBERS)
    return found


async def test_a_long_conversation_is_read_upwards_without_a_jump_and_without_end(hub: PageHub, open_page: OpenPage) -> None:
    fill(hub, MANY)
    page = await open_page()
    log = page.locator("#log")
    await page.get_by_text("Answer 10000").wait_for()
    assert await log.evaluate(BEHIND) < 2
    # Not every browser keeps the place by itself.
    await log.evaluate("log => { log.style.overflowAnchor = 'none'; }")
    jumps: list[float] = []
    for _ in range(40):
        before, after = await log.evaluate(STEP, -1200)
        jumps.append(abs(after - before))
        held = await numbers(page)
        assert held == list(range(held[0], held[-1] + 1)), "without a gap, in order"
        assert len(held) <= KEPT_MAX
    assert max(jumps) <= 1, jumps
    assert held[-1] < MANY, "the end was let go"
    # What is said meanwhile is counted, and does not move the reader.
    before = await log.evaluate(TOPMOST)
    await hub.say("af_sky", "Fresh words")
    latest = page.locator("[data-do=latest]")
    await expect(latest).to_have_text("1 new")
    assert await log.evaluate(TOPMOST) == before
    assert await page.get_by_text("Fresh words").count() == 0
    # Downwards again, over several pieces.
    end = held[-1]
    for _ in range(30):
        await log.evaluate(STEP, 5000)
        held = await numbers(page)
        assert held == list(range(held[0], held[-1] + 1))
        assert len(held) <= KEPT_MAX
        if held[-1] > end + 60:
            break
    assert held[-1] > end + 60
    await latest.click()
    await page.get_by_text("Fresh words").wait_for()
    await expect(latest).to_have_count(0)
    assert await log.evaluate(BEHIND) < 2
    await hub.say("af_sky", "And at the end it follows")
    await page.get_by_text("And at the end it follows").wait_for()
    assert await log.evaluate(BEHIND) < 2
    nodes = await page.evaluate("document.querySelectorAll('*').length")
    assert nodes < 8000, nodes


class Busy:
    """How long the page's own thread has worked: what other programs do to a test machine is not the page's fault."""

    def __init__(self, session: CDPSession) -> None:
        self._session = session

    @classmethod
    async def of(cls, page: Page) -> Self:
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        return cls(session)

    # Milliseconds.
    async def ms(self) -> float:
        metrics = (await self._session.send("Performance.getMetrics"))["metrics"]
        return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")) * 1000


async def test_scrolling_and_searching_ten_thousand_entries_is_quick(hub: PageHub, open_page: OpenPage) -> None:
    fill(hub, MANY)
    page = await open_page()
    await page.get_by_text("Answer 10000").wait_for()
    busy = await Busy.of(page)
    before = await busy.ms()
    steps = 30
    for _ in range(steps):
        await page.locator("#log").evaluate(STEP, -800)
    step = (await busy.ms() - before) / steps
    await page.keyboard.press("Control+k")
    await page.locator("[role=combobox]").press("Control+k")
    field = page.get_by_role("textbox", name="Find in this conversation")
    await expect(field).to_be_focused()
    searches = []
    for words in ("Answer 103 ", "make 1002", "Answer 5013 "):
        before = await busy.ms()
        await field.fill(words)
        await expect(page.locator("[data-found]")).to_contain_text(words.strip())
        searches.append(await busy.ms() - before)
        held = await numbers(page)
        assert held == list(range(held[0], held[-1] + 1))
        assert len(held) <= KEPT_MAX
    print(f"a step of scrolling {step:.0f} ms, searches", [round(ms) for ms in searches])
    assert step < QUICK_MS
    assert sorted(searches)[1] < QUICK_MS, searches  # the first one fetches the field, too


async def test_what_is_found_is_marked_and_shown_one_after_the_other(hub: PageHub, open_page: OpenPage) -> None:
    fill(hub, 600)
    await hub.say("af_sky", "A **needle** in\nthe last entry, a NEEDLE")
    hub.events[99]["text"] = "needle " + "x" * 30_000 + " and one needle in what is folded"
    hub.events[99]["type"] = "assistant_text"
    page = await open_page()
    await page.locator("[data-open=more]").click()
    await page.get_by_role("button", name="Find in this conversation").click()
    find = page.locator(".find")
    await expect(find.locator("input")).to_be_focused()
    await page.keyboard.type("Needle in the")
    await expect(find.locator(".count")).to_have_text("1 of 1")

    async def marked(*words: str) -> None:
        """Until these are the marked words of the entry that is shown."""

        async def is_so() -> bool:
            marks = "() => [...(CSS.highlights.get('found-now') ?? [])].map(String)"
            return bool(await page.evaluate(marks) == list(words))

        await until_answer(is_so)

    await marked("needle in\nthe")
    await find.locator("input").fill("needle")
    await expect(find.locator(".count")).to_have_text("1 of 2")
    await marked("needle", "NEEDLE")
    await page.keyboard.press("Enter")
    await expect(find.locator(".count")).to_have_text("2 of 2")
    found = page.locator("[data-found]")
    await expect(found).to_have_attribute("data-n", "100")
    await marked("needle", "needle")  # what was folded lies open
    await expect(find.get_by_role("button", name="Earlier match")).to_be_disabled()
    await page.keyboard.press("Shift+Enter")
    await expect(find.locator(".count")).to_have_text("1 of 2")
    await expect(page.get_by_text("the last entry")).to_be_in_viewport()
    await find.locator("input").fill("nobody has said this")
    await expect(find.locator(".count")).to_have_text("No match")
    await expect(found).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(find).to_have_count(0)
    await expect(page.locator("#log")).to_be_focused()
    assert await page.evaluate("CSS.highlights.has('found')") is False


async def test_what_is_unfolded_stays_where_it_is(hub: PageHub, open_page: OpenPage) -> None:
    fill(hub, 30)
    await hub.say("af_sky", "line\n\n" * 200)
    await hub.say("af_sky", "The last words")
    page = await open_page()
    await page.get_by_text("The last words").wait_for()
    fold = page.locator(".fold")
    before = await fold.bounding_box()
    await fold.click()
    await expect(fold).to_have_text("Show less")
    await expect(page.locator("[data-do=latest]")).to_be_visible()
    line = page.locator(".msg.bot:has(.fold) .md p").nth(74)
    shown = await line.bounding_box()
    assert before is not None
    assert shown is not None
    assert abs(shown["y"] - before["y"]) < 200, "what was under the button now goes on there"


async def test_the_place_is_kept_while_another_agent_is_in_view(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("am_adam"))
    fill(hub, 200)
    page = await open_page()
    await page.get_by_text("Answer 200").wait_for()
    log = page.locator("#log")
    for _ in range(4):
        await log.evaluate(STEP, -700)
    place = await log.evaluate(TOPMOST)
    await page.keyboard.press("2")
    await page.get_by_text("Adam has said nothing yet.").wait_for()
    await hub.say("af_sky", "Meanwhile")
    await page.keyboard.press("1")
    await page.get_by_text("Meanwhile").wait_for(state="attached")
    assert await log.evaluate(TOPMOST) == place
    await expect(page.locator("[data-do=latest]")).to_have_text("1 new")


async def test_who_types_while_reading_above_sees_the_own_words(hub: PageHub, open_page: OpenPage) -> None:
    fill(hub, 400)
    page = await open_page()
    await page.get_by_text("Answer 400").wait_for()
    for _ in range(12):
        await page.locator("#log").evaluate(STEP, -5000)
    assert (await numbers(page))[-1] < 400
    await page.locator("#typebox").fill("What about this?")
    await page.keyboard.press("Enter")
    await expect(page.locator("#log").get_by_text("What about this?")).to_be_in_viewport()
    assert (await numbers(page))[-1] == 401


async def test_a_conversation_is_saved_from_the_menu(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    for words, ending in (("Export as Markdown", "md"), ("Export as JSON", "json")):
        await page.locator("[data-open=more]").click()
        async with page.expect_download() as saving:
            await page.get_by_role("button", name=words).click()
        download = await saving.value
        assert download.suggested_filename == f"clawmux-sky.{ending}"
    await expect(page.locator(".now-line")).to_contain_text("Saved as clawmux-sky.json")


PIECES = """async (steps) => {
  const { EMPTY, moved, readAt, withEvent, withNewer, withOlder } = await import('/static/excerpt.js');
  const range = ([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i, type: 'assistant_text' }));
  const acts = {
    events: (x, span) => range(span).reduce(withEvent, x),
    older: (x, span, more) => withOlder(x, { entries: range(span), more }),
    newer: (x, span, more) => withNewer(x, { entries: range(span), more }),
    at: (x, isThere) => readAt(x, isThere),
    moved: (x, span, more, newer) => moved(x, range(span), { more, newer }),
  };
  let excerpt = EMPTY;
  for (const [name, ...values] of steps) excerpt = acts[name](excerpt, ...values);
  const { entries, more, newer, atEnd, unseen } = excerpt;
  return [entries[0]?.n, entries.at(-1)?.n, entries.length, more, newer, atEnd, unseen];
}"""

START: list[Any] = ["older", [901, 950], True]
CASES: dict[str, tuple[list[Any], list[Any]]] = {
    "nothing": ([], [None, None, 0, False, False, True, 0]),
    "the newest page": ([START], [901, 950, 50, True, False, True, 0]),
    "something comes in": ([START, ["events", [951, 952]]], [901, 952, 52, True, False, True, 0]),
    "the same comes again": ([START, ["events", [940, 951]]], [901, 951, 51, True, False, True, 0]),
    "what was let go comes again": ([START, ["events", [700, 701]]], [901, 950, 50, True, False, True, 0]),
    "very much comes in": ([START, ["events", [951, 1300]]], [952, 1300, 349, True, False, True, 0]),
    "while somebody reads": (
        [START, ["at", False], ["events", [951, 1251]]], [901, 1250, 350, True, True, False, 301]
    ),
    "who then goes on to the end": (
        [START, ["at", False], ["events", [951, 1251]], ["newer", [1251, 1251], False], ["at", True]],
        [952, 1251, 300, True, False, True, 0],
    ),
    "which is not the end yet": (
        [START, ["at", False], ["events", [951, 1252]], ["newer", [1251, 1251], False], ["at", True]],
        [952, 1251, 300, True, True, False, 302],
    ),
    "upwards": ([START, ["at", False], ["older", [601, 900], True]], [601, 950, 350, True, False, False, 0]),
    "upwards, the end is let go": ([START, ["at", False], ["older", [600, 900], False]], [600, 899, 300, False, True, False, 0]),
    "elsewhere": ([START, ["moved", [100, 149], True, True], ["at", True]], [100, 149, 50, True, True, False, 0]),
    "elsewhere, then the end": ([START, ["moved", [930, 950], True, False], ["at", True]], [930, 950, 21, True, False, True, 0]),
}  # fmt: skip


async def test_every_piece_is_without_a_gap(browser: Browser, hub: PageHub) -> None:
    page = await blank_page(browser, hub)
    for name, (steps, expected) in CASES.items():
        assert await page.evaluate(PIECES, steps) == expected, name


DEEDS: list[tuple[list[tuple[str, str]], int, str]] = [
    ([("Edit", "/a/b.py"), ("Write", "/a/b.py"), ("apply_patch", "/a/c.py")], 0, "Edited 2 files"),
    ([("Bash", "make"), ("shell", "make"), ("Read", "/a")], 0, "Read 1 file, ran 2 commands"),
    ([("Grep", "x"), ("WebFetch", "http://e"), ("WebSearch", "y")], 0, "Searched once, looked up 2 pages"),
    ([("Grep", "x"), ("Glob", "y"), ("Task", "z"), ("TodoWrite", "")], 0, "Searched 2 times, sent out 1 helper, planned once"),
    ([("Edit", ""), ("Edit", "")], 0, "Edited 2 files"),
    ([("mcp__x__y", ""), ("constructor", "")], 0, "Used 2 other tools"),
    ([("Bash", "make")], 3, "Ran 1 command, used 3 other tools"),
]


async def test_deeds_in_words(browser: Browser, hub: PageHub) -> None:
    page = await blank_page(browser, hub)
    words = "([items, left]) => import('/static/deeds.js').then(({ summary }) => summary(items, left))"
    for deeds, left, expected in DEEDS:
        items = [{"tool": tool, "detail": detail, "seconds": 1, "ok": True} for tool, detail in deeds]
        assert await page.evaluate(words, [items, left]) == expected
    within = "(paths) => import('/static/deeds.js').then(({ within }) => paths.map((path) => within(path, '/a/b/')))"
    assert await page.evaluate(within, ["/a/b/c.py", "/a/bc.py", "make /a/b/c"]) == ["c.py", "/a/bc.py", "make /a/b/c"]
