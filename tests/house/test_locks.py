"""The locks: every entry pinned and hashed, no index named, one version everywhere, inside pyproject's ranges."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build" / "requirements"
# Each lock with the extras of pyproject.toml that it serves.
EXTRAS_OF = {"hub": ["mcp"], "cpu": ["speech", "mcp"], "apple": ["speech", "mcp"], "test": ["speech", "mcp", "test"]}
# Locks that stand by themselves: what builds, and what an NVIDIA GPU needs beside the program.
OTHERS = {"bootstrap", "nvidia", "nvidia-blackwell"}
LOCKS = sorted(path.stem for path in FOLDER.glob("*.txt"))


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    version: str
    hashes: tuple[str, ...]


def read_lock(name: str) -> list[Entry]:
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith(("#", "--only-binary"))]
    return [read_entry(line) for line in lines]


def read_entry(line: str) -> Entry:
    requirement, *hashes = line.split(" --hash=")
    parsed = Requirement(requirement)
    [pin] = list(parsed.specifier)
    assert pin.operator == "==", f"{line[:60]} is not pinned"
    return Entry(canonicalize_name(parsed.name), pin.version, tuple(part.strip() for part in hashes))


def test_the_locks_are_the_known_ones() -> None:
    assert set(LOCKS) == {*EXTRAS_OF, *OTHERS}


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_has_hashes(name: str) -> None:
    entries = read_lock(name)
    assert entries
    bare = [entry.name for entry in entries if not entry.hashes]
    odd = [entry.name for entry in entries for digest in entry.hashes if not digest.startswith("sha256:") or len(digest) != 71]
    assert (bare, odd) == ([], [])


@pytest.mark.parametrize("name", LOCKS)
def test_wheels_only_and_no_index_named(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert text.startswith("--only-binary :all:\n")
    assert "://" not in text and "--index" not in text and "--find-links" not in text


@pytest.mark.parametrize("name", sorted(EXTRAS_OF))
def test_pyproject_ranges_hold(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(line for extra in EXTRAS_OF[name] for line in project["optional-dependencies"][extra])]
    entries = read_lock(name)
    for requirement in map(Requirement, asked):
        versions = [entry.version for entry in entries if entry.name == canonicalize_name(requirement.name)]
        assert versions, f"{name}.txt lacks {requirement.name}"
        assert all(requirement.specifier.contains(version) for version in versions), f"{name}.txt: {requirement} is {versions}"


@pytest.mark.parametrize("name", sorted(EXTRAS_OF))
def test_a_package_has_one_version_in_every_set(name: str) -> None:
    everything = {(entry.name, entry.version) for entry in read_lock("test")}
    assert {(entry.name, entry.version) for entry in read_lock(name)} <= everything


def test_a_larger_set_holds_all_of_a_smaller_one() -> None:
    hub, cpu, apple = ({(entry.name, entry.version) for entry in read_lock(name)} for name in ("hub", "cpu", "apple"))
    assert hub < cpu < apple


def test_the_overlays_bring_cuda_and_nothing_of_the_program() -> None:
    everything = {entry.name for entry in read_lock("test")}
    for name in ("nvidia", "nvidia-blackwell"):
        names = {entry.name for entry in read_lock(name)}
        assert "nvidia-cublas-cu12" in names and not names & everything
    [cublas] = [entry.version for entry in read_lock("nvidia-blackwell") if entry.name == "nvidia-cublas-cu12"]
    assert (12, 8) <= tuple(map(int, cublas.split(".")[:2])) < (13, 0)


def test_the_hub_set_stays_free_of_engines() -> None:
    heavy = {"numpy", "onnxruntime", "ctranslate2", "av", "phonemizer", "espeakng-loader"}
    assert not heavy & {entry.name for entry in read_lock("hub")}
