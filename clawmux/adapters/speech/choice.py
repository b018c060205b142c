"""Which engines may serve a quality on this machine, best first, and which class runs each of them.

What fits is decided by clawmux.tiers; here it becomes a list with something to fall back on. Loads no engine by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from clawmux import hardware, tiers
from clawmux.adapters.speech.audio import Samples
from clawmux.adapters.speech.voices import Voice
from clawmux.tiers import Engine, Fit
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Tier

# Where nobody says how many cores there are.
THREADS = 2
PROCESSOR = Engine("faster-whisper", "cpu", "int8", "", 0, THREADS)
VOICE = Engine("kokoro-onnx", "cpu", "float32", "kokoro", 0, THREADS)

# Best first; a smaller model serves until the wanted one is there.
_WHISPERS = ("whisper-large-v3-turbo", "whisper-medium", "whisper-small", "whisper-base", "whisper-tiny.en", "whisper-tiny")
_WANTED = {
    "high": _WHISPERS,
    "medium": _WHISPERS[1:],
    "low": _WHISPERS[2:],
    "tiny": ("whisper-tiny.en", "whisper-tiny", "whisper-base"),
}
# Smallest first: these help out where the language is another than English.
_MULTILINGUAL = ("whisper-tiny", "whisper-base", "whisper-small", "whisper-medium", "whisper-large-v3-turbo")
# Each reads weights of its own form; the model's name in the catalog says which.
_FORM = {"pywhispercpp": "-ggml"}


class Recogniser(Protocol):
    """A loaded model; called from one thread."""

    name: str

    @property
    def is_english_only(self) -> bool: ...

    def transcribe(self, samples: Samples, language: str | None, prompt: str = "") -> str:
        """The words of one span of speech of at most 30 s; "" when the model itself doubts that it is speech."""
        ...


class Speaker(Protocol):
    """A loaded voice model; called from one thread."""

    def speak(self, text: str, voice: Voice, speed: float) -> Samples:
        """The piece as 24 kHz sound with hardly any silence at its ends."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    recognisers: tuple[Engine, ...]
    """In the order in which they are tried: the first whose model is there and that loads, serves."""
    speakers: tuple[Engine, ...]
    other_languages: tuple[Engine, ...]
    """Instead of a recogniser that understands English only."""


def here(quality: str) -> Choice:
    """For this machine as it is now. Takes a while where a graphics driver is slow to answer: call it in a thread."""
    return choose(tiers.fit(hardware.probe(), Tier(quality)))


def plain(quality: str) -> Choice:
    """For a machine of which nothing is known."""
    model = "kokoro-int8" if quality == "tiny" else "kokoro"
    first = replace(PROCESSOR, model=_WANTED[quality][0])
    return choose(Fit(Tier(quality), True, first, replace(VOICE, model=model), 0.0, ""))


def choose(fit: Fit) -> Choice:
    """What fits, then the same on the processor, then the next smaller model. Pure."""
    wanted, speaker = fit.recogniser, fit.speaker
    processor = replace(PROCESSOR, threads=wanted.threads or speaker.threads or THREADS)

    ways = [wanted, processor]
    if wanted.package in _FORM:
        ways.insert(1, replace(wanted, device="cpu", threads=processor.threads))  # the same weights, already there

    def each(models: tuple[str, ...]) -> tuple[Engine, ...]:
        engines = [_with(way, model) for model in models for way in ways]
        return tuple(dict.fromkeys(replace(engine, memory_bytes=0) for engine in engines))

    voices = [speaker, *(replace(VOICE, model=model, threads=speaker.threads or THREADS) for model in ("kokoro", "kokoro-int8"))]
    return Choice(each(_WANTED[fit.tier.value]), _distinct(voices), each(_MULTILINGUAL))


def is_beside_the_processor(engine: Engine) -> bool:
    """It computes on something that may be lost, or full, while the processor is still there."""
    return engine.device not in ("cpu", "")


def is_same(one: Engine, other: Engine) -> bool:
    """Whether both run the same model, be it in another form."""
    return one.model.removesuffix("-ggml") == other.model.removesuffix("-ggml")


def _with(engine: Engine, model: str) -> Engine:
    processor_threads = engine.threads if engine.device == "cpu" else 0
    return replace(engine, model=model + _FORM.get(engine.package, ""), threads=processor_threads)


def _distinct(engines: list[Engine]) -> tuple[Engine, ...]:
    """Each model once: how precisely a file computes is its own matter."""
    first: dict[str, Engine] = {}
    for engine in engines:
        first.setdefault(engine.model, engine)
    return tuple(first.values())


# --- what runs them -----------------------------------------------------------------------------

# Package -> module beside this one, and its class.
_RECOGNISERS = {"faster-whisper": ("whisper", "Whisper"), "pywhispercpp": ("whisper_cpp", "WhisperCpp")}
_SPEAKERS = {"kokoro-onnx": ("kokoro", "Kokoro"), "mlx-audio": ("kokoro_mlx", "KokoroMlx")}


def load_recogniser(path: Path, engine: Engine, beam_size: int) -> Recogniser:
    """Blocking; raises what the package raises."""
    return cast(Recogniser, _class_of(_RECOGNISERS, engine)(path, engine, beam_size))


def load_speaker(path: Path, voices: Path, engine: Engine) -> Speaker:
    return cast(Speaker, _class_of(_SPEAKERS, engine)(path, voices, engine))


def _class_of(table: dict[str, tuple[str, str]], engine: Engine) -> Any:
    if engine.package not in table:
        raise ClawMuxError("speech_down", f"there is no engine {engine.package!r} in this version.", "Choose: clawmux tier")
    module, name = table[engine.package]
    return getattr(import_module(f"clawmux.adapters.speech.{module}"), name)
