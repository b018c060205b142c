"""A short private folder for each test: socket paths must stay below 104 bytes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="cmx"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CLAWMUX_HOME for this process and its children, nothing of the real user's left."""
    for name in (
        "CLAWMUX_SOCKET",
        "CLAWMUX_SESSION_ID",
        "VOICE_HUB_SESSION_ID",
        "CLAWMUX_LAUNCHER",
        "DISPLAY",
        "WAYLAND_DISPLAY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("CLAWMUX_HOME", str(folder / "home"))
    return folder / "home"
