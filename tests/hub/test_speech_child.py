"""The speech service as a child: one that hangs, and one that has no engines."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from clawmux.hub.speech_child import SpeechChild
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import SpeechState, Tier
from tests.waiting import until

ROOT = Path(__file__).parents[2]


class Service:
    """What /health comes to: asked of a process that may be stopped."""

    hangs = False

    async def health(self) -> dict[str, Any]:
        if self.hangs:
            await asyncio.sleep(0.05)
            raise ClawMuxError("speech_down", "no answer in time")
        return {"state": "loading"}


async def test_a_service_that_hangs_is_killed_and_its_end_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = tmp_path / "launcher"
    launcher.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(999)\n")
    launcher.chmod(0o700)
    monkeypatch.setenv("CLAWMUX_LAUNCHER", str(launcher))
    told: list[str] = []
    reported: list[SpeechState] = []
    service = Service()
    child = SpeechChild(
        tmp_path / "s",
        tmp_path / "log",
        service,
        lambda state, _: reported.append(state),
        told.append,
        Tier.TINY,
        hangs_after_seconds=0.3,
    )
    child.start()
    await until(lambda: reported)
    assert child._process is not None
    os.kill(child._process.pid, signal.SIGSTOP)
    service.hangs = True
    await until(lambda: told, 10)
    assert "signal 9" in told[0]
    await child.stop()


async def test_an_installation_without_engines_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its start ends with ``missing_program``: an interpreter that sees our package and no other."""
    launcher = tmp_path / "launcher"
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from clawmux.cli.main import main; sys.exit(main())"
    launcher.write_text(f"#!/bin/sh\nexec '{sys.executable}' -I -S -c '{program}' '{ROOT}' \"$@\"\n")
    launcher.chmod(0o700)
    monkeypatch.setenv("CLAWMUX_LAUNCHER", str(launcher))
    told: list[str] = []
    child = SpeechChild(tmp_path / "s", tmp_path / "log", Service(), lambda state, _: None, told.append, Tier.TINY)
    child.start()
    await until(lambda: told, 10)
    assert "no speech engines; text works" in told[0]
    assert "Traceback" not in (tmp_path / "log").read_text()
    await child.stop()
