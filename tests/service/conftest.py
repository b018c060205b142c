"""Homes for services: nothing of the real user's, and a stand-in for each service manager's tool."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TOOL = Path(__file__).parent.parent / "stand_ins" / "service_tool.py"


@dataclass(frozen=True, slots=True)
class World:
    home: Path
    launcher: Path
    calls_file: Path

    @property
    def unit(self) -> Path:
        return self.home / ".config" / "systemd" / "user" / "clawmux.service"

    @property
    def plist(self) -> Path:
        return self.home / "Library" / "LaunchAgents" / "io.clawmux.hub.plist"

    def calls(self) -> list[str]:
        """What the tool was called with, since the last time."""
        text = self.calls_file.read_text() if self.calls_file.exists() else ""
        self.calls_file.unlink(missing_ok=True)
        return text.splitlines()

    def answers(self, **answers: object) -> None:
        """How the stand-in behaves from now on."""
        (self.home.parent / "answers").write_text(json.dumps(answers))

    def end_hub(self) -> None:
        """The stand-in's hub, as if somebody had killed it."""
        state = self.home.parent / "state"
        facts = json.loads(state.read_text()) if state.exists() else {}
        if holder := facts.pop("holder", 0):
            os.kill(holder, signal.SIGKILL)
            state.write_text(json.dumps({**facts, "running": False}))

    def listing(self) -> dict[str, bytes | None]:
        """Every name under the home, with its content."""
        return {str(path.relative_to(self.home)): path.read_bytes() if path.is_file() else None for path in self.home.rglob("*")}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="cms"))
    home = folder / "home"
    launcher = folder / "bin" / "clawmux"
    for made in (home, launcher.parent):
        made.mkdir()
    launcher.write_text("#!/bin/sh\nexit 1\n")
    launcher.chmod(0o700)
    for tool in ("systemctl", "launchctl"):
        (launcher.parent / tool).write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {TOOL} {tool} "$@"\n')
        (launcher.parent / tool).chmod(0o700)
    for name in [name for name in os.environ if name.startswith(("CLAWMUX_", "XDG_", "VOICE_HUB_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "HOME": str(home),
        "CLAWMUX_LAUNCHER": str(launcher),
        "CLAWMUX_HOME": str(folder / "hub"),
        "PATH": f"{launcher.parent}:{os.environ['PATH']}",
        "SERVICE_TOOL": str(folder),
    }.items():
        monkeypatch.setenv(name, value)
    world = World(home, launcher, folder / "calls")
    yield world
    world.end_hub()
    shutil.rmtree(folder)
