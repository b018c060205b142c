"""Figures that were measured: kept, and of no use for another machine, version, model or device."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from clawmux import __version__
from clawmux.hardware import Gpu, Hardware
from clawmux.hub.machine import Machine
from clawmux.machine.measured import Measured, fingerprint, read, why_stale, write
from clawmux.settings import Settings
from clawmux.wire.words import Tier
from tests.stand_ins.machines import CARD, SMALL

FIGURES = Measured(0.4, 0.08, 0.7, 0.5, 600 << 20, "whisper-tiny.en", "cpu", 1795309234.5, __version__, fingerprint(SMALL))


async def row(folder: Path, machine: Hardware, figures: Measured) -> dict[str, object]:
    write(folder / "measured.json", {"tiny": figures})
    told = await Machine(folder, folder / "measured.json", lambda: machine).view(Settings(), None)
    assert not any(row["is_measured"] for row in told["tiers"] if row["tier"] != "tiny")
    found: dict[str, object] = told["tiers"][-1]
    return found


async def test_figures_of_this_machine_take_the_place_of_the_estimate(tmp_path: Path) -> None:
    told = await row(tmp_path, SMALL, FIGURES)
    assert (told["is_measured"], told["delay_seconds"], told["memory_bytes"], told["stale"]) == (True, 0.4, 600 << 20, "")
    assert told["measured"] == {
        "delay_seconds": 0.4, "hearing_factor": 0.08, "first_sound_seconds": 0.7, "speaking_factor": 0.5,
        "memory_bytes": 600 << 20, "at": 1795309234.5, "version": __version__,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "changes", "words"),
    [
        (dataclasses.replace(SMALL, cores=4.0), {}, "this machine has changed"),
        (dataclasses.replace(SMALL, memory_of_host_bytes=8 << 30), {}, "this machine has changed"),
        (dataclasses.replace(SMALL, gpus=(Gpu("amd", "Radeon"),)), {}, "this machine has changed"),
        (SMALL, {"version": "0.0.9"}, "it was measured with version 0.0.9"),
        (SMALL, {"model": "whisper-tiny"}, "whisper-tiny was measured, on cpu"),
        (SMALL, {"device": "cuda:0"}, "whisper-tiny.en was measured, on cuda:0"),
    ],
)
async def test_a_change_of_machine_version_or_engine_makes_them_stale(
    tmp_path: Path, machine: Hardware, changes: dict[str, Any], words: str
) -> None:
    told = await row(tmp_path, machine, dataclasses.replace(FIGURES, **changes))
    assert (told["is_measured"], told["measured"]) == (False, None)
    assert str(told["stale"]).startswith(words) and told["delay_seconds"] != 0.4


def test_what_else_runs_is_no_other_machine() -> None:
    busy = dataclasses.replace(CARD, memory_free_bytes=1 << 30, gpus=(dataclasses.replace(CARD.gpus[0], free_bytes=0),))
    assert fingerprint(busy) == fingerprint(CARD) != fingerprint(SMALL)
    assert why_stale(FIGURES, dataclasses.replace(SMALL, memory_free_bytes=1), __version__, "whisper-tiny.en", "cpu") == ""


@pytest.mark.parametrize("text", ["", "[]", "{", '{"tiny": {}}', '{"tiny": []}', json.dumps({"tiny": {"delay_seconds": "x"}})])
def test_a_broken_file_counts_as_never_measured(tmp_path: Path, text: str) -> None:
    (tmp_path / "measured.json").write_text(text)
    assert read(tmp_path / "measured.json") == {} == read(tmp_path / "nothing.json")
    write(tmp_path / "measured.json", {Tier.TINY: FIGURES})
    assert read(tmp_path / "measured.json") == {"tiny": FIGURES}
