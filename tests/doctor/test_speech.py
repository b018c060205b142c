"""Quality, packages and models, by tables and by real files in a store; and that no check of these loads an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clawmux import catalog
from clawmux.adapters.speech import choice
from clawmux.checks import files, speech
from clawmux.checks.tier import wanted_fit, wanted_models
from clawmux.finding import Verdict
from clawmux.hardware import Apple, Gpu, Hardware
from clawmux.paths import locate
from clawmux.wire.words import Tier
from tests.doctor.conftest import GIB, MACHINE, MakeScene

TINY = ("whisper-tiny.en", "kokoro-int8", "voices")
REMOTE = {"speech_whisper_url": "http://127.0.0.1:1", "speech_kokoro_url": "http://127.0.0.1:1"}


def put(root: Path, *models: str) -> None:
    """Files of the right names and sizes, with nothing in them."""
    for name in models:
        for file in catalog.MODELS[name].files:
            target = root / "ready" / name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                out.truncate(file.size)


@pytest.fixture
def models(home: Path) -> Path:
    return locate({"HOME": str(home)}).models


@pytest.fixture
def own_models(scene: MakeScene, home: Path) -> MakeScene:
    """The same scenes, whose models are in that home whatever CLAWMUX_MODELS says."""

    def make(*given: object, **facts: object) -> object:
        return scene(*given, **{"paths": locate({"HOME": str(home)}), **facts})

    return make  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("quality", "machine", "verdict"),
    [
        ("tiny", MACHINE, Verdict.OK),
        ("high", MACHINE, Verdict.OK),
        ("high", replace(MACHINE, memory_bytes=GIB, memory_free_bytes=GIB), Verdict.WARN),
        ("tiny", replace(MACHINE, libc="musl"), Verdict.WARN),
    ],
)
def test_whether_the_quality_fits(scene: MakeScene, quality: str, machine: Hardware, verdict: Verdict) -> None:
    [finding] = speech.quality(scene({"speech_quality": quality}, machine))
    assert finding.verdict is verdict and quality in finding.detail
    assert bool(finding.remedy) == (verdict is Verdict.WARN)


@pytest.mark.parametrize("look", [speech.quality, speech.packages, speech.models])
def test_nothing_is_needed_where_other_servers_do_it(scene: MakeScene, look: object) -> None:
    assert callable(look)
    [finding] = look(scene(REMOTE))
    assert finding.verdict in (Verdict.OK, Verdict.SKIP)


@pytest.mark.parametrize(
    ("missing", "machine", "verdict"),
    [
        ((), MACHINE, Verdict.OK),
        (("ctranslate2",), MACHINE, Verdict.FAIL),
        (("ctranslate2", "kokoro_onnx"), MACHINE, Verdict.WARN),
        (("ctranslate2", "kokoro_onnx"), replace(MACHINE, libc="musl"), Verdict.WARN),
    ],
)
def test_packages(missing: tuple[str, ...], machine: Hardware, verdict: Verdict) -> None:
    finding = speech.judge_packages(["faster-whisper", "kokoro-onnx"], ["ctranslate2", "kokoro_onnx"], missing, machine)
    assert finding.verdict is verdict
    assert ("musl" in finding.detail) == (bool(missing) and machine.libc == "musl")


def test_no_model_is_there(own_models: MakeScene) -> None:
    """Before the hub's first start nothing is broken: it fetches them, unless it may not."""
    [finding] = speech.models(own_models())
    assert finding.verdict is Verdict.WARN and finding.detail.endswith(". The hub fetches them when it starts.")
    [finding] = speech.models(own_models({"models_download": False}))
    assert finding.verdict is Verdict.FAIL
    assert finding.remedy == f"Run: clawmux models pull {' '.join(TINY)}"


def test_all_models_are_there(own_models: MakeScene, models: Path) -> None:
    put(models, *TINY)
    [finding] = speech.models(own_models())
    assert finding.verdict is Verdict.OK and "right sizes" in finding.detail


def test_a_smaller_one_serves_meanwhile(own_models: MakeScene, models: Path) -> None:
    put(models, *TINY)
    [finding] = speech.models(own_models({"speech_quality": "low"}))
    assert finding.verdict is Verdict.WARN
    assert "whisper-tiny.en, kokoro-int8 serve until then" in finding.detail


@pytest.mark.parametrize(
    ("missing", "there", "verdict"),
    [
        ("whisper-medium", "whisper-small", Verdict.WARN),
        ("whisper-small", "whisper-medium", Verdict.FAIL),
        ("whisper-tiny.en", "whisper-base", Verdict.WARN),
        ("kokoro", "kokoro-int8", Verdict.WARN),
        ("kokoro-int8", "kokoro", Verdict.WARN),
        ("kokoro", "voices", Verdict.FAIL),
        ("voices", "kokoro", Verdict.FAIL),
    ],
)
def test_what_can_stand_in_for_what(missing: str, there: str, verdict: Verdict) -> None:
    [finding] = speech.judge_missing([missing], [there], Path("/models"))
    assert finding.verdict is verdict


CARD = Gpu("nvidia", "NVIDIA GeForce RTX 3090", 24 * GIB, 23 * GIB, (8, 6))


def test_libraries_are_wanted_with_a_card_only(scene: MakeScene) -> None:
    [finding] = speech.graphics(scene())
    assert finding.verdict is Verdict.SKIP
    with_card = replace(MACHINE, gpus=(CARD,), driver="550.54", cuda=(12, 4))
    [finding] = speech.graphics(scene(machine=with_card, environ={"LD_LIBRARY_PATH": ""}))
    assert finding.verdict is Verdict.WARN and "install.sh" in finding.remedy


def test_libraries_of_the_system_are_found(scene: MakeScene, home: Path) -> None:
    (home / "libcublas.so.12").touch()
    with_card = replace(MACHINE, gpus=(CARD,), driver="550.54", cuda=(12, 4))
    [finding] = speech.graphics(scene(machine=with_card, environ={"LD_LIBRARY_PATH": str(home)}))
    assert finding.verdict is Verdict.OK and "the system's own" in finding.detail
    assert speech.judge_graphics([home], []).verdict is Verdict.OK


def test_a_model_that_is_too_short_is_missing(own_models: MakeScene, models: Path) -> None:
    put(models, *TINY)
    file = models / "ready" / "voices" / catalog.MODELS["voices"].files[0].name
    file.write_bytes(b"cut")
    [finding] = speech.models(own_models({"models_download": False}))
    assert finding.verdict is Verdict.FAIL and "voices" in finding.detail


def test_deep_finds_what_has_the_right_size_only_and_leaves_it(own_models: MakeScene, models: Path) -> None:
    put(models, "voices")
    before = sorted(models.rglob("*"))
    findings = list(speech.models(own_models({"speech_whisper_url": "http://x"}, deep=True)))
    broken = [finding for finding in findings if "SHA-256 is wrong" in finding.detail]
    assert len(broken) == 1 and broken[0].verdict is Verdict.FAIL
    assert broken[0].remedy == "Run: clawmux models pull voices"
    assert sorted(models.rglob("*")) == before


def test_the_missing_models_count_for_the_disk(own_models: MakeScene) -> None:
    details = [finding.detail for finding in files.disk(own_models())]
    assert any("the models that are missing take 0.2 GB" in detail for detail in details)


def test_no_round_trip_without_models(own_models: MakeScene) -> None:
    [finding] = speech.speaking(own_models(deep=True))
    assert finding.verdict is Verdict.SKIP


MAC = replace(
    MACHINE,
    system="darwin",
    release="15.1",
    architecture="arm64",
    libc="",
    cpu_features=frozenset({"neon"}),
    memory_bytes=16 * GIB,
    apple=Apple(3, "Pro", 6),
    gpus=(Gpu("apple", "Apple M3 Pro", 16 * GIB, is_unified=True),),
)


HAS_GGML = pytest.mark.skipif("whisper-tiny.en-ggml" not in catalog.MODELS, reason="the catalogue has no weights for Metal yet")


@pytest.mark.parametrize(
    "machine", [MACHINE, replace(MACHINE, gpus=(CARD,), driver="550.54", cuda=(12, 4)), pytest.param(MAC, marks=HAS_GGML)]
)
@pytest.mark.parametrize("tier", Tier)
def test_the_doctor_looks_for_what_the_service_loads_first(scene: MakeScene, machine: Hardware, tier: Tier) -> None:
    drawn = scene({"speech_quality": tier.value}, machine)
    chosen = choice.choose(wanted_fit(drawn))
    recogniser, speaker, *spare, voices = wanted_models(drawn)
    assert (recogniser, speaker, voices) == (chosen.recognisers[0].model, chosen.speakers[0].model, "voices")
    assert set(spare) <= {engine.model for engine in chosen.speakers[1:]}
