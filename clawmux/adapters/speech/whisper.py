"""faster-whisper with the settings that were measured. Takes float32 arrays, never files; decides nothing about turns."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clawmux.adapters.speech.audio import LISTEN_RATE, Samples
from clawmux.adapters.speech.choice import THREADS
from clawmux.adapters.speech.cuda import preload
from clawmux.adapters.speech.vad import Silero, speech_spans
from clawmux.tiers import Engine
from clawmux.wire.errors import ClawMuxError

# Whisper pays for a window of 30 s whatever its length, and hears nothing beyond it.
WINDOW_SECONDS = 28.0
# Measured: words cut close at both ends are misheard more (6.6 % of words, with silence around them 3.9 %).
QUIET_SECONDS = 0.3
# Fast speech has about 5 words or 7 tokens a second; a decoder that goes on repeating itself stops here.
_TOKENS_PER_SECOND = 10
_TOKENS_AT_LEAST = 24


@dataclass(frozen=True, slots=True)
class Span:
    start_seconds: float
    end_seconds: float
    samples: Samples


def find_speech(vad: Silero, samples: Samples, threshold: float = 0.5) -> list[Span]:
    """The parts with speech, each fitting a window; none in silence and noise, where Whisper would invent words."""
    found: list[Span] = []
    for start, stop in speech_spans(vad.probabilities(samples), WINDOW_SECONDS, threshold):
        for at in range(start, stop, round(WINDOW_SECONDS * LISTEN_RATE)):
            end = min(stop, at + round(WINDOW_SECONDS * LISTEN_RATE), len(samples))
            if end - at > LISTEN_RATE // 20:
                found.append(Span(at / LISTEN_RATE, end / LISTEN_RATE, samples[at:end]))
    return found


class Whisper:
    """One loaded model; call it from one thread."""

    def __init__(self, folder: Path, engine: Engine, beam_size: int = 1) -> None:
        self.name = engine.model
        self._beam_size = beam_size
        self._model = _load(folder, engine)

    @property
    def is_english_only(self) -> bool:
        return self.name.endswith(".en")

    def transcribe(self, samples: Samples, language: str | None, prompt: str = "") -> str:
        """The words of one span of speech of at most 30 s; "" when the model itself doubts that it is speech."""
        quiet = np.zeros(round(QUIET_SECONDS * LISTEN_RATE), dtype=np.float32)
        try:
            segments, _ = self._model.transcribe(
                np.concatenate([quiet, samples, quiet]),
                language="en" if self.is_english_only else language,
                beam_size=self._beam_size,
                temperature=0.0,
                without_timestamps=True,
                condition_on_previous_text=False,
                initial_prompt=prompt or None,
                max_new_tokens=longest_answer(len(samples) / LISTEN_RATE),
                # The spans were found with our own pass of the same VAD.
                vad_filter=False,
            )
            return _joined(segments)
        except ValueError as error:
            if "language" in str(error):
                raise not_a_language(str(language), self.name) from None
            raise


def longest_answer(seconds: float) -> int:
    """How many tokens so long a speech has at most."""
    return min(220, _TOKENS_AT_LEAST + round(seconds * _TOKENS_PER_SECOND))


def not_a_language(language: str, model: str) -> ClawMuxError:
    text = f"language: {language!r} is not a language of {model}."
    return ClawMuxError("usage", text, "Give an ISO 639-1 code such as en or de.")


def _load(folder: Path, engine: Engine) -> Any:
    kind, _, number = engine.device.partition(":")
    if kind == "cuda":
        # clawmux.hardware counts the cards as they sit on the bus; CUDA by itself begins with the fastest.
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        preload()  # before the first use, which looks for the libraries by name
    from faster_whisper import WhisperModel

    if kind != "cuda":
        threads = engine.threads or THREADS
        return WhisperModel(str(folder), device="cpu", compute_type=engine.precision, cpu_threads=threads, local_files_only=True)
    try:
        model = WhisperModel(
            str(folder), device="cuda", device_index=int(number or 0), compute_type=engine.precision, local_files_only=True
        )
        # A missing libcublas shows at the first use only, and so does a card without room for the work itself.
        model.encode(np.zeros((model.model.n_mels, 3000), dtype=np.float32))
    except (RuntimeError, ValueError, OSError) as error:
        why = str(error).partition("\n")[0][:120]
        raise ClawMuxError("speech_down", f"the graphics card cannot be used ({why}).", "See `clawmux doctor`.") from None
    return model


def _joined(segments: Any) -> str:
    kept = [s.text for s in segments if is_speech(s.text, s.no_speech_prob, s.avg_logprob, s.compression_ratio)]
    return re.sub(r"\s+", " ", " ".join(kept)).strip()


# What Whisper learned from the ends of subtitled films: said with confidence over noise that the VAD let through.
_LEARNED_FROM_SUBTITLES = re.compile(
    r"^\W*(thank(s| you)( (so|very) much)?( for watching)?|you|bye|subtitles? by .*|please subscribe.*|amara\.org.*)\W*$",
    re.IGNORECASE,
)


def is_speech(text: str, no_speech: float, log_probability: float, compression_ratio: float) -> bool:
    """Whether a segment's words were said. Pure: the model's own figures as arguments."""
    if not any(c.isalnum() for c in text) or re.fullmatch(r"\W*[\[(][^\])]*[\])]\W*", text):
        return False  # "[BLANK_AUDIO]", "(wind blowing)", "♪"
    if compression_ratio > 2.4 or (no_speech > 0.6 and log_probability < -1.0) or log_probability < -1.6:
        return False
    return not (_LEARNED_FROM_SUBTITLES.match(text) and (no_speech > 0.4 or log_probability < -0.9))
