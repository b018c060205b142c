"""Whether memory holds two services, on machines that were recorded."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from clawmux import hardware, tiers
from clawmux.hardware import Hardware
from clawmux.hub.machine import Machine, Running, as_if_free, holds_two, models_of, why_too_large
from clawmux.settings import Settings
from clawmux.wire.words import Tier
from tests.tier_hub import GB, machine

HIGH, MEDIUM, LOW, TINY = Tier
CARD = dataclasses.replace(
    machine(),
    gpus=(hardware.Gpu("nvidia", "NVIDIA GeForce RTX 3070 Ti", 8 * GB, int(7.5 * GB), (8, 6)),),
    driver="550.90",
    cuda=(12, 4),
)


def with_free(found: Hardware, gigabytes: float) -> Hardware:
    return dataclasses.replace(found, gpus=(dataclasses.replace(found.gpus[0], free_bytes=int(gigabytes * GB)),))


@pytest.mark.parametrize(
    ("found", "tier", "running", "holds"),
    [
        (machine(12 * GB), HIGH, Running(TINY), True),
        (machine(2 * GB), HIGH, Running(TINY), False),
        (machine(2 * GB), LOW, Running(TINY), True),
        (machine(0), HIGH, Running(TINY), True),  # nobody says how much is free
        (with_free(CARD, 7.0), HIGH, Running(LOW, "cuda:0"), True),
        (with_free(CARD, 4.9), HIGH, Running(HIGH, "cuda:0"), False),  # alone it would have the card
        (with_free(CARD, 4.9), LOW, Running(HIGH, "cuda:0"), True),
        (with_free(CARD, 0.5), TINY, Running(HIGH, "cpu"), True),  # others fill the card, with or without us
        (dataclasses.replace(with_free(CARD, 7.0), memory_free_bytes=GB // 2), HIGH, Running(LOW, "cuda:0"), False),  # the voice
    ],
)
def test_whether_memory_holds_two(found: Hardware, tier: Tier, running: Running, holds: bool) -> None:
    assert holds_two(found, tier, running) is holds


def test_our_own_service_does_not_make_the_card_look_full() -> None:
    full = with_free(CARD, 4.9)
    assert tiers.fit(full, HIGH).recogniser.device == "cpu"
    assert tiers.fit(as_if_free(full, Running(HIGH, "cuda:0")), HIGH).recogniser.device == "cuda:0"
    assert as_if_free(with_free(CARD, 7.9), Running(HIGH, "cuda:0")).gpus[0].free_bytes == 8 * GB
    assert as_if_free(full, None) == full


def test_the_memory_of_our_own_service_counts_as_free() -> None:
    tiny = tiers.fit(machine(), TINY)
    freed = as_if_free(machine(2 * GB), Running(TINY)).memory_free_bytes - 2 * GB
    assert freed == tiny.recogniser.memory_bytes + tiny.speaker.memory_bytes
    assert as_if_free(machine(0), Running(TINY)).memory_free_bytes == 0, "unknown stays unknown"


def test_a_further_recogniser_needs_its_own_memory_only() -> None:
    assert why_too_large(machine(1 * GB), LOW) == ""
    assert why_too_large(machine(1 * GB), HIGH) == "a second recogniser needs 1.8 GB of memory, and 1 GB are free"
    assert "High needs" in why_too_large(machine(1 * GB, memory_bytes=1 * GB), HIGH)
    assert why_too_large(with_free(CARD, 7.0), HIGH) == ""


@pytest.mark.parametrize(
    ("settings", "models"),
    [
        (Settings(), ["whisper-small", "kokoro", "voices"]),
        (Settings(speech_whisper_url="http://x"), ["kokoro", "voices"]),
        (Settings(speech_kokoro_url="http://x"), ["whisper-small"]),
        (Settings(speech_kokoro_url="http://x", speech_whisper_url="http://x"), []),
    ],
)
def test_what_another_server_does_needs_no_models_here(settings: Settings, models: list[str]) -> None:
    assert models_of(machine(), LOW, settings) == models


APPLE = dataclasses.replace(
    machine(),
    system="darwin",
    release="15.1",
    libc="",
    architecture="arm64",
    apple=hardware.Apple(3, "Pro", 6),
    gpus=(hardware.Gpu("apple", "Apple M3 Pro", 16 * GB, is_unified=True),),
)


def test_a_mac_needs_weights_of_its_own_forms_and_a_voice_to_fall_back_on() -> None:
    assert models_of(APPLE, LOW, Settings()) == ["whisper-small-ggml", "kokoro-mlx", "kokoro-int8", "voices"]


@pytest.mark.parametrize("found", [machine(), CARD, APPLE, dataclasses.replace(machine(), libc="musl")])
async def test_every_kind_of_machine_is_answered(found: Hardware, tmp_path: Path) -> None:
    told = await Machine(tmp_path, tmp_path / "measured.json", lambda: found).view(Settings(), Running(TINY))
    assert [row["tier"] for row in told["tiers"]] == [tier.value for tier in Tier]
    assert json.loads(json.dumps(told)) == told
    assert all(row["reason"] and not row["installed"] for row in told["tiers"])


async def test_the_machine_is_looked_at_once_and_again_where_memory_counts(tmp_path: Path) -> None:
    looks = 0

    def probe() -> Hardware:
        nonlocal looks
        looks += 1
        return machine()

    here = Machine(tmp_path, tmp_path / "measured.json", probe)
    await here.view(Settings(), None)
    await here.view(Settings(), None)
    assert looks == 1
    await here.holds_two(LOW, Running(TINY))
    assert looks == 2
