"""whisper.cpp through pywhispercpp, for the graphics cores of Apple Silicon. Takes float32 arrays, never files.

Tried on a processor with real weights; on a Mac only against the library's recorded interface (docs/speech.md).
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from clawmux.adapters.speech.audio import LISTEN_RATE, Samples
from clawmux.adapters.speech.choice import THREADS
from clawmux.adapters.speech.whisper import QUIET_SECONDS, is_speech, longest_answer, not_a_language
from clawmux.tiers import Engine
from clawmux.wire.errors import ClawMuxError

# "lmgg": of any other file the library makes a model that ends the process at its first use.
_MAGIC = b"lmgg"
# It computes what the processor feeds it; more threads only wait.
_METAL_THREADS = 4


class WhisperCpp:
    """One loaded model; call it from one thread."""

    def __init__(self, file: Path, engine: Engine, beam_size: int = 1) -> None:
        from pywhispercpp.model import Model

        self.name = engine.model.removesuffix("-ggml")
        with file.open("rb") as start:
            if start.read(len(_MAGIC)) != _MAGIC:
                raise ClawMuxError("bad_file", f"{file} is no ggml model.", f"Run: clawmux models pull {engine.model}")
        is_metal = engine.device == "metal"
        search: dict[str, Any] = {"greedy": {"best_of": 1}}
        if beam_size > 1:
            search = {"beam_search": {"beam_size": beam_size, "patience": -1.0}}
        self._model = Model(
            str(file),
            params_sampling_strategy=int(beam_size > 1),
            context_params={"use_gpu": is_metal, "flash_attn": is_metal},
            n_threads=engine.threads or (_METAL_THREADS if is_metal else THREADS),
            no_context=True,
            no_timestamps=True,
            single_segment=True,
            temperature=0.0,
            temperature_inc=0.0,  # a second try with more chance in it costs its time again and invents words
            suppress_blank=True,
            print_progress=False,
            print_realtime=False,
            print_timestamps=False,
            **search,
        )
        self._languages = frozenset(self._model.available_languages())
        # Compiles the shaders for these graphics cores: some seconds, once, and not in front of somebody who waits.
        self._model.transcribe(np.zeros(LISTEN_RATE, dtype=np.float32), language="en", max_tokens=1)

    @property
    def is_english_only(self) -> bool:
        return self.name.endswith(".en")

    def transcribe(self, samples: Samples, language: str | None, prompt: str = "") -> str:
        """The words of one span of speech of at most 30 s; "" when the model itself doubts that it is speech."""
        if language is not None and language not in self._languages:
            raise not_a_language(language, self.name)  # it would guess one instead, and answer in that
        quiet = np.zeros(round(QUIET_SECONDS * LISTEN_RATE), dtype=np.float32)
        segments = self._model.transcribe(
            np.concatenate([quiet, samples, quiet]),
            extract_probability=True,
            language="en" if self.is_english_only else language or "auto",
            initial_prompt=prompt,
            max_tokens=longest_answer(len(samples) / LISTEN_RATE),
        )
        return " ".join(" ".join(segment.text for segment in segments if _is_speech(segment)).split())


def _is_speech(segment: Any) -> bool:
    text, probability = str(segment.text), float(segment.probability)
    # NaN for a segment without any token.
    log_probability = math.log(probability) if probability > 0 else -math.inf
    # It keeps to itself how likely it holds the sound for no speech.
    return is_speech(text, 0.0, log_probability, len(text.encode()) / max(1, len(zlib.compress(text.encode()))))
