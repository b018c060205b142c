"""The speaker alone: a voice of silence, a page that notes what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from clawmux.hub.pages import Page
from clawmux.hub.speaker import Speaker
from clawmux.hub.stream import Utterance
from clawmux.wire.frames import SPEECH_RATE

LONG_SECONDS = 20
"""More than the speaker sends ahead of the ear."""


class Voice:
    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def synthesize(self, text: str, voice: str, speed: float, format: str = "pcm") -> AsyncIterator[bytes]:
        if self._error is not None:
            raise self._error
        yield bytes(2 * LONG_SECONDS * SPEECH_RATE)


class NotingPage:
    classic = False
    marks = False

    def __init__(self) -> None:
        self.streams: dict[str, dict[str, Any]] = {}
        self.told: list[str] = []
        self.frames = 0
        self.got_all_it_may = asyncio.Event()

    def send(self, message: dict[str, Any]) -> None:
        self.told.append(message["type"])

    async def send_audio(self, frame: bytes) -> None:
        self.frames += 1
        if self.frames > 5 * 10:
            self.got_all_it_may.set()


class Outcome:
    def __init__(self) -> None:
        self.is_there = asyncio.Event()
        self.why = ""

    def spoken(self, _: str) -> None:
        self.is_there.set()

    def not_spoken(self, _: str, reason: str) -> None:
        self.why = reason
        self.is_there.set()


def speaking(page: NotingPage, voice: Voice, stalled_seconds: float = 60.0) -> tuple[Speaker, Outcome]:
    async def is_ready() -> bool:
        return True

    outcome = Outcome()
    speaker = Speaker(voice, is_ready, outcome.spoken, outcome.not_spoken, stalled_seconds)
    speaker.speak(UTTERANCE, cast(Page, page))
    return speaker, outcome


UTTERANCE = Utterance("q1", "af_sky", "Hello.", "af_sky", 1.0)


async def test_a_page_that_stops_playing_in_the_middle_is_not_waited_for() -> None:
    page = NotingPage()
    speaker, outcome = speaking(page, Voice(), 0.05)
    speaker.playback_started("q1")
    await asyncio.wait_for(outcome.is_there.wait(), 5)
    assert "stopped playing" in outcome.why
    assert page.told == ["speech_start", "speech_cancel"]


async def test_a_reloaded_page_whose_sound_is_locked_is_waited_for() -> None:
    page = NotingPage()
    speaker, outcome = speaking(page, Voice(), 0.05)
    speaker.playback_started("q1")
    reloaded = NotingPage()
    speaker.pause()
    speaker.speak(UTTERANCE, cast(Page, reloaded))
    await asyncio.wait_for(reloaded.got_all_it_may.wait(), 5)
    await asyncio.sleep(0.15)  # three times what it waits for otherwise: nothing happens
    assert not outcome.is_there.is_set()
    speaker.stop("q1", None)


async def test_a_page_that_went_on_playing_through_a_restart_of_the_hub_has_started() -> None:
    page = NotingPage()
    page.streams["q1"] = {"received": 0, "done": False}
    speaker, outcome = speaking(page, Voice(), 0.05)
    await asyncio.wait_for(page.got_all_it_may.wait(), 5)
    speaker.playback_progress("q1", 1000.0)
    await asyncio.wait_for(outcome.is_there.wait(), 5)
    assert "stopped playing" in outcome.why


async def test_a_voice_that_breaks_in_a_new_way_ends_the_sentence_with_a_reason() -> None:
    _, outcome = speaking(NotingPage(), Voice(RuntimeError("never seen before")))
    await asyncio.wait_for(outcome.is_there.wait(), 5)
    assert "sound" in outcome.why


async def test_a_stream_that_the_user_paused_is_waited_for() -> None:
    page = NotingPage()
    speaker, outcome = speaking(page, Voice(), 0.05)
    speaker.playback_started("q1")
    speaker.playback_paused("q1", True, 400.0)
    await asyncio.wait_for(page.got_all_it_may.wait(), 5)
    await asyncio.sleep(0.15)  # three times what it waits for otherwise: nothing happens
    assert not outcome.is_there.is_set()
    speaker.playback_paused("q1", False, 400.0)
    await asyncio.wait_for(outcome.is_there.wait(), 5)
    assert "stopped playing" in outcome.why, "it goes on, and its progress is waited for again"


async def test_a_page_that_wants_it_is_told_which_word_sounds() -> None:
    page = NotingPage()
    page.marks = True
    speaker, _ = speaking(page, Voice())
    await asyncio.wait_for(page.got_all_it_may.wait(), 5)
    assert page.told == ["speech_start", "speech_marks"]
    speaker.playback_progress("q1", 3000.0)
    heard = speaker.heard("q1")
    assert heard is not None
    says, marks, heard_seconds, whole_seconds = heard
    assert (says.text[marks[0].begin : marks[0].end], heard_seconds, whole_seconds) == ("Hello", 3.0, LONG_SECONDS)
    speaker.stop("q1", None)
    assert speaker.heard("q1") is None
