"""NVIDIA's libraries for the recogniser, in a folder of their own beside the versions: hundreds of MB that seldom change."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from installer import packages
from installer.place import STAGE, Place

# Lock -> bytes to download, bytes on disk. CUDA 12.4's libraries are smaller by a third, but know no Blackwell card.
SIZES = {"nvidia": (363_000_000, 560_000_000), "nvidia-blackwell": (671_000_000, 1_080_000_000)}


def name_of(place: Place, lock: str) -> str:
    """Changes with the lock, so that a new one is fetched beside the one in use."""
    file = place.requirements(f"{lock}.txt")
    return f"{lock}-{hashlib.sha256(file.read_bytes() if file.exists() else b'').hexdigest()[:8]}"


def is_whole(folder: Path) -> bool:
    return not folder.name.startswith(STAGE) and (folder / ".complete").is_file()


def make(place: Place, name: str, wheels: Path | None) -> None:
    lock = name.rpartition("-")[0]
    stage = place.cuda / f"{STAGE}{name}"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    try:
        with packages.environment(place, stage / "pip", wheels, needs_pip=True) as python:
            packages.install(place, python, place.requirements(f"{lock}.txt"), wheels, stage / "libraries")
        (stage / "libraries" / ".complete").touch()
        shutil.rmtree(place.cuda / name, ignore_errors=True)
        (stage / "libraries").rename(place.cuda / name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
