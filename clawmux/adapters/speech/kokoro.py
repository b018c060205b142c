"""kokoro-onnx, one piece of text at a time. Refuses sound that is no sound; knows nothing of streaming or formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from clawmux.adapters.speech.audio import SPEAK_RATE, Samples
from clawmux.adapters.speech.choice import THREADS, VOICE
from clawmux.adapters.speech.voices import Voice
from clawmux.tiers import Engine
from clawmux.wire.errors import ClawMuxError

LOWEST_SPEED, HIGHEST_SPEED = 0.5, 2.0
# The model leads in with up to half a second of nothing; the listener waits through every one of them.
_LEAD_SECONDS = 0.02
_TAIL_SECONDS = 0.06
_AUDIBLE = 10 ** (-50 / 20)
# Shorter than any spoken piece: a result of a few samples is a fault of the model file.
_LEAST_SECONDS = 0.05
_CLIPPED_SHARE = 0.01


class Kokoro:
    """The loaded model and its voices; call it from one thread."""

    def __init__(self, model: Path, voices: Path, engine: Engine = VOICE) -> None:
        import onnxruntime
        from kokoro_onnx import Kokoro as Engine

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = engine.threads or THREADS
        # Measured: waiting threads that spin cost half as much CPU again and gain nothing.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(only_file(model, ".onnx")), options, providers=["CPUExecutionProvider"])
        self._engine: Any = Engine.from_session(session, str(only_file(voices, ".bin", ".npz")))

    @property
    def voice_ids(self) -> list[str]:
        return list(self._engine.get_voices())

    def speak(self, text: str, voice: Voice, speed: float) -> Samples:
        """The piece as 24 kHz sound with hardly any silence at its ends."""
        try:
            sound, _ = self._engine.create(text, voice=voice.id, speed=speed, lang=voice.espeak, trim=False)
        except ValueError as error:
            # The engine's sentence quotes the text, which must reach no log.
            if "phonemes" in str(error):
                return np.zeros(SPEAK_RATE // 20, dtype=np.float32)
            raise ClawMuxError(
                "speech_down", f"Kokoro refused a piece of text ({type(error).__name__}).", "The text is on the page."
            ) from None
        return trimmed(checked(np.asarray(sound, dtype=np.float32).reshape(-1)))


def only_file(path: Path, *suffixes: str) -> Path:
    """The model file itself: the store gives a file, or a folder that holds it."""
    if path.is_file():
        return path
    for file in sorted(path.iterdir()):
        if file.suffix in suffixes:
            return file
    raise ClawMuxError(
        "bad_file", f"{path}: a {' or '.join(suffixes)} file was expected in it.", "Run: clawmux models pull --set tiny"
    )


def checked(sound: Samples) -> Samples:
    """The sound, unless it is broken: fp16 models give all NaN for some voices, and trimming would hide it."""
    if not len(sound) or len(sound) < SPEAK_RATE * _LEAST_SECONDS:
        raise _broken(f"{len(sound)} samples")
    if not np.isfinite(sound).all():
        raise _broken("NaN")
    peak = float(np.abs(sound).max())
    if float(np.mean(np.abs(sound) > 1.0)) > _CLIPPED_SHARE:
        raise _broken(f"clipped sound, peak {peak:.1f}")
    if peak < _AUDIBLE:
        raise _broken("only silence")
    return sound / peak if peak > 1.0 else sound


def _broken(what: str) -> ClawMuxError:
    return ClawMuxError(
        "speech_down", f"Kokoro made {what} instead of speech.", "Try another voice, or: clawmux models pull --set tiny"
    )


def trimmed(sound: Samples) -> Samples:
    loud = np.flatnonzero(np.abs(sound) > _AUDIBLE)
    start = max(0, int(loud[0]) - round(_LEAD_SECONDS * SPEAK_RATE))
    return sound[start : int(loud[-1]) + round(_TAIL_SECONDS * SPEAK_RATE)]
