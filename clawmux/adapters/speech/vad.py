"""Where speech begins and ends: Silero v6 frame by frame, and a pure endpointer fed with its probabilities.

The model file comes with faster-whisper and is loaded without importing that package (and its engine), so the ear
works where recognition is remote. Time is counted in samples: sound sent faster than real time gives the same turns.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clawmux.adapters.speech.audio import LISTEN_RATE, Samples
from clawmux.wire.errors import ClawMuxError

FRAME_SAMPLES = 512
FRAME_SECONDS = FRAME_SAMPLES / LISTEN_RATE
_CONTEXT_SAMPLES = 64

# Silero's own advice: 0.5 to begin; to go on, 0.15 less.
THRESHOLD = 0.5
# A tap on the table is shorter; the shortest word is not.
MIN_SPEECH_SECONDS = 0.096
# Recognition is begun on the guess that the speaker has ended; measured pauses inside a sentence reach 1.15 s.
SPECULATE_SECONDS = 0.3


def model_file() -> Path | None:
    """The VAD's file inside the installed faster-whisper, found without importing it; None when not installed."""
    spec = importlib.util.find_spec("faster_whisper")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / "assets" / "silero_vad_v6.onnx"
        if file.is_file():
            return file
    return None


class Silero:
    """The loaded model; holds nothing of any stream, so one serves all of them."""

    def __init__(self, file: Path | None = None) -> None:
        import onnxruntime

        file = file or model_file()
        if file is None:
            raise ClawMuxError(
                "speech_down",
                "silero_vad_v6.onnx was not found in faster-whisper.",
                "Install the speech extra: pip install 'clawmux[speech]'.",
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def run(
        self, frames: NDArray[np.float32], h: NDArray[np.float32], c: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities of the frames ``[n, 576]`` in order, and the new state."""
        out, h, c = self._session.run(None, {"input": frames, "h": h, "c": c})
        return out.reshape(-1), h, c

    def probabilities(self, samples: Samples) -> NDArray[np.float32]:
        """Of a whole recording; its last frame is filled with silence."""
        stream = SileroStream(self)
        return np.array([*stream.feed(samples), *stream.finish()], dtype=np.float32)


class SileroStream:
    """One stream through the model: sound of any length in, one probability for each full frame out."""

    def __init__(self, model: Silero) -> None:
        self._model = model
        self._h = np.zeros((1, 1, 128), dtype=np.float32)
        self._c = np.zeros((1, 1, 128), dtype=np.float32)
        self._context = np.zeros(_CONTEXT_SAMPLES, dtype=np.float32)
        self._rest = np.zeros(0, dtype=np.float32)

    def feed(self, samples: Samples) -> list[float]:
        sound = np.concatenate([self._rest, samples])
        count = len(sound) // FRAME_SAMPLES
        self._rest = sound[count * FRAME_SAMPLES :]
        if not count:
            return []
        line = np.concatenate([self._context, sound[: count * FRAME_SAMPLES]])
        self._context = line[-_CONTEXT_SAMPLES:]
        starts = np.arange(count)[:, None] * FRAME_SAMPLES
        frames = line[starts + np.arange(FRAME_SAMPLES + _CONTEXT_SAMPLES)[None, :]]
        found: list[float] = []
        for at in range(0, count, 1024):
            chances, self._h, self._c = self._model.run(frames[at : at + 1024], self._h, self._c)
            found += [float(chance) for chance in chances]
        return found

    def finish(self) -> list[float]:
        """The last, partly filled frame."""
        missing = -len(self._rest) % FRAME_SAMPLES
        return self.feed(np.zeros(missing, dtype=np.float32)) if missing else []


# --- pure ---------------------------------------------------------------------------------------


class Mark(StrEnum):
    STARTED = "started"
    """Speech has lasted MIN_SPEECH_SECONDS, or as long as was asked for."""
    PAUSED = "paused"
    """SPECULATE_SECONDS of silence: what was said so far may be all."""
    RESUMED = "resumed"
    """Speech again after PAUSED, in the same turn."""
    ENDED = "ended"
    """silence_seconds of silence."""


@dataclass(frozen=True, slots=True)
class Moment:
    mark: Mark
    at: float
    """Seconds of the stream: where speech began for STARTED and RESUMED, where it stopped for PAUSED and ENDED."""


class Endpointer:
    """Decides turns from (probability, time of the frame's end). Holds no sound and reads no clock."""

    def __init__(
        self, silence_seconds: float = 1.2, threshold: float = THRESHOLD, min_speech_seconds: float = MIN_SPEECH_SECONDS
    ) -> None:
        self.silence_seconds = silence_seconds
        self.threshold = threshold
        self.min_speech_seconds = min_speech_seconds
        """So long must a turn's first speech last."""
        self.in_turn = False
        self._began: float | None = None
        self._last_speech = 0.0
        self._paused = False

    def feed(self, probability: float, now: float) -> list[Moment]:
        if probability >= self.threshold or (self._began is not None and probability >= self.threshold - 0.15):
            return self._speech(now)
        return self._silence(now)

    def _speech(self, now: float) -> list[Moment]:
        if self._began is None:
            self._began = now - FRAME_SECONDS
        # A turn's first speech must last; inside a turn a single frame keeps it open, so that nobody is cut off.
        lasted = now - self._began >= (MIN_SPEECH_SECONDS if self.in_turn else self.min_speech_seconds) - 1e-9
        if self.in_turn or lasted:
            self._last_speech = now
        if self.in_turn:
            if self._paused and lasted:
                self._paused = False
                return [Moment(Mark.RESUMED, self._began)]
            return []
        if not lasted:
            return []
        self.in_turn, self._paused = True, False
        return [Moment(Mark.STARTED, self._began)]

    def _silence(self, now: float) -> list[Moment]:
        self._began = None
        if not self.in_turn:
            return []
        quiet = now - self._last_speech
        if quiet >= self.silence_seconds - 1e-9:
            self.in_turn = False
            return [Moment(Mark.ENDED, self._last_speech)]
        if quiet >= SPECULATE_SECONDS - 1e-9 and not self._paused:
            self._paused = True
            return [Moment(Mark.PAUSED, self._last_speech)]
        return []

    def finish(self) -> list[Moment]:
        """The stream has ended: an open turn ends where its speech did."""
        if not self.in_turn:
            return []
        self.in_turn, self._began = False, None
        return [Moment(Mark.ENDED, self._last_speech)]


def speech_spans(
    probabilities: NDArray[np.float32], longest_seconds: float, threshold: float = THRESHOLD
) -> list[tuple[int, int]]:
    """Sample ranges with speech, padded, close ones joined, none longer than ``longest_seconds`` where a pause allows."""
    spans: list[tuple[float, float]] = []
    end = Endpointer(silence_seconds=SPECULATE_SECONDS, threshold=threshold)
    for number, probability in enumerate(probabilities):
        spans = _noted(spans, end.feed(float(probability), (number + 1) * FRAME_SECONDS))
    spans = _noted(spans, end.finish())
    total = len(probabilities) * FRAME_SECONDS
    padded = [(max(0.0, start - _PAD_SECONDS), min(total, stop + _PAD_SECONDS)) for start, stop in spans]
    joined: list[tuple[float, float]] = []
    for start, stop in padded:
        if joined and stop - joined[-1][0] <= longest_seconds and start - joined[-1][1] <= _JOIN_SECONDS:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((max(start, joined[-1][1]) if joined else start, stop))
    return [(round(start * LISTEN_RATE), round(stop * LISTEN_RATE)) for start, stop in joined]


# Consonants begin and end below the threshold; Silero's authors pad by as much.
_PAD_SECONDS = 0.3
# Whisper hears a sentence better whole, with its pauses, but invents words in long silences.
_JOIN_SECONDS = 2.0


def _noted(spans: list[tuple[float, float]], moments: list[Moment]) -> list[tuple[float, float]]:
    for moment in moments:
        if moment.mark is Mark.STARTED:
            spans = [*spans, (moment.at, moment.at)]
        elif moment.mark is Mark.ENDED:
            spans = [*spans[:-1], (spans[-1][0], moment.at)]
    return spans
