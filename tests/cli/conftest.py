"""Private places for each test: a short folder, since socket paths must stay below 104 bytes, and what lies in it."""

from __future__ import annotations

import os
import shutil
import signal
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


@pytest.fixture
def socket_file(folder: Path) -> Path:
    return folder / "hub.sock"


@pytest.fixture
def in_process(socket_file: Path) -> Iterator[None]:
    """For client.main in this process: its environment and, afterwards, our signals."""
    import posix

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    posix.environ[b"CLAWMUX_SOCKET"] = os.fsencode(socket_file)
    yield
    del posix.environ[b"CLAWMUX_SOCKET"]
    for number, handler in before.items():
        signal.signal(number, handler)
