"""Both halves of speech as the endpoints use them: which engine answers, loading when its files appear, falling back.

Local engines load in their own threads after the port is open. Remote ones come first where a URL is set; the local
one, when installed, is loaded at the first failure of the remote one.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from clawmux.adapters.speech.audio import Samples
from clawmux.adapters.speech.kokoro import Kokoro
from clawmux.adapters.speech.remote import Remote
from clawmux.adapters.speech.sentences import Piece
from clawmux.adapters.speech.vad import Silero
from clawmux.adapters.speech.voices import Voice
from clawmux.adapters.speech.whisper import Span, Whisper, find_speech
from clawmux.adapters.speech.worker import Worker
from clawmux.wire.errors import ClawMuxError

log = logging.getLogger("clawmux.speech")

PULL = "Run: clawmux models pull --set tiny"
INSTALL = "Install the engines: pip install 'clawmux[speech]'"
# The store is looked at again when somebody asks, not more often than this.
LOOK_AGAIN_SECONDS = 1.0
PROBE_AGAIN_SECONDS = 10.0
# A file that would not load may have been mended or pulled again.
RETRY_SECONDS = 30.0
# A partial text may not keep the final one waiting: dearer recognitions are not begun for it.
PARTIAL_COST_SECONDS = 0.5

# Best first; a smaller model serves until the wanted one is there.
_WHISPERS = ["whisper-large-v3-turbo", "whisper-medium", "whisper-small", "whisper-base", "whisper-tiny.en", "whisper-tiny"]
_WANTED = {"high": "whisper-large-v3-turbo", "medium": "whisper-medium", "low": "whisper-small", "tiny": "whisper-tiny.en"}
_MULTILINGUAL = ["whisper-tiny", "whisper-base", "whisper-small", "whisper-medium", "whisper-large-v3-turbo"]

T = TypeVar("T")


class ModelFiles(Protocol):
    """What is needed of adapters.models.ModelStore."""

    def path(self, name: str) -> Path | None: ...


@dataclass(frozen=True, slots=True)
class Config:
    quality: str = "tiny"
    whisper_url: str = ""
    kokoro_url: str = ""
    remote_token: str = ""


@dataclass(frozen=True, slots=True)
class Loaders:
    """What makes the engines; blocking, called in their threads."""

    whisper: Callable[[Path, str, int], Whisper] = Whisper
    kokoro: Callable[[Path, Path], Kokoro] = Kokoro
    ear: Callable[[], Silero] = Silero


@dataclass(frozen=True, slots=True)
class Heard:
    text: str
    spans: tuple[tuple[float, float, str], ...]
    """Start and end in seconds, and the words, of each stretch of speech."""


def wanted_models(quality: str) -> list[str]:
    """Recognition models that may serve a tier, best first. Pure."""
    wanted = _WANTED[quality]
    if wanted == "whisper-tiny.en":
        return ["whisper-tiny.en", "whisper-tiny", "whisper-base"]
    return _WHISPERS[_WHISPERS.index(wanted) :]


class Local(Generic[T]):
    """One local engine: chosen among the models that are there, loaded in its own thread, replaced by a better one."""

    def __init__(self, half: str, models: list[str], also: list[str], files: ModelFiles, load: Callable[[str], T]) -> None:
        self._models, self._also, self._files, self._load = models, also, files, load
        self.worker = Worker(f"speech-{half}")
        self.model, self.state, self.reason = "", "loading", ""
        self._engine: T | None = None
        self._loading: asyncio.Task[None] | None = None
        self._looked = -LOOK_AGAIN_SECONDS
        self._failed: dict[str, float] = {}

    def look(self) -> None:
        """Begin to load what should serve and does not yet."""
        now = time.monotonic()
        if (self._loading and not self._loading.done()) or now - self._looked < LOOK_AGAIN_SECONDS:
            return
        self._looked = now
        missing = [name for name in self._also if self._files.path(name) is None]
        tried = {name for name, at in self._failed.items() if now - at < RETRY_SECONDS}
        name = next((name for name in self._models if name not in tried and self._files.path(name)), None)
        if name is None or missing:
            if self._engine is None and self.state != "failed":
                self.state, self.reason = (
                    "missing_models",
                    f"{', '.join([*missing, *([] if name else self._models[:1])])} not installed",
                )
        elif name != self.model:
            self._loading = asyncio.create_task(self._load_now(name))

    async def _load_now(self, name: str) -> None:
        if self._engine is None:
            self.state, self.reason = "loading", f"loading {name}"
        try:
            self._engine = await self.worker.run(lambda: self._load(name))
            self.model, self.state = name, "ready"
            self.reason = "" if name == self._models[0] else f"{self._models[0]} is not installed; {name} serves"
            log.info("loaded %s", name)
        except Exception as error:  # The boundary of one engine: a broken file must not end the others.
            self._failed[name] = time.monotonic()
            log.error("loading %s failed: %s", name, safe_trace(error))
            if self._engine is None:
                self.state, self.reason = "failed", _why(name, error)

    async def use(self) -> T:
        """The engine, once loaded; raises ``speech_down`` with the remedy."""
        self.look()
        if self._engine is None and self._loading:
            await asyncio.wait([self._loading])
        if self._engine is None:
            remedy = INSTALL if "is not installed:" in self.reason else PULL
            raise ClawMuxError("speech_down", f"Speech has no engine: {self.reason}.", remedy)
        return self._engine

    @property
    def is_ready(self) -> bool:
        return self._engine is not None

    async def close(self) -> None:
        if self._loading:
            self._loading.cancel()


def _why(name: str, error: Exception) -> str:
    if isinstance(error, ClawMuxError):
        return error.text.rstrip(".")
    if isinstance(error, ImportError):
        return f"a Python package is not installed: {error.name}"
    return f"{name} cannot be loaded ({type(error).__name__})"


def safe_trace(error: BaseException) -> str:
    """Type and places of an error without its message: engines quote the user's words in theirs."""
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(traceback.extract_tb(error.__traceback__)[-6:]))
    return f"{type(error).__name__} in {places}"


class Engines:
    """Both halves and the ear."""

    def __init__(self, config: Config, files: ModelFiles, loaders: Loaders | None = None) -> None:
        self._files = files
        self._loaders = loaders or Loaders()
        self.quality = config.quality
        self.vad: Silero | None = None
        self._vad_error = ""
        self._beam = 5 if config.quality in ("high", "medium") else 1
        kokoros = ["kokoro-int8", "kokoro"] if config.quality == "tiny" else ["kokoro", "kokoro-int8"]
        self.stt: Local[Whisper] = Local("recognise", wanted_models(config.quality), [], files, self._load_whisper)
        self.tts: Local[Kokoro] = Local("speak", kokoros, ["voices"], files, self._load_kokoro)
        self.decoding = Worker("speech-decode")
        self.remote_stt = Remote(config.whisper_url, "stt", config.remote_token) if config.whisper_url else None
        self.remote_tts = Remote(config.kokoro_url, "tts", config.remote_token) if config.kokoro_url else None
        self._multilingual: Whisper | None = None
        self._cost_seconds = 0.0
        self._recognitions = 0
        self._vad_loaded: asyncio.Task[None] | None = None
        self._probes: dict[str, tuple[float, asyncio.Task[None]]] = {}

    def _load_whisper(self, name: str) -> Whisper:
        path = self._files.path(name)
        assert path is not None
        engine = self._loaders.whisper(path, name, self._beam)
        if engine.note:
            log.warning("%s", engine.note)
        return engine

    def _load_kokoro(self, name: str) -> Kokoro:
        model, voices = self._files.path(name), self._files.path("voices")
        assert model is not None and voices is not None
        return self._loaders.kokoro(model, voices)

    def start(self) -> None:
        """Begin to load; returns at once."""
        self._vad_loaded = asyncio.create_task(self._load_vad())
        self.look()

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
            self._vad_error = error.text if isinstance(error, ClawMuxError) else _why("silero_vad_v6", error)
            log.error("loading the VAD failed: %s", safe_trace(error))

    def _probe(self, remote: Remote) -> None:
        at, task = self._probes.get(remote.shown_url, (-PROBE_AGAIN_SECONDS, None))
        now = time.monotonic()
        if now - at >= PROBE_AGAIN_SECONDS and (task is None or task.done()) and remote.breaker.allows(now):
            self._probes[remote.shown_url] = (now, asyncio.create_task(remote.probe()))

    async def close(self) -> None:
        tasks = [task for _, task in self._probes.values()] + ([self._vad_loaded] if self._vad_loaded else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for part in (self.stt, self.tts, self.remote_stt, self.remote_tts):
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

    async def check_hearing(self, language: str | None) -> None:
        """Raises at once what ``transcribe`` would raise after the user has spoken."""
        await self.ear()
        if self.remote_stt is None or not self.remote_stt.breaker.allows(time.monotonic()):
            await self._recogniser(language)

    def has_time_for_partials(self) -> bool:
        is_free = self._recognitions == 0 and self.tts.worker.is_free
        return is_free and self.remote_stt is None and self._cost_seconds <= PARTIAL_COST_SECONDS

    async def transcribe(self, samples: Samples, language: str | None, prompt: str = "", threshold: float = 0.5) -> Heard:
        """The words in the sound; none when the VAD finds no speech."""
        vad = await self.ear()
        self._recognitions += 1
        try:
            spans = await self.stt.worker.run(lambda: find_speech(vad, samples, threshold))
            found = [(span.start_seconds, span.end_seconds, await self._hear(span, language, prompt)) for span in spans]
        finally:
            self._recognitions -= 1
        said = tuple(row for row in found if row[2])
        return Heard(" ".join(text for _, _, text in said), said)

    async def _hear(self, span: Span, language: str | None, prompt: str) -> str:
        if self.remote_stt and self.remote_stt.breaker.allows(time.monotonic()):
            try:
                return await self.remote_stt.transcribe(span.samples, language, prompt)
            except ClawMuxError as error:
                log.warning("%s", error.text)
        engine = await self._recogniser(language)
        return await self.stt.worker.run(lambda: self._timed(engine, span, language, prompt))

    def _timed(self, engine: Whisper, span: Span, language: str | None, prompt: str) -> str:
        started = time.monotonic()
        text = engine.transcribe(span.samples, language, prompt)
        self._cost_seconds = 0.5 * (self._cost_seconds + time.monotonic() - started)
        return text

    async def _recogniser(self, language: str | None) -> Whisper:
        try:
            engine = await self.stt.use()
        except ClawMuxError as error:
            raise _with_reason(error, self.remote_stt) from None
        if not engine.is_english_only or language in (None, "en"):
            return engine
        if self._multilingual is None:
            name = next((name for name in _MULTILINGUAL if self._files.path(name)), None)
            if name is None:
                raise ClawMuxError(
                    "speech_down",
                    f"language: {engine.name} understands English only, not {language!r}.",
                    "Run: clawmux models pull --set low",
                )
            self._multilingual = await self.stt.worker.run(lambda: self._load_whisper(name))
        return self._multilingual

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
        try:
            engine = await self.tts.use()
        except ClawMuxError as error:
            raise _with_reason(error, self.remote_tts) from None
        return await self.tts.worker.run(lambda: engine.speak(text, voice, speed))

    # --- health ---------------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        self.look()
        stt, tts = _half(self.stt, self.remote_stt, "faster-whisper"), _half(self.tts, self.remote_tts, "kokoro-onnx")
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
        }


def _with_reason(error: ClawMuxError, remote: Remote | None) -> ClawMuxError:
    if remote is None or not remote.breaker.reason:
        return error
    return ClawMuxError("speech_down", f"{error.text.rstrip('.')}; {remote.breaker.reason}.", error.remedy)


def _half(local: Local[Any], remote: Remote | None, engine: str) -> dict[str, Any]:
    if remote is None:
        return {"engine": engine, "model": local.model, "url": "", "state": local.state, "reason": local.reason}
    reason = remote.breaker.reason
    state = "ready" if remote.was_reached and not reason else "loading" if not reason else "ready" if local.is_ready else "failed"
    if reason and local.is_ready:
        reason += f"; {local.model} serves here meanwhile"
    return {"engine": "remote", "model": remote.model, "url": remote.shown_url, "state": state, "reason": reason}
