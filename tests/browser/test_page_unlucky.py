"""What befalls people who do nothing wrong: storage that is refused, a login that ends in mid-sentence, too many words."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, WebSocketRoute, expect

from tests.browser.page_fixtures import OpenPage, comes_true, mode
from tests.stand_ins.page_hub import PageHub, doing, session

pytestmark = pytest.mark.browser

REFUSED = """for (const name of ['localStorage', 'sessionStorage'])
  Object.defineProperty(globalThis, name, { get() { throw new DOMException('refused', 'SecurityError'); } });"""
FULL = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
SPOILT = """for (const name of ['switches', 'options', 'terminal']) localStorage.setItem(`clawmux.${name}`, '{"speed": "fa');
sessionStorage.setItem('clawmux.texts', '{}');"""


@pytest.mark.parametrize("storage", [REFUSED, FULL, SPOILT], ids=["refused", "full", "spoilt"])
async def test_without_a_memory_the_page_works(hub: PageHub, open_page: OpenPage, storage: str) -> None:
    page = await open_page(init_script=storage)
    await page.locator("#typebox").fill("hello")
    await page.keyboard.press("Enter")
    assert (await hub.expect("text"))["text"] == "hello"
    await page.locator(".mute").click()
    await mode(page, "muted")


async def test_who_is_put_out_in_mid_sentence_is_heard_no_more(hub: PageHub, open_page: OpenPage) -> None:
    media = "const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);\n"
    media += "navigator.mediaDevices.getUserMedia = async (wish) => (globalThis.media = await get(wish));"
    page = await open_page(init_script=media)
    await page.locator(".mic").click()
    await mode(page, "listening")
    assert await page.evaluate("media.getTracks()[0].readyState") == "live"
    hub.cookies.clear()
    await hub.drop()
    await page.get_by_text("Run clawmux open").wait_for()
    await comes_true(page, "media.getTracks().every(({ readyState }) => readyState === 'ended')")


async def test_an_agent_that_ends_while_its_end_is_asked_about_leaves_the_keys_alone(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("bm_fable", dir="/tmp"))
    page = await open_page()
    row = page.locator('[data-session="bm_fable"]')
    await row.hover()
    await row.locator(".close").click()
    await page.locator("dialog").wait_for()
    hub.sessions.pop()
    await hub.send({"type": "session_terminated", "session_id": "bm_fable", "reason": "It was closed in a shell."})
    await page.locator("dialog").wait_for(state="detached")
    await page.locator("#log").focus()
    await page.keyboard.press(",")
    await expect(page.locator("#settings, .sets").first).to_be_visible()


async def test_more_words_than_the_hub_takes_stay_in_the_box(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    words = "word " * 40_000
    await page.locator("#typebox").fill(words)
    await page.keyboard.press("Enter")
    await expect(page.locator(".now")).to_contain_text("too long")
    assert await page.locator("#typebox").input_value() == words
    assert await page.locator(".msg.pending").count() == 0 and hub.all("text") == []
    await page.locator("#typebox").fill("short")
    await page.keyboard.press("Enter")
    assert (await hub.expect("text"))["text"] == "short"


async def test_a_file_dropped_beside_its_aim_does_not_replace_the_page(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    dropped = """(selector) => {
      const data = new DataTransfer();
      data.items.add(new File(['x'], 'x.html', { type: 'text/html' }));
      const options = { dataTransfer: data, bubbles: true, cancelable: true };
      return ['dragover', 'drop'].map((kind) => {
        const event = new DragEvent(kind, options);
        document.querySelector(selector).dispatchEvent(event);
        return event.defaultPrevented;
      });
    }"""
    for selector in (".log", "#typebox", "body"):
        assert await page.evaluate(dropped, selector) == [True, True], selector


async def test_the_enter_that_ends_a_composition_sends_nothing(hub: PageHub, open_page: OpenPage) -> None:
    """Safari ends the composition before it tells of the key, and tells it as key 229."""
    page = await open_page()
    await page.locator("#typebox").fill("にほん")
    for composing, code in ((True, 13), (False, 229)):
        await page.evaluate(
            """([isComposing, keyCode]) => document.getElementById('typebox').dispatchEvent(
              new KeyboardEvent('keydown', { key: 'Enter', isComposing, keyCode, bubbles: true, cancelable: true }))""",
            [composing, code],
        )
    assert await page.locator("#typebox").input_value() == "にほん"
    await page.keyboard.press("Enter")
    assert (await hub.expect("text"))["text"] == "にほん"
    assert len(hub.all("text")) == 1


async def test_sound_whose_parts_could_not_be_fetched_is_tried_again(hub: PageHub, open_page: OpenPage) -> None:
    """A hub that restarts at the very moment of the first tap."""
    restarting = """const add = AudioWorklet.prototype.addModule; globalThis.isDown = true;
    AudioWorklet.prototype.addModule = function (...to) {
      return globalThis.isDown ? Promise.reject(new DOMException('could not load', 'AbortError')) : add.apply(this, to);
    };"""
    page = await open_page(init_script=restarting, unlock=False)
    await page.locator(".mic").click()
    await mode(page, "blocked")
    await page.evaluate("globalThis.isDown = false")
    await page.locator(".mic").click()
    await mode(page, "listening")
    await page.keyboard.press("Escape")
    await hub.say("af_sky", "Hello there", b"\1\2" * 24000)
    await hub.expect("playback_started")


async def test_a_hub_that_takes_the_call_and_says_nothing_is_called_again(hub: PageHub, browser: Browser) -> None:
    calls: list[WebSocketRoute] = []

    async def answer(call: WebSocketRoute) -> None:
        calls.append(call)
        if len(calls) > 1:
            call.connect_to_server()

    page = await browser.new_page()
    await page.route_web_socket("**/ws", answer)
    await page.add_init_script("const now = performance.now.bind(performance); performance.now = () => now() * 20;")
    await page.goto(hub.url)
    await page.locator(".dock").wait_for()
    assert len(calls) == 2


async def test_a_flood_of_messages_leaves_the_page_usable(hub: PageHub, open_page: OpenPage) -> None:
    """Drawn one by one they would hold it up for minutes."""
    page = await open_page()
    for number in range(4000):
        await hub.say("af_sky", f"Number {number} of many")
    await page.locator(".mute").click(timeout=20000)
    await page.get_by_text("Number 3999 of many").wait_for(timeout=20000)
    shown = await page.locator(".msg.bot .md").all_inner_texts()
    assert shown == [f"Number {number} of many" for number in range(4000 - len(shown), 4000)]


WORD = "Donaudampfschifffahrtsgesellschaft" * 40
# A desk, a phone, that phone on its side, and a desk at a zoom of 400 %.
WINDOWS = ((1280, 800), (390, 844), (844, 390), (320, 256))


async def test_the_microphone_and_the_decision_stay_on_the_screen_whatever_is_said(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions[0].update(dir=f"/tmp/{WORD}", report={"text": WORD, "at": 1})
    page = await open_page()
    await hub.send({"type": "notice", "session_id": None, "level": "warn", "text": WORD, "remedy": WORD})
    permission = {"request": "r", "tool": WORD[:200], "text": WORD, "decidable": True}
    await hub.status("af_sky", permission=permission, doing=doing("needs_you", kind="permission", detail=WORD))
    await page.locator("[data-do=approve]").wait_for()
    await page.locator("[data-banner=notice]").wait_for()
    for width, height in WINDOWS:
        await page.set_viewport_size({"width": width, "height": height})
        if height > 330:
            await expect(page.locator(".mic")).to_be_in_viewport(ratio=0.99)
        await page.locator("[data-do=approve]").scroll_into_view_if_needed()
        await expect(page.locator("[data-do=approve]")).to_be_in_viewport(ratio=0.99)
        await page.locator(".mic").scroll_into_view_if_needed()
        await expect(page.locator(".mic")).to_be_in_viewport(ratio=0.99)
        assert await page.evaluate("document.documentElement.scrollWidth") == width
    await page.set_viewport_size({"width": 1280, "height": 800})
    name = await page.locator("[data-session=af_sky] .nm b").evaluate("name => name.scrollWidth - name.clientWidth")
    assert name <= 0, "the name of the agent is cut for the sake of its folder"


async def test_what_is_being_written_outlives_a_reload(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("bm_fable"))
    page = await open_page()
    await page.locator("#typebox").fill("half a thought")
    await page.locator("[data-session=bm_fable] .row").click()
    await page.locator("#typebox").fill("another one")
    await page.reload()
    await page.locator("[data-session=bm_fable] .row").click()
    await expect(page.locator("#typebox")).to_have_value("another one")
    await page.locator("[data-session=af_sky] .row").click()
    await expect(page.locator("#typebox")).to_have_value("half a thought")
    await page.keyboard.press("t")
    await page.keyboard.press("Enter")
    assert (await hub.expect("text"))["text"] == "half a thought"
    await page.reload()
    await page.locator("[data-session=bm_fable] .row").click()
    await page.locator("[data-session=af_sky] .row").click()
    await expect(page.locator("#typebox")).to_have_value("")


async def test_what_was_meant_for_an_agent_is_not_left_to_the_next_of_its_name(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.locator("#typebox").fill("only for you")
    await hub.send({"type": "session_terminated", "session_id": "af_sky", "n": 7, "reason": "", "ts": 1.0})
    await page.locator("#typebox").wait_for(state="detached")
    hub.sessions[0] = {**hub.sessions[0], "first_n": 8}
    await hub.status("af_sky")
    await expect(page.locator("#typebox")).to_have_value("")


async def test_the_whole_conversation_is_printed(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    for number in range(60):
        await hub.say("af_sky", f"Answer {number}\n\nwith a second paragraph")
    await page.get_by_text("Answer 59").wait_for()
    await page.emulate_media(media="print")
    await expect(page.locator(".dock")).to_be_hidden()
    height = await page.evaluate("document.documentElement.scrollHeight")
    assert height > 60 * 60, "only the window would be printed"


async def test_a_letter_that_stands_everywhere_is_searched_for(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    for _ in range(150):
        await hub.say("af_sky", "e " * 2900)
    await expect(page.locator(".msg.bot")).to_have_count(150, timeout=20000)
    await page.locator("[data-open=more]").click()
    await page.locator("[data-do=find]").click()
    await page.locator(".find input").fill("e")
    await expect(page.locator(".find .count")).to_have_text("1 of 150", timeout=15000)
    await page.locator(".find input").press("Enter")
    await expect(page.locator(".find .count")).to_have_text("2 of 150", timeout=15000)
    assert 0 < await page.evaluate("CSS.highlights.get('found-now').size + CSS.highlights.get('found').size") <= 3000


async def test_words_that_another_page_sent_in_vain_are_no_news_here(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await hub.send({"type": "text_ack", "id": "of-another-page", "state": "refused", "reason": "Sky takes no words now"})
    await hub.send({"type": "notice", "session_id": None, "level": "info", "text": "The next thing"})
    await page.get_by_text("The next thing").first.wait_for()
    assert "takes no words" not in await page.locator(".now").inner_text()
