"""Engines without models: tones for speech, loudness for the ear, the length of the sound for words."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clawmux.adapters.speech.audio import LISTEN_RATE, SPEAK_RATE, Samples
from clawmux.adapters.speech.choice import VOICE
from clawmux.adapters.speech.engines import Loaders
from clawmux.adapters.speech.kokoro import Kokoro
from clawmux.adapters.speech.vad import Silero
from clawmux.adapters.speech.voices import VOICES, Voice
from clawmux.adapters.speech.whisper import Whisper
from clawmux.tiers import Engine

SECONDS_PER_CHARACTER = 0.02


class Files:
    """A model store of the given names."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def path(self, name: str) -> Path | None:
        return Path("/models") / name if name in self.names else None


TINY = ("whisper-tiny.en", "kokoro-int8", "voices")


class LoudnessEar(Silero):
    """Speech is whatever is louder than -40 dBFS."""

    def __init__(self) -> None:
        pass

    def run(self, frames: NDArray[np.float32], h: NDArray[np.float32], c: NDArray[np.float32]) -> Any:
        loud = np.sqrt(np.mean(np.square(frames[:, 64:]), axis=1)) > 0.01
        return loud.astype(np.float32), h, c


class CountingWhisper(Whisper):
    """Its words are how many tenths of a second it was given; "noise" hears nothing."""

    def __init__(self, folder: Path, engine: Engine, beam_size: int = 1) -> None:
        self.name = engine.model
        self.calls: list[tuple[float, str | None, str]] = []
        self.hears_nothing = False

    def transcribe(self, samples: Samples, language: str | None, prompt: str = "") -> str:
        seconds = len(samples) / LISTEN_RATE
        self.calls.append((seconds, language, prompt))
        return "" if self.hears_nothing else f"{round(seconds * 10)} tenths"


class ToneKokoro(Kokoro):
    """20 ms of tone a character. A text with "broken" fails; while ``gate`` is closed it works and works."""

    def __init__(self, model: Path, voices: Path, engine: Engine = VOICE) -> None:
        self.said: list[tuple[str, str, float]] = []
        self.gate = threading.Event()
        self.gate.set()

    @property
    def voice_ids(self) -> list[str]:
        return list(VOICES)

    def speak(self, text: str, voice: Voice, speed: float) -> Samples:
        self.said.append((text, voice.id, speed))
        assert self.gate.wait(10)
        if "broken" in text:
            raise RuntimeError(f"no phonemes for {text!r}")
        count = round(len(text) * SECONDS_PER_CHARACTER / speed * SPEAK_RATE)
        return (0.3 * np.sin(np.arange(count) / 10)).astype(np.float32)


def loaders() -> Loaders:
    return Loaders(CountingWhisper, ToneKokoro, LoudnessEar)
