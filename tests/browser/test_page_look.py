"""How the page looks and reads: accessible in every view, steady in every state, whole at every width.

Screenshots land in tests/output/screens for a person to look at.
"""

from __future__ import annotations

import itertools
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.page_fixtures import DESKTOP, OUTPUT, PHONE, OpenPage, mode, pcm16, speechlike
from tests.stand_ins.page_hub import DEBUG, RATE, PageHub, changed_file, doing, session

pytestmark = pytest.mark.browser
VIEWS = """empty idle listening speaking muted downloading new-agent help insecure messages working permission changes debug
    more talk-options""".split()
ANSWER = """The job timed out on the tax lookup. The retry loop has no upper bound, so a single slow response \
blocked the whole batch. I would cap it like this:

```diff billing/tax.py
- while not ok:
-     ok = lookup(item)
+ for attempt in range(3):
+     if lookup(item, timeout=5): break
```"""


async def furnish(hub: PageHub) -> None:
    """The agents and the conversation of the pictures."""
    nova: dict[str, Any] = {"id": "q", "text": "Apply the migration to staging now?", "stage": "waiting", "since": 0}
    hub.sessions += [
        session("am_adam", dir="/home/ann/web-client", activity="tool", doing=doing("tool", detail="Bash", since=18)),
        session("af_nova", dir="/home/ann/infra", needs_you=True, question=nova),
        session("am_echo", dir="/home/ann/docs"),
        session("am_onyx", dir="/home/ann/release", state="starting"),
    ]
    for number in range(3):
        await hub.send(
            {
                "type": "user_text",
                "session_id": "af_sky",
                "msg_id": f"a{number}",
                "text": f"Earlier question {number}",
                "via": "typed",
            }
        )
    await hub.send(
        {
            "type": "user_text",
            "session_id": "af_sky",
            "msg_id": "u1",
            "text": "Why did the nightly invoice job fail?",
            "via": "typed",
        }
    )
    await hub.say("af_sky", ANSWER)
    await hub.send({"type": "not_spoken", "session_id": "af_sky", "msg_id": "m5", "reason": "Speech was off."})
    await hub.send(
        {
            "type": "user_text",
            "session_id": "af_sky",
            "msg_id": "u2",
            "text": "Do that, then run the billing tests.",
            "via": "voice",
        }
    )


async def furnish_messages(hub: PageHub) -> None:
    """What the agents have written to each other, with one that waits and one that failed."""
    names = {"af_sky": "sky", "am_adam": "adam", "af_nova": "nova", "am_echo": "echo", "am_onyx": "onyx", "user": "user"}
    now = time.time()
    rows: list[tuple[str, str, str, dict[str, Any]]] = [
        ("user", "am_echo", "Stand-up in ten minutes. Tell me what blocks you.", {"state": "acknowledged", "tries": 1}),
        ("am_echo", "af_sky", "Which version introduced the tax lookup?", {"state": "responded", "tries": 1}),
        ("af_sky", "am_onyx", "Hold the release until the invoice job is fixed.", {"state": "failed", "tries": 4}),
        ("am_adam", "am_onyx", "Client 2.4 is ready for the release branch.", {"state": "acknowledged", "tries": 1}),
        ("af_nova", "am_echo", "Please document the new retry setting.", {"state": "pending", "tries": 2}),
        ("af_sky", "am_adam", "Does the web client show a partial batch correctly?", {"state": "responded", "tries": 1}),
        ("am_adam", "af_sky", "Yes, it lists failed invoices separately.", {"state": "acknowledged", "tries": 1, "re": "msg-5"}),
        ("am_echo", "af_sky", "May I link the design note?", {"state": "queued", "held": "in copy mode"}),
    ]
    for number, (side, to, text, changes) in enumerate(rows):
        sides = {"from": side, "to": to, "from_name": names[side], "to_name": names[to]}
        await hub.message(f"msg-{number}", **sides, text=text, created=now - 1200 + 120 * number, **changes)
    reply = "It lists failed invoices separately, with the reason beside each."
    await hub.message("msg-5", "responded", reply=reply)
    sky = hub.sessions[0]
    sky.update(doing=doing("tool", detail="Bash", since=18), messages={"waiting": 1, "failed": 0})
    sky.update(report={"text": "the retry loop of the invoice job", "at": now - 300})


def ask_permission(hub: PageHub) -> None:
    """Sky may not go on by itself."""
    command = "npm run migrate -- --target staging --confirm\n\nApply the pending migrations to the staging database"
    permission = {"request": "p-1", "tool": "Bash", "text": command, "decidable": True}
    hub.sessions[0].update(doing=doing("needs_you", "permission", "Bash", since=42), permission=permission, needs_you=True)


def furnish_changes(hub: PageHub) -> None:
    """What Sky has not committed, and how long its last turn took."""
    hub.changes["files"] = [
        changed_file("billing/tax.py", added=2, removed=2, staged=True),
        changed_file("billing/runner.py", added=14, removed=3),
        changed_file("docs/retries-of-the-invoice-job-and-how-they-are-counted.md", "added", 31, 0),
        changed_file("billing/old_runner.py", "deleted", 0, 58),
        changed_file("notes.txt", "untracked", None, None),
    ]
    hub.patches["billing/tax.py"] = {
        "lines": [
            ["@", 41, 41, "def tax(item, lookup):"],
            [" ", 41, 41, "    ok = False"],
            ["-", 42, 0, "    while not ok:"],
            ["-", 43, 0, "        ok = lookup(item)"],
            ["+", 0, 42, "    for attempt in range(3):"],
            ["+", 0, 43, "        if lookup(item, timeout=5): break"],
            [" ", 44, 44, "    return ok"],
        ],
        "cut": False,
    }
    timing = {"session_id": "af_sky", "turn": "t1", "heard_ms": 520, "stt_ms": 270, "agent_ms": 740, "first_sound_ms": 330}
    hub.debug = {**DEBUG, "timings": [timing]}


async def show(view: str, hub: PageHub, page: Page) -> None:
    """Bring the page into the view."""
    if view == "messages":
        await page.locator("[data-open=messages]").click()
        await page.locator('[data-message="msg-5"] .mrow').click()
        await page.locator(".steps").wait_for()
    elif view == "permission":
        await expect(page.locator("[data-do=approve]")).to_be_enabled()
    elif view == "changes":
        await page.keyboard.press("d")
        await page.locator(".crow").first.click()
        await page.locator(".patch").wait_for()
    elif view == "debug":
        await page.keyboard.press("b")
        await page.locator(".facts2").get_by_text("up 3 h").wait_for()
    elif view == "more":
        await page.locator("[data-open=more]").click()
        await page.locator("#more:popover-open").wait_for()
    elif view == "talk-options":
        await show("speaking", hub, page)
        await page.locator("[data-do=pause]").click()
        await page.locator("[data-open=talk-options]").click()
        await page.locator(".opts").wait_for()
    elif view == "listening":
        await page.locator(".mic").click()
        turn = (await hub.expect("mic_open"))["turn"]
        await hub.until(lambda: len(hub.turns[turn].frames) > 45, "sound")
        words = "Commit it, and ask Adam to check the client with"
        await hub.send({"type": "partial_text", "turn": turn, "text": words, "stable": False})
        await page.get_by_text(words).wait_for()
    elif view == "speaking":
        text = "All forty-two tests pass now. I changed two files, the tax lookup and the batch runner. Shall I commit it?"
        await hub.say("af_sky", text, pcm16(speechlike(20, RATE, seed=2)))
        await mode(page, "speaking")
        await hub.expect("playback_progress", 8)
    elif view == "muted":
        await page.locator('[data-do="mute"]').click()
        await mode(page, "muted")
    elif view == "downloading":
        progress = {"done_bytes": 61_000_000, "total_bytes": 142_000_000, "file": "kokoro-int8"}
        await hub.send({"type": "speech_state", "state": "downloading", "reason": "", "progress": progress})
        await page.locator("progress").wait_for()
    elif view in ("new-agent", "help"):
        if view == "help":
            await page.keyboard.press("?")
        else:
            await page.get_by_role("button", name="New agent").first.click()
        await page.locator("dialog").wait_for()


INSECURE = "Object.defineProperty(window, 'isSecureContext', { value: false });"


@pytest.mark.parametrize("view", VIEWS)
async def test_views_are_accessible(browser: Browser, hub: PageHub, open_page: OpenPage, axe: str, view: str) -> None:
    if view == "empty":
        hub.sessions.clear()
    else:
        await furnish(hub)
    if view in ("messages", "working"):
        await furnish_messages(hub)
    elif view in ("changes", "debug"):
        furnish_changes(hub)
    elif view == "permission":
        ask_permission(hub)
    for (size, viewport), scheme in itertools.product({"desktop": DESKTOP, "phone": PHONE}.items(), ["light", "dark"]):
        hub.key = "one-time-key"
        hub.received.clear()
        hub.speeches.clear()
        hub.owner = None
        phone = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2} if size == "phone" else {}
        context = await browser.new_context(viewport=viewport, color_scheme=scheme, bypass_csp=True, **phone)  # type: ignore[arg-type]
        page = await open_page(context=context, unlock=view != "insecure", init_script=INSECURE if view == "insecure" else "")
        await show(view, hub, page)
        OUTPUT.joinpath("screens").mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=OUTPUT / "screens" / f"{view}-{size}-{scheme}.png")
        await page.evaluate(axe)
        found = await page.evaluate("axe.run()")
        faults = [(fault["id"], [node["target"] for node in fault["nodes"]]) for fault in found["violations"]]
        assert faults == [], f"{view} {size} {scheme}"
        await context.close()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE, {"width": 320, "height": 568}], ids=["desktop", "phone", "small"])
async def test_the_dock_stands_still(hub: PageHub, open_page: OpenPage, viewport: dict[str, int]) -> None:
    await furnish(hub)
    page = await open_page(viewport=viewport)
    boxes = """() => Object.fromEntries(['.dock', '.mic', '[data-do=mute]', '[data-do=auto]', '.voice', '.now-line'].map((s) => {
      const { x, y, width, height } = document.querySelector(s).getBoundingClientRect();
      return [s, [x, y, width, height].map(Math.round)];
    }))"""
    rest = await page.evaluate(boxes)
    for view in ["speaking", "listening", "muted", "downloading"]:
        await show(view, hub, page)
        assert await page.evaluate(boxes) == rest, view


@pytest.mark.parametrize("width", [320, 360, 720, 721, 1024, 2560])
async def test_nothing_sticks_out_at_any_width(hub: PageHub, open_page: OpenPage, width: int) -> None:
    await furnish(hub)
    hub.sessions[0]["name"] = "a-name-that-somebody-made-far-too-long-for-any-column"
    await hub.say("af_sky", "word" * 200)
    page = await open_page(viewport={"width": width, "height": 700})
    await page.get_by_text("Needs your answer").first.wait_for(state="attached")
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    log = await page.locator(".log").evaluate("n => [n.scrollWidth, n.clientWidth]")
    assert log[0] == log[1]
    await page.screenshot(path=_screen(f"width-{width}"))
    small = """() => [...document.querySelectorAll('button, select, textarea')].filter((node) => {
      const { width, height } = node.getBoundingClientRect();
      return node.checkVisibility() && (width < 24 || height < 24);
    }).map((node) => node.className || node.id)"""
    assert await page.evaluate(small) == []
    for selector in [".mic", "[data-do=mute]", "[data-do=auto]", ".voice"]:
        box = await page.locator(selector).bounding_box()
        assert box is not None
        assert box["width"] >= 40, selector
        assert box["height"] >= 40, selector
        assert box["x"] >= 0, selector
        assert box["x"] + box["width"] <= width, selector


async def test_forced_colours_keep_every_sign(hub: PageHub, open_page: OpenPage) -> None:
    await furnish(hub)
    page = await open_page(forced_colors="active")
    await page.screenshot(path=_screen("forced-colours"))
    colours = "nodes => nodes.map((n) => getComputedStyle(n).backgroundColor)"
    assert "rgba(0, 0, 0, 0)" not in await page.locator(".mic, .badge, .av").evaluate_all(colours)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_forced_colours_are_accessible(hub: PageHub, open_page: OpenPage, axe: str, scheme: str) -> None:
    await furnish(hub)
    page = await open_page(forced_colors="active", color_scheme=scheme, bypass_csp=True)
    await page.locator(".btn.primary").first.wait_for()
    await page.evaluate(axe)
    found = await page.evaluate("axe.run()")
    assert [(fault["id"], [node["target"] for node in fault["nodes"]]) for fault in found["violations"]] == []


async def test_reduced_motion_stops_what_moves(hub: PageHub, open_page: OpenPage) -> None:
    await furnish(hub)
    page = await open_page(reduced_motion="reduce")
    moving = "nodes => nodes.map((n) => getComputedStyle(n).animationName)"
    assert set(await page.locator(".dot").evaluate_all(moving)) == {"none"}


async def test_first_load_is_small(hub: PageHub, open_page: OpenPage) -> None:
    import gzip

    page = await open_page()
    names: list[str] = await page.evaluate("performance.getEntriesByType('resource').map((e) => new URL(e.name).pathname)")
    files = {name for name in names if name.startswith("/static/")}
    static = Path(__file__).parents[2]
    total = sum(len(gzip.compress((static / name.lstrip("/")).read_bytes())) for name in files)
    # What is named in the page is fetched at once; what is only imported, a round trip after its importer.
    named = set(re.findall(r'rel="modulepreload" href="([^"]+)"', (static / "static/index.html").read_text()))
    modules = {name for name in files if name.endswith(".js")} - {"/static/app.js"}
    assert modules == named
    # With 20 ms to the hub 33 modules took 290 ms named and 386 ms unnamed.
    assert len(modules) <= 33
    assert total <= 150_000


def _screen(name: str) -> Path:
    folder = OUTPUT / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.png"
