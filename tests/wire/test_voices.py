"""The voices, and the names of agents made from them."""

from __future__ import annotations

import re

import pytest

from clawmux.wire.voices import LANGUAGES, VOICES, free_id, name_of, next_voice

FIRST_SEVEN = ["af_sky", "af_alloy", "af_sarah", "am_adam", "am_echo", "am_onyx", "bm_fable"]


def test_there_are_54_and_the_known_ones_come_first() -> None:
    assert len(VOICES) == 54
    assert list(VOICES)[:7] == FIRST_SEVEN


@pytest.mark.parametrize("voice", VOICES.values(), ids=lambda voice: voice.id)
def test_an_id_tells_language_gender_and_name(voice: object) -> None:
    id, name, language, gender = (getattr(voice, field) for field in ("id", "name", "language", "gender"))
    assert re.fullmatch(r"[abefhijpz][fm]_[a-z]+", id)
    assert (language, gender, name) == (LANGUAGES[id[0]], {"f": "female", "m": "male"}[id[1]], id[3:])


def test_the_speech_service_knows_the_same_voices() -> None:
    from clawmux.adapters.speech import voices as spoken

    assert set(spoken.VOICES) == set(VOICES)


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "af_sky"),
        (["af_sky"], "af_alloy"),
        (["af_alloy"], "af_sky"),
        (FIRST_SEVEN, "af_heart"),
        (list(VOICES)[:-1], list(VOICES)[-1]),
        (list(VOICES), "af_sky"),
    ],
)
def test_the_next_voice_is_the_first_that_nobody_has(taken: list[str], expected: str) -> None:
    assert next_voice(taken) == expected


def test_a_preferred_voice_comes_first_while_nobody_has_it() -> None:
    assert next_voice([], "bm_fable") == next_voice(["af_sky"], "bm_fable") == "bm_fable"
    assert next_voice(["bm_fable"], "bm_fable") == next_voice([], "") == next_voice([], "nobody") == "af_sky"


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "af_sky"),
        (["am_adam"], "af_sky"),
        (["af_sky"], "af_sky-2"),
        (["af_sky", "af_sky-2"], "af_sky-3"),
        (["af_sky", "af_sky-3"], "af_sky-2"),
    ],
)
def test_an_id_is_used_once_at_a_time(taken: list[str], expected: str) -> None:
    assert free_id("af_sky", taken) == expected


@pytest.mark.parametrize(("id", "name"), [("af_sky", "sky"), ("bm_fable-2", "fable-2"), ("odd", "odd")])
def test_a_name_is_the_id_without_its_language(id: str, name: str) -> None:
    assert name_of(id) == name
