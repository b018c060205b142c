"""The speech service as a child: one that hangs."""

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
