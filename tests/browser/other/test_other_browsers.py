"""Firefox and WebKitGTK with nothing but real parts: hub, engines, a room of sound, human speech, agents in tmux.

A smaller set than Chromium's: what differs between engines is sound, keys, focus, policies, and how a page is drawn.
"""

from __future__ import annotations

import pytest

from clawmux.wire.frames import SPEECH_RATE
from tests import sound
from tests.browser.other.world import World, alike
from tests.browser.page_fixtures import OUTPUT
from tests.browser.test_page_history import NUMBERS
from tests.browser.test_page_markdown import HOSTILE, ODD
from tests.live_hub import LiveHub, said
from tests.stand_ins.page_hub import PageHub

pytestmark = [pytest.mark.browser, pytest.mark.speech, pytest.mark.asyncio(loop_scope="module")]

# Whether talking interrupts, and what the line over the microphone offers. WebKitGTK cancels no echo.
TALK_IN = {"firefox": "falls silent when you talk", "webkitgtk": "the microphone hears the loudspeaker"}
OFFERED = {"firefox": "Tap or talk to interrupt", "webkitgtk": "Tap to interrupt"}
LONG = (
    "The job timed out on the tax lookup, because the retry loop has no upper bound. "
    "So a single slow response blocked the whole batch, and nothing after it was sent. "
)
QUESTION = "The tests pass now. What shall I do next?"


async def test_the_agent_is_heard_and_reads_what_was_said(world: World) -> None:
    sky = await world.agent()
    await world.enter(sky)
    async with world.room.listens(world.folder / "heard") as heard:
        asking = await world.hub.client(sky, "converse", QUESTION)
        await world.speaks()
        await world.mode("listening")
    await world.say("go-forward")
    told = await said(asking)
    assert told.code == 0, told
    assert sound.word_error_rate(sound.WORDS["go-forward"], told.out) <= 0.2, told.out
    await world.page.until("document.querySelectorAll('.msg.user').length === 1")
    (done,) = await world.said("playback_done")
    assert done["why"] == "ended"
    if world.page.name == "firefox":
        assert not await world.page.evaluate("watched.askedLatency"), "it may stand still for ever when it is asked"

    source = await world.source()
    bus, began, rate = await world.tapped()
    match = sound.find(sound.resample(source, SPEECH_RATE, rate), bus)
    (told_done,) = await world.page.events("playback_done")
    late = told_done["clock"] - (began + match.begin / rate + len(source) / SPEECH_RATE)
    loudspeaker = alike(sound.resample(source, SPEECH_RATE, heard.rate), heard.samples(), heard.rate)
    (frame,), (start,) = await world.page.events("first_frame"), await world.page.events("playback_started")
    print(
        f"{world.page.name}: playing {start['at_ms'] - frame['at_ms']:.0f} ms after the first frame;"
        f" playback_done {1000 * late:.1f} ms after the last sample;"
        f" bus {match.score:.4f}, loudspeaker {loudspeaker:.4f}; {told.out!r}"
    )
    assert match.score >= 0.99, match
    assert loudspeaker >= 0.95
    # What reports no latency is taken for 40 ms; a busy machine takes its time.
    assert 0 <= late <= 0.2


async def test_it_is_interrupted_by_the_microphone_and_by_escape_and_by_itself_never(world: World) -> None:
    """A loudspeaker beside the microphone: whether talking interrupts is decided by what is heard, not by what is promised."""
    sky = await world.agent()
    await world.enter(sky)
    page = world.page
    await page.click(".mic")
    await world.mode("listening")
    await page.press("Escape")
    await world.mode("idle")
    assert await page.evaluate("watched.track.getSettings().echoCancellation") is True, "that is what is promised"

    asking = await world.hub.client(sky, "converse", LONG)
    await world.speaks()
    await page.click("[data-open=talk-options]")
    await page.says("#opt-talk_in-words", TALK_IN[page.name])
    await page.press("Escape")
    await page.says(".now-line", OFFERED[page.name])
    await page.click(".mic")
    await world.mode("listening")
    await world.say("go-forward")
    await page.click(".mic")
    told = await said(asking)
    words, note = told.out.splitlines()
    # The last of the agent's voice may still be in the room.
    assert sound.word_error_rate(sound.WORDS["go-forward"], words) <= 0.5, words
    assert "interrupted you after" in note

    asking = await world.hub.client(sky, "converse", LONG)
    await world.speaks(2)
    await page.press("a")  # or the microphone would open by itself
    await page.press("Escape")
    await world.mode("idle")
    await page.key_down(" ")
    await world.mode("listening")
    await world.say("Front_Left")
    await page.key_up(" ")
    told = await said(asking)
    assert sound.word_error_rate(sound.WORDS["Front_Left"], told.out.splitlines()[0]) <= 0.5, told
    assert [done["why"] for done in await world.said("playback_done")] == ["interrupted", "interrupted"]
    assert [opened["why"] for opened in await world.said("mic_open") if opened["why"] != "overheard"] == ["tap", "barge", "hold"]
    await page.press("a")
    print(f"{page.name}: {words!r}; {note}")


async def test_keys_reach_everything(world: World) -> None:
    await world.enter(await world.agent())
    page = world.page
    await page.press("Shift+?")
    await page.says("dialog", "Space")
    await page.press("Escape")
    await page.until("!document.querySelector('dialog')")
    await page.press(",")
    await page.until("document.querySelectorAll('#settings .tier').length === 4")
    await page.wait_for("#settings .row2")
    await page.press("Escape")
    await page.wait_for(".dock")
    for key, tab, body in (("l", "messages", ".mbox"), ("d", "changes", ".cbox"), ("b", "debug", ".facts2")):
        await page.press(key)
        await page.until(f"document.getElementById('tab-{tab}')?.ariaSelected === 'true'")
        await page.wait_for(body)
    await page.press("Escape")
    await page.until("!document.querySelector('.panel')")
    await page.press("m")
    await page.wait_for(".dock[data-mode=muted]")
    await page.press("m")
    await page.wait_for(".dock[data-mode=idle]")
    await page.press("t")
    await page.type("m l")
    assert await page.evaluate("document.getElementById('typebox').value") == "m l"
    assert await page.count(".dock[data-mode=idle]") == 1 and await page.count(".panel") == 0
    for _ in "m l":  # what is left there is kept for the agent
        await page.press("Backspace")


async def test_a_typed_answer_and_another_agent(world: World) -> None:
    sky, adam = await world.agent(voice="af_sky"), await world.agent(voice="am_adam")
    await world.enter(sky)
    page = world.page
    asking = await world.hub.client(sky, "converse", "Which one?")
    await world.speaks()
    await page.press("t")
    await page.type("The 2nd, please")
    await page.press("Enter")
    told = await said(asking)
    assert (told.code, told.out.splitlines()[0]) == (0, "The 2nd, please"), told
    await page.says(".msg.user", "The 2nd, please")
    await page.click(f'[data-session="{adam}"] .row')
    await page.says(".head h1", "Adam")
    assert await page.count(".msg.user") == 0
    await page.press("1")
    await page.says(".head h1", "Sky")
    await page.says(".msg.user", "The 2nd, please")


async def test_the_terminal_shows_the_pane_and_types_into_it(world: World) -> None:
    await world.enter(await world.agent("plain"))
    page = world.page
    await page.press("`")
    await page.wait_for(".termbox[data-state=open]", 20)
    await page.click("[data-do=keyboard]")
    await page.wait_for(".termbox[data-mine]")
    await page.type("echo ty''ped")
    await page.press("Enter")
    await page.says(".xterm-rows", "typed")
    await page.press("Control+Shift+Escape")
    await page.until("document.activeElement.matches('[data-do=keyboard]')")
    await page.press("Escape")
    await page.until("!document.querySelector('.termbox')")
    assert await page.count(".termbox") == 0


async def test_each_event_comes_once_when_the_hub_goes_and_comes(world: World) -> None:
    async with LiveHub("none") as hub:
        sky = await hub.spawn()
        await world.enter(sky, hub)
        words = [f"Fresh words number {number}" for number in range(3)]
        await hub.run(sky, "converse", "--no-listen", words[0])
        await hub.stop()
        await hub.start()
        await hub.run(sky, "converse", "--no-listen", words[1])
        await world.page.says("#log", words[1], 30)
        await hub.kill()
        await hub.start()
        await hub.run(sky, "converse", "--no-listen", words[2])
        await world.page.says("#log", words[2], 30)
        shown = await world.page.evaluate(
            "[...document.querySelectorAll('#log .msg.bot .md')].map((text) => text.innerText.trim())"
        )
        assert shown == words
        numbers = await world.page.evaluate(f"({NUMBERS})(document.getElementById('log'))")
        assert numbers == sorted(set(numbers)), "each once, in order"
        await world.page.open("about:blank")


async def test_nothing_that_an_agent_writes_is_more_than_text(world: World) -> None:
    page = world.page
    async with PageHub() as hub:
        await page.open(hub.url)
        await page.wait_for(".dock")
        for words in HOSTILE.values():
            await hub.say("af_sky", words)
            await hub.send({"type": "user_text", "session_id": "af_sky", "msg_id": "u", "text": words, "via": "voice"})
        await page.until(f"document.querySelectorAll('.msg.bot').length === {len(HOSTILE)}")
        assert await page.evaluate("window.evil") is None
        assert await page.evaluate(f"[...document.querySelectorAll('.msg')].flatMap({ODD})") == []
        await page.open("about:blank")


# What a person sees of controls whose look is the engine's own business.
LOOK = """(() => {
  const box = (selector) => document.querySelector(selector).getBoundingClientRect().toJSON();
  return { wide: document.documentElement.scrollWidth, button: box("[data-open=more]"), menu: box("#more"), mic: box(".mic"),
    track: getComputedStyle(document.getElementById("log")).scrollbarColor };
})()"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)], ids=["desktop", "phone"])
async def test_how_it_looks(world: World, width: int, height: int) -> None:
    page = world.page
    folder = OUTPUT / "screens"
    folder.mkdir(parents=True, exist_ok=True)
    async with PageHub() as hub:
        await page.resize(width, height)
        await page.open(hub.url)
        await page.click("[data-open=more]")
        await page.wait_for("#more:popover-open")
        look = await page.evaluate(LOOK)
        for theme in ("light", "dark"):
            await page.evaluate(f"document.documentElement.style.colorScheme = '{theme}'")
            await page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {})))")
            await page.screenshot(folder / f"{page.name}-{'desktop' if width > 720 else 'phone'}-{theme}.png")
        await page.open("about:blank")
        await page.resize(1280, 800)
    assert look["wide"] == width
    assert page.name != "firefox" or look["track"].endswith("rgba(0, 0, 0, 0)"), "no white track"
    assert look["mic"]["width"] == look["mic"]["height"]
    assert look["menu"]["right"] <= width and abs(look["menu"]["right"] - look["button"]["right"]) <= 12
    assert 0 <= look["menu"]["top"] - look["button"]["bottom"] <= 12, "under its button"
