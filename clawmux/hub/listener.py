"""The user's turns on their way to words: one task a turn between the page's frames and the speech service.

Every sample of a turn is kept until its words are settled, so that a speech service that dies in the middle is given
the whole again, and a page that comes back may send everything anew: frames already here are recognised by number.
Decides nothing about whose words they are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from clawmux.hub.pages import Page
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.frames import MICROPHONE_RATE, Frame

log = logging.getLogger(__name__)

# Ten minutes of PCM16 at 16 kHz: 19 MB.
TURN_LIMIT_BYTES = 600 * MICROPHONE_RATE * 2
# An open microphone sends 31 frames a second. A page that sends none for this long will send no more; one whose network
# broke is known to be gone before (its heartbeat), and comes back with all of it.
NO_FRAMES_SECONDS = 30.0
# Besides as long as the turn itself: the slowest tier takes 6 s an utterance on two cores (measured). An engine that
# hangs behind a healthy service must not keep an agent waiting for ever.
WORDS_SECONDS = 60.0
PIECE_BYTES = 32000
TRIES = 3
# A service that died is noticed a moment after its connections broke; asked at once, it would seem to refuse us.
PAUSE_SECONDS = 0.5


class Listening(Protocol):
    async def send(self, pcm: bytes) -> None: ...
    async def end(self) -> None: ...
    def __aiter__(self) -> AsyncIterator[dict[str, Any]]: ...


class Ear(Protocol):
    """What the listener needs of the speech service."""

    def listen(
        self, language: str, mode: str, silence_seconds: float, quality: str
    ) -> AbstractAsyncContextManager[Listening]: ...


class Hearer(Protocol):
    """Who is told what a turn came to."""

    def speech_started(self, turn_id: str) -> None: ...
    def turn_closed(self, turn_id: str) -> None: ...
    def heard(self, turn_id: str, text: str, stt_ms: float) -> None: ...
    def turn_failed(self, turn_id: str, reason: str) -> None: ...


@dataclass(slots=True)
class LiveTurn:
    id: str
    session_id: str
    slot: int
    page: Page | None
    mode: str
    pcm: bytearray = field(default_factory=bytearray)
    next_seq: int = 0
    closed: bool = False
    """The page has sent everything."""
    ended: bool = False
    """The service has decided that the user has finished."""
    quiet: bool = False
    """Speech has stopped for as long as ends a turn, if it had words."""
    spoke_until_ms: float | None = None
    """Where in the turn speech stopped; None while it has not, or goes on."""
    has_words: bool = False
    review: bool = False
    """Its words go back to the page, for the user to send."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Listener:
    def __init__(
        self,
        ear: Ear,
        speech_ready: Callable[[], Awaitable[bool]],
        hearer: Hearer,
        wishes: Callable[[str], Awaitable[tuple[str, float, str]]],
        no_frames_seconds: float = NO_FRAMES_SECONDS,
        words_seconds: float = WORDS_SECONDS,
    ) -> None:
        self._no_frames_seconds = no_frames_seconds
        self._words_seconds = words_seconds
        self._ear = ear
        self._speech_ready = speech_ready
        self._hearer = hearer
        self._wishes = wishes
        """Language, silence_seconds and quality in force for a session; no quality: that of the service."""
        self._turns: dict[str, LiveTurn] = {}
        self._slots: dict[tuple[str, int], str] = {}
        """(client, slot) -> turn."""
        self.dropped_frames = 0
        self.last_work: tuple[float, float] | None = None
        """Milliseconds that the service took for the last words, and those of the sound they were in."""

    def __contains__(self, turn_id: str) -> bool:
        return turn_id in self._turns

    def open(self, turn_id: str, session_id: str, slot: int, page: Page, mode: str, review: bool = False) -> None:
        """A turn begins, or goes on from a page that came back."""
        turn = self._turns.get(turn_id)
        if turn is None:
            turn = LiveTurn(turn_id, session_id, slot, page, mode, review=review)
            self._turns[turn_id] = turn
            turn.task = asyncio.create_task(self._run(turn), name=f"turn {turn_id}")
        turn.page, turn.slot = page, slot
        turn.changed.set()
        self._slots[page.client, slot] = turn_id

    def feed(self, page: Page, frame: Frame) -> None:
        """Samples of a turn. Unknown slots and frames that are here already are counted and dropped."""
        turn = self._turns.get(self._slots.get((page.client, frame.slot), ""))
        if turn is None or turn.closed or turn.ended or frame.seq < turn.next_seq:
            self.dropped_frames += 1
            return
        if len(turn.pcm) + len(frame.payload) > TURN_LIMIT_BYTES:
            self._end(turn)
            return
        turn.next_seq = frame.seq + 1
        turn.pcm += frame.payload
        turn.changed.set()

    def feed_whole(self, turn_id: str, pcm: bytes) -> None:
        """A whole recording at once, from a client of the first protocol."""
        turn = self._turns[turn_id]
        turn.pcm += pcm[:TURN_LIMIT_BYTES]
        turn.closed = True
        turn.changed.set()

    def close(self, turn_id: str) -> None:
        """Nothing more comes; make words of what is here."""
        if (turn := self._turns.get(turn_id)) and not turn.closed:
            turn.closed = True
            turn.changed.set()
            self._hearer.turn_closed(turn_id)

    def pause_ms(self, turn_id: str) -> float:
        """How long nobody has spoken in it."""
        turn = self._turns.get(turn_id)
        if turn is None or turn.spoke_until_ms is None:
            return 0.0
        return len(turn.pcm) / (2 * MICROPHONE_RATE) * 1000 - turn.spoke_until_ms

    def drop(self, turn_id: str, why: str) -> None:
        """Its words are not wanted any more."""
        turn = self._forget(turn_id)
        if turn is None:
            return
        if turn.task is not None and turn.task is not asyncio.current_task():
            turn.task.cancel()
        if turn.page is not None:
            turn.page.send({"type": "turn_end", "turn": turn_id, "why": why})
            turn.page.send({"type": "turn_done", "turn": turn_id, "text": None, "reason": why})

    def is_reviewed(self, turn_id: str) -> bool:
        turn = self._turns.get(turn_id)
        return turn is not None and turn.review

    def settle(self, turn_id: str, text: str | None, reason: str = "", review: bool = False) -> None:
        """Its words are stored, or with ``review`` given back: the page may drop the recording."""
        turn = self._forget(turn_id)
        if turn is not None and turn.page is not None:
            given_back = {"review": True} if review else {}
            turn.page.send({"type": "turn_done", "turn": turn_id, "text": text, "reason": reason, **given_back})

    def page_changed(self, before: Page, after: Page | None) -> None:
        """Answers of its turns go to another connection, or to nobody until one comes."""
        for turn in self._turns.values():
            if turn.page is before:
                turn.page = after

    async def stop(self) -> None:
        tasks = [turn.task for turn in self._turns.values() if turn.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- inside --

    def _forget(self, turn_id: str) -> LiveTurn | None:
        turn = self._turns.pop(turn_id, None)
        for key in [key for key, value in self._slots.items() if value == turn_id]:
            del self._slots[key]
        return turn

    async def _run(self, turn: LiveTurn) -> None:
        """To the words, through as many speech services as it takes within reason."""
        reason = "The speech service is not available."
        for attempt in range(TRIES):
            if not await self._speech_ready():
                break
            try:
                if await self._listen(turn):
                    return
                reason = "The speech service ended without an answer."
            except ClawMuxError as error:
                reason = error.text
            except TimeoutError:
                reason = "Recognition took too long."
            except Exception:
                log.exception("turn %s failed", turn.id)
                reason = "Recognition failed."
            log.warning("turn %s, try %d: %s", turn.id, attempt + 1, reason)
            await asyncio.sleep(PAUSE_SECONDS)
        self._hearer.turn_failed(turn.id, reason)

    async def _listen(self, turn: LiveTurn) -> bool:
        """One connection to the service, given the turn from its first sample. True when it brought the words."""
        language, silence_seconds, quality = await self._wishes(turn.session_id)
        # The end that an earlier service decided stands, whatever a new one would say.
        mode = "manual" if turn.ended else turn.mode
        async with asyncio.timeout(None) as limit, self._ear.listen(language, mode, silence_seconds, quality) as listening:
            feeding = asyncio.create_task(self._feed_service(turn, listening, limit), name=f"feed {turn.id}")
            try:
                async for event in listening:
                    if self._take(turn, event):
                        return True
            finally:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
        return False

    async def _feed_service(self, turn: LiveTurn, listening: Listening, limit: asyncio.Timeout) -> None:
        """Every sample as it comes, then the end; from there on the words are awaited for a limited time."""
        at = 0
        while True:
            turn.changed.clear()
            while at < len(turn.pcm):
                piece = bytes(turn.pcm[at : at + PIECE_BYTES])
                await listening.send(piece)
                at += len(piece)
            if turn.closed or turn.ended:
                await listening.end()
                audio_seconds = len(turn.pcm) / (2 * MICROPHONE_RATE)
                limit.reschedule(asyncio.get_running_loop().time() + self._words_seconds + audio_seconds)
                return
            try:
                async with asyncio.timeout(self._no_frames_seconds):
                    await turn.changed.wait()
            except TimeoutError:
                # A page whose connection broke comes back with all of it; one that is here has forgotten its microphone.
                if turn.page is not None:
                    log.warning("turn %s: no frames any more; taken as its end", turn.id)
                    self._end(turn)

    def _take(self, turn: LiveTurn, event: dict[str, Any]) -> bool:
        """One event of the service. True when it was the last: the words."""
        kind = event.get("type")
        if kind == "speech_started":
            turn.quiet, turn.spoke_until_ms = False, None
            self._hearer.speech_started(turn.id)
            self._tell(turn, {"type": "vad", "turn": turn.id, "speaking": True})
        elif kind == "speech_ended":
            turn.quiet, turn.spoke_until_ms = True, float(event.get("at_ms", 0.0)) or None
            self._tell(turn, {"type": "vad", "turn": turn.id, "speaking": False})
        elif kind == "partial_text":
            turn.has_words = True
            self._tell(
                turn, {"type": "partial_text", "turn": turn.id, "text": event["text"], "stable": bool(event.get("stable"))}
            )
        elif kind == "error":
            raise ClawMuxError("speech_down", str(event.get("text")), str(event.get("remedy", "")))
        # A cough ends in silence too: only a stop after words ends the turn before the words are complete.
        if kind == "final_text" or (turn.quiet and turn.has_words and turn.mode != "manual"):
            self._end(turn)
        if kind == "final_text":
            self.last_work = float(event.get("stt_ms", 0.0)), float(event.get("audio_ms", 0.0))
            self._hearer.heard(turn.id, str(event["text"]).strip(), self.last_work[0])
        return kind == "final_text"

    def _end(self, turn: LiveTurn) -> None:
        """The user has finished: the page stops sending, the service is told so that it must answer."""
        if turn.ended or turn.closed:
            return
        turn.ended = True
        turn.changed.set()
        self._tell(turn, {"type": "turn_end", "turn": turn.id, "why": "endpoint"})
        self._hearer.turn_closed(turn.id)

    def _tell(self, turn: LiveTurn, message: dict[str, Any]) -> None:
        if turn.page is not None:
            turn.page.send(message)
