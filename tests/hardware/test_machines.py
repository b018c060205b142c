"""Each machine in tests/hardware/machines is seen as what it is and gets the plan that suits it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from clawmux import hardware, tiers
from clawmux.catalog import MODELS
from clawmux.hardware import Hardware, Note
from clawmux.tiers import Engine, Recommendation
from tests.hardware.replay import Machine, machines, replay

ALL = machines()
NAMED = [pytest.param(machine, id=machine.name) for machine in ALL]
WITH_DRIVER = [pytest.param(machine, id=machine.name) for machine in ALL if machine.has_driver]
Seen = Callable[[Machine], Hardware]


def test_there_are_as_many_as_was_promised() -> None:
    assert len(ALL) >= 24


@pytest.mark.parametrize("machine", NAMED)
def test_it_is_seen_as_what_it_is(machine: Machine, seen: Seen) -> None:
    found = seen(machine)
    check_hardware(found, machine.facts.get("hardware", {}))
    assert hardware.from_json(hardware.to_json(found)) == found


@pytest.mark.parametrize("machine", WITH_DRIVER)
def test_it_is_seen_the_same_before_anything_is_installed(
    machine: Machine, seen: Seen, tmp_path: Path, libraries: Mapping[str, Path]
) -> None:
    assert replay(machine, tmp_path, libraries, has_pynvml=False) == seen(machine)


@pytest.mark.parametrize("machine", NAMED)
def test_its_plan(machine: Machine, seen: Seen) -> None:
    plan = machine.facts["plan"]
    found = tiers.recommend(seen(machine), machine.wishes)
    assert summary(found) == {key: plan[key] for key in summary(found)}, found.reasons
    said = " ".join(found.reasons)
    assert [words for words in plan["says"] if words not in said] == [], said
    check_fits(found, plan)
    check_words(found)


def check_hardware(found: Hardware, expected: dict[str, Any]) -> None:
    told = hardware.to_json(found)
    for key, value in expected.items():
        if key == "notes":
            assert [note_as_expected(note, each) for note, each in zip(found.notes, value, strict=True)] == [True] * len(value)
        elif key == "gpus":
            assert [part_of(gpu, each) for gpu, each in zip(told["gpus"], value, strict=True)] == value
        elif key == "apple" and value:
            assert part_of(told["apple"], value) == value
        else:
            assert told[key] == value, key


def part_of(whole: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {key: whole[key] for key in wanted}


def note_as_expected(note: Note, expected: dict[str, str]) -> bool:
    assert note.what == expected["what"]
    assert expected["reason"] in note.reason and expected["remedy"] in note.remedy, note
    return True


def summary(found: Recommendation) -> dict[str, Any]:
    return {
        "mode": found.mode,
        "tier": found.tier,
        "packages": found.packages,
        "overlay": found.overlay,
        "recogniser": in_short(found.recogniser),
        "speaker": in_short(found.speaker),
        "fits": [each.tier for each in found.fits if each.fits],
    }


def in_short(engine: Engine) -> str:
    return " ".join(filter(None, [engine.package, engine.device, engine.precision, engine.model]))


def check_fits(found: Recommendation, plan: dict[str, Any]) -> None:
    for each in found.fits:
        device, words = plan.get("fit", {}).get(each.tier, (each.recogniser.device, ""))
        assert each.recogniser.device == device and words in each.reason, each


def check_words(found: Recommendation) -> None:
    """Models that can be had, and whole sentences."""
    assert set(found.models) <= set(MODELS)
    for sentence in [*found.reasons, *(each.reason for each in found.fits)]:
        assert re.match(r"[A-Z0-9].*\.$", sentence), sentence
        assert "None" not in sentence and "  " not in sentence, sentence
