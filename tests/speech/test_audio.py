from __future__ import annotations

import io
import math
import struct
import wave

import numpy as np
import pytest

from clawmux.adapters.speech import audio
from clawmux.adapters.speech.audio import Encoder, Samples, Sound
from clawmux.wire.errors import ClawMuxError


def tone(seconds: float, rate: int, hertz: float = 440.0) -> Samples:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def wav(
    tag: int = 1, channels: int = 1, rate: int = 16000, bits: int = 16, body: bytes = bytes(3200), size: int | None = None
) -> bytes:
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    data = struct.pack("<4sI", b"data", len(body) if size is None else size) + body
    return b"RIFF" + struct.pack("<I", 20 + len(fmt) + len(data)) + b"WAVE" + struct.pack("<4sI", b"fmt ", len(fmt)) + fmt + data


BROKEN = [
    (b"", "file: it is empty"),
    (b"not sound at all" * 50, "file: not a sound file"),
    (b"#EXTM3U\nfile:///etc/passwd\n", "file: not a sound file"),
    (b"RIFF\x00\x00\x00\x00WAVE", "data chunk: missing"),
    (wav()[:30], "WAV fmt chunk: 10 bytes long"),
    (wav()[:36], "data chunk: missing"),
    (wav()[:40], "truncated inside a chunk header"),
    (wav()[:-100], "3200 bytes announced, 3100 present"),
    (wav(rate=0), "sample rate = 0"),
    (wav(rate=4_000_000), "sample rate = 4000000"),
    (wav(channels=0), "channels = 0"),
    (wav(channels=99), "channels = 99"),
    (wav(bits=12), "bits per sample = 12"),
    (wav(tag=6, bits=8), "format tag = 6"),
    (wav(body=bytes(3201)), "not a whole number of 2-byte frames"),
    (wav(tag=3, bits=32, body=struct.pack("<f", math.nan) * 100), "NaN"),
    (wav()[:12] + wav()[36:], "before any fmt chunk"),
]


@pytest.mark.parametrize(("data", "text"), BROKEN)
def test_broken_files_are_named(data: bytes, text: str) -> None:
    with pytest.raises(ClawMuxError) as raised:
        audio.decode(data)
    assert raised.value.code == "unsupported"
    assert text in raised.value.text


def test_too_long_is_refused_before_it_is_converted() -> None:
    with pytest.raises(ClawMuxError, match="minutes of sound") as raised:
        audio.read_wav(wav(rate=1000, bits=8, body=bytes(3_700_000)))
    assert raised.value.code == "too_large"


@pytest.mark.parametrize(
    ("tag", "bits", "encode"),
    [
        (1, 8, lambda x: (x * 127 + 128).astype(np.uint8).tobytes()),
        (1, 16, lambda x: (x * 32767).astype("<i2").tobytes()),
        (1, 24, lambda x: b"".join(int(v * 8388607).to_bytes(3, "little", signed=True) for v in x)),
        (1, 32, lambda x: (x * 2147483000).astype("<i4").tobytes()),
        (3, 32, lambda x: x.astype("<f4").tobytes()),
        (3, 64, lambda x: x.astype("<f8").tobytes()),
    ],
)
def test_every_sample_format(tag: int, bits: int, encode: object) -> None:
    source = tone(0.1, 16000).astype(np.float64)
    assert callable(encode)
    found = audio.read_wav(wav(tag=tag, bits=bits, body=encode(source)))
    assert found.rate == 16000
    assert np.abs(found.samples - source).max() < (0.02 if bits == 8 else 0.001)


def test_stereo_becomes_the_mean() -> None:
    body = np.stack([np.full(800, 10000), np.full(800, -4000)], axis=1).astype("<i2").tobytes()
    assert audio.read_wav(wav(channels=2, body=body)).samples.mean() == pytest.approx(3000 / 32768, abs=1e-4)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF])
def test_a_streamed_wav_goes_to_its_end(size: int) -> None:
    assert len(audio.read_wav(wav(size=size)).samples) == 1600


def test_unknown_chunks_are_passed_over() -> None:
    plain = wav(body=audio.to_pcm16(tone(0.1, 16000)))
    listed = plain[:36] + struct.pack("<4sI", b"LIST", 5) + b"INFOx\x00" + plain[36:]
    assert np.array_equal(audio.read_wav(listed).samples, audio.read_wav(plain).samples)


def test_what_we_write_others_read() -> None:
    with wave.open(io.BytesIO(audio.write_wav(Sound(tone(0.5, 24000), 24000)))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (1, 2, 24000, 12000)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 24000, 44100, 48000, 96000])
def test_resampling_keeps_length_and_tone(rate: int) -> None:
    found = audio.resample(tone(1.0, rate), rate, 16000)
    assert len(found) == 16000
    assert np.abs(found - tone(1.0, 16000))[200:-200].max() < 0.001


def test_resampling_leaves_nothing_beyond_the_new_band() -> None:
    assert audio.level_dbfs(audio.resample(tone(1.0, 48000, 10_000), 48000, 16000)[200:-200]) < -60


def test_pcm16() -> None:
    assert audio.from_pcm16(audio.to_pcm16(np.array([0.0, 1.0, -1.0, 7.0], dtype=np.float32))).tolist() == pytest.approx(
        [0.0, 1.0, -1.0, 1.0], abs=1e-4
    )
    with pytest.raises(ClawMuxError, match="odd byte count"):
        audio.from_pcm16(b"abc")


def test_levels() -> None:
    assert audio.level_dbfs(tone(1.0, 16000)) == pytest.approx(-9.03, abs=0.05)
    assert audio.level_dbfs(np.zeros(10, dtype=np.float32)) == audio.level_dbfs(np.zeros(0, dtype=np.float32)) == -math.inf


@pytest.mark.parametrize(("response_format", "slack_seconds"), [("wav", 0.0), ("mp3", 0.1), ("opus", 0.03), ("flac", 0.0)])
def test_every_output_format_decodes_to_its_length(response_format: str, slack_seconds: float) -> None:
    source = tone(2.5, 24000)
    pcm = audio.to_pcm16(source)
    encoder = Encoder(response_format)
    parts = [encoder.feed(pcm[at : at + 30_000]) for at in range(0, len(pcm), 30_000)] + [encoder.finish()]
    assert len([part for part in parts[:-1] if part]) > 1, "nothing came before the end"
    found = audio.decode(b"".join(parts), 24000)
    assert len(found) / 24000 == pytest.approx(2.5, abs=slack_seconds + 1e-6)
    assert audio.level_dbfs(found) == pytest.approx(audio.level_dbfs(source), abs=1.0)


def test_pcm_is_what_was_fed() -> None:
    encoder = Encoder("pcm")
    assert encoder.feed(b"abcd") + encoder.finish() == b"abcd"


def test_an_upload_cut_short_keeps_what_was_said() -> None:
    encoder = Encoder("mp3")
    whole = encoder.feed(audio.to_pcm16(tone(3.0, 24000))) + encoder.finish()
    assert len(audio.decode(whole[: len(whole) * 2 // 3])) / 16000 == pytest.approx(2.0, abs=0.2)
