"""The listener alone: an ear without engines, a page that notes what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from clawmux.hub.listener import TURN_LIMIT_BYTES, Listener
from clawmux.hub.pages import Page
from clawmux.wire.frames import MICROPHONE, Frame


class Ear:
    """Answers ``end`` with fixed words, and nothing before."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.given = 0

    @asynccontextmanager
    async def listen(self, language: str, mode: str, silence_seconds: float, quality: str) -> AsyncIterator[Ear]:
        yield self

    async def send(self, pcm: bytes) -> None:
        self.given += len(pcm)

    async def end(self) -> None:
        self.ended.set()

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        await self.ended.wait()
        yield {"type": "final_text", "text": "yes"}


class Hearer:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.has_heard = asyncio.Event()

    def speech_started(self, turn_id: str) -> None: ...
    def turn_closed(self, turn_id: str) -> None:
        self.told.append("closed")

    def heard(self, turn_id: str, text: str, stt_ms: float) -> None:
        self.told.append(text)
        self.has_heard.set()

    def turn_failed(self, turn_id: str, reason: str) -> None:
        self.told.append(reason)
        self.has_heard.set()


class NotingPage:
    client = "page"

    def __init__(self) -> None:
        self.told: list[str] = []

    def send(self, message: dict[str, Any]) -> None:
        self.told.append(message["type"])


async def wishes(session_id: str) -> tuple[str, float, str]:
    return "en", 1.2, ""


def listening(no_frames_seconds: float = 60.0) -> tuple[Listener, Hearer, NotingPage, Ear]:
    async def is_ready() -> bool:
        return True

    ear, hearer = Ear(), Hearer()
    return Listener(ear, is_ready, hearer, wishes, no_frames_seconds), hearer, NotingPage(), ear


def open_turn(listener: Listener, page: NotingPage) -> None:
    listener.open("t1", "af_sky", 1, cast(Page, page), "manual")


def feed(listener: Listener, page: NotingPage, seq: int, size: int = 1024) -> None:
    listener.feed(cast(Page, page), Frame(MICROPHONE, 0, 1, seq, 0.0, bytes(size)))


async def test_a_microphone_that_sends_nothing_ends_its_turn() -> None:
    """Or it would keep all other agents silent for ever."""
    listener, hearer, page, _ = listening(0.05)
    open_turn(listener, page)
    feed(listener, page, 0)
    await asyncio.wait_for(hearer.has_heard.wait(), 5)
    assert hearer.told == ["closed", "yes"] and page.told == ["turn_end"]
    await listener.stop()


async def test_a_page_whose_connection_broke_may_stay_away_longer() -> None:
    listener, hearer, page, ear = listening(0.02)
    open_turn(listener, page)
    listener.page_changed(cast(Page, page), None)
    await asyncio.sleep(0.1)  # five times what a page that is there may take: nothing happens
    assert hearer.told == [] and not ear.ended.is_set()
    listener.close("t1")
    await asyncio.wait_for(hearer.has_heard.wait(), 5)
    await listener.stop()


async def test_a_turn_at_its_limit_tells_the_page_to_stop() -> None:
    listener, hearer, page, ear = listening()
    open_turn(listener, page)
    for seq in range(TURN_LIMIT_BYTES // 1_000_000 + 1):
        feed(listener, page, seq, 1_000_000)
    await asyncio.wait_for(hearer.has_heard.wait(), 5)
    assert page.told == ["turn_end"] and ear.given <= TURN_LIMIT_BYTES
    await listener.stop()


async def test_an_engine_that_hangs_ends_the_turn_with_a_reason() -> None:
    class DeafEar(Ear):
        async def end(self) -> None:
            pass

    async def is_ready() -> bool:
        return True

    hearer, page = Hearer(), NotingPage()
    listener = Listener(DeafEar(), is_ready, hearer, wishes, words_seconds=0.05)
    open_turn(listener, page)
    listener.close("t1")
    await asyncio.wait_for(hearer.has_heard.wait(), 10)
    assert hearer.told == ["closed", "Recognition took too long."]
    await listener.stop()
