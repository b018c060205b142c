"""Binary frames: the vectors that the page's codec is held to as well, and anything else that may arrive."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawmux.wire.errors import ClawMuxError
from clawmux.wire.frames import HEADER_BYTES, PAYLOAD_LIMIT_BYTES, Frame, decode_frame, encode_frame

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text(encoding="utf-8"))
HEAD = ("kind", "flags", "slot", "seq", "clock_ms")

frames = st.builds(
    Frame,
    kind=st.integers(1, 4),
    flags=st.integers(0, 7),
    slot=st.integers(0, 0xFFFF),
    seq=st.integers(0, 0xFFFFFFFF),
    clock_ms=st.floats(allow_nan=False),
    payload=st.binary(max_size=200).map(lambda data: data[: len(data) & ~1]),
)


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_vectors_are_read_and_written_alike(vector: dict[str, Any]) -> None:
    frame = decode_frame(bytes.fromhex(vector["hex"]))
    assert {name: getattr(frame, name) for name in HEAD} == {name: vector[name] for name in HEAD}
    assert frame.payload.hex() == vector["payload_hex"]
    assert encode_frame(frame).hex() == vector["hex"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused_by_the_name_of_the_field(vector: dict[str, Any]) -> None:
    with pytest.raises(ClawMuxError) as refused:
        decode_frame(bytes.fromhex(vector["hex"]) + bytes(vector.get("zeros", 0)))
    assert vector["field"] in refused.value.text
    assert refused.value.code == ("too_large" if vector["error"] == "too_large" else "usage")


def test_the_largest_payload_is_still_taken() -> None:
    frame = Frame(2, 0, 1, 1, 0.0, bytes(PAYLOAD_LIMIT_BYTES))
    assert decode_frame(encode_frame(frame)) == frame


@given(frames)
def test_what_was_written_is_read(frame: Frame) -> None:
    assert decode_frame(encode_frame(frame)) == frame


@given(st.binary(max_size=3 * HEADER_BYTES))
def test_any_bytes_are_a_frame_or_a_refusal(data: bytes) -> None:
    try:
        frame = decode_frame(data)
    except ClawMuxError as refused:
        assert "binary frame" in refused.text
    else:
        # NaN keeps no bits when it travels through a float; everything else does.
        assert math.isnan(frame.clock_ms) or encode_frame(frame) == data
