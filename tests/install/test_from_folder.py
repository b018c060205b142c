"""--from: everything from a folder that is what its SHA256SUMS says, and nothing from the network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from clawmux.catalog import MODELS
from clawmux.wire.errors import ERRORS
from installer import bundle
from tests.install.machine import Machine

YES = ("--yes", "--no-models")
WHEEL = "wheels/aiohttp-3.14.5-cp312-cp312-manylinux_2_28_x86_64.whl"


@pytest.fixture
def folder(short: Path) -> Path:
    made = short / "a stick"
    (made / "wheels").mkdir(parents=True)
    (made / WHEEL).write_bytes(b"a wheel")
    write_sums(made)
    return made


def write_sums(folder: Path) -> None:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != "SHA256SUMS"]
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder)}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def test_packages_come_from_the_folder(tiny: Machine, folder: Path) -> None:
    done = tiny.install(*YES, "--mode", "thin", "--from", str(folder))
    assert done.returncode == 0, done.stderr
    assert "nothing is fetched from the network" in done.stderr and "Altogether 0 MB to fetch" in done.stderr
    assert tiny.version() == "0.1.0"


@pytest.mark.parametrize("damage", ["changed", "shorter", "missing", "no sums", "no wheels named", "sums are no text"])
def test_a_folder_that_is_not_what_it_says_is_refused(tiny: Machine, folder: Path, damage: str) -> None:
    sums = folder / "SHA256SUMS"
    right = hashlib.sha256(b"a wheel").hexdigest()
    expected = str(sums)
    if damage in ("changed", "shorter"):
        content = b"a whee!" if damage == "changed" else b"a whe"
        (folder / WHEEL).write_bytes(content)
        found = hashlib.sha256(content).hexdigest()
        expected = f"{folder / WHEEL} is not what SHA256SUMS says: its SHA-256 is {found} instead of {right}"
    elif damage == "missing":
        (folder / WHEEL).unlink()
        expected = f"{folder / WHEEL} is missing"
    elif damage == "no sums":
        sums.unlink()
    else:
        sums.write_bytes(b"" if damage == "no wheels named" else b"\xff\xfe\xff")
    refused = tiny.install(*YES, "--from", str(folder))
    assert refused.returncode == ERRORS["bad_file"].exit_code
    assert expected in refused.stderr
    assert tiny.listing() == {}


def test_a_folder_without_engines_is_told_before_anything_is_done(tiny: Machine, folder: Path) -> None:
    refused = tiny.install(*YES, "--mode", "local", "--from", str(folder))
    assert refused.returncode == 2 and "the hub's packages only" in refused.stderr
    assert tiny.listing() == {}


def test_the_models_of_the_folder_are_named_as_a_mirror(tiny: Machine, folder: Path, short: Path) -> None:
    (folder / "wheels/ctranslate2-4.8.5-x.whl").write_bytes(b"a wheel")
    (folder / WHEEL).unlink()
    write_sums(folder)
    tiny.more["SMALL_LOG"] = str(short / "log")
    done = tiny.install("--yes", "--from", str(folder))
    assert done.returncode == 0, done.stderr
    calls = (short / "log").read_text(encoding="utf-8").splitlines()
    assert calls[0] == f"models pull whisper-tiny.en kokoro-int8 voices mirror={folder}/models"
    assert not (tiny.home / ".config").exists()


def test_what_a_folder_brings(folder: Path) -> None:
    (folder / "models").mkdir()
    for name in ("whisper-tiny.en", "voices"):
        for file in MODELS[name].files:
            (folder / "models" / file.sha256).touch()
    (folder / "models" / MODELS["whisper-small"].files[0].sha256).touch()
    found = bundle.look(folder)
    assert found.wheels == {"aiohttp"} and found.models == {"whisper-tiny.en", "voices"}


def test_the_plan_counts_only_what_is_fetched(tiny: Machine, folder: Path) -> None:
    (folder / "models").mkdir()
    for name in ("whisper-tiny.en", "kokoro-int8", "kokoro", "voices"):
        for file in MODELS[name].files:
            (folder / "models" / file.sha256).touch()
    (folder / "wheels/ctranslate2-4.8.5-x.whl").write_bytes(b"a wheel")
    write_sums(folder)
    plan = json.loads(tiny.install("--dry-run", "--json", "--from", str(folder)).stdout)["result"]
    assert plan["download_bytes"] == 0 and plan["disk_bytes"] > 700_000_000
    assert plan["tasks"][-1]["title"].startswith("copy the speech models whisper-tiny.en")
