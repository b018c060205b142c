"""The settings about speech: measuring, voices, other servers, what projects set, replies for a screen reader."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.page_fixtures import OpenPage, OpenSettings, comes_true, furnish_speech
from tests.browser.test_page_settings import REASON, card, setting
from tests.stand_ins.machines import CARD
from tests.stand_ins.page_hub import PageHub, session

pytestmark = pytest.mark.browser
TONE = b"\x00\x10\x00\xf0" * 24000
FIGURES = {
    "delay_seconds": 0.42, "first_sound_seconds": 0.81, "hearing_factor": 0.1, "speaking_factor": 0.5,
    "memory_bytes": 600 << 20, "at": time.time(), "version": "0.1.0",
}  # fmt: skip


def asked(hub: PageHub, method: str, path: str) -> list[Any]:
    return [body for m, p, body in hub.requests if (m, p) == (method, path)]


# -- measuring --


async def test_the_quality_in_use_is_measured_with_its_progress(hub: PageHub, open_settings: OpenSettings) -> None:
    page = await open_settings()
    part = page.locator(".measure")
    await expect(card(page, "tiny")).to_contain_text("estimated")
    await expect(part).to_contain_text("Tiny was never measured here: its figures are estimates.")
    await page.get_by_role("button", name="Measure on this machine").press("Enter")
    await expect(part.locator("p")).to_have_text("Measuring Tiny: it speaks a sentence, 1 of 7. Best in silence.")
    await hub.speech_work.measuring("running", 3)
    await expect(part.locator("p")).to_contain_text("it understands a sentence, 4 of 7")
    await expect(part.get_by_role("progressbar", name="Measuring Tiny")).to_have_attribute("value", "3")
    tiny = hub.tiers["tiers"][-1]
    tiny.update(is_measured=True, measured=FIGURES, delay_seconds=0.42, memory_bytes=600 << 20)
    await hub.speech_work.measuring("done", 7)
    words = "Tiny, measured today: your words after 0.4 s, an answer's first sound after 0.8 s. It holds 600 MB of memory."
    await expect(part.locator("p")).to_have_text(words)
    await expect(part.get_by_role("status")).to_have_text(f"Measured. {words}")
    await expect(card(page, "tiny")).to_contain_text("0.4 s, measured")
    await expect(card(page, "low")).to_contain_text("estimated")


async def test_measuring_is_refused_stopped_and_stale_in_words(hub: PageHub, open_settings: OpenSettings) -> None:
    reason = "You are talking; measure it when that is over, because both would be slower."
    hub.refuses_speech = {"type": "error", "code": "conflict", "text": reason, "remedy": ""}
    page = await open_settings()
    part = page.locator(".measure")
    await page.get_by_role("button", name="Measure on this machine").click()
    await expect(part.get_by_role("status")).to_have_text(reason)
    hub.refuses_speech = {}
    await page.get_by_role("button", name="Measure on this machine").click()
    await page.get_by_role("button", name="Stop measuring").click()
    await hub.until(lambda: asked(hub, "DELETE", "/api/tiers/measure"))
    await expect(page.get_by_role("button", name="Measure on this machine")).to_be_focused()
    hub.tiers["tiers"][-1]["stale"] = "this machine has changed since it was measured"
    await hub.speech_work.measuring("stopped", 2, "Stopped, because you began to talk.")
    await expect(part.locator("p")).to_have_text("Stopped, because you began to talk.")
    await page.reload()
    await expect(part.locator("p")).to_have_text("Tiny has to be measured anew: this machine has changed since it was measured.")
    await expect(card(page, "tiny")).to_contain_text("estimated")


async def test_a_failure_stands_on_its_card_on_every_page_and_is_tried_again(hub: PageHub, open_settings: OpenSettings) -> None:
    page = await open_settings()
    await card(page, "low").click()
    await page.locator("[data-do=use]").click()
    await hub.speech(wanted="tiny", reason=REASON)
    await expect(card(page, "low").locator(".failed")).to_have_text(f"Could not be used: {REASON}.")
    await page.get_by_role("button", name="Try again").click()
    await hub.until(lambda: asked(hub, "PUT", "/api/settings") == [{"speech.quality": "low"}] * 2)
    # Who comes later is told by the hub.
    hub.tiers["failed"] = "low"
    await hub.speech(wanted="tiny", reason=REASON)
    await page.reload()
    await expect(card(page, "low").locator(".failed")).to_have_text(f"Could not be used: {REASON}.")
    await expect(page.locator(".told")).to_contain_text("Tiny is in use")


# -- voices --


def voice(page: Page, name: str) -> Any:
    return page.locator(f'[data-voice="{name}"] button')


async def test_a_voice_is_tried_here_one_at_a_time_and_stopped(hub: PageHub, open_settings: OpenSettings) -> None:
    page = await open_settings()
    await voice(page, "am_adam").click()
    await expect(voice(page, "am_adam")).to_have_accessible_name("Stop Adam, male")
    started = await hub.expect("playback_started")
    assert started["stream"].startswith("preview-") and hub.owner in hub.sockets
    await expect(page.locator(".ongoing")).to_be_empty()
    await voice(page, "af_nova").press("Enter")
    await expect(voice(page, "af_nova")).to_have_accessible_name("Stop Nova, female")
    await expect(voice(page, "am_adam")).to_have_accessible_name("Preview Adam, male")
    await voice(page, "af_nova").press("Enter")
    await expect(voice(page, "af_nova")).to_have_accessible_name("Preview Nova, female")
    done = await hub.expect("playback_done", 2)
    assert done["why"] == "interrupted" and len(asked(hub, "POST", "/api/voices/af_nova/preview")) == 1


async def test_a_preview_ends_by_itself_and_with_the_settings(hub: PageHub, open_settings: OpenSettings) -> None:
    page = await open_settings()
    await voice(page, "am_adam").click()
    ended = await hub.expect("playback_done")
    assert ended["why"] == "ended" and 1900 <= ended["ms"] <= 2100
    await expect(voice(page, "am_adam")).to_have_accessible_name("Preview Adam, male")
    await voice(page, "am_adam").click()
    await hub.expect("playback_started", 2)
    await page.get_by_role("button", name="Back to the conversation").click()
    assert (await hub.expect("playback_done", 2))["why"] == "interrupted"


async def test_an_agent_that_begins_to_speak_ends_the_preview(hub: PageHub, open_settings: OpenSettings) -> None:
    page = await open_settings()
    await voice(page, "am_adam").click()
    await hub.expect("playback_started")
    stream = await hub.say("af_sky", "I have a question.", TONE)
    done = await hub.expect("playback_done")
    assert done["stream"].startswith("preview-") and done["why"] == "interrupted"
    assert (await hub.expect(lambda m: m["type"] == "playback_done" and m["stream"] == stream))["why"] == "ended"
    await expect(voice(page, "am_adam")).to_have_accessible_name("Preview Adam, male")


async def test_voices_are_chosen_for_new_agents_and_for_each_one(hub: PageHub, open_settings: OpenSettings) -> None:
    hub.refuses_speech = {"type": "error", "code": "conflict", "text": "An agent is speaking.", "remedy": "Try the voice later."}
    page = await open_settings()
    await page.get_by_label("Voice of a new agent").select_option(label="Fable")
    await hub.until(lambda: asked(hub, "PUT", "/api/settings") == [{"agents.voice": "bm_fable"}])
    await page.get_by_label("Voice of Sky").select_option(label="Nova")
    await hub.until(lambda: asked(hub, "PUT", "/api/sessions/af_sky/voice") == [{"voice": "af_nova"}])
    await expect(voice(page, "af_nova")).to_contain_text("of Sky")
    await voice(page, "am_adam").click()
    await expect(page.locator(".voices").get_by_role("alert")).to_have_text("An agent is speaking. Try the voice later.")


# -- other servers, projects --


async def test_a_server_is_tried_before_its_address_is_saved(hub: PageHub, open_settings: OpenSettings) -> None:
    page = await open_settings()
    await page.locator("[data-part=servers] > summary").click()
    row = setting(page, "speech.kokoro_url")
    button = page.get_by_role("button", name="Test: Server that speaks")
    await expect(button).to_be_disabled()
    await page.get_by_label("Server that speaks", exact=True).fill("http://studio:7788")
    await button.focus()
    await page.keyboard.press("Enter")
    words = "It answers in 3 ms. It spoke a word, and is ClawMux 0.1.0. That took 412 ms. Models: whisper-small, kokoro."
    await expect(row.locator(".servertest [role=status]")).to_have_text(words)
    await hub.until(lambda: asked(hub, "POST", "/api/speech/test"))
    assert asked(hub, "POST", "/api/speech/test") == [{"name": "speech.kokoro_url", "url": "http://studio:7788"}]
    hub.inspected = {**hub.inspected, "ok": False, "text": "It asks for a token, and none is set.", "remedy": "Name a file."}
    await button.click()
    await expect(row.locator(".servertest .bad")).to_have_text("It asks for a token, and none is set. Name a file.")
    await page.get_by_label("Server that speaks", exact=True).fill("http://studio:7789")
    await expect(row.locator(".servertest [role=status]")).to_be_empty()


async def test_what_a_project_sets_for_its_agent_stands_at_the_setting(hub: PageHub, open_settings: OpenSettings) -> None:
    hub.sessions.append(session("am_adam", dir="/home/ann/web"))
    values = {"speech.speed": 1.5, "speech.quality": "low", "speech.language": "de"}
    hub.projects = [{"session_id": "af_sky", "file": "/home/ann/billing-api/clawmux.toml", "values": values, "notes": []}]
    page = await open_settings()
    words = "For Sky, the project billing-api sets"
    await expect(setting(page, "speech.speed").locator(".override")).to_have_text(f"{words} 1.5.")
    await expect(setting(page, "speech.language").locator(".override")).to_have_text(f"{words} German.")
    await expect(page.locator(".quality .override")).to_have_text(f"{words} Low.")
    await expect(page.locator(".override")).to_have_count(3)


async def test_no_word_on_the_page_needs_an_insider(hub: PageHub, open_settings: OpenSettings) -> None:
    page = await open_settings()
    await page.locator("[data-part=servers] > summary").click()
    text = await page.locator(".sets").inner_text()
    for word in ("ISO", "Runtime", "runtime", "bearer", "session", "loopback", "base URL", "sha1", "NaN", "undefined", "null"):
        assert word not in text, word
    assert await page.get_by_label("Program of a new agent").locator("option").all_inner_texts() == [
        "Claude Code, not installed",
        "Demo agent",
    ]


# -- a screen reader instead of the voice --


async def test_replies_are_announced_and_not_played_where_a_screen_reader_reads(hub: PageHub, open_page: OpenPage) -> None:
    furnish_speech(hub, CARD)
    page = await open_page()
    await page.locator("[data-open=settings]").click()
    await page.get_by_role("switch", name="Screen reader announces replies instead of voice").click()
    await page.reload()
    await comes_true(page, "__clawmux_test.events.some(e => e.type === 'session_list')")
    said = "I have **fixed** it in `app.py`:\n\n```python\nrun()\n```\n\n- [all](https://x.example) tests pass"
    stream = await hub.say("af_sky", said, TONE, question=True)
    region = page.get_by_role("log", name="Replies")
    await expect(region).to_have_attribute("aria-live", "polite")
    await expect(region).to_have_text("Sky asks: I have fixed it in app.py:\nCode: run()\nall tests pass")
    done = await hub.expect("playback_done")
    assert (done["stream"], done["why"]) == (stream, "ended")
    # The microphone would hear the screen reader: it waits for a tap.
    await hub.send({"type": "listening", "session_id": "af_sky", "auto": True})
    await hub.say("af_sky", "And <b>this</b> too.")
    await expect(region.locator("p").last).to_have_text("Sky: And <b>this</b> too.")
    assert hub.all("mic_open") == [] and hub.all("playback_started") == []
    await page.get_by_role("button", name="Back to the conversation").click()
    await expect(page.locator("#log")).to_contain_text("all tests pass")
