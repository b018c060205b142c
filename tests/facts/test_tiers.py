"""The judgement of machines: each rule at its edge, the user's wishes, and any machine at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawmux import tiers
from clawmux.adapters.speech.choice import choose
from clawmux.catalog import MODELS, SETS
from clawmux.hardware import Apple, Gpu, Hardware
from clawmux.machine import cards, delays
from clawmux.machine.amounts import GB, MB
from clawmux.tiers import TIERS, Engine, Mode, Packages, Wishes, recommend
from clawmux.wire.words import Tier
from tests.hardware.any_hardware import HARDWARE

REQUIREMENTS = Path(__file__).parents[2] / "build" / "requirements"
X86 = frozenset({"sse2", "sse4_1", "avx2"})
DESK = Hardware("linux", "6.1", "x86_64", "glibc 2.36", "A Processor", X86, 8, 8, 32 * GB, 32 * GB, 24 * GB)
MAC = Hardware("darwin", "15.1", "arm64", "", "Apple M4", frozenset({"neon"}), 10, 10, 0, 0, 0, apple=Apple(4, "", 4))
CARD = Gpu("nvidia", "A Card", 24 * GB, 24 * GB, (8, 6))


def with_card(**more: object) -> Hardware:
    return replace(DESK, driver="550.120", cuda=(12, 4), gpus=(replace(CARD, **more),))  # type: ignore[arg-type]


def mac(memory: int, **more: object) -> Hardware:
    gpu = Gpu("apple", "Apple M4", memory, memory // 2, is_unified=True)
    return replace(MAC, memory_bytes=memory, memory_of_host_bytes=memory, memory_free_bytes=memory // 2, gpus=(gpu,), **more)  # type: ignore[arg-type]


def test_the_table_and_the_sets_of_models_agree() -> None:
    for tier, need in TIERS.items():
        assert need.model == SETS[tier][0], "clawmux models pull --set fetches another one"
    assert list(TIERS) == list(Tier)


@pytest.mark.parametrize(
    ("free", "tier", "device"),
    [
        (24 * GB, "high", "cuda:0"),
        (6 * GB, "high", "cuda:0"),
        (6 * GB - 1, "medium", "cuda:0"),
        (int(3.3 * GB), "medium", "cuda:0"),
        (int(3.3 * GB) - 1, "low", "cuda:0"),
        (int(1.8 * GB), "low", "cuda:0"),
        (int(1.8 * GB) - 1, "low", "cpu"),
        (0, "low", "cpu"),
    ],
)
def test_a_card_is_judged_by_what_is_free(free: int, tier: str, device: str) -> None:
    found = recommend(with_card(free_bytes=free))
    assert (found.tier, found.recogniser.device, found.packages) == (tier, device, Packages.NVIDIA)


def test_a_nearly_full_card_beside_few_processors_still_serves_the_smallest_tier() -> None:
    found = recommend(replace(with_card(free_bytes=int(1.2 * GB)), cores=4))
    assert (found.tier, found.recogniser.device) == (Tier.TINY, "cuda:0")


@pytest.mark.parametrize(
    ("capability", "free", "precision"),
    [
        ((8, 6), 6 * GB, "float16"),
        ((7, 0), 6 * GB, "float16"),
        ((7, 5), 4 * GB, "int8_float16"),
        ((6, 1), 12 * GB, "int8"),
        ((6, 0), 16 * GB, "float32"),
        (None, 16 * GB, "float32"),
    ],
)
def test_compute_capability_decides_the_precision(capability: tuple[int, int] | None, free: int, precision: str) -> None:
    found = recommend(with_card(compute_capability=capability, free_bytes=free))
    assert (found.recogniser.device, found.recogniser.precision) == ("cuda:0", precision)


@pytest.mark.parametrize(
    ("card", "cuda", "words"),
    [
        ({"compute_capability": (5, 2)}, (12, 4), "too old"),
        ({}, (11, 8), "serves CUDA 11.8, and 12.0 is needed"),
        ({"compute_capability": (9, 0)}, (12, 7), "serves CUDA 12.7, and 12.8 is needed"),
        ({"compute_capability": (9, 0)}, (12, 8), ""),
        ({"free_bytes": None}, (12, 4), "how much memory"),
        ({"unusable": "It is hidden."}, (12, 4), "It is hidden."),
        ({}, None, ""),
    ],
)
def test_which_cards_can_be_used(card: dict[str, object], cuda: tuple[int, int] | None, words: str) -> None:
    machine = replace(with_card(**card), cuda=cuda)
    why = cards.why_not(machine, machine.gpus[0])
    assert (words in why) if words else why == ""
    assert (cards.usable(machine) == []) == bool(words)


def test_of_two_cards_the_fast_one_then_the_one_with_more_room() -> None:
    old, small, large = (
        Gpu("nvidia", name, 24 * GB, free, capability, number=number)
        for number, (name, free, capability) in enumerate(
            [("old", 23 * GB, (6, 1)), ("small", 7 * GB, (8, 6)), ("large", 9 * GB, (7, 5))]
        )
    )
    assert recommend(replace(DESK, gpus=(old, small, large))).recogniser.device == "cuda:2"


def test_a_slow_card_with_room_is_better_than_a_fast_one_without() -> None:
    fast, slow = Gpu("nvidia", "fast", 8 * GB, 2 * GB, (8, 6)), Gpu("nvidia", "slow", 24 * GB, 20 * GB, (6, 1), number=1)
    found = recommend(replace(DESK, gpus=(fast, slow)))
    assert (found.tier, found.recogniser.device, found.recogniser.precision) == (Tier.HIGH, "cuda:1", "int8")


def test_a_card_is_of_no_use_where_memory_is_too_short_for_the_rest() -> None:
    found = recommend(replace(with_card(), memory_bytes=1300 * MB, memory_of_host_bytes=64 * GB))
    assert (found.tier, found.recogniser.device) == (Tier.TINY, "cpu")


def test_a_mac_whose_memory_is_not_told_is_taken_for_the_smallest() -> None:
    assert recommend(replace(mac(0), memory_bytes=0)).tier is Tier.LOW


def test_blackwell_gets_its_own_libraries() -> None:
    assert recommend(with_card()).overlay == "nvidia"
    assert recommend(replace(with_card(compute_capability=(12, 0)), cuda=(12, 8))).overlay == "nvidia-blackwell"


@pytest.mark.parametrize(
    ("memory", "tier"), [(16, "high"), (15.9, "medium"), (12, "medium"), (11.9, "low"), (8, "low"), (7.9, "tiny")]
)
def test_apple_is_judged_by_its_memory(memory: float, tier: str) -> None:
    assert recommend(mac(int(memory * GB))).tier == tier


@pytest.mark.parametrize(
    ("memory", "speaker", "voices"),
    [
        (64 * GB, "mlx-audio metal float32", ("kokoro-mlx", "kokoro-int8", "voices")),
        (8 * GB, "mlx-audio metal float32", ("kokoro-mlx", "kokoro-int8", "voices")),
        (8 * GB - 1, "kokoro-onnx cpu float32", ("kokoro", "voices")),
        (3 * GB, "kokoro-onnx cpu int8", ("kokoro-int8", "voices")),
    ],
)
def test_a_macs_voice_has_another_to_fall_back_on(memory: int, speaker: str, voices: tuple[str, ...]) -> None:
    found = recommend(mac(memory))
    assert (f"{found.speaker.package} {found.speaker.device} {found.speaker.precision}", found.models[1:]) == (speaker, voices)
    assert {model for model in voices if model != "voices"} <= {engine.model for engine in choose(found.fits[-1]).speakers}
    assert any("not tried on a Mac yet" in sentence for sentence in found.reasons) == (found.speaker.device == "metal")


@pytest.mark.parametrize(
    ("cores", "features", "tier"),
    [(8, X86, "low"), (7.9, X86, "tiny"), (64, X86, "low"), (64, X86 - {"avx2"}, "tiny"), (2, X86 | {"avx512_vnni"}, "tiny")],
)
def test_a_processor_is_judged_by_cores_and_features(cores: float, features: frozenset[str], tier: str) -> None:
    found = recommend(replace(DESK, cores=cores, cpu_features=features))
    assert (found.tier, found.recogniser.device, found.packages) == (tier, "cpu", Packages.CPU)


@pytest.mark.parametrize(
    ("memory", "fits", "speaker"),
    [
        (32 * GB, ["high", "medium", "low", "tiny"], "kokoro"),
        (6 * GB - 1, ["high", "medium", "low", "tiny"], "kokoro-int8"),
        (2 * GB, ["low", "tiny"], "kokoro-int8"),
        (1200 * MB, ["tiny"], "kokoro-int8"),
        (1100 * MB, [], ""),
    ],
)
def test_memory_decides_what_fits(memory: int, fits: list[str], speaker: str) -> None:
    found = recommend(replace(DESK, memory_bytes=memory, memory_of_host_bytes=memory, memory_free_bytes=memory))
    assert ([each.tier for each in found.fits if each.fits], found.speaker.model) == (fits, speaker)


def test_figures_are_never_called_measured_on_a_machine_that_was_not() -> None:
    two = replace(DESK, cores=2, cpu_features=X86 | {"avx512f", "avx512_vnni"})
    assert [each.delay_seconds for each in recommend(two).fits] == [6.1, 3.7, 1.15, 0.29]
    for other in (two, replace(two, cores=4), replace(two, cpu_features=X86)):
        said = " ".join(recommend(other).reasons)
        assert "takes about" in said and "measured" not in said


def test_two_cores_are_told_why_not_the_best() -> None:
    said = " ".join(recommend(replace(DESK, cores=2, cpu_features=X86 | {"avx512_vnni"})).reasons)
    assert "High would take about 6.1 s, longer than medium with about 3.7 s" in said


def test_a_busy_card_is_told_so() -> None:
    said = recommend(with_card(memory_bytes=8 * GB, free_bytes=2 * GB)).reasons
    assert "6 GB of A Card are in use just now; a better tier fits when more of it is free." in said


def test_memory_that_others_hold_is_told() -> None:
    said = recommend(replace(DESK, memory_free_bytes=900 * MB)).reasons
    assert "Only 900 MB of memory are free just now, and speech takes 1.3 GB." in said
    assert not any("just now" in sentence for sentence in recommend(DESK).reasons)


def test_older_cards_and_chips_are_slower() -> None:
    cards_ = [delays.on_nvidia(capability, Tier.HIGH) for capability in ((8, 6), (7, 5), (6, 1))]
    chips = [delays.on_apple(Apple(*chip, 4), Tier.HIGH) for chip in ((4, "Max"), (4, "Pro"), (4, ""), (1, ""))]
    assert cards_ == sorted(set(cards_)) and chips == sorted(set(chips))


@pytest.mark.parametrize("packages", [Packages.CPU, Packages.NVIDIA, Packages.APPLE])
def test_the_engines_that_are_recommended_are_in_the_set_that_is_installed(packages: Packages) -> None:
    machine = {Packages.CPU: DESK, Packages.NVIDIA: with_card(), Packages.APPLE: mac(16 * GB)}[packages]
    found = recommend(machine)
    name = "cpu" if packages is Packages.NVIDIA else packages
    locked = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    assert found.packages is packages
    assert all(f"\n{engine.package}==" in locked for each in found.fits for engine in (each.recogniser, each.speaker))
    assert not found.overlay or "nvidia-cublas-cu12==" in (REQUIREMENTS / f"{found.overlay}.txt").read_text(encoding="utf-8")


def test_more_cores_are_never_slower() -> None:
    times = [delays.on_processor(replace(DESK, cores=cores), Tier.LOW) for cores in (0.5, 1, 2, 4, 8, 16, 64)]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    ("wishes", "mode", "packages"),
    [
        (Wishes(), "local", "cpu"),
        (Wishes(speech_url="https://gpu.example"), "split", "cpu"),
        (Wishes(mode=Mode.SPLIT), "split", "cpu"),
        (Wishes(mode=Mode.LOCAL, speech_url="https://gpu.example"), "local", "cpu"),
        (Wishes(mode=Mode.THIN), "thin", "hub"),
        (Wishes(server_url="https://hub.example"), "local", "cpu"),
    ],
)
def test_wishes_where_everything_fits(wishes: Wishes, mode: str, packages: str) -> None:
    found = recommend(DESK, wishes)
    assert (found.mode, found.packages, bool(found.models)) == (mode, packages, mode == "local")


def test_a_server_that_is_not_needed_is_not_silently_forgotten() -> None:
    assert (
        "to only show the page of https://hub.example, add --mode thin"
        in recommend(DESK, Wishes(server_url="https://hub.example")).reasons[0]
    )


@pytest.mark.parametrize(
    ("wishes", "mode", "words"),
    [
        (Wishes(), "split", "Text works."),
        (Wishes(server_url="https://hub.example"), "thin", "only shows the page of https://hub.example"),
        (Wishes(speech_url="https://gpu.example"), "split", "show the page of another machine's hub"),
        (Wishes(mode=Mode.LOCAL), "split", "not built for musl"),
        (Wishes(mode=Mode.LOCAL, speech_url="https://gpu.example"), "split", "not built for musl"),
    ],
)
def test_wishes_where_no_engine_can_be_had(wishes: Wishes, mode: str, words: str) -> None:
    found = recommend(replace(DESK, libc="musl"), wishes)
    assert (found.mode, found.packages, found.models) == (mode, Packages.HUB, ())
    assert words in " ".join(found.reasons)


def test_a_machine_without_room_for_engines_hears_all_the_same() -> None:
    """The ear is small, and what it heard is recognised elsewhere."""
    found = recommend(replace(DESK, memory_bytes=GB // 2, memory_of_host_bytes=GB // 2), Wishes(speech_url="https://gpu.example"))
    assert (found.mode, found.packages, found.models) == ("split", Packages.CPU, ())
    assert "spoken by https://gpu.example" in found.reasons[0]


def test_a_wish_for_a_tier_is_kept_even_where_it_is_slow() -> None:
    found = recommend(replace(DESK, cores=2), Wishes(tier=Tier.HIGH))
    assert found.tier is Tier.HIGH and found.models[0] == "whisper-large-v3-turbo"
    assert found.reasons[0].startswith("As you asked, high. On 2 processors high takes about 9.2 s")


def test_a_wish_without_room_gives_the_next_smaller_tier() -> None:
    found = recommend(replace(DESK, memory_bytes=2 * GB, memory_of_host_bytes=2 * GB), Wishes(tier=Tier.HIGH))
    assert found.tier is Tier.LOW and found.reasons[0].startswith("High has no room here, so low is taken. High needs 2.5 GB")


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (replace(DESK, system="windows"), "WSL2"),
        (replace(DESK, architecture="riscv64"), "not built for riscv64 processors"),
        (replace(DESK, libc="musl"), "musl"),
        (replace(DESK, libc="glibc 2.27"), "glibc 2.28"),
        (replace(DESK, libc="glibc 2.28"), ""),
        (replace(DESK, cpu_features=frozenset({"sse2"})), "SSE4.1"),
        (replace(DESK, cpu_features=frozenset()), ""),
        (replace(DESK, python=(3, 14)), "Python 3.11 to 3.13, and this is 3.14"),
        (replace(DESK, python=(3, 11)), ""),
        (mac(16 * GB, release="13.6"), "macOS 14"),
        (mac(16 * GB, release="14.0"), ""),
        (mac(16 * GB, release=""), ""),
        (replace(DESK, system="darwin", libc="", release="13.1"), ""),
        (replace(DESK, system="darwin", libc="", release="12.7"), "macOS 13"),
    ],
)
def test_where_engines_can_be_had(machine: Hardware, words: str) -> None:
    why = tiers.why_no_engines(machine)
    assert (words in why) if words else why == ""


@settings(deadline=None, max_examples=300)
@given(HARDWARE, st.builds(Wishes, st.none() | st.sampled_from(Mode), st.none() | st.sampled_from(Tier), st.text(), st.text()))
def test_any_machine_gets_an_answer_that_can_be_followed(machine: Hardware, wishes: Wishes) -> None:
    found = recommend(machine, wishes)
    assert set(found.models) <= set(MODELS) and [each.tier for each in found.fits] == list(TIERS)
    assert found.reasons and all(found.reasons) and all(each.reason for each in found.fits)
    assert found.fits == tuple(tiers.fit(machine, tier) for tier in TIERS)
    if found.mode is not Mode.LOCAL:
        hears = found.mode is Mode.SPLIT and not tiers.why_no_engines(machine)
        packages = Packages.CPU if hears else Packages.HUB
        assert (found.packages, found.models, found.recogniser.package) == (packages, (), "remote")
        return
    chosen = next(each for each in found.fits if each.tier is found.tier)
    assert chosen.fits and (found.recogniser, found.speaker) == (chosen.recogniser, chosen.speaker)
    assert found.models == (found.recogniser.model, *tiers.voice_models(found.speaker))
    assert bool(found.overlay) == (found.packages is Packages.NVIDIA)
    for each in found.fits:
        assert_sound(each.recogniser)
        assert_sound(each.speaker)
        assert each.delay_seconds > 0


def assert_sound(engine: Engine) -> None:
    assert engine.model in MODELS and engine.memory_bytes > 0
    assert engine.precision in ("int8", "float16", "int8_float16", "float32")
    assert (engine.threads > 0) == (engine.device == "cpu")
