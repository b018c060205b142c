"""A small world for each test: a home of its own with a short path, a recorded machine, and programs put on PATH."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clawmux.checks.scene import Scene
from clawmux.hardware import Hardware
from clawmux.paths import locate
from clawmux.settings import Settings

ROOT = Path(__file__).parents[2]
GIB = 1 << 30
MACHINE = Hardware(
    "linux", "6.1.0", "x86_64", "glibc 2.36", "AMD EPYC", frozenset({"avx2"}), 2, 2, 8 * GIB, 8 * GIB, 6 * GIB,
)  # fmt: skip

MakeScene = Callable[..., Scene]
AddProgram = Callable[[str, str], Path]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """HOME of this process and its children. Short: a socket's path holds some hundred bytes."""
    folder = Path(tempfile.mkdtemp(prefix="cmd")).resolve()
    for name in list(os.environ):
        if name.startswith(("CLAWMUX_", "XDG_", "WHISPER_", "KOKORO_", "VOICE_")) and name != "CLAWMUX_MODELS":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def scene(home: Path) -> MakeScene:
    """A scene in that home; settings by their field names, everything else by the names of Scene."""

    def make(settings: dict[str, Any] | None = None, machine: Hardware = MACHINE, **facts: Any) -> Scene:
        drawn = Scene(locate({"HOME": str(home)}), Settings(**(settings or {})), dict(os.environ), lambda: machine)
        return replace(drawn, **facts)

    return make


@pytest.fixture
def program(home: Path, monkeypatch: pytest.MonkeyPatch) -> AddProgram:
    """Puts a shell script on PATH, which then has nothing but these, the system's own and this Python."""
    folder = home / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{Path(sys.executable).parent}:/usr/bin:/bin")

    def add(name: str, script: str) -> Path:
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return file

    return add
