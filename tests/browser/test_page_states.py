"""The state of every agent on the page: words, age, who told it; permission questions and their answer; interrupting a turn."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.page_fixtures import OpenPage
from tests.stand_ins.page_hub import PageHub, doing, session

pytestmark = pytest.mark.browser

STATES = [
    ("idle", "", "", 0, "Ready", "ready"),
    ("idle", "interrupted", "", 0, "Interrupted, ready", "ready"),
    ("thinking", "", "", 18, r"Thinking· (1[89]|2\d) s", "working"),
    ("thinking", "compaction", "", 61, "Compacting its context· 1 min", "working"),
    ("thinking", "rate_limit", "", 7300, "Waits for its rate limit· 2 h", "working"),
    ("thinking", "api_error", "", 180_000, "Tries its model again· 2 d", "working"),
    ("tool", "", "Bash", 18, r"Running Bash· (1[89]|2\d) s", "working"),
    ("tool", "", "", 18, r"Running a tool· (1[89]|2\d) s", "working"),
    ("needs_you", "permission", "Bash", 0, "Needs your permission", "needs"),
    ("needs_you", "question", "Which one?", 0, "Needs your answer", "needs"),
    ("needs_you", "login", "", 0, "Needs you to log in", "needs"),
    ("needs_you", "trust", "", 0, "Needs you to trust its folder", "needs"),
    ("needs_you", "rate_limit", "", 0, "Rate limit reached", "needs"),
    ("unknown", "", "", 0, "State unknown", "unknown"),
]


def permission(request: str = "p-1", **changes: Any) -> dict[str, Any]:
    return {"request": request, "tool": "Bash", "text": "npm test", "decidable": True, **changes}


async def ask(hub: PageHub, who: str = "af_sky", **changes: Any) -> None:
    about = doing("needs_you", "permission", "Bash", since=3)
    await hub.status(who, doing=about, permission=permission(**changes), needs_you=True)
    await hub.send({"type": "attention", "session_id": who, "kind": "permission", "text": "Bash"})


def decisions(hub: PageHub) -> list[Any]:
    return [body for _, path, body in hub.requests if path.endswith("/permission")]


async def test_each_state_is_said_in_words(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("am_adam"))
    page = await open_page()
    state = page.locator('[data-session="am_adam"] .st')
    for activity, kind, detail, since, words, shape in STATES:
        await hub.status("am_adam", doing=doing(activity, kind, detail, since=since), activity=activity)
        await expect(state).to_have_text(re.compile(f"^{words}$"))
        await expect(state.locator(f".dot.{shape}")).to_have_count(1)


async def test_the_age_grows_by_the_clock_of_the_hub(hub: PageHub, open_page: OpenPage) -> None:
    hub.ahead_seconds = 3600.0
    hub.sessions.append(session("am_adam", doing={**doing("tool", detail="Bash"), "since": doing("tool")["since"] + 3590.0}))
    page = await open_page()
    age = page.locator('[data-session="am_adam"] .age')
    await expect(age).to_have_text(re.compile("^1[0-4] s$"))
    before = await age.text_content()
    await expect(age).not_to_have_text(before or "")


async def test_it_is_told_who_says_so(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    for source, words in [
        ("hook", "its hooks"),
        ("record", "its own records"),
        ("screen", "its screen"),
        ("process", "its process"),
    ]:
        await hub.status("af_sky", doing=doing("thinking", source=source))
        await expect(page.locator(".pill")).to_have_attribute("title", re.compile(f"^Told by {words}, last at "))


async def test_what_an_agent_works_on_is_shown(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await hub.status("af_sky", report={"text": "<b>the retry loop</b>", "at": 1763750000})
    await expect(page.locator("[data-line=report]")).to_contain_text("Works on: <b>the retry loop</b>")
    await hub.status("af_sky", report=None)
    await expect(page.locator("[data-line=report]")).to_have_count(0)


# -- permission --


@pytest.mark.parametrize(("button", "wanted"), [("approve", True), ("deny", False)])
async def test_a_permission_is_decided_by_a_button(hub: PageHub, open_page: OpenPage, button: str, wanted: bool) -> None:
    page = await open_page()
    await ask(hub)
    card = page.locator("[data-card=permission]")
    await expect(card).to_contain_text("Sky wants to use Bash")
    await expect(card.locator("pre")).to_have_text("npm test")
    await card.get_by_role("textbox").fill("Not now")
    await card.locator(f"[data-do={button}]").click()
    await hub.until(lambda: decisions(hub))
    assert decisions(hub) == [{"request": "p-1", "allow": wanted, "text": "" if wanted else "Not now"}]
    await expect(card.locator("[data-do=approve]")).to_be_disabled()
    await hub.status("af_sky", doing=doing("thinking"), permission=None, needs_you=False)
    await expect(card).to_have_count(0)


WATCH = """() => new Promise((resolve) => {
  let shown = 0;
  const look = () => {
    const button = document.querySelector('[data-request="p-2"] [data-do=approve]');
    shown ||= button ? performance.now() : 0;
    button?.click();
    if (button && !button.disabled) resolve(performance.now() - shown);
    else requestAnimationFrame(look);
  };
  look();
})"""


async def test_a_press_meant_for_the_question_before_decides_nothing(hub: PageHub, open_page: OpenPage) -> None:
    """The question changes under the pointer: for half a second presses are lost, and a later one names the new question."""
    page = await open_page()
    await ask(hub)
    await expect(page.locator("[data-do=approve]")).to_be_enabled()
    pressing = asyncio.create_task(page.evaluate(WATCH))
    await ask(hub, request="p-2", text="rm -rf build")
    assert await pressing >= 450
    await page.locator("[data-do=approve]").click(force=True)
    await hub.until(lambda: decisions(hub))
    assert {body["request"] for body in decisions(hub)} == {"p-2"}


async def test_two_presses_decide_once(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await ask(hub)
    await expect(page.locator("[data-do=approve]")).to_be_enabled()
    await page.locator("[data-do=approve]").dblclick()
    await hub.until(lambda: decisions(hub))
    await page.locator(".head h1").click()
    assert len(decisions(hub)) == 1


async def test_a_refused_decision_is_told_and_may_be_tried_again(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    hub.refuses_decision = {"type": "error", "code": "conflict", "text": "That question is gone.", "remedy": "Look again."}
    await ask(hub)
    await page.locator("[data-do=deny]").click()
    await expect(page.locator(".now-line")).to_contain_text("That question is gone.")
    await expect(page.locator("[data-do=deny]")).to_be_enabled()


async def test_enter_in_the_reason_decides_nothing(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await ask(hub)
    await page.locator(".ask-do input").fill("because")
    await page.locator(".ask-do input").press("Enter")
    await expect(page.locator("[data-do=approve]")).to_be_enabled()
    assert decisions(hub) == []


async def test_a_disguised_command_is_shown_undisguised(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await ask(hub, text="rm \u202ehs.tset\u202c #\u200b\x1b[2K\nls")
    await expect(page.locator("[data-card=permission] pre")).to_have_text("rm ‹U+202E›hs.tset‹U+202C› #‹U+200B›‹U+001B›[2K\nls")


async def test_what_only_the_terminal_can_answer_says_so(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await ask(hub, decidable=False, request="")
    card = page.locator("[data-card=permission]")
    await expect(card).to_contain_text("run clawmux attach sky")
    await expect(card.locator("button")).to_have_text(["Open its terminal"])
    await hub.status("af_sky", doing=doing("needs_you", "login", "Select login method"), permission=None, needs_you=True)
    await expect(page.locator("[data-card=terminal]")).to_contain_text("Select login method")
    await expect(page.locator("[data-card=terminal]")).to_contain_text("run clawmux attach sky")
    await hub.status("af_sky", doing=doing("idle"), needs_you=False)
    await expect(page.locator(".ask")).to_have_count(0)


async def test_another_agents_question_leads_to_its_card(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("af_nova"))
    page = await open_page()
    await ask(hub, "af_nova")
    banner = page.locator("[data-banner=asks]")
    await expect(banner).to_contain_text("Nova asks to use Bash: npm test")
    await expect(page.locator('[data-session="af_nova"] .badge')).to_be_visible()
    assert (await page.title()).startswith("(1)")
    assert await page.locator("[data-card=permission]").count() == 0, "the card is that of the agent in view"
    await banner.get_by_role("button", name="Look").click()
    await expect(page.locator("[data-card=permission]")).to_contain_text("Nova wants to use Bash")
    assert hub.all("mic_open") == [], "a decision is no talk"


async def test_a_question_that_waits_is_answered_here_and_not_in_the_terminal(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("af_nova"))
    page = await open_page()
    asked = {"id": "q1", "text": "Shall I commit?", "stage": "waiting"}
    await hub.status("af_nova", doing=doing("needs_you", "question", source="command"), question=asked, needs_you=True)
    banner = page.locator("[data-banner=asks]")
    await expect(banner).to_contain_text("Nova asks: Shall I commit?")
    await expect(banner.get_by_role("button", name="Answer")).to_be_visible()
    await page.locator('[data-session="af_nova"]').click()
    await expect(page.locator(".head h1")).to_have_text("Nova")
    assert await page.locator("[data-card=terminal]").count() == 0


async def test_on_a_phone_the_name_comes_before_the_words_of_its_state(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.set_viewport_size({"width": 390, "height": 844})
    await hub.status("af_sky", name="mara")
    await ask(hub)
    await expect(page.locator(".head .pill")).to_contain_text("permission")
    assert await page.locator(".head h1").evaluate("e => e.scrollWidth <= e.clientWidth")


async def test_a_question_is_told_to_a_screen_reader(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await ask(hub)
    await expect(page.locator("[role=status]")).to_have_text("Sky needs your permission")


# -- interrupting --


async def test_a_turn_is_interrupted(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    stop = page.locator("[data-do=interrupt]")
    assert await stop.count() == 0, "at rest there is nothing to interrupt"
    await hub.status("af_sky", doing=doing("tool", detail="Bash"), activity="tool")
    hub.holds_interrupt.clear()
    await stop.click()
    await expect(stop).to_be_disabled()
    await expect(stop).to_have_text("Stopping…")
    assert hub.requests == [("POST", "/api/sessions/af_sky/interrupt", {})]
    hub.holds_interrupt.set()
    await hub.status("af_sky", doing=doing("idle", "interrupted", source="record"), activity="idle")
    await expect(stop).to_have_count(0)
    await expect(page.locator(".pill")).to_have_text("Interrupted, ready")
    await expect(page.locator(".now-line")).to_have_text("Sky has stopped")
