from __future__ import annotations

import numpy as np
import pytest

from clawmux.adapters.speech.kokoro import checked, trimmed
from clawmux.wire.errors import ClawMuxError

GOOD = (0.5 * np.sin(np.arange(24000) / 10)).astype(np.float32)


@pytest.mark.parametrize(
    ("sound", "what"),
    [
        (np.zeros(0, dtype=np.float32), "0 samples"),
        (GOOD[:100], "100 samples"),
        (np.full(24000, np.nan, dtype=np.float32), "NaN"),
        (np.where(np.arange(24000) == 12000, np.inf, GOOD).astype(np.float32), "NaN"),
        (GOOD * 20, "clipped"),
        (np.zeros(24000, dtype=np.float32), "only silence"),
    ],
)
def test_broken_sound_is_refused(sound: np.ndarray[tuple[int], np.dtype[np.float32]], what: str) -> None:
    with pytest.raises(ClawMuxError, match=what) as raised:
        checked(sound)
    assert raised.value.code == "speech_down"


def test_a_lone_peak_is_scaled_and_good_sound_left_alone() -> None:
    assert checked(GOOD) is GOOD
    peak = GOOD.copy()
    peak[5] = 1.25
    assert float(np.abs(checked(peak)).max()) == 1.0


def test_hardly_any_silence_is_left_at_the_ends() -> None:
    silence = np.zeros(12000, dtype=np.float32)
    found = trimmed(np.concatenate([silence, GOOD, silence]))
    assert len(found) / 24000 == pytest.approx(1.08, abs=0.01)
