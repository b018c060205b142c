"""The tier changes with the real engines in the middle of a question, and back again when the new one is killed at its start."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clawmux.adapters.models import ModelStore
from clawmux.adapters.speech.client import SpeechClient
from tests import sound
from tests.live_hub import LiveHub
from tests.stand_ins.low_hub import model
from tests.stand_ins.page import StandInPage
from tests.waiting import until, until_answer

pytestmark = pytest.mark.speech

LONG = "This question takes some seconds to say, and while I say it the tier changes. What shall I do?"
HEARD = "go forward"


def recording() -> bytes:
    samples = np.concatenate([sound.silence(0.3, 16000), sound.clip("go-forward", 16000), sound.silence(2.0, 16000)])
    return bytes((samples * 32767).astype("<i2").tobytes())


class LowHub(LiveHub):
    module = "tests.stand_ins.low_hub"

    def __init__(self) -> None:
        super().__init__("real")
        launcher = self.home / "launcher"
        launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -m {self.module} "$@"\n')
        launcher.chmod(0o700)
        self.environ["CLAWMUX_LAUNCHER"] = str(launcher)


@pytest.fixture
async def hub() -> AsyncIterator[LowHub]:
    folder = os.environ.get("CLAWMUX_MODELS")
    if not folder or ModelStore(Path(folder)).missing("tiny"):
        pytest.skip("CLAWMUX_MODELS names no folder with the tiny set (clawmux models pull --set tiny)")
    async with LowHub() as hub:
        await hub.speech_is("ready")
        yield hub


async def serves(hub: LiveHub, tier: str) -> None:
    async def check() -> bool:
        told = await hub.call("GET", "/api/tiers")
        return bool(told["serving"] == told["wanted"] == tier)

    await until_answer(check, 60)


async def health(hub: LiveHub, number: int) -> dict[str, Any]:
    async with SpeechClient(hub.paths.run / f"speech-{number}.sock") as client:
        return await client.health()


async def test_real_engines_change_in_the_middle_of_a_question(hub: LowHub) -> None:
    session = await hub.spawn()
    async with StandInPage(hub.url, hub.token, lambda _: recording(), speed=2.0) as page:
        asking = asyncio.create_task(hub.run(session, "converse", LONG))
        await page.until(lambda: page.heard)
        await hub.call("PUT", "/api/settings", {"speech.quality": "low"})
        await serves(hub, "low")
        assert (await health(hub, 2))["model"] == model(hub.paths.models)
        assert HEARD in (await asking).out.lower()
        assert HEARD in (await hub.run(session, "converse", "And now?")).out.lower()
        assert all(len(page.played(stream)) == 1 for stream in page.heard) and page.texts("notice") == []
        await until(lambda: not (hub.paths.run / "speech-1.sock").exists())


async def test_a_real_service_that_is_killed_while_it_loads_is_put_back(hub: LowHub) -> None:
    session, first = await hub.spawn(), hub.speech_pid()
    assert hub.process is not None
    children = Path(f"/proc/{hub.process.pid}/task/{hub.process.pid}/children")
    async with StandInPage(hub.url, hub.token, lambda _: recording(), speed=2.0) as page:
        await hub.call("PUT", "/api/settings", {"speech.quality": "low"})
        speech = await until(lambda: [pid for pid in map(int, children.read_text().split()) if is_speech(pid) and pid != first])
        os.kill(speech[0], signal.SIGKILL)
        await page.until(lambda: page.texts("notice"))
        await serves(hub, "tiny")
        assert "low could not be used. The speech service was ended by signal 9." in page.texts("notice")[0]
        assert HEARD in (await hub.run(session, "converse", "Still there?")).out.lower()


def is_speech(pid: int) -> bool:
    try:
        return b"--parent-pid" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False
