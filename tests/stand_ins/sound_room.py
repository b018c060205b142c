"""A room of sound without a sound card: a private PulseAudio whose loudspeaker is heard by its microphone, as in a room.

spk   what programs play
room  what is in the air: spk, a little later and softer, and whoever else speaks there
mic   what programs record: the room
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from tests import sound
from tests.waiting import until, until_answer

PROGRAMS = ("pulseaudio", "pactl", "paplay")
DELAY_MS = 40
# What a loudspeaker beside a microphone does: 60 % of the volume scale of PulseAudio is -13 dB.
VOLUME = "60%"


@dataclass(frozen=True, slots=True)
class Recording:
    """One channel of 16 bit, growing."""

    file: Path
    rate: int = 48000

    def samples(self) -> sound.Samples:
        data = self.file.read_bytes()
        return (np.frombuffer(data[: len(data) // 2 * 2], "<i2") / 32768).astype(np.float32)


class SoundRoom:
    """``async with SoundRoom() as room``: programs started with ``room.environ`` play and record there."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cmsnd"))
        self.environ = {
            **os.environ,
            "PULSE_SERVER": f"unix:{self.folder / 'socket'}",
            "PULSE_RUNTIME_PATH": str(self.folder),
            "PULSE_STATE_PATH": str(self.folder),
            "PULSE_COOKIE": str(self.folder / "cookie"),
            "XDG_CONFIG_HOME": str(self.folder),
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
        }

    async def __aenter__(self) -> Self:
        modules = (
            f"module-native-protocol-unix socket={self.folder / 'socket'} auth-anonymous=1",
            "module-null-sink sink_name=spk rate=48000 channels=1",
            "module-null-sink sink_name=room rate=48000 channels=1",
            "module-remap-source source_name=mic master=room.monitor",
        )
        options = ("--exit-idle-time=-1", "--use-pid-file=no", "--disallow-exit", "--realtime=no", "--high-priority=no")
        loads = [word for module in modules for word in ("-L", module)]
        with (self.folder / "log").open("wb") as log:
            self._daemon = await asyncio.create_subprocess_exec(
                "pulseaudio", "-n", *options, *loads, env=self.environ, stdout=log, stderr=log
            )
        await until_answer(self._serves, 10)
        await self._control("set-default-sink", "spk")
        await self._control("set-default-source", "mic")
        await self._control("load-module", "module-loopback", "source=spk.monitor", "sink=room", f"latency_msec={DELAY_MS}")
        await self._control("set-sink-volume", "spk", VOLUME)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._daemon.terminate()
        await asyncio.wait_for(self._daemon.wait(), 10)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def say(self, file: Path) -> None:
        """Somebody in the room speaks, until they have ended."""
        speaking = await asyncio.create_subprocess_exec("paplay", "--device=room", str(file), env=self.environ)
        assert await speaking.wait() == 0

    @contextlib.asynccontextmanager
    async def listens(self, file: Path) -> AsyncIterator[Recording]:
        """Somebody at the loudspeaker: what comes out of it, as long as the context lasts, is in the file."""
        heard = Recording(file)
        options = ("--device=spk.monitor", "--raw", "--format=s16le", f"--rate={heard.rate}", "--channels=1", "--latency-msec=20")
        with file.open("wb") as output:
            listening = await asyncio.create_subprocess_exec("parec", *options, env=self.environ, stdout=output)
        try:
            await until(lambda: file.stat().st_size)  # it records by now
            yield heard
        finally:
            listening.terminate()
            await listening.wait()

    async def _serves(self) -> bool:
        asking = await asyncio.create_subprocess_exec(
            "pactl", "info", env=self.environ, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        return await asking.wait() == 0

    async def _control(self, *words: str) -> None:
        asking = await asyncio.create_subprocess_exec("pactl", *words, env=self.environ, stdout=asyncio.subprocess.DEVNULL)
        assert await asking.wait() == 0, words
