"""The voice loop in Firefox and in WebKitGTK with nothing but real parts: hub, engines, a room of sound, human speech."""

from __future__ import annotations

import pytest

from clawmux.wire.frames import SPEECH_RATE
from tests import sound
from tests.browser.other.world import World, alike
from tests.live_hub import said

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
    await world.say("Front_Center")
    await page.click(".mic")
    told = await said(asking)
    words, note = told.out.splitlines()
    # The last of the agent's voice may still be in the room.
    assert sound.word_error_rate(sound.WORDS["Front_Center"], words) <= 0.5, words
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
