"""Speech on its way to the page: one stream a question, resumable. Carries; decides nothing about the floor.

A stream's samples are kept until it has been heard, so that a page that lost its connection goes on where it was and
one that was reloaded goes on at the last reported position. After a restart of the hub the same text is spoken again
and the samples that the page already holds are left out: the question is heard once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from clawmux.core.marks import Mark
from clawmux.hub.pages import Page
from clawmux.hub.spoken import marks_of, to_wire
from clawmux.hub.stream import Stream, Utterance
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.frames import FIRST, LAST, SPEECH, SPEECH_RATE, Frame, encode_frame

log = logging.getLogger(__name__)

# 100 ms a frame: two hundred bytes of header a second, and a first frame long enough for the page's 60 ms prebuffer.
FRAME_BYTES = 4800
# How far ahead of what the user hears we send: enough for a stall of the network, little enough to stop at once.
AHEAD_SECONDS = 5.0
DONE_GRACE_SECONDS = 5.0
# A page that plays reports four times a second. One whose network broke is known to be gone before this (its heartbeat).
STALLED_SECONDS = 30.0
TRIES = 3
# A day of speech; a page that claims to hold more is not ours.
SAMPLES_LIMIT = 86400 * SPEECH_RATE
# As in the listener: a service that died is noticed a moment after its connections broke.
PAUSE_SECONDS = 0.5
REPLAY_MARK = "~"
"""Between the id of an entry and the number of its replay."""


class Voice(Protocol):
    """What the speaker needs of the speech service."""

    def synthesize(self, text: str, voice: str, speed: float, format: str = "pcm") -> AsyncIterator[bytes]: ...


class Speaker:
    def __init__(
        self,
        voice: Voice,
        speech_ready: Callable[[], Awaitable[bool]],
        on_spoken: Callable[[str], None],
        on_not_spoken: Callable[[str, str], None],
        stalled_seconds: float = STALLED_SECONDS,
    ) -> None:
        self._stalled_seconds = stalled_seconds
        self._voice = voice
        self._speech_ready = speech_ready
        self._on_spoken = on_spoken
        self._on_not_spoken = on_not_spoken
        self._streams: dict[str, Stream] = {}
        self._slots = 0
        self.on_started: Callable[[str], None] = lambda stream_id: None
        """The first sound of a stream has left the page."""
        self.last_work: tuple[float, float] | None = None
        """Milliseconds that the service took for the last text, and those of the sound it made of it."""

    # -- from the runtime --

    def speak(self, says: Utterance, page: Page) -> None:
        """Start the stream, or go on with it on this page."""
        held = page.streams.pop(says.id, None)
        if held and held.get("done"):
            self.stop(says.id, None)
            self._on_spoken(says.id)
            return
        stream = self._streams.get(says.id)
        if stream is None:
            self._slots = self._slots % 65535 + 1
            stream = Stream(says, self._slots, marks=marks_of(says.text, says.voice))
            self._streams[says.id] = stream
            stream.making = asyncio.create_task(self._make(stream), name=f"speak {says.id}")
        if held is None:
            # New to this page, whose sound may be locked again after a reload.
            stream.started = False
        offset = _samples(held) if held else stream.played
        # What the page holds was sent to it in step with its ear, perhaps before a restart of the hub: it need not say so again.
        stream.played = max(stream.played, offset - round(AHEAD_SECONDS * SPEECH_RATE))
        if stream.sending is not None:
            stream.sending.cancel()
        carry = self._carry_classic if page.classic else self._carry
        stream.sending = asyncio.create_task(carry(stream, page, offset), name=f"carry {says.id}")

    def pause(self) -> None:
        """The page is gone: keep the samples, stop sending."""
        for stream in self._streams.values():
            if stream.sending is not None:
                stream.sending.cancel()
                stream.sending = None

    def stop(self, stream_id: str, page: Page | None, why: str = "") -> None:
        """Drop the stream; tell the page to fall silent when it is to be told."""
        stream = self._streams.pop(stream_id, None)
        if stream is None:
            return
        stream.grew.set()
        for task in (stream.making, stream.sending):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        if page is not None and why:
            page.send({"type": "speech_cancel", "stream": stream_id, "why": why})

    # -- from the page --

    def playback_started(self, stream_id: str) -> None:
        if stream := self._streams.get(stream_id):
            stream.started = True
            stream.grew.set()
            self.on_started(stream_id)

    def playback_progress(self, stream_id: str, ms: float) -> None:
        if stream := self._streams.get(stream_id):
            heard = min(max(ms * SPEECH_RATE / 1000, 0.0), stream.samples)
            stream.played = max(stream.played, round(heard))
            stream.started = True
            stream.grew.set()

    def playback_paused(self, stream_id: str, on: bool, ms: float) -> None:
        """It stands still by the user's wish, as long as they like; or it goes on."""
        self.playback_progress(stream_id, ms)
        if stream := self._streams.get(stream_id):
            stream.started = not on
            stream.grew.set()

    def playback_done(self, stream_id: str) -> None:
        """Heard to the end. Anything but the first of a stream changes nothing."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        self.stop(stream_id, None)
        if stream.failed:
            self._on_not_spoken(stream_id, f"Only its beginning could be spoken. {stream.failed}")
        else:
            self._on_spoken(stream_id)

    def playback_failed(self, stream_id: str, reason: str) -> None:
        if stream_id in self._streams:
            self.stop(stream_id, None)
            self._on_not_spoken(stream_id, reason)

    def heard(self, stream_id: str) -> tuple[Utterance, list[Mark], float, float] | None:
        """Of a stream that is under way: what it says, when its words sound, seconds heard, seconds of the whole."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return None
        return stream.says, stream.marked, stream.played / SPEECH_RATE, max(stream.est_ms / 1000, stream.samples / SPEECH_RATE)

    async def begun(self, stream_id: str) -> str:
        """Once it has sound: nothing; else why it gets none."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return "It was stopped."
        await stream.until(lambda: bool(stream.pcm) or stream.complete or stream_id not in self._streams)
        return "" if stream.pcm else stream.failed or "It was stopped."

    @property
    def is_at_work(self) -> bool:
        """Speech is being made, or sent to a page."""
        tasks = [task for stream in self._streams.values() for task in (stream.making, stream.sending)]
        return any(task is not None and not task.done() for task in tasks)

    # -- inside --

    def _sound(self, says: Utterance, format: str = "pcm") -> AsyncIterator[bytes]:
        return self._voice.synthesize(says.text, says.voice, says.speed, format)

    async def _make(self, stream: Stream) -> None:
        """Fill the stream. A service that dies in the middle is asked again for the whole; what we have is skipped."""
        for attempt in range(TRIES):
            try:
                if not await self._speech_ready():
                    stream.failed = "The speech service is not available."
                    break
                have, began = len(stream.pcm), time.monotonic()
                async for chunk in self._sound(stream.says):
                    skipped = min(have, len(chunk))
                    have -= skipped
                    stream.pcm += chunk[skipped:]
                    self._mark(stream, complete=False)
                    stream.grew.set()
                self.last_work = (time.monotonic() - began) * 1000, stream.samples / SPEECH_RATE * 1000
                break
            except ClawMuxError as error:
                log.warning("speaking %s, try %d: %s", stream.id, attempt + 1, error.text)
                stream.failed = error.text if error.code == "speech_down" and attempt + 1 == TRIES else ""
                if error.code != "speech_down":
                    stream.failed = error.text
                    break
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:
                # Whatever it was, those who wait for the end of this sentence must not wait for ever.
                log.exception("speaking %s failed", stream.id)
                stream.failed = "It could not be made into sound."
                break
        stream.complete = True
        self._mark(stream, complete=True)
        stream.grew.set()
        if stream.failed or not stream.pcm:
            self._gave_up(stream)

    @staticmethod
    def _mark(stream: Stream, complete: bool) -> None:
        if stream.marks is None:
            return
        try:
            stream.marked += stream.marks.feed(stream.pcm, complete)
        except Exception:
            log.exception("the words of %s are not marked", stream.id)
            stream.marks = None

    def _gave_up(self, stream: Stream) -> None:
        """With nothing made, the text alone must do. With some of it made, that much is played first."""
        stream.failed = stream.failed or "There was nothing to speak in it."
        if not stream.pcm and self._streams.get(stream.id) is stream:
            self.stop(stream.id, None)
            self._on_not_spoken(stream.id, stream.failed)

    async def _carry(self, stream: Stream, page: Page, offset: int) -> None:
        """Send frames from ``offset`` on, never far ahead of the user's ear, then wait for the end of playback."""
        await stream.until(lambda: bool(stream.pcm) or stream.complete)
        page.send(
            {
                "type": "speech_start", "session_id": stream.says.session_id,
                "msg_id": stream.id.partition(REPLAY_MARK)[0], "stream": stream.id,
                "slot": stream.slot, "text": stream.says.text, "rate": SPEECH_RATE, "est_ms": stream.est_ms, "offset": offset,
            }
        )  # fmt: skip
        at, seq, told = offset * 2, offset * 2 // FRAME_BYTES, 0
        while True:
            await stream.until(lambda at=at: len(stream.pcm) - at >= FRAME_BYTES or stream.complete)  # type: ignore[misc]
            while at / 2 > stream.played + AHEAD_SECONDS * SPEECH_RATE:
                if not await self._plays_on(stream, self._stalled_seconds):
                    self._stalled(stream, page)
                    return
            if page.marks and told < len(stream.marked):
                words = to_wire(stream.says.text, stream.marked[told:])
                page.send({"type": "speech_marks", "stream": stream.id, "words": words})
                told = len(stream.marked)
            piece = bytes(stream.pcm[at : at + FRAME_BYTES])
            last = stream.complete and at + len(piece) >= len(stream.pcm)
            flags = (FIRST if seq == 0 else 0) | (LAST if last else 0)
            await page.send_audio(encode_frame(Frame(SPEECH, flags, stream.slot, seq, time.monotonic() * 1000, piece)))
            at, seq = at + len(piece), seq + 1
            if last:
                break
        page.send({"type": "speech_end", "stream": stream.id, "samples": stream.samples})
        await self._await_done(stream)

    async def _await_done(self, stream: Stream) -> None:
        """The page says when it is heard. One that started to play and then says nothing more is not waited for."""
        while self._streams.get(stream.id) is stream:
            if await self._plays_on(stream, (stream.samples - stream.played) / SPEECH_RATE + DONE_GRACE_SECONDS):
                continue
            log.warning("no playback_done for %s; going on", stream.id)
            self.playback_done(stream.id)

    async def _plays_on(self, stream: Stream, seconds: float) -> bool:
        """Whether the user hears more of it within that time, or lets it stand still.

        A page whose sound is locked until the user touches it has not started: that may take as long as it takes.
        """
        await stream.until(lambda: stream.started)
        before = stream.played
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stream.until(lambda: stream.played > before or not stream.started)
                return True
        return False

    def _stalled(self, stream: Stream, page: Page) -> None:
        """The page is there and stands still in the middle: the others have waited long enough."""
        log.warning("the page stopped playing %s; going on", stream.id)
        self.stop(stream.id, page, "timeout")
        self._on_not_spoken(stream.id, "The page stopped playing it.")

    async def _carry_classic(self, stream: Stream, page: Page, offset: int) -> None:
        """The first protocol: the whole as one base64 MP3, then playback_done."""
        try:
            parts = [part async for part in self._sound(stream.says, "mp3")]
        except ClawMuxError as error:
            self.playback_failed(stream.id, error.text)
            return
        data = b64encode(b"".join(parts)).decode("ascii")
        page.send({"type": "audio", "session_id": stream.says.session_id, "stream": stream.id, "data": data})
        await stream.until(lambda: stream.complete)
        stream.started = True
        await self._await_done(stream)


def _samples(held: dict[str, object]) -> int:
    received = held.get("received")
    return received if isinstance(received, int) and 0 <= received <= SAMPLES_LIMIT else 0
