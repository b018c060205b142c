from __future__ import annotations

from collections import Counter

import pytest

from clawmux.adapters.speech.voices import VOICES, find_voice
from clawmux.wire.errors import ClawMuxError


def test_all_54_voices_have_language_and_gender() -> None:
    assert len(VOICES) == 54
    assert Counter(voice.language for voice in VOICES.values()) == {
        "en-US": 20, "en-GB": 8, "zh": 8, "ja": 5, "hi": 4, "es": 3, "pt-BR": 3, "it": 2, "fr": 1,
    }  # fmt: skip
    assert Counter(voice.gender for voice in VOICES.values())["female"] == 29


@pytest.mark.parametrize(
    ("name", "voice_id", "espeak"),
    [("bm_fable", "bm_fable", "en-gb"),
     ("fable", "bm_fable", "en-gb"), ("alloy", "af_alloy", "en-us"), ("santa", "am_santa", "en-us"),
     ("zf_xiaobei", "zf_xiaobei", "cmn"), ("ff_siwis", "ff_siwis", "fr-fr")],
)  # fmt: skip
def test_find_voice(name: str, voice_id: str, espeak: str) -> None:
    assert (find_voice(name).id, find_voice(name).espeak) == (voice_id, espeak)


@pytest.mark.parametrize("name", ["", "zz_nobody", "AF_SKY", "../af_sky"])
def test_unknown_voice(name: str) -> None:
    with pytest.raises(ClawMuxError, match="voice: ") as raised:
        find_voice(name)
    assert raised.value.code == "not_found"
