"""GET /v1/listen: the WebSocket that takes PCM16 at 16 kHz and answers where speech begins and ends, and its words.

Joins the pure ear to the engines. Beginning recognition at the first pause hides its time in the wait for the end.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from clawmux.adapters.speech import ear
from clawmux.adapters.speech.audio import LISTEN_RATE, Samples, from_pcm16
from clawmux.adapters.speech.engines import Engines
from clawmux.adapters.speech.local import log, safe_trace
from clawmux.adapters.speech.transcript import Transcript
from clawmux.adapters.speech.vad import THRESHOLD, Silero, SileroStream
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Tier

FRAME_BYTES = 64 * 1024
# aiohttp closes the socket without a word above its own limit; ours, below it, names the fault.
_HARD_BYTES = 4 * FRAME_BYTES
_TEXT_CHARACTERS = 4096
# Sound that may pile up while a turn is recognised: a minute, then the sender waits.
_BACKLOG_BYTES = 60 * LISTEN_RATE * 2
HEARTBEAT_SECONDS = 20.0
START_SECONDS = 10.0
# In manual mode the user says where speech is, so that soft speech counts too.
MANUAL_THRESHOLD = 0.35


@dataclass(frozen=True, slots=True)
class Start:
    language: str | None = "en"
    mode: str = "auto"
    silence_seconds: float = 1.2
    partials: bool = True
    quality: str = ""
    """Of the recognition, where it is to be another one than the service's own."""


def read_start(message: dict[str, Any]) -> Start:
    """Pure; raises ``usage`` naming the field."""
    known = {"type", "language", "mode", "silence_seconds", "partials", "quality"}
    if message.get("type") != "start":
        raise _wrong("type", message.get("type"), "start, as the first message")
    if unknown := sorted(set(message) - known):
        raise ClawMuxError(
            "usage", f"start: unknown field {unknown[0][:40]!r}; known are {', '.join(sorted(known))}.", "See the protocol page."
        )
    language, mode = message.get("language", "en"), message.get("mode", "auto")
    silence, partials = message.get("silence_seconds", 1.2), message.get("partials", True)
    if mode not in ("auto", "manual", "interrupt"):
        raise _wrong("mode", mode, "auto, manual or interrupt")
    if (
        isinstance(silence, bool)
        or not isinstance(silence, int | float)
        or not (math.isfinite(silence) and 0.5 <= silence <= 3.0)
    ):
        raise _wrong("silence_seconds", silence, "a number from 0.5 to 3")
    if not isinstance(partials, bool):
        raise _wrong("partials", partials, "true or false")
    quality = message.get("quality", "")
    if quality not in ("", *Tier):
        raise _wrong("quality", quality, f"one of {', '.join(Tier)}")
    return Start(check_language(language), mode, float(silence), partials, quality)


def check_language(language: Any) -> str | None:
    """ISO 639 code in lower case, its region dropped; None to detect it."""
    if language in (None, "", "auto"):
        return None
    code = language.split("-")[0].split("_")[0].lower() if isinstance(language, str) else ""
    if not (code.isascii() and code.isalpha() and 2 <= len(code) <= 3):
        raise _wrong("language", language, "an ISO 639-1 code such as en, or auto")
    return code


def _wrong(field: str, value: Any, expected: str) -> ClawMuxError:
    return ClawMuxError("usage", f"{field} = {str(value)[:40]!r}: {expected} expected.", "See the protocol page.")


async def serve_listening(request: web.Request, engines: Engines) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=_HARD_BYTES, heartbeat=HEARTBEAT_SECONDS, compress=False)
    await socket.prepare(request)
    try:
        try:
            await _Session(socket, engines).run()
        except ClawMuxError as error:
            await socket.send_json(error.to_wire())
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # The boundary of one socket: its neighbours go on.
            log.error("listening failed: %s", safe_trace(error))
            await socket.send_json(ClawMuxError("internal", "listening failed; the speech log says where.").to_wire())
    except ConnectionError:
        pass  # The client has gone; there is nobody to tell.
    await socket.close(code=WSCloseCode.OK)
    return socket


class _Gone(Exception):
    """The client sent cancel, or left."""


class _Session:
    """One listening, from start to its final text."""

    def __init__(self, socket: web.WebSocketResponse, engines: Engines) -> None:
        self._socket = socket
        self._engines = engines
        self._inbox = _Inbox()
        self._start: Start
        self._transcript: Transcript

    async def run(self) -> None:
        try:
            self._start = read_start(await self._first())
            self._transcript = Transcript(self._hear, self._show if self._start.partials else None)
            await self._engines.check_hearing(self._start.language, self._start.quality)
            vad = await self._engines.ear()
            await self._socket.send_json({"type": "ready"})
            await self._until_first(self._read(), self._listen(vad))
        except _Gone:
            pass

    async def _until_first(self, *parts: Coroutine[Any, Any, None]) -> None:
        """Runs them side by side until one ends or fails; that one's error is the result."""
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in reversed(tasks):
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._transcript.close()

    async def _hear(self, samples: Samples) -> str:
        threshold = MANUAL_THRESHOLD if self._start.mode == "manual" else THRESHOLD
        start = self._start
        return (await self._engines.transcribe(samples, start.language, threshold=threshold, quality=start.quality)).text

    async def _show(self, text: str, stable: int) -> None:
        await self._socket.send_json({"type": "partial_text", "text": text, "stable": stable})

    async def _first(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(START_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise ClawMuxError(
                "timeout", f"no start message within {START_SECONDS:.0f} seconds.", 'Send {"type": "start"} first.'
            ) from None
        if isinstance(message, bytes):
            raise _wrong("first message", "binary", "JSON with type start")
        return message

    async def _receive(self) -> dict[str, Any] | bytes:
        message = await self._socket.receive()
        if message.type is WSMsgType.BINARY:
            return check_frame(message.data)
        if message.type is WSMsgType.TEXT:
            return read_json(message.data)
        raise _Gone

    async def _read(self) -> None:
        while True:
            message = await self._receive()
            if isinstance(message, dict) and read_command(message) == "cancel":
                raise _Gone
            await self._inbox.put(message if isinstance(message, bytes) else None)

    async def _listen(self, vad: Silero) -> None:
        mode = self._start.mode
        stream, listener = SileroStream(vad), ear.Ear(mode != "manual", self._start.silence_seconds, mode == "interrupt")
        while True:
            frame = await self._inbox.take()
            samples = from_pcm16(frame or b"")
            effects = listener.feed(samples, stream.feed(samples) if frame else stream.finish())
            if frame is None:
                effects += listener.finish()
            for effect in effects:
                if isinstance(effect, ear.Turn):
                    if await self._finish(effect, was_told=frame is None):
                        return
                else:
                    await self._perform(effect)

    async def _perform(self, effect: ear.Effect) -> None:
        match effect:
            case ear.Began(at_ms):
                await self._socket.send_json({"type": "speech_started", "at_ms": at_ms})
            case ear.Stopped(at_ms):
                await self._socket.send_json({"type": "speech_ended", "at_ms": at_ms})
            case ear.Glimpse(samples):
                # Behind the stream already, or the engine is at work: what is only shown can be left out.
                if self._inbox.is_empty and self._engines.has_time_for_partials():
                    self._transcript.glimpse(samples)
            case ear.Guess(samples, until):
                self._transcript.guess(samples, until)
            case ear.Settle():
                self._transcript.settle()
            case ear.Drop():
                self._transcript.drop()

    async def _finish(self, turn: ear.Turn, was_told: bool) -> bool:
        """Send the turn's words. False when it was only noise: listening goes on."""
        started = time.monotonic()
        text = await self._transcript.final(turn)
        if not text and not was_told and self._start.mode == "auto":
            return False
        stt_ms = round((time.monotonic() - started) * 1000)
        await self._socket.send_json({"type": "final_text", "text": text, "audio_ms": turn.audio_ms, "stt_ms": stt_ms})
        return True


class _Inbox:
    """Frames between reader and listener, bounded by their bytes: a full one makes the sender wait. None is ``end``."""

    def __init__(self) -> None:
        self._frames: deque[bytes | None] = deque()
        self._bytes = 0
        self._changed = asyncio.Condition()

    @property
    def is_empty(self) -> bool:
        return not self._frames

    async def put(self, frame: bytes | None) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._bytes < _BACKLOG_BYTES)
            self._frames.append(frame)
            self._bytes += len(frame or b"")
            self._changed.notify_all()

    async def take(self) -> bytes | None:
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._frames))
            frame = self._frames.popleft()
            self._bytes -= len(frame or b"")
            self._changed.notify_all()
            return frame


# --- pure ---------------------------------------------------------------------------------------


def check_frame(data: bytes) -> bytes:
    if len(data) > FRAME_BYTES:
        raise ClawMuxError(
            "too_large", f"a binary message of {len(data)} bytes; the limit is {FRAME_BYTES}.", "Send shorter frames."
        )
    if len(data) % 2:
        raise ClawMuxError(
            "usage",
            f"a binary message of {len(data)} bytes: an odd byte count; PCM16 samples are 2 bytes.",
            "Send whole samples.",
        )
    return data


def read_json(data: str) -> dict[str, Any]:
    if len(data) > _TEXT_CHARACTERS:
        raise ClawMuxError(
            "too_large",
            f"a text message of {len(data)} characters; the limit is {_TEXT_CHARACTERS}.",
            "Sound goes in binary messages.",
        )
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        raise ClawMuxError("usage", "a text message that is not JSON.", "See the protocol page.") from None
    if not isinstance(message, dict):
        raise ClawMuxError(
            "usage", f"a text message that is a JSON {type(message).__name__}; an object was expected.", "See the protocol page."
        )
    return message


def read_command(message: dict[str, Any]) -> str:
    if message.get("type") not in ("end", "cancel"):
        raise _wrong("type", message.get("type"), "end or cancel, or binary sound")
    return str(message["type"])
