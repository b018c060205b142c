from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from clawmux.adapters.speech import vad
from clawmux.adapters.speech.vad import FRAME_SECONDS, Endpointer, Mark, SileroStream, speech_spans
from tests.stand_ins.speech_engines import LoudnessEar


def marks(pattern: list[tuple[float, float]], silence_seconds: float = 1.2) -> list[tuple[str, float]]:
    """What an endpointer notices of (seconds, probability) stretches; times in seconds."""
    end = Endpointer(silence_seconds)
    found = []
    number = 0
    for seconds, probability in pattern:
        for _ in range(round(seconds / FRAME_SECONDS)):
            number += 1
            found += end.feed(probability, number * FRAME_SECONDS)
    return [(moment.mark.value, round(moment.at, 2)) for moment in found]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ([(5, 0.1)], []),
        ([(1, 0.1), (0.064, 0.9), (2, 0.1)], []),  # A tap.
        ([(0.096, 0.9), (0.2, 0.1)], [("started", 0.0)]),
        ([(0.96, 0.1), (0.96, 0.9), (0.2, 0.1)], [("started", 0.96)]),
        ([(0.96, 0.9), (0.32, 0.1)], [("started", 0.0), ("paused", 0.96)]),
        ([(0.96, 0.9), (1.216, 0.1)], [("started", 0.0), ("paused", 0.96), ("ended", 0.96)]),
        # A thinking pause of 1.15 s is no end, at the usual 1.2 s.
        (
            [(0.96, 0.9), (1.15, 0.1), (0.96, 0.9), (1.3, 0.1)],
            [("started", 0.0), ("paused", 0.96), ("resumed", 2.11), ("paused", 3.07), ("ended", 3.07)],
        ),
        # What was loud enough to begin needs less to go on, and hesitation between the two thresholds begins nothing.
        ([(0.96, 0.9), (1.5, 0.4), (0.2, 0.1)], [("started", 0.0)]),
        ([(3, 0.45)], []),
        # A single frame inside a turn keeps it open but is not yet speech again.
        ([(0.96, 0.9), (0.8, 0.1), (0.032, 0.9), (0.8, 0.1)], [("started", 0.0), ("paused", 0.96)]),
        # Two turns.
        (
            [(0.32, 0.9), (1.3, 0.1), (0.32, 0.9), (1.3, 0.1)],
            [("started", 0.0), ("paused", 0.32), ("ended", 0.32), ("started", 1.63), ("paused", 1.95), ("ended", 1.95)],
        ),
    ],
)
def test_endpointer(pattern: list[tuple[float, float]], expected: list[tuple[str, float]]) -> None:
    found = marks(pattern)
    assert [mark for mark, _ in found] == [mark for mark, _ in expected]
    assert [at for _, at in found] == pytest.approx([at for _, at in expected], abs=0.033)


@pytest.mark.parametrize(("silence_seconds", "turns"), [(0.5, 2), (1.1, 2), (1.2, 1), (3.0, 1)])
def test_a_thinking_pause_against_the_setting(silence_seconds: float, turns: int) -> None:
    found = marks([(0.96, 0.9), (1.15, 0.1), (0.96, 0.9), (3.2, 0.1)], silence_seconds)
    assert [mark for mark, _ in found].count("ended") == turns


def test_an_open_turn_ends_where_its_speech_did() -> None:
    end = Endpointer()
    for number in range(1, 11):
        end.feed(0.9, number * FRAME_SECONDS)
    assert [(moment.mark, round(moment.at, 2)) for moment in end.finish()] == [(Mark.ENDED, 0.32)]
    assert end.finish() == []


def chances(*stretches: tuple[float, float]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.concatenate([np.full(round(seconds / FRAME_SECONDS), value, dtype=np.float32) for seconds, value in stretches])


@pytest.mark.parametrize(
    ("stretches", "longest", "expected"),
    [
        ([(5, 0.0)], 28, []),
        ([(1, 0.0), (1, 0.9), (2, 0.0)], 28, [(0.7, 2.3)]),
        ([(1, 0.9), (1, 0.0), (1, 0.9)], 28, [(0.0, 3.0)]),  # One thought with its pause.
        ([(1, 0.9), (9, 0.0), (1, 0.9)], 28, [(0.0, 1.3), (9.7, 11.0)]),
        ([(3, 0.9), (0.5, 0.0), (3, 0.9)], 5, [(0.0, 3.3), (3.2, 6.5)]),
    ],
)
def test_speech_spans(stretches: list[tuple[float, float]], longest: float, expected: list[tuple[float, float]]) -> None:
    found = [(start / 16000, stop / 16000) for start, stop in speech_spans(chances(*stretches), longest)]
    assert [value for span in found for value in span] == pytest.approx([value for span in expected for value in span], abs=0.11)


def test_a_stream_cut_anywhere_gives_the_same_frames() -> None:
    sound = np.random.default_rng(1).normal(0, 0.02, 20_000).astype(np.float32)
    whole = LoudnessEar().probabilities(sound).tolist()
    stream, parts = SileroStream(LoudnessEar()), []
    for at in range(0, len(sound), 333):
        parts += stream.feed(sound[at : at + 333])
    assert [*parts, *stream.finish()] == whole
    assert len(whole) == -(-20_000 // 512)


def test_the_real_ear_streams_as_it_reads_whole_and_needs_no_recognition_engine() -> None:
    if vad.model_file() is None:
        pytest.skip("faster-whisper is not installed: no VAD model")
    code = (
        "import sys, numpy as np; from clawmux.adapters.speech import vad; m = vad.Silero();"
        "x = np.random.default_rng(1).normal(0, .1, 16000).astype(np.float32); whole = m.probabilities(x);"
        "s = vad.SileroStream(m); parts = [p for i in range(0, 16000, 700) for p in s.feed(x[i:i+700])] + s.finish();"
        "assert np.abs(whole - parts).max() < 1e-5 and whole.max() < 0.5, whole;"
        "assert not {'ctranslate2', 'faster_whisper'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
