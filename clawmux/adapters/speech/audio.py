"""Pure: sound as arrays. WAV in and out, PCM16, resampling, levels; other containers through PyAV. No devices, no files.

Inside the service sound is float32 mono in -1..1. Everything odd about a user's file becomes a ``ClawMuxError``
that names the field of the header, or is converted.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clawmux.wire.errors import ClawMuxError

Samples = NDArray[np.float32]

LISTEN_RATE = 16_000
SPEAK_RATE = 24_000
# An hour of 16 kHz float32 is 230 MB; longer uploads are refused before they fill the memory.
MAX_SECONDS = 3600
_RATES = (1_000, 768_000)


@dataclass(frozen=True, slots=True)
class Sound:
    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


# --- PCM16 and levels ---------------------------------------------------------------------------


def from_pcm16(data: bytes | bytearray | memoryview) -> Samples:
    if len(data) % 2:
        raise _bad(f"PCM16 of {len(data)} bytes: an odd byte count; each sample is 2 bytes.")
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0


def to_pcm16(samples: Samples) -> bytes:
    pcm: bytes = np.clip(np.rint(samples * 32767.0), -32768, 32767).astype("<i2").tobytes()
    return pcm


def level_dbfs(samples: Samples) -> float:
    """Root mean square against full scale; -inf for nothing and for digital silence."""
    if not len(samples):
        return -math.inf
    mean = float(np.mean(np.square(samples, dtype=np.float64)))
    return 10 * math.log10(mean) if mean > 0 else -math.inf


def resample(samples: Samples, rate: int, wanted: int) -> Samples:
    """Band-limited (windowed sinc) conversion; the length is the rounded ratio."""
    if rate == wanted or not len(samples):
        return samples.astype(np.float32, copy=False)
    length = max(1, round(len(samples) * wanted / rate))
    # Below the narrower of the two Nyquist limits, with a little room for the filter's slope.
    cutoff = min(1.0, wanted / rate) * 0.95
    reach = math.ceil(16 / cutoff)
    padded = np.pad(samples.astype(np.float32, copy=False), (reach, reach + 1))
    out = np.empty(length, dtype=np.float32)
    taps = np.arange(-reach + 1, reach + 1)
    for start in range(0, length, 16_384):  # A window of work at a time keeps an hour of sound in a few MB.
        at = np.arange(start, min(start + 16_384, length)) * (rate / wanted)
        whole = np.floor(at).astype(np.int64)
        distance = taps[None, :] - (at - whole)[:, None]
        kernel = np.sinc(distance * cutoff) * np.cos(np.pi * distance / (2 * (reach + 1))) ** 2 * cutoff
        out[start : start + len(at)] = np.einsum("ij,ij->i", kernel, padded[whole[:, None] + taps[None, :] + reach])
    return out


# --- WAV ----------------------------------------------------------------------------------------

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_STREAMED = 0xFFFFFFFF
"""The length in the header of a WAV that was streamed: up to its end."""


def wav_header(rate: int, data_bytes: int | None = None) -> bytes:
    """PCM16 mono. Without a length (streaming) both sizes say "up to the end", as ffmpeg writes to a pipe."""
    size = _STREAMED if data_bytes is None else data_bytes
    riff = _STREAMED if data_bytes is None else 36 + data_bytes
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", riff, b"WAVE", b"fmt ", 16, _PCM, 1, rate, rate * 2, 2, 16, b"data", size)


def write_wav(sound: Sound) -> bytes:
    pcm = to_pcm16(sound.samples)
    return wav_header(sound.rate, len(pcm)) + pcm


def is_wav(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WAVE"


def read_wav(data: bytes) -> Sound:
    """The first data chunk as mono; raises ``unsupported`` naming the header's field."""
    if not is_wav(data):
        raise _bad("WAV header: the file does not begin with RIFF and WAVE.")
    fmt: tuple[int, int, int, int] | None = None
    for name, start, size in _chunks(data):
        if name == b"fmt ":
            fmt = _read_format(data[start : start + size])
        elif name == b"data":
            if fmt is None:
                raise _bad("WAV header: the data chunk stands before any fmt chunk.")
            return _decode_wav(data, start, size, fmt)
    raise _bad("WAV data chunk: missing; the file ends before any sound (truncated).")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        yield name, at + 8, size
        at += 8 + size + size % 2
    if at < len(data) and at + 8 > len(data):
        raise _bad(f"WAV: truncated inside a chunk header at byte {at}.")


def _read_format(body: bytes) -> tuple[int, int, int, int]:
    if len(body) < 16:
        raise _bad(f"WAV fmt chunk: {len(body)} bytes long, at least 16 expected (truncated).")
    tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack_from("<H", body, 24)[0]
    if not 1 <= channels <= 32:
        raise _bad(f"WAV fmt channels = {channels}: 1 to 32 expected.")
    if not _RATES[0] <= rate <= _RATES[1]:
        raise _bad(f"WAV fmt sample rate = {rate}: {_RATES[0]} to {_RATES[1]} expected.")
    if (tag, bits) not in _DECODERS:
        raise _bad(
            f"WAV fmt format tag = {tag} with bits per sample = {bits}: PCM of 8, 16, 24, 32 or float of 32, 64 bits expected."
        )
    return tag, channels, rate, bits


def _decode_wav(data: bytes, start: int, size: int, fmt: tuple[int, int, int, int]) -> Sound:
    tag, channels, rate, bits = fmt
    # 0 and 2**31-ish sizes are written by programs that stream and never come back to the header.
    present = len(data) - start
    if size > present and size < 0x7FFFF000:
        raise _bad(f"WAV data chunk: {size} bytes announced, {present} present (truncated).")
    body = data[start : start + (present if size in (0, _STREAMED) or size > present else size)]
    frame = channels * bits // 8
    if len(body) % frame:
        raise _bad(f"WAV data chunk: {len(body)} bytes is not a whole number of {frame}-byte frames.")
    _check_length(len(body) / frame / rate)
    flat = _DECODERS[tag, bits](body)
    mono = flat if channels == 1 else flat.reshape(-1, channels).mean(axis=1)
    return Sound(_finite(mono.astype(np.float32, copy=False)), rate)


def _pcm24(body: bytes) -> NDArray[Any]:
    three = np.frombuffer(body, dtype=np.uint8).reshape(-1, 3)
    wide = np.zeros((len(three), 4), dtype=np.uint8)
    wide[:, 1:] = three
    return wide.view("<i4")[:, 0] / 2147483648.0


_DECODERS: dict[tuple[int, int], Callable[[bytes], NDArray[Any]]] = {
    (_PCM, 8): lambda body: (np.frombuffer(body, dtype=np.uint8).astype(np.float32) - 128.0) / 128.0,
    (_PCM, 16): lambda body: np.frombuffer(body, dtype="<i2").astype(np.float32) / 32768.0,
    (_PCM, 24): _pcm24,
    (_PCM, 32): lambda body: np.frombuffer(body, dtype="<i4") / 2147483648.0,
    (_FLOAT, 32): lambda body: np.clip(np.frombuffer(body, dtype="<f4"), -1.0, 1.0),
    (_FLOAT, 64): lambda body: np.clip(np.frombuffer(body, dtype="<f8"), -1.0, 1.0),
}


def _finite(samples: Samples) -> Samples:
    if not np.isfinite(samples).all():
        raise _bad("WAV data chunk: holds NaN or infinite samples.")
    return samples


def _check_length(seconds: float) -> None:
    if seconds > MAX_SECONDS:
        raise ClawMuxError(
            "too_large", f"file: {seconds / 60:.0f} minutes of sound; the limit is {MAX_SECONDS // 60}.", "Send it in parts."
        )


def _bad(text: str) -> ClawMuxError:
    return ClawMuxError("unsupported", text, "Send WAV (PCM16 is best), MP3, Opus, WebM, FLAC or M4A.")


# --- any container, through PyAV ----------------------------------------------------------------


def decode(data: bytes, rate: int = LISTEN_RATE) -> Samples:
    """Any sound file as mono at ``rate``; WAV by our own reader, whose errors say more."""
    if not data:
        raise _bad("file: it is empty.")
    if is_wav(data):
        sound = read_wav(data)
        return resample(sound.samples, sound.rate, rate)
    return _decode_container(data, rate)


# Never playlists (hls, concat, sdp): they name further files and addresses, which FFmpeg would open.
_CONTAINERS = "mp3,ogg,flac,matroska,webm,mov,mp4,m4a,aac,wav,w64,aiff,au,caf,amr"


def _decode_container(data: bytes, rate: int) -> Samples:
    import av

    parts: list[Samples] = []
    count = 0
    try:
        with av.open(io.BytesIO(data), mode="r", options={"format_whitelist": _CONTAINERS}) as container:
            if not container.streams.audio:
                raise _bad(f"file: {container.format.name} without an audio stream.")
            convert = av.AudioResampler(format="fltp", layout="mono", rate=rate)
            for frame in container.decode(container.streams.audio[0]):
                for piece in convert.resample(frame):
                    parts.append(piece.to_ndarray()[0].astype(np.float32, copy=False))
                    count += len(parts[-1])
                _check_length(count / rate)
            parts += [piece.to_ndarray()[0] for piece in convert.resample(None)]
    except (av.FFmpegError, ValueError) as error:
        # What was decoded before a broken end is still speech; nothing at all is an error.
        if count < rate // 10:
            raise _bad(f"file: not a sound file that can be decoded ({type(error).__name__}).") from None
    if not parts:
        raise _bad("file: it holds no sound.")
    return np.nan_to_num(np.concatenate(parts))


_CODECS = {"mp3": ("mp3", "libmp3lame", "s16p"), "opus": ("ogg", "libopus", "s16"), "flac": ("flac", "flac", "s16")}
CONTENT_TYPES = {"pcm": "audio/pcm", "wav": "audio/wav", "mp3": "audio/mpeg", "opus": "audio/ogg", "flac": "audio/flac"}


class Encoder:
    """PCM16 at 24 kHz in, pieces of one file out, as soon as the codec gives them."""

    def __init__(self, response_format: str) -> None:
        self.format = response_format
        self._started = False
        self._container: Any = None
        self._out = _Pipe()
        if response_format in _CODECS:
            self._open(*_CODECS[response_format])

    def _open(self, container: str, codec: str, sample_format: str) -> None:
        import av

        self._container = av.open(self._out, mode="w", format=container)
        # libopus takes 8, 12, 16, 24, 48 kHz; 24 kHz is among them, so nothing is resampled.
        self._stream = self._container.add_stream(codec, rate=SPEAK_RATE, layout="mono")
        self._resampler = av.AudioResampler(format=sample_format, layout="mono", rate=SPEAK_RATE)
        self._position = 0

    def feed(self, pcm: bytes) -> bytes:
        if self._container is None:
            head = wav_header(SPEAK_RATE) if self.format == "wav" and not self._started else b""
            self._started = True
            return head + pcm
        import av

        frame = av.AudioFrame.from_ndarray(np.frombuffer(pcm, dtype="<i2").reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SPEAK_RATE
        frame.pts = self._position
        self._position += frame.samples
        for converted in self._resampler.resample(frame):
            self._container.mux(self._stream.encode(converted))
        return self._out.take()

    def finish(self) -> bytes:
        """The rest of the file."""
        if self._container is None:
            return b"" if self._started else self.feed(b"")
        for converted in self._resampler.resample(None):
            self._container.mux(self._stream.encode(converted))
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._out.take()


class _Pipe(io.RawIOBase):
    """Where PyAV writes; not seekable, so that containers are written for streaming."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken
