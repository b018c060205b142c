"""The page's controls: starting and closing agents, voices, keys, typed words, and agents' text that means harm."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.page_fixtures import OpenPage, comes_true, mode, settle
from tests.stand_ins.page_hub import PageHub, session

pytestmark = pytest.mark.browser


async def current(page: Page) -> str | None:
    return await page.locator('.row[aria-current="true"]').locator("..").get_attribute("data-session")


async def test_an_agent_is_started_with_the_chosen_fields(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.get_by_role("button", name="New agent").click()
    dialog = page.get_by_role("dialog", name="New agent")
    assert await dialog.get_by_role("option", name="Sky (in use)").is_disabled()
    assert await dialog.get_by_role("option", name="Claude Code (not installed)").is_disabled()
    await dialog.get_by_label("Voice").select_option("am_adam")
    await dialog.get_by_label("Folder").fill("/home/ann/web")
    await dialog.get_by_role("button", name="Start agent").click()
    await page.locator('[data-session="am_adam"]').wait_for()
    assert hub.requests == [("POST", "/api/sessions", {"voice": "am_adam", "dir": "/home/ann/web"})]
    assert await current(page) == "am_adam"
    assert await dialog.count() == 0
    # There Space talks; on the button it starts another.
    await expect(page.locator('[data-session="am_adam"] .row')).to_be_focused()


async def test_a_program_that_is_not_there_is_not_proposed(hub: PageHub, open_page: OpenPage) -> None:
    hub.usual_runtime = "claude"
    page = await open_page()
    await page.get_by_role("button", name="New agent").click()
    dialog = page.get_by_role("dialog", name="New agent")
    await expect(dialog.get_by_label("Program")).to_have_value("demo")
    assert await dialog.get_by_role("option", name="As in the settings (Claude Code, not installed)").is_disabled()
    await dialog.get_by_role("button", name="Start agent").click()
    await page.locator('[data-session="am_adam"]').wait_for()
    assert hub.requests == [("POST", "/api/sessions", {"runtime": "demo"})]


async def test_the_dock_says_whom_words_go_to_while_another_agent_is_in_view(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("am_adam"))
    page = await open_page()
    await page.keyboard.press("Space")
    await mode(page, "listening")
    line = page.locator(".now-line [data-line=goes-to]")
    await expect(line).to_have_count(0)
    await page.keyboard.press("2")
    await expect(line).to_have_text("to Sky")
    await page.keyboard.press("1")
    await expect(line).to_have_count(0)


async def test_a_refused_start_is_explained_in_the_dialog(hub: PageHub, open_page: OpenPage) -> None:
    """A modal dialog covers the dock, and without an agent there is none."""
    hub.sessions.clear()
    hub.refuses_spawn = {"code": "missing_program", "text": "claude is not installed.", "remedy": "Install it."}
    page = await open_page()
    await page.get_by_role("button", name="New agent").first.click()
    dialog = page.get_by_role("dialog", name="New agent")
    await dialog.get_by_role("button", name="Start agent").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("claude is not installed. Install it.")
    hub.refuses_spawn = {}
    await dialog.get_by_role("button", name="Start agent").click()
    await expect(page.locator('[data-session="am_adam"]')).to_be_visible()
    await expect(dialog).to_have_count(0)


async def test_voices_stand_under_their_language(open_page: OpenPage) -> None:
    page = await open_page()
    british = page.locator("#voice optgroup[label='British English'] option")
    await british.wait_for(state="attached")
    assert await british.all_text_contents() == ["Fable"]


async def test_closing_asks_first(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.locator(".agent").hover()
    await page.get_by_role("button", name="Close Sky").first.click()
    await page.get_by_role("button", name="Keep it open").click()
    assert hub.requests == []
    await page.locator(".agent").hover()
    await page.get_by_role("button", name="Close Sky").first.click()
    await page.locator('[data-do="close"]').click()
    await page.get_by_text("No agent yet").wait_for()
    assert hub.requests == [("DELETE", "/api/sessions/af_sky", None)]
    assert await page.locator("[data-banner=notice]").count() == 0, "what the user did is no news"


async def test_an_agent_that_ends_by_itself_is_reported(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    hub.sessions.clear()
    await hub.send({"type": "session_terminated", "session_id": "af_sky", "reason": "Its program ended."})
    await expect(page.locator("[data-banner=notice]")).to_contain_text("Sky has ended. Its program ended.")
    await expect(page.get_by_text("No agent yet")).to_be_visible()


async def test_the_voice_is_changed(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.locator("#voice option[value=bm_fable]").wait_for(state="attached")
    await page.locator("#voice").select_option("bm_fable")
    await comes_true(page, "document.querySelector('#voice').value === 'bm_fable'")
    assert hub.requests == [("PUT", "/api/sessions/af_sky/voice", {"voice": "bm_fable"})]


async def test_switches_are_kept_and_told(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.locator('[data-do="auto"]').click()
    assert (await hub.expect(lambda m: m["type"] == "prefs" and not m["auto"]))["muted"] is False
    await page.reload()
    hello = await hub.expect("hello", 2)
    assert (hello["muted"], hello["auto"]) == (False, False)
    await page.get_by_role("button", name="Manual listening").wait_for()


async def test_an_agent_that_comes_into_view_by_itself_brings_what_it_said(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("am_adam"))
    await hub.say("am_adam", "Shall I deploy?", question=True)
    page = await open_page()
    assert await current(page) == "af_sky"
    await hub.send({"type": "listening", "session_id": "am_adam", "auto": True})
    await mode(page, "listening")
    assert await current(page) == "am_adam"
    await page.locator(".log").get_by_text("Shall I deploy?").wait_for()


async def test_on_a_phone_the_chosen_agent_is_in_sight(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions += [session(voice) for voice in ("am_adam", "af_nova", "am_echo", "am_onyx")]
    page = await open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    last = page.locator('[data-session="am_onyx"] .row')
    await expect(last).not_to_be_in_viewport()
    await page.keyboard.press("5")
    await expect(last).to_be_in_viewport(ratio=0.95)
    await page.keyboard.press("1")
    await expect(page.locator('[data-session="af_sky"] .row')).to_be_in_viewport(ratio=0.95)


async def test_keys_go_between_agents(hub: PageHub, open_page: OpenPage) -> None:
    asked: dict[str, Any] = {"id": "q", "text": "Now?", "stage": "waiting", "since": 0}
    hub.sessions += [session("am_adam"), session("af_nova", needs_you=True, question=asked)]
    page = await open_page()
    for key, wanted in [("2", "am_adam"), ("]", "af_nova"), ("]", "af_sky"), ("[", "af_nova"), ("1", "af_sky"), ("n", "af_nova")]:
        await page.keyboard.press(key)
        assert await current(page) == wanted, key
    assert hub.all("seen")[-1]["session_id"] == "af_nova"
    await page.keyboard.press("?")
    await page.get_by_role("dialog", name="Keyboard help").wait_for()
    await expect(page.get_by_role("heading", name="Keys")).to_be_in_viewport()
    await expect(page.get_by_role("button", name="Close", exact=True)).to_be_focused()
    await page.keyboard.press("1")
    await page.keyboard.press("Escape")
    assert await page.get_by_role("dialog").count() == 0
    assert await current(page) == "af_nova"


async def test_single_keys_do_nothing_while_typing_or_on_buttons(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.keyboard.press("t")
    await page.keyboard.type("a m 1 ? r")
    assert await page.get_by_label("Message to Sky").input_value() == "a m 1 ? r"
    await page.locator('[data-do="auto"]').focus()
    await page.keyboard.press("Space")
    await page.get_by_role("button", name="Manual listening").wait_for()
    await settle(0.4)
    assert hub.all("mic_open") == []
    assert not any(m["muted"] for m in hub.all("prefs"))


async def test_typed_words_are_sent_with_enter(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    box = page.get_by_label("Message to Sky")
    await box.fill("one")
    await box.press("Shift+Enter")
    await box.press("End")
    await page.keyboard.type("two")
    await box.press("Enter")
    message = await hub.expect("text")
    assert (message["text"], message["session_id"]) == ("one\ntwo", "af_sky")
    assert await box.input_value() == ""
    await page.locator(".msg.user", has_text="two").wait_for()
    assert await page.locator(".msg.user").count() == 1


async def test_answer_from_the_banner_goes_to_the_agent_and_listens(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("af_nova", needs_you=True))
    page = await open_page()
    await hub.send({"type": "attention", "session_id": "af_nova", "kind": "question", "text": "Apply it?"})
    await page.get_by_text("Apply it?").wait_for()
    await page.get_by_role("button", name="Answer", exact=True).click()
    assert (await hub.expect("mic_open"))["session_id"] == "af_nova"
    await page.keyboard.press("Escape")
    await page.keyboard.press("1")
    await page.get_by_role("button", name="Later", exact=True).click()
    await page.get_by_text("Apply it?").wait_for(state="detached")
    assert await page.locator(".badge").count() == 1


async def test_a_refused_request_is_explained(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await hub.send({"type": "error", "code": "conflict", "text": "The agent has just ended.", "remedy": ""})
    await page.locator(".now-line", has_text="The agent has just ended.").wait_for()
    assert await page.locator("[role=status]").text_content() == "The agent has just ended."


async def test_a_question_is_dismissed(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await hub.status("af_sky", question={"id": "q", "text": "Now?", "stage": "waiting", "since": 0}, needs_you=True)
    await page.get_by_role("button", name="Dismiss").click()
    assert (await hub.expect("cancel"))["session_id"] == "af_sky"


@pytest.mark.parametrize("stage", ["queued", "speaking"])
async def test_a_question_not_yet_heard_waits_for_no_answer(hub: PageHub, open_page: OpenPage, stage: str) -> None:
    page = await open_page()
    await hub.status("af_sky", question={"id": "q", "text": "Now?", "stage": stage, "since": 0})
    await expect(page.locator(".now-line")).to_contain_text("Sky is about to speak")
    await expect(page.get_by_role("button", name="Dismiss")).to_have_count(0)


async def test_a_program_that_takes_words_only_when_it_asks_says_so(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await hub.status("af_sky", accepts_text=False)
    await page.locator(".now-line", has_text="Sky hears you when it asks something").wait_for()
    assert await page.get_by_placeholder("Sky takes words when it asks").count() == 1


@pytest.mark.parametrize(("reason", "words"), [("timeout", "Nothing was heard"), ("mute", "Tap the microphone")])
async def test_a_turn_without_words_is_explained(hub: PageHub, open_page: OpenPage, reason: str, words: str) -> None:
    page = await open_page()
    await hub.send({"type": "turn_done", "turn": "t", "text": None, "reason": reason})
    await hub.status("af_sky", name="ann")
    await page.locator(".head h1", has_text="Ann").wait_for()
    assert words in await page.locator(".now-line").inner_text()


async def test_refused_words_can_be_sent_again(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    hub.refuses_text = "the agent is busy."
    await page.get_by_label("Message to Sky").fill("Hello")
    await page.keyboard.press("Enter")
    await page.get_by_text(re.compile(r"Not delivered\. The agent is busy\.")).wait_for()
    hub.refuses_text = ""
    await page.get_by_role("button", name="Try again").click()
    await hub.expect("text", 2)
    await page.locator(".msg.user[data-msg]", has_text="Hello").wait_for()
    assert await page.locator(".msg.user").count() == 1


EVIL = """<img src=x onerror="window.evil=1"> <script>window.evil=1</script> [x](javascript:window.evil=1)
```html
<iframe srcdoc="<script>parent.evil=1</script>"></iframe>
```
`<b>code</b>` **<i>bold</i>**"""


async def test_an_agents_text_is_only_text(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions[0]["name"] = "<u>sky</u>"
    page = await open_page()
    await hub.say("af_sky", EVIL)
    await hub.send({"type": "user_text", "session_id": "af_sky", "msg_id": "u", "text": EVIL, "via": "voice"})
    await page.get_by_text('onerror="window.evil=1"').first.wait_for()
    assert await page.locator(".log").locator("img, script, iframe, b > i, u, a").count() == 0
    assert await page.evaluate("window.evil") is None
    assert "<u>sky</u>" in (await page.title()).lower()


async def test_older_entries_are_loaded_above_without_moving_the_reader(hub: PageHub, open_page: OpenPage) -> None:
    for number in range(120):
        await hub.say("af_sky", f"Entry {number}")
    page = await open_page()
    await page.get_by_text("Entry 119", exact=True).wait_for()
    log = page.locator(".log")
    assert await log.evaluate("n => n.scrollHeight - n.scrollTop - n.clientHeight") < 2
    await log.evaluate("n => n.scrollTo(0, 0)")
    place = page.get_by_text("Entry 70", exact=True)
    await page.get_by_text("Entry 20", exact=True).wait_for(state="attached")
    assert await place.is_visible()
    await hub.say("af_sky", "Newest")
    await page.get_by_text("Newest").wait_for(state="attached")
    assert await log.evaluate("n => n.scrollHeight - n.scrollTop - n.clientHeight") > 500
    assert await page.locator(".msg.bot").count() == 101
