"""Both halves of speech as the endpoints use them: which engine answers, loading when its files appear, falling back.

Local engines load in their own threads after the port is open. Remote ones come first where a URL is set; the local
one, when installed, is loaded at the first failure of the remote one.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawmux.adapters.speech.audio import Samples
from clawmux.adapters.speech.choice import Choice, Recogniser, Speaker, is_same, load_recogniser, load_speaker, plain
from clawmux.adapters.speech.local import INSTALL, Local, ModelFiles, log, safe_trace, why
from clawmux.adapters.speech.remote import Remote
from clawmux.adapters.speech.sentences import Piece
from clawmux.adapters.speech.vad import Silero
from clawmux.adapters.speech.voices import Voice
from clawmux.adapters.speech.whisper import Span, find_speech
from clawmux.adapters.speech.worker import Worker
from clawmux.tiers import Engine
from clawmux.wire.errors import ClawMuxError

PROBE_AGAIN_SECONDS = 10.0
# A partial text may not keep the final one waiting: dearer recognitions are not begun for it.
PARTIAL_COST_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Config:
    quality: str = "tiny"
    whisper_url: str = ""
    kokoro_url: str = ""
    remote_token: str = ""


@dataclass(frozen=True, slots=True)
class Loaders:
    """What makes the engines; blocking, called in their threads."""

    recogniser: Callable[[Path, Engine, int], Recogniser] = load_recogniser
    speaker: Callable[[Path, Path, Engine], Speaker] = load_speaker
    ear: Callable[[], Silero] = Silero
    choose: Callable[[str], Choice] | None = None
    """Looks at the machine, blocking, before anything is loaded; None: the engines of any machine's processor."""


@dataclass(frozen=True, slots=True)
class Heard:
    text: str
    spans: tuple[tuple[float, float, str], ...]
    """Start and end in seconds, and the words, of each stretch of speech."""


class Engines:
    """Both halves and the ear."""

    def __init__(self, config: Config, files: ModelFiles, loaders: Loaders | None = None) -> None:
        self._files = files
        self._loaders = loaders or Loaders()
        self.quality = config.quality
        self.vad: Silero | None = None
        self._vad_error = ""
        self._beam = 5 if config.quality in ("high", "medium") else 1
        self.stt: Local[Recogniser] = Local("recognise", [], files, self._load_recogniser)
        self.tts: Local[Speaker] = Local("speak", ["voices"], files, self._load_speaker)
        self.decoding = Worker("speech-decode")
        self.remote_stt = Remote(config.whisper_url, "stt", config.remote_token) if config.whisper_url else None
        self.remote_tts = Remote(config.kokoro_url, "tts", config.remote_token) if config.kokoro_url else None
        self._further: dict[str, Local[Recogniser]] = {}
        """Recognisers of other qualities that were asked for by name; they stay."""
        self._multilingual: Recogniser | None = None
        self._other_languages: tuple[Engine, ...] = ()
        self._cost_seconds = 0.0
        self._recognitions = 0
        self._vad_loaded: asyncio.Task[None] | None = None
        self._probes: dict[str, tuple[float, asyncio.Task[None]]] = {}

    def _load_recogniser(self, engine: Engine) -> Recogniser:
        path = self._files.path(engine.model)
        assert path is not None
        return self._loaders.recogniser(path, engine, self._beam)

    def _load_speaker(self, engine: Engine) -> Speaker:
        model, voices = self._files.path(engine.model), self._files.path("voices")
        assert model is not None and voices is not None
        return self._loaders.speaker(model, voices, engine)

    def start(self) -> None:
        """Begin to load; returns at once."""
        self._vad_loaded = asyncio.create_task(self._load_vad())
        if self._loaders.choose is None:
            self._take(plain(self.quality))
        else:
            choosing = asyncio.create_task(self._choose(self._loaders.choose))
            self.stt.choosing = self.tts.choosing = choosing
        self.look()

    async def _choose(self, choose: Callable[[str], Choice]) -> None:
        self.stt.reason = "looking at the machine"
        try:
            self._take(await self.tts.worker.run(lambda: choose(self.quality)))
        except Exception as error:  # The boundary of one look: speech on the processor needs nothing of it.
            log.error("looking at the machine failed: %s", safe_trace(error))
            self._take(plain(self.quality))
        self.look()

    def _take(self, choice: Choice) -> None:
        self.stt.candidates, self.tts.candidates = choice.recognisers, choice.speakers
        self._other_languages = choice.other_languages

    def look(self) -> None:
        for local, remote in ((self.stt, self.remote_stt), (self.tts, self.remote_tts)):
            if remote is None or remote.breaker.reason:
                local.look()
            if remote is not None:
                self._probe(remote)

    async def _load_vad(self) -> None:
        try:
            self.vad = await self.stt.worker.run(self._loaders.ear)
        except Exception as error:  # The boundary of one engine.
            self._vad_error = error.text if isinstance(error, ClawMuxError) else why("silero_vad_v6", error)
            log.error("loading the VAD failed: %s", safe_trace(error))

    def _probe(self, remote: Remote) -> None:
        at, task = self._probes.get(remote.shown_url, (-PROBE_AGAIN_SECONDS, None))
        now = time.monotonic()
        if now - at >= PROBE_AGAIN_SECONDS and (task is None or task.done()) and remote.breaker.allows(now):
            self._probes[remote.shown_url] = (now, asyncio.create_task(remote.probe()))

    async def close(self) -> None:
        tasks = [task for _, task in self._probes.values()]
        tasks += [task for task in (self._vad_loaded, self.stt.choosing) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for part in (self.stt, self.tts, self.remote_stt, self.remote_tts, *self._further.values()):
            if part is not None:
                await part.close()

    @property
    def is_busy(self) -> bool:
        return not (self.stt.worker.is_free and self.tts.worker.is_free and self.decoding.is_free)

    async def ear(self) -> Silero:
        """The VAD; raises ``speech_down``."""
        if self._vad_loaded:
            await asyncio.wait([self._vad_loaded])
        if self.vad is None:
            raise ClawMuxError("speech_down", f"Speech has no ear: {self._vad_error}.", INSTALL)
        return self.vad

    # --- recognition ----------------------------------------------------------------------------

    async def check_hearing(self, language: str | None, quality: str = "") -> None:
        """Raises at once what ``transcribe`` would raise after the user has spoken."""
        await self.ear()
        if self.remote_stt is None or not self.remote_stt.breaker.allows(time.monotonic()):
            await self._recogniser(language, quality)

    def has_time_for_partials(self) -> bool:
        is_free = self._recognitions == 0 and self.tts.worker.is_free
        return is_free and self.remote_stt is None and self._cost_seconds <= PARTIAL_COST_SECONDS

    async def transcribe(
        self, samples: Samples, language: str | None, prompt: str = "", threshold: float = 0.5, quality: str = ""
    ) -> Heard:
        """The words in the sound; none when the VAD finds no speech. ``quality``: by another recogniser than the usual one."""
        vad = await self.ear()
        self._recognitions += 1
        try:
            spans = await self.stt.worker.run(lambda: find_speech(vad, samples, threshold))
            found = [(span.start_seconds, span.end_seconds, await self._hear(span, language, prompt, quality)) for span in spans]
        finally:
            self._recognitions -= 1
        said = tuple(row for row in found if row[2])
        return Heard(" ".join(text for _, _, text in said), said)

    async def _hear(self, span: Span, language: str | None, prompt: str, quality: str) -> str:
        if self.remote_stt and self.remote_stt.breaker.allows(time.monotonic()):
            try:
                return await self.remote_stt.transcribe(span.samples, language, prompt)
            except ClawMuxError as error:
                log.warning("%s", error.text)
        engine = await self._recogniser(language, quality)
        try:
            return await self.stt.worker.run(lambda: self._timed(engine, span, language, prompt))
        except (RuntimeError, MemoryError, OSError) as error:
            if not self._give_up(engine, error):
                raise
        engine = await self._recogniser(language, quality)
        return await self.stt.worker.run(lambda: self._timed(engine, span, language, prompt))

    def _give_up(self, engine: Recogniser, error: Exception) -> bool:
        """Whether another engine takes over from a card that is full or gone."""
        if engine is self._multilingual:
            return False
        local = next((local for local in self._further.values() if local.holds(engine)), self.stt)
        may = local.give_up(engine, _why_lost(error))
        if may:
            self._multilingual = None
            gc.collect()  # its memory goes with the last reference, some of which are held in circles
        return may

    def _timed(self, engine: Recogniser, span: Span, language: str | None, prompt: str) -> str:
        started = time.monotonic()
        text = engine.transcribe(span.samples, language, prompt)
        self._cost_seconds = 0.5 * (self._cost_seconds + time.monotonic() - started)
        return text

    async def _recogniser(self, language: str | None, quality: str) -> Recogniser:
        try:
            engine = await self._of_quality(quality) or await self.stt.use()
        except ClawMuxError as error:
            raise _with_reason(error, self.remote_stt) from None
        if not engine.is_english_only or language in (None, "en"):
            return engine
        if self._multilingual is None:
            other = next((other for other in self._other_languages if self._files.path(other.model)), None)
            if other is None:
                raise ClawMuxError(
                    "speech_down",
                    f"language: {engine.name} understands English only, not {language!r}.",
                    "Run: clawmux models pull --set low",
                )
            self._multilingual = await self.stt.worker.run(lambda: self._load_recogniser(other))
        return self._multilingual

    async def _of_quality(self, quality: str) -> Recogniser | None:
        """The recogniser of another quality; None where it cannot be had, and the usual one serves."""
        if quality in ("", self.quality):
            return None
        if quality not in self._further:
            choose = self._loaders.choose or plain
            choice = await self.stt.worker.run(lambda: choose(quality))
            local = Local("recognise", [], self._files, self._load_recogniser, self.stt.worker)
            # Not the smaller ones: the usual recogniser is there already.
            local.candidates = tuple(engine for engine in choice.recognisers if is_same(engine, choice.recognisers[0]))
            self._further.setdefault(quality, local)
        try:
            return await self._further[quality].use()
        except ClawMuxError as error:
            log.warning("quality %s: %s", quality, error.text)
            return None

    # --- speaking -------------------------------------------------------------------------------

    async def speak(self, pieces: list[Piece], voice: Voice, speed: float) -> AsyncIterator[tuple[Samples, float]]:
        """Sound and the pause after it, piece by piece; the next is made when the last was taken."""
        for piece in pieces:
            yield await self._say(piece.text, voice, speed), piece.pause_seconds / speed

    async def _say(self, text: str, voice: Voice, speed: float) -> Samples:
        if self.remote_tts and self.remote_tts.breaker.allows(time.monotonic()):
            try:
                return await self.remote_tts.speak(text, voice, speed)
            except ClawMuxError as error:
                log.warning("%s", error.text)
        engine = await self._speaker()
        try:
            return await self.tts.worker.run(lambda: engine.speak(text, voice, speed))
        except (RuntimeError, MemoryError, OSError) as error:
            if not self.tts.give_up(engine, _why_lost(error)):
                raise
        engine = await self._speaker()
        return await self.tts.worker.run(lambda: engine.speak(text, voice, speed))

    async def _speaker(self) -> Speaker:
        try:
            return await self.tts.use()
        except ClawMuxError as error:
            raise _with_reason(error, self.remote_tts) from None

    # --- health ---------------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        self.look()
        stt, tts = _half(self.stt, self.remote_stt), _half(self.tts, self.remote_tts)
        ears = {"state": "ready" if self.vad else "failed" if self._vad_error else "loading", "reason": self._vad_error}
        parts = [stt, tts, ears]
        state = next(
            (state for state in ("failed", "missing_models", "loading") if any(part["state"] == state for part in parts)), "ready"
        )
        reason = "; ".join(part["reason"] for part in parts if part["reason"])
        return {
            "ok": state == "ready",
            "state": state,
            "reason": reason,
            "stt": stt,
            "tts": tts,
            "vad": self.vad is not None,
            "quality": self.quality,
            "is_substitute": self.remote_stt is None and self.stt.is_substitute,
            **{key: stt[key] for key in ("package", "model", "device", "precision")},
        }


def _why_lost(error: Exception) -> str:
    is_full = isinstance(error, MemoryError) or "out of memory" in str(error).lower()
    return f"the graphics card {'is out of memory' if is_full else 'failed'}"


def _with_reason(error: ClawMuxError, remote: Remote | None) -> ClawMuxError:
    if remote is None or not remote.breaker.reason:
        return error
    return ClawMuxError("speech_down", f"{error.text.rstrip('.')}; {remote.breaker.reason}.", error.remedy)


def _half(local: Local[Any], remote: Remote | None) -> dict[str, Any]:
    engine = local.serving or next(iter(local.candidates), None)
    facts = {name: getattr(engine, name, "") for name in ("package", "device", "precision")}
    if remote is None:
        return {
            **facts,
            "engine": facts["package"],
            "model": local.model,
            "url": "",
            "state": local.state,
            "reason": local.reason,
        }
    reason = remote.breaker.reason
    state = "ready" if remote.was_reached and not reason else "loading" if not reason else "ready" if local.is_ready else "failed"
    if reason and local.is_ready:
        reason += f"; {local.model} serves here meanwhile"
    named = {"package": "remote", "device": "", "precision": "", "engine": "remote", "model": remote.model}
    return {**named, "url": remote.shown_url, "state": state, "reason": reason}
