"""Binary frames on the browser socket, of sound and of terminals: 16 bytes of header, little endian, then the payload.

    0      u8   kind: 1 microphone, 2 speech, 3 terminal out, 4 terminal in
    1      u8   flags: 1 first, 2 last, 4 discontinuity
    2-3    u16  slot, announced in JSON
    4-7    u32  sequence number within the slot's turn or stream
    8-15   f64  sender's clock, milliseconds

Audio payload is PCM16 little endian mono: 16 kHz from the microphone, 24 kHz to the speaker.
Terminal payload is what tmux draws, or UTF-8 of what is typed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from clawmux.wire.errors import ClawMuxError

MICROPHONE: Final = 1
SPEECH: Final = 2
TERMINAL_OUT: Final = 3
TERMINAL_IN: Final = 4
FIRST: Final = 1
LAST: Final = 2
DISCONTINUITY: Final = 4
HEADER_BYTES: Final = 16
# One second of 24 kHz PCM16 is 48,000 bytes; a peer that sends more in one frame is not ours.
PAYLOAD_LIMIT_BYTES: Final = 65536
MICROPHONE_RATE: Final = 16000
SPEECH_RATE: Final = 24000

_HEADER = struct.Struct("<BBHId")


@dataclass(frozen=True, slots=True)
class Frame:
    kind: int
    flags: int
    slot: int
    seq: int
    clock_ms: float
    payload: bytes


def encode_frame(frame: Frame) -> bytes:
    return _HEADER.pack(frame.kind, frame.flags, frame.slot, frame.seq, frame.clock_ms) + frame.payload


def decode_frame(data: bytes) -> Frame:
    """The frame in ``data``; raises ``usage`` or ``too_large`` naming the field."""
    if len(data) < HEADER_BYTES:
        raise ClawMuxError("usage", f"binary frame has {len(data)} bytes; its header alone has {HEADER_BYTES}.")
    if len(data) > HEADER_BYTES + PAYLOAD_LIMIT_BYTES:
        raise ClawMuxError("too_large", f"binary frame payload is over {PAYLOAD_LIMIT_BYTES} bytes.")
    kind, flags, slot, seq, clock_ms = _HEADER.unpack_from(data)
    if kind not in (1, 2, 3, 4):
        raise ClawMuxError("usage", f"binary frame kind {kind} is unknown; expected 1 to 4.")
    if flags & ~7:
        raise ClawMuxError("usage", f"binary frame flags {flags} hold unknown bits; expected a sum of 1, 2 and 4.")
    payload = data[HEADER_BYTES:]
    if kind in (MICROPHONE, SPEECH) and len(payload) % 2:
        raise ClawMuxError("usage", f"binary frame payload has {len(payload)} bytes; PCM16 needs an even number.")
    return Frame(kind, flags, slot, seq, clock_ms, payload)
