"""Which engines are tried where, without any hardware: facts in, a list out."""

from __future__ import annotations

import pytest

from clawmux import catalog
from clawmux.adapters.speech import choice
from clawmux.adapters.speech.choice import Choice, choose, plain
from clawmux.tiers import Engine, Fit
from clawmux.wire.words import Tier

CARD = Engine("faster-whisper", "cuda:1", "float16", "whisper-large-v3-turbo", 2_600_000_000)
METAL = Engine("pywhispercpp", "metal", "float16", "whisper-small-ggml", 1_100_000_000)
VOICE = Engine("kokoro-onnx", "cpu", "float32", "kokoro", 690_000_000, 4)


def fit(recogniser: Engine, tier: Tier = Tier.HIGH, speaker: Engine = VOICE) -> Fit:
    return Fit(tier, True, recogniser, speaker, 0.2, "")


def short(engines: tuple[Engine, ...]) -> list[str]:
    return [f"{engine.package} {engine.device} {engine.precision} {engine.model}" for engine in engines]


def test_a_card_comes_first_and_the_processor_with_the_same_model_next() -> None:
    found = short(choose(fit(CARD)).recognisers)
    assert found[:3] == [
        "faster-whisper cuda:1 float16 whisper-large-v3-turbo",
        "faster-whisper cpu int8 whisper-large-v3-turbo",
        "faster-whisper cuda:1 float16 whisper-medium",
    ]


def test_metal_falls_back_to_its_own_weights_on_the_processor_and_then_to_the_others() -> None:
    found = short(choose(fit(METAL, Tier.LOW)).recognisers)
    assert found[:4] == [
        "pywhispercpp metal float16 whisper-small-ggml",
        "pywhispercpp cpu float16 whisper-small-ggml",
        "faster-whisper cpu int8 whisper-small",
        "pywhispercpp metal float16 whisper-base-ggml",
    ]


def test_on_the_processor_each_model_stands_once_with_its_threads() -> None:
    found = choose(fit(Engine("faster-whisper", "cpu", "int8", "whisper-small", 1, 6), Tier.LOW)).recognisers
    assert [engine.model for engine in found] == ["whisper-small", "whisper-base", "whisper-tiny.en", "whisper-tiny"]
    assert {engine.threads for engine in found} == {6}


def test_beside_a_card_the_processor_has_the_speakers_threads() -> None:
    assert {engine.threads for engine in choose(fit(CARD)).recognisers if engine.device == "cpu"} == {4}


@pytest.mark.parametrize(
    ("speaker", "expected"),
    [
        (VOICE, ["kokoro", "kokoro-int8"]),
        (Engine("kokoro-onnx", "cpu", "int8", "kokoro-int8", 0, 4), ["kokoro-int8", "kokoro"]),
        (Engine("mlx-audio", "metal", "float32", "kokoro-mlx", 0), ["kokoro-mlx", "kokoro", "kokoro-int8"]),
    ],
)
def test_another_voice_model_helps_out(speaker: Engine, expected: list[str]) -> None:
    assert [engine.model for engine in choose(fit(METAL, Tier.LOW, speaker)).speakers] == expected


@pytest.mark.parametrize("tier", Tier)
@pytest.mark.parametrize("recogniser", [CARD, METAL], ids=["card", "metal"])
def test_every_model_is_in_the_catalog_and_every_package_has_its_class(tier: Tier, recogniser: Engine) -> None:
    found = choose(fit(recogniser, tier))
    for engine in (*found.recognisers, *found.speakers, *found.other_languages):
        assert engine.model in catalog.MODELS
        assert engine.package in {*choice._RECOGNISERS, *choice._SPEAKERS}


def test_other_languages_are_understood_by_models_that_know_them() -> None:
    assert not [engine for engine in choose(fit(METAL, Tier.TINY)).other_languages if ".en" in engine.model]


@pytest.mark.parametrize("tier", Tier)
def test_where_nothing_is_known_the_processor_serves(tier: Tier) -> None:
    found = plain(tier.value)
    assert {(engine.package, engine.device) for engine in found.recognisers} == {("faster-whisper", "cpu")}
    assert found.speakers[0].model == ("kokoro-int8" if tier is Tier.TINY else "kokoro")


def test_this_machine_gets_a_choice() -> None:
    found = choice.here("tiny")
    assert isinstance(found, Choice)
    assert found.recognisers
