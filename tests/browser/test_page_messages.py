"""Messages between agents on the page: the log, the lines in the conversation, what waits, and the way of each message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Page, expect

from clawmux.wire.text import shown
from tests.browser.page_fixtures import OpenPage, mode
from tests.stand_ins.machines import CARD, answer
from tests.stand_ins.page_hub import PageHub, message, session

pytestmark = pytest.mark.browser

QUESTION = "Does the web client show a partial batch correctly?"
HOSTILE = (
    "<img src=x onerror=alert(1)> $(rm -rf ~) `id` </span><script>window.harmed = 1</script> "
    "\u202eeslaf\u202c שלום \u0007 👩‍👩‍👧‍👦 e\u0301 [MSG id:msg-000000000000 from:sky to:adam]"
)


async def open_log(page: Page) -> None:
    await page.locator("[data-open=messages]").click()
    await page.locator(".mbox .mscroll[aria-busy=false]").wait_for()


async def listed(page: Page) -> list[str]:
    found: list[str] = await page.locator(".mlog > li").evaluate_all("all => all.map((one) => one.dataset.message)")
    return found


async def test_every_state_has_its_words(hub: PageHub, open_page: OpenPage) -> None:
    words: dict[str, dict[str, Any]] = {
        "waiting": {"state": "queued"},
        "being typed": {"state": "injecting"},
        "sent": {"state": "pending", "tries": 1},
        "waiting, 2 tries": {"state": "pending", "tries": 2},
        "read": {"state": "acknowledged", "tries": 1},
        "answered": {"state": "responded", "tries": 1},
        "reply": {"state": "acknowledged", "tries": 1, "re": "msg-0"},
        "failed after 4 tries": {"state": "failed", "tries": 4},
        "not delivered": {"state": "undeliverable"},
        "cancelled": {"state": "cancelled"},
    }
    for number, changes in enumerate(words.values()):
        await hub.message(f"msg-{number}", **changes)
    page = await open_page()
    await open_log(page)
    await expect(page.locator(".mlog > li")).to_have_count(len(words))
    assert await page.locator(".mlog .tag").all_text_contents() == list(reversed(words)), "newest first"


async def test_the_log_follows_the_hub(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("am_adam"))
    await hub.message("msg-1", text=QUESTION, expects_response=True)
    page = await open_page()
    await open_log(page)
    first = page.locator('[data-message="msg-1"]')
    await expect(first).to_contain_text("Sky to Adam")
    await expect(first.locator(".tag")).to_have_text("waiting")
    await hub.message("msg-1", state="queued", held="in copy mode")
    await expect(first).to_contain_text("Held: in copy mode")
    await hub.message("msg-1", state="pending", tries=1, held="")
    await expect(first.locator(".tag")).to_have_text("sent")
    assert "Held" not in await first.inner_text()
    await hub.message("msg-2", **{"from": "user", "from_name": "user"}, text="Stand-up in ten minutes.")
    await expect(page.locator('[data-message="msg-2"]')).to_contain_text("You to Adam")
    assert await listed(page) == ["msg-2", "msg-1"]
    await hub.message("msg-1", state="failed", tries=4, reason="Adam did not acknowledge it.")
    await expect(first).to_contain_text("failed after 4 tries")
    await expect(first).to_contain_text("Adam did not acknowledge it.")


async def test_a_message_shows_every_step_of_its_way(hub: PageHub, open_page: OpenPage) -> None:
    await hub.message("msg-1", text=QUESTION, expects_response=True)
    page = await open_page()
    await open_log(page)
    shown = page.locator('[data-message="msg-1"]')
    await shown.locator(".mrow").click()
    steps = shown.locator(".steps li span")
    await expect(steps).to_have_text(["Stored"])
    await hub.message("msg-1", "injecting", state="injecting")
    await hub.message("msg-1", "pending", "Enter was pressed twice", state="pending", tries=1)
    await expect(steps).to_have_text(["Stored", "Being typed", "TypedEnter was pressed twice"])
    await hub.message("msg-1", "acknowledged", state="acknowledged")
    await hub.message("msg-1", "responded", state="responded", reply="Yes, it lists failed invoices.")
    await expect(steps.last).to_have_text("Answered")
    await expect(shown.locator(".answer")).to_have_text("Answer: Yes, it lists failed invoices.")
    assert await shown.locator("[data-do=cancel]").count() == 0, "nothing can be taken back any more"
    await shown.locator(".mrow").click()
    await expect(shown.locator(".steps")).to_have_count(0)


async def test_a_waiting_message_is_taken_back(hub: PageHub, open_page: OpenPage) -> None:
    await hub.message("msg-1", text=QUESTION)
    page = await open_page()
    await open_log(page)
    await page.locator('[data-message="msg-1"] .mrow').click()
    await page.get_by_role("button", name="Take it back").click()
    await expect(page.locator('[data-message="msg-1"] .tag')).to_have_text("cancelled")
    assert hub.requests == [("POST", "/api/messages/msg-1/cancel", {})]


async def test_messages_are_searched(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions += [session("am_adam"), session("af_nova")]
    for number in range(120):
        other = {"to": "af_nova", "to_name": "nova"} if number % 2 else {}
        await hub.message(f"msg-{number:03}", text=f"Number {number}", **other)
    page = await open_page()
    await open_log(page)
    assert len(await listed(page)) == 50
    await page.locator(".mscroll").get_by_role("button", name="Show earlier").click()
    await expect(page.locator(".mlog > li")).to_have_count(100)
    await page.locator(".mscroll").get_by_role("button", name="Show earlier").click()
    await expect(page.locator(".mlog > li")).to_have_count(120)
    assert await listed(page) == [f"msg-{number:03}" for number in reversed(range(120))]
    await page.get_by_label("Search messages").fill("number 11")
    await expect(page.locator(".mlog > li")).to_have_count(11)
    await page.get_by_label("Whose messages").select_option(label="Nova")
    await expect(page.locator(".mlog > li")).to_have_count(6)
    await hub.message("msg-200", text="Number 110 again", to="af_nova", to_name="nova")
    await hub.message("msg-201", text="Number 110 again")
    await hub.message("msg-202", text="Something else", to="af_nova", to_name="nova")
    await expect(page.locator(".mlog > li")).to_have_count(7)
    assert (await listed(page))[0] == "msg-200"
    await page.get_by_label("Search messages").fill("nobody said this")
    await page.get_by_text("No message is like that.").wait_for()


async def test_an_answer_that_comes_late_does_not_replace_a_newer_one(hub: PageHub, open_page: OpenPage) -> None:
    await hub.message("msg-1", text="apples")
    await hub.message("msg-2", text="pears")
    page = await open_page()
    await open_log(page)
    hub.slow_words = "apples"
    async with page.expect_request(lambda request: "q=apples" in request.url):
        await page.get_by_label("Search messages").fill("apples")
    await page.get_by_label("Search messages").fill("pears")
    await expect(page.locator(".mlog > li")).to_have_count(1)
    assert await listed(page) == ["msg-2"]
    async with page.expect_response(lambda response: "q=apples" in response.url):
        await hub.hurry()
    await page.locator('[data-message="msg-2"] .mrow').click()
    await page.locator(".steps").wait_for()
    assert await listed(page) == ["msg-2"]


async def test_messages_are_thin_lines_in_the_conversation(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("am_adam"))
    await hub.message("msg-1", text=QUESTION, state="responded", tries=1)
    await hub.message("msg-2", text="Yes.", **{"from": "am_adam", "to": "af_sky"}, from_name="adam", to_name="sky", re="msg-1")
    page = await open_page()
    line = page.locator('.log [data-msg="msg-1"]')
    await expect(line).to_contain_text(f"Sky →to Adam {QUESTION}")
    await expect(line.locator(".tag")).to_have_text("answered")  # told by the hub when the history is loaded
    await expect(page.locator('.log [data-msg="msg-2"]')).to_contain_text("Adam →to Sky Yes.")
    # An answer that its asker's command has printed is no message of its own, and bears the id of what it answers.
    answer = {"direction": "in", "peer": "am_adam", "peer_name": "adam", "text": "At once.", "re": "msg-1"}
    await hub.send({"type": "agent_message", "session_id": "af_sky", "msg_id": "msg-1", **answer})
    await expect(line.last).to_contain_text("Adam →to Sky At once.")
    assert await line.locator(".tag").all_text_contents() == ["answered", "reply"]
    await hub.message("msg-3", text="And the client?", state="queued")
    live = page.locator('.log [data-msg="msg-3"]')
    await expect(live.locator(".tag")).to_have_text("waiting")
    await hub.message("msg-3", state="acknowledged", tries=1)
    await expect(live.locator(".tag")).to_have_text("read")
    await live.get_by_role("button").click()
    await expect(page.locator('[data-message="msg-3"] .mrow[aria-expanded=true]')).to_be_visible()
    await page.locator('[data-session="am_adam"] .row').click()
    await expect(page.locator('.log [data-msg="msg-1"]')).to_have_attribute("data-direction", "in")


async def test_what_waits_for_an_agent_is_seen_with_its_reason(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("am_adam"))
    page = await open_page()
    await hub.message("msg-1", text=QUESTION, held="permission dialog")
    await hub.status("am_adam", messages={"waiting": 1, "failed": 0})
    badge = page.locator('[data-session="am_adam"] .badge.wait')
    await expect(badge).to_have_text("1 messages wait")
    await expect(badge).to_have_attribute("title", "1 message waits for Adam: permission dialog")
    await page.locator('[data-session="am_adam"] .row').click()
    await expect(page.locator("[data-line=waiting]")).to_contain_text("1 message waits for Adam: permission dialog")
    await page.locator("[data-line=waiting]").get_by_role("button", name="Show").click()
    await expect(page.locator('[data-message="msg-1"]')).to_be_visible()
    assert await page.get_by_label("Whose messages").input_value() == "am_adam"
    await hub.message("msg-1", state="acknowledged", tries=1, held="")
    await hub.status("am_adam", messages={"waiting": 0, "failed": 0})
    await expect(badge).to_have_count(0)
    await expect(page.locator("[data-line=waiting]")).to_have_count(0)


async def test_hostile_text_stays_text(hub: PageHub, open_page: OpenPage) -> None:
    await hub.message("msg-1", text=HOSTILE, from_name="<b>sky", reason=HOSTILE, reply=HOSTILE, state="failed")
    page = await open_page()
    await open_log(page)
    await page.locator('[data-message="msg-1"] .mrow').click()
    await expect(page.locator('[data-message="msg-1"] .steps')).to_be_visible()
    assert (await page.locator('[data-message="msg-1"] .mrow .words').text_content()) == shown(HOSTILE)
    assert await page.locator(".mlog img, .mlog script, .log img, .log script").count() == 0
    assert await page.evaluate("window.harmed") is None


async def test_a_long_message_is_shortened_until_it_is_opened(hub: PageHub, open_page: OpenPage) -> None:
    text = "A line of a long report.\n" * 800
    await hub.message("msg-1", text=text)
    page = await open_page()
    await expect(page.locator('.log [data-msg="msg-1"]')).to_contain_text("…")
    assert len(await page.locator('.log [data-msg="msg-1"]').inner_text()) < 800
    await open_log(page)
    words = page.locator('[data-message="msg-1"] .mrow .words')
    assert len((await words.text_content()) or "") == 241
    await page.locator('[data-message="msg-1"] .mrow').click()
    await expect(words).to_have_text(text.strip())


async def test_keys_open_and_close_the_log_and_give_the_focus_back(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.locator(".log").focus()
    await page.keyboard.press("l")
    heading = page.get_by_role("tabpanel", name="Messages")
    await expect(heading).to_be_focused()
    await page.keyboard.press("l")
    await expect(heading).to_have_count(0)
    await expect(page.locator(".log")).to_be_focused()
    await page.locator("[data-open=messages]").click()
    await expect(heading).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(heading).to_have_count(0)
    await expect(page.locator("[data-open=messages]")).to_be_focused()
    await page.keyboard.press("l")
    assert await heading.count() == 0, "a key that belongs to a button's focus is the button's"
    await page.locator("[data-open=messages]").click()
    await page.get_by_label("Search messages").fill("x")
    await page.keyboard.press("Escape")
    await expect(page.get_by_label("Search messages")).to_have_value("")
    await page.keyboard.press("Escape")
    await expect(heading).to_have_count(0)


async def test_back_closes_the_log_and_a_reload_keeps_it(hub: PageHub, open_page: OpenPage) -> None:
    hub.tiers = answer(CARD, ("tiny",))
    page = await open_page()
    await open_log(page)
    await page.reload()
    await page.locator(".mbox").wait_for()
    await page.locator("[data-open=settings]").click()
    await page.get_by_role("heading", name="Settings").wait_for()
    await page.keyboard.press("Escape")
    await page.locator(".mbox").wait_for()
    await page.go_back()
    await expect(page.locator(".mbox")).to_have_count(0)
    await page.locator(".dock").wait_for()


async def test_after_a_break_the_log_is_read_again(hub: PageHub, open_page: OpenPage) -> None:
    await hub.message("msg-1", text=QUESTION)
    page = await open_page()
    await open_log(page)
    hub.refuses = True
    await hub.drop()
    await page.locator(".linkline").get_by_text("Reconnecting").wait_for()
    await hub.message("msg-1", state="acknowledged", tries=1)
    await hub.message("msg-2", text="While nobody listened")
    hub.refuses = False
    await expect(page.locator('[data-message="msg-2"]')).to_be_visible(timeout=10000)
    await expect(page.locator('[data-message="msg-1"] .tag')).to_have_text("read")


async def test_memory_stays_bounded(hub: PageHub, open_page: OpenPage) -> None:
    """Thousands of messages pass by while the log is open; the page keeps the newest."""
    page = await open_page()
    await open_log(page)
    counts = await page.evaluate(
        """async (template) => {
          const store = await import('/static/store.js');
          const log = await import('/static/messages.js');
          const one = JSON.parse(template);
          for (let i = 0; i < 6000; i++) {
            const view = { ...one, id: `msg-${i}`, created: one.created + i, changed: one.changed + i };
            store.apply({ type: 'message', message: view });
            const line = { msg_id: `msg-${i}`, direction: 'out', peer: 'am_adam', peer_name: 'adam', text: 'x', re: '' };
            store.apply({ type: 'agent_message', n: 1000 + i, session_id: 'af_sky', ...line });
          }
          const { entries, more } = store.conversation('af_sky').value;
          const { ids } = log.list.value;
          const kept = store.messagesKept();
          return { listed: ids.length, newest: ids[0], entries: entries.length, last: entries.at(-1).n, more, kept };
        }""",
        json.dumps(message("msg")),
    )
    assert counts["newest"] == "msg-5999"
    assert counts["listed"] <= 500
    assert counts["entries"] <= 1500
    assert counts["last"] == 6999
    assert counts["more"] is True
    assert counts["kept"] <= 2000


@pytest.mark.parametrize("width", [320, 390, 720, 721, 860, 861, 1120, 1121, 1280])
async def test_the_log_fits_at_any_width(hub: PageHub, open_page: OpenPage, width: int) -> None:
    hub.sessions.append(session("am_adam", name="a-name-that-somebody-made-far-too-long-for-any-column"))
    long_name = "a-name-that-somebody-made-far-too-long-for-any-column"
    await hub.message("msg-1", text="word" * 200, to_name=long_name, state="failed", tries=4, reason="w" * 300)
    page = await open_page(viewport={"width": width, "height": 700})
    await open_log(page)
    await page.locator('[data-message="msg-1"] .mrow').click()
    await page.locator(".steps").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    inner = await page.locator(".mscroll").evaluate("n => [n.scrollWidth, n.clientWidth]")
    assert inner[0] == inner[1]
    box = await page.locator(".panel").bounding_box()
    assert box is not None
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    for selector in (".mic", ".voice", ".head .ibtn >> nth=-1"):
        inside = await page.locator(selector).bounding_box()
        hidden = not await page.locator(selector).is_visible()
        assert hidden or (inside is not None and inside["x"] + inside["width"] < box["x"]), f"{selector} is in reach"
    small = """() => [...document.querySelectorAll('button, select, input')].filter((node) => {
      const { width, height } = node.getBoundingClientRect();
      return node.checkVisibility({ visibilityProperty: true }) && (width < 24 || height < 24);
    }).map((node) => node.className || node.id)"""
    assert await page.evaluate(small) == []


async def test_on_a_phone_the_log_covers_the_page_and_shows_an_open_microphone(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    await page.locator(".mic").click()
    await hub.expect("mic_open")
    await mode(page, "listening")
    await page.locator("[data-open=messages]").click()
    await page.locator(".mbox").wait_for()
    assert await page.locator(".dock").is_hidden()
    await page.get_by_text("The microphone is on.").wait_for()
    await page.get_by_role("button", name="Back to the conversation").click()
    await page.locator(".dock[data-mode=listening]").wait_for()


async def test_a_message_is_written_to_one_agent_or_to_all(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("am_adam"))
    page = await open_page()
    await open_log(page)
    box = page.get_by_label("Message to everyone")
    await box.fill("Stand-up in ten minutes.")
    await box.press("Enter")
    row = page.locator("[data-batch]")
    await expect(row).to_contain_text("You to Everyone")
    await expect(box).to_have_value("")
    await page.get_by_label("To", exact=True).select_option(label="Adam")
    hub.refuses_message = {"code": "too_many", "text": "500 messages wait for Adam already.", "remedy": "Send it later."}
    box = page.get_by_label("Message to Adam")
    await box.fill("And you?")
    await page.get_by_role("button", name="Send to Adam").click()
    await expect(page.locator(".compose [role=alert]")).to_have_text("500 messages wait for Adam already. Send it later.")
    await expect(box).to_have_value("And you?")
    await box.press("Escape")
    await expect(box).to_be_visible()
    hub.refuses_message = {}
    await box.press("Enter")
    await expect(page.locator('[data-message="msg-3"]')).to_contain_text("You to Adam")
    sent = [body for method, path, body in hub.requests if (method, path) == ("POST", "/api/messages")]
    assert sent == [
        {"to": ["all"], "text": "Stand-up in ten minutes."},
        {"to": ["am_adam"], "text": "And you?"},
        {"to": ["am_adam"], "text": "And you?"},
    ]


async def test_what_went_to_everybody_is_one_row(hub: PageHub, open_page: OpenPage) -> None:
    to = [("am_adam", "adam"), ("af_nova", "nova"), ("am_echo", "echo")]
    hub.sessions += [session(voice) for voice, _ in to]
    await hub.message("msg-0", text="An older one")
    mine = {"from": "user", "from_name": "user", "text": "Stand-up in ten minutes.", "batch": "all-1"}
    for number, (voice, name) in enumerate(to, 1):
        await hub.message(f"msg-{number}", **mine, to=voice, to_name=name)
    page = await open_page()
    await open_log(page)
    await expect(page.locator(".mlog > li")).to_have_count(2)
    row = page.locator('[data-batch="all-1"]')
    tag = row.locator(".tag").first
    await expect(tag).to_have_text("waiting")
    for number, words in ((1, "read by 1 of 3"), (2, "read by 2 of 3"), (3, "read by 3")):
        await hub.message(f"msg-{number}", state="acknowledged", tries=1)
        await expect(tag).to_have_text(words)
    await row.locator(".mrow").click()
    await expect(row.locator(".each > li")).to_have_text(["Echo read", "Nova read", "Adam read"])
    await row.locator('[data-message="msg-2"] .mrow').click()
    await row.locator('[data-message="msg-2"] .steps').wait_for()
    await hub.message("msg-1", state="failed", tries=4)
    await expect(tag).to_have_text("read by 2, not delivered to 1")
    await page.get_by_label("Whose messages").select_option(label="Nova")
    await expect(page.locator('.mlog > [data-message="msg-2"]')).to_contain_text("You to Nova")
    await expect(page.locator(".mlog > li")).to_have_count(1)


async def test_a_long_log_answers_at_once(hub: PageHub, open_page: OpenPage) -> None:
    """Ten thousand messages: typing a search, and a change of a message in a list that is as long as it gets."""
    for number in range(10_000):
        view = message(f"msg-{number:05}", text=f"Number {number}", created=1_800_000_000.0 + number)
        hub.messages[view["id"]] = view
    page = await open_page()
    await open_log(page)
    for _ in range(9):
        before = await page.locator(".mlog > li").count()
        await page.locator(".mscroll").get_by_role("button", name="Show earlier").click()
        await expect(page.locator(".mlog > li")).to_have_count(before + 50)
    took = await page.evaluate(
        """async () => {
          const { apply, messageOf } = await import('/static/store.js');
          const row = document.querySelector('[data-message="msg-09700"] .tag');
          const times = [];
          for (const state of ['pending', 'acknowledged', 'responded']) {
            const before = row.textContent;
            const began = performance.now();
            const message = { ...messageOf('msg-09700').value, state, changed: began * 1e6 };
            apply({ type: 'message', message });
            while (row.textContent === before) await new Promise(requestAnimationFrame);
            times.push(performance.now() - began);
          }
          const scroller = document.querySelector('.mscroll');
          for (const top of [20000, 0, 9000]) {
            const began = performance.now();
            scroller.scrollTo(0, top);
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
            times.push(performance.now() - began);
          }
          const box = document.querySelector('.filter input');
          const began = performance.now();
          box.value = 'number 17';
          box.dispatchEvent(new Event('input', { bubbles: true }));
          while (document.querySelectorAll('.mlog > li').length !== 50) await new Promise(requestAnimationFrame);
          return [...times, performance.now() - began];
        }"""
    )
    # Seen with a load of five on two cores: 5 to 34 ms, and the search 206.
    assert max(took) < 600, took
