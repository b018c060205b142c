"""The measuring tools of the sound tests, measured themselves: a tool that finds everything the same would prove nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import sound

RATE = 16000


def test_a_copy_is_found_where_it_lies() -> None:
    source = sound.clip("go-forward", RATE)
    recording = np.concatenate([sound.noise(0.7, RATE, 0.01), source * 0.5, sound.silence(0.3, RATE)])
    found = sound.find(source, recording)
    assert (found.begin, round(found.score, 4), round(found.gain, 3)) == (round(0.7 * RATE), 1.0, 0.5)


@pytest.mark.parametrize("other", ["austen-selfish", "kennedy"])
def test_another_clip_is_not_found(other: str) -> None:
    recording = np.concatenate([sound.clip(other, RATE), sound.silence(3, RATE)])
    assert sound.find(sound.clip("go-forward", RATE), recording).score < 0.3


def test_a_gap_breaks_the_whole_but_not_the_windows() -> None:
    source = sound.clip("austen-selfish", RATE)
    recording = np.concatenate([source[:30000], source[31000:], sound.silence(1, RATE)])
    assert sound.find(source, recording).score < 0.9
    assert float(np.median(sound.window_scores(source, recording, RATE))) > 0.99


def test_rates_are_changed_without_harm() -> None:
    source = sound.clip("go-forward", RATE)
    there = sound.resample(source, RATE, 44100)
    assert len(there) == round(len(source) * 44100 / RATE)
    assert sound.find(source, sound.resample(there, 44100, RATE)).score > 0.9999


def test_the_microphone_file_holds_pieces_and_pauses(tmp_path: Path) -> None:
    tone = np.sin(np.arange(sound.MICROPHONE_RATE) * 0.05, dtype=np.float32) * np.float32(0.5)
    file = sound.write_microphone(tmp_path / "m.wav", [tone, 1.5, tone], lead_seconds=0.5, tail_seconds=2)
    heard = sound.read_wav(file, sound.MICROPHONE_RATE)
    assert len(heard) == round(6.0 * sound.MICROPHONE_RATE)
    assert not heard[round(1.5 * sound.MICROPHONE_RATE) + 1 : 3 * sound.MICROPHONE_RATE].any()
    assert sound.last_sound(heard) // 1000 == round(4.0 * sound.MICROPHONE_RATE) // 1000 - 1
    assert sound.last_sound(sound.silence(1, RATE)) == -1


def test_a_tap_becomes_one_recording() -> None:
    blocks = [{"time": 0.0, "samples": {"0": 0.5, "1": 0.25}}, {"time": 0.1, "samples": [1, 0]}]
    assert sound.from_tap(blocks).tolist() == [0.5, 0.25, 1.0, 0.0]


@pytest.mark.parametrize(
    ("heard", "rate"),
    [
        ("Go forward, 10 meters.", 0.0),
        ("go forward ten", 0.25),
        ("go forward then meters", 0.25),
        ("please go forward ten meters", 0.25),
        ("", 1.0),
    ],
)
def test_word_error_rate(heard: str, rate: float) -> None:
    assert sound.word_error_rate(sound.WORDS["go-forward"], heard) == rate


def test_every_clip_of_ours_is_there_and_audible() -> None:
    ours = [name for name in sound.WORDS if (sound.CLIPS[0] / f"{name}.wav").is_file()]
    assert len(ours) == 5
    assert all(0.1 < float(np.abs(sound.clip(name, RATE)).max()) < 1 for name in ours)
