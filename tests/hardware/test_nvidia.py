"""What the driver's answers become: CUDA's numbers, and sentences for every way it fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from clawmux.hardware import Gpu, Note
from clawmux.machine import nvidia
from clawmux.machine.sources import Finished, Sources

CARDS = [
    ("GPU-aaaa-1", Gpu("nvidia", "first")),
    ("GPU-aaab-2", Gpu("nvidia", "divided", unusable="It is divided.")),
    ("MIG-cccc-1", Gpu("nvidia", "slice 0", is_mig_slice=True)),
    ("MIG-cccc-2", Gpu("nvidia", "slice 1", is_mig_slice=True)),
    ("GPU-bbbb-3", Gpu("nvidia", "last")),
]


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (None, ["first", "slice 0", "last"]),
        ("0", ["first"]),
        ("2,0", ["last", "first"]),
        ("GPU-b", ["last"]),
        ("GPU-bbbb-3,GPU-aaaa", ["last", "first"]),
        ("MIG-cccc-2", ["slice 1"]),
        ("GPU-aaa", []),
        ("0,7,2", ["first"]),
        ("0,0,2", ["first"]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
    ],
)
def test_cuda_visible_devices(chosen: str | None, names: list[str]) -> None:
    found = nvidia.numbered(CARDS, chosen)
    usable = sorted((gpu for gpu in found if not gpu.unusable), key=lambda gpu: gpu.number)
    assert [gpu.name for gpu in usable] == names
    assert [gpu.number for gpu in usable] == list(range(len(names)))


def ask(root: Path, done: Finished) -> tuple[nvidia.Found, list[Note]]:
    (root / "proc/driver/nvidia").mkdir(parents=True, exist_ok=True)

    def run(argv: list[str], environ: Mapping[str, str], seconds: float) -> Finished:
        assert argv[1:3] == ["-I", "-S"] and seconds == 8.0
        return done

    notes: list[Note] = []
    return nvidia.read(Sources(root, {}, "linux", "", "x86_64", "", run, is_live=False), notes, 64 << 30, 32 << 30), notes


@pytest.mark.parametrize("code", sorted(nvidia.FAILURES))
def test_every_error_is_a_sentence(code: int, tmp_path: Path) -> None:
    _, notes = ask(tmp_path, Finished(0, json.dumps({"what": "A Card", "code": code, "text": "x"}), ""))
    assert notes[0].reason.startswith("A Card: ") and notes[0].reason.endswith(".")
    assert notes[0].remedy.endswith(".") or code == 3


def test_an_error_without_a_sentence_is_told_with_its_number(tmp_path: Path) -> None:
    _, notes = ask(tmp_path, Finished(0, '{"code": 77, "text": "Sprocket Loose"}', ""))
    assert notes == [Note("nvidia", "The NVIDIA driver answers with error 77 (Sprocket Loose).")]


@pytest.mark.parametrize(
    ("done", "reason"),
    [
        (Finished(None, "", ""), "The NVIDIA driver has not answered for 8 s."),
        (Finished(-11, "", ""), "The NVIDIA driver crashed when it was asked (SIGSEGV)."),
        (Finished(-77, "", ""), "The NVIDIA driver crashed when it was asked (signal 77)."),
        (Finished(1, "", "Traceback\nImportError: no _ctypes"), "The NVIDIA driver could not be asked: ImportError: no _ctypes."),
        (Finished(3, "", ""), "The NVIDIA driver could not be asked: exit code 3."),
    ],
)
def test_every_bad_end_is_a_sentence(done: Finished, reason: str, tmp_path: Path) -> None:
    assert [note.reason for note in ask(tmp_path, done)[1]] == [reason]


def test_a_driver_that_prints_words_of_its_own_is_understood(tmp_path: Path) -> None:
    out = (
        'WARNING: something\n[1]\n{"driver": "550.1"}\n{"cuda": 12080}\n{"card": {"name": "A Card", "total": 5, "free": 3}}\n{"ca'
    )
    found, notes = ask(tmp_path, Finished(0, out, ""))
    assert (found.driver, found.cuda, found.gpus, notes) == ("550.1", (12, 8), (Gpu("nvidia", "A Card", 5, 3),), [])


@pytest.mark.parametrize(
    ("name", "is_unified"), [("NVIDIA GB10", True), ("Orin (nvgpu)", True), ("NVIDIA GeForce RTX 3090", False)]
)
def test_only_integrated_parts_share_the_processors_memory(name: str, is_unified: bool, tmp_path: Path) -> None:
    told = {"name": name, "total": None, "free": None, "capability": [8, 7]}
    gpu = ask(tmp_path, Finished(0, json.dumps({"card": told}), ""))[0].gpus[0]
    assert (gpu.is_unified, gpu.memory_bytes, gpu.free_bytes) == (
        is_unified,
        *((64 << 30, 32 << 30) if is_unified else (None, None)),
    )
