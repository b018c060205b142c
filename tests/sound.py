"""Sound for tests: recorded clips as numbers, a WAV for a fake microphone, and whether two recordings are the same.

Numbers are float32 from -1 to 1, one channel. Only tests load numpy this freely.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

# Ours, and a woman's voice that Debian's alsa-utils bring.
CLIPS = (Path(__file__).parent / "data" / "speech", Path("/usr/share/sounds/alsa"))
# Chromium's fake device wants this rate, one channel, 16 bit.
MICROPHONE_RATE = 48000
# The words of each clip, in small letters and without signs (data/speech/README.md has the origins).
WORDS = {
    "kennedy": "and so my fellow americans ask not what your country can do for you ask what you can do for your country",
    "go-forward": "go forward ten meters",
    "austen-dashwood": "and mister john dashwood had then leisure to consider"
    " how much there might be prudently in his power to do for them",
    "austen-young-man": "he was not an ill disposed young man",
    "austen-selfish": "unless to be rather cold hearted and rather selfish is to be ill disposed",
    "Front_Center": "front center",
    "Front_Left": "front left",
    "Rear_Right": "rear right",
}


@dataclass(frozen=True, slots=True)
class Match:
    """How well a recording holds a source."""

    score: float
    """Correlation from -1 to 1 over the whole length of the source."""
    begin: int
    """Sample of the recording at which the source begins."""
    gain: float
    """Recorded loudness over the source's."""


def clip(name: str, rate: int) -> Samples:
    """One of WORDS at this rate."""
    files = [folder / f"{name}.wav" for folder in CLIPS]
    found = [file for file in files if file.is_file()]
    assert found, f"none of {', '.join(map(str, files))} is there; install the package alsa-utils"
    return read_wav(found[0], rate)


def silence(seconds: float, rate: int) -> Samples:
    return np.zeros(round(seconds * rate), np.float32)


def noise(seconds: float, rate: int, loudness: float = 0.05, seed: int = 1) -> Samples:
    """White noise, the same each time."""
    return (np.random.default_rng(seed).standard_normal(round(seconds * rate)) * loudness).astype(np.float32)


def read_wav(path: Path, rate: int) -> Samples:
    """The first channel of a 16-bit WAV at this rate."""
    with wave.open(str(path), "rb") as file:
        assert file.getsampwidth() == 2, f"{path} is not 16 bit"
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2")[:: file.getnchannels()]
        return resample((data / 32768).astype(np.float32), file.getframerate(), rate)


def write_wav(path: Path, samples: Samples, rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def write_microphone(path: Path, pieces: Sequence[Samples | float], lead_seconds: float = 1.0, tail_seconds: float = 3.0) -> Path:
    """What a fake microphone hears: pieces at MICROPHONE_RATE, a number standing for so many seconds of pause.

    Chromium starts the file anew at each getUserMedia; the lead lets a turn open before the first word, the tail lets it end.
    """
    parts = [piece if isinstance(piece, np.ndarray) else silence(piece, MICROPHONE_RATE) for piece in pieces]
    whole = [silence(lead_seconds, MICROPHONE_RATE), *parts, silence(tail_seconds, MICROPHONE_RATE)]
    return write_wav(path, np.concatenate(whole), MICROPHONE_RATE)


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """Band-limited, by the spectrum: exact for a test's lengths, too slow for a product's."""
    if rate == wanted:
        return samples
    length = round(len(samples) * wanted / rate)
    spectrum = np.fft.rfft(samples)
    bins = length // 2 + 1
    fitted = np.zeros(bins, complex)
    fitted[: min(bins, len(spectrum))] = spectrum[:bins]
    return (np.fft.irfft(fitted, length) * (length / len(samples))).astype(np.float32)


def find(source: Samples, recording: Samples) -> Match:
    """Where the recording holds the source best. Both at the same rate; the recording is the longer one."""
    assert 0 < len(source) <= len(recording), f"{len(source)} samples cannot be found in {len(recording)}"
    size = 1 << (len(recording) + len(source) - 1).bit_length()
    spectrum = np.fft.rfft(recording, size) * np.conj(np.fft.rfft(source, size))
    sums = np.fft.irfft(spectrum, size)[: len(recording) - len(source) + 1]
    begin = int(np.argmax(sums))
    part = recording[begin : begin + len(source)].astype(np.float64)
    loudness = float(np.linalg.norm(part) * np.linalg.norm(source))
    score = float(np.dot(part, source)) / loudness if loudness else 0.0
    return Match(score, begin, float(np.linalg.norm(part) / max(float(np.linalg.norm(source)), 1e-12)))


def window_scores(source: Samples, recording: Samples, rate: int, seconds: float = 0.5) -> list[float]:
    """The score of each half second of the source that holds sound.

    On a loaded machine a fake device skips some samples, which shifts all that follows: only short windows can be compared.
    """
    size = round(seconds * rate)
    windows = [source[start : start + size] for start in range(0, len(source) - size + 1, size)]
    return [find(window, recording).score for window in windows if float(np.sqrt(np.mean(window**2))) > 0.01]


def from_tap(blocks: Sequence[dict[str, Any]]) -> Samples:
    """The page's tap as one recording. A block's ``samples`` came through JSON as a list or as an object of numbers."""
    pieces = [block["samples"] for block in blocks]
    numbers = [list(piece.values()) if isinstance(piece, dict) else list(piece) for piece in pieces]
    return np.array([value for piece in numbers for value in piece], np.float32)


def last_sound(samples: Samples, threshold: float = 1e-4) -> int:
    """The last sample that can be heard; -1 for silence."""
    loud = np.nonzero(np.abs(samples) > threshold)[0]
    return int(loud[-1]) if len(loud) else -1


def word_error_rate(expected: str, heard: str) -> float:
    """Words to add, drop or change over the words expected; case and signs do not count."""
    wanted, got = _words(expected), _words(heard)
    row = list(range(len(got) + 1))
    for i, word in enumerate(wanted, 1):
        previous, row = row, [i] + [0] * len(got)
        for j, other in enumerate(got, 1):
            row[j] = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (word != other))
    return row[-1] / max(len(wanted), 1)


# What recognisers write for words that people say; both stand for the same.
_SAME = {"mr": "mister", "10": "ten", "metres": "meters", "metre": "meter"}


def _words(text: str) -> list[str]:
    cleaned = "".join(letter if letter.isalnum() or letter == "'" else " " for letter in text.lower())
    return [_SAME.get(word, word) for word in cleaned.split()]
