"""A hub on a machine of the test's making, whose speech services and downloads behave as they are told."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from clawmux import hardware
from clawmux.hardware import Hardware
from tests.live_hub import ROOT, LiveHub, Said, said
from tests.stand_ins.machine_hub import put
from tests.waiting import until_answer

GB = 1 << 30
MODELS = {"tiny": ("whisper-tiny.en", "kokoro-int8", "voices"), "low": ("whisper-small", "kokoro"), "medium": ("whisper-medium",)}


def machine(memory_free_bytes: int = 12 * GB, memory_bytes: int = 16 * GB) -> Hardware:
    """Eight processors, no card."""
    return Hardware(
        system="linux",
        release="6.1",
        architecture="x86_64",
        libc="glibc 2.36",
        cpu_name="Eight of them",
        cpu_features=frozenset({"sse2", "sse4_1", "avx2"}),
        cores=8,
        cores_of_host=8,
        memory_bytes=memory_bytes,
        memory_of_host_bytes=memory_bytes,
        memory_free_bytes=memory_free_bytes,
    )


class TierHub(LiveHub):
    """With stand-ins for speech; the models of ``here`` are on the disk."""

    module = "tests.stand_ins.machine_hub"

    def __init__(self, here: tuple[str, ...] = ("tiny", "low", "medium"), free_bytes: int = 12 * GB, **settings: str) -> None:
        super().__init__("stand-in", 0, {"CLAWMUX_MODELS": ""}, models_download="true", **settings)
        self.paths = self.paths.__class__(self.paths.config, self.paths.data, self.paths.state, self.paths.data / "models")
        self.is_machine(memory_free_bytes=free_bytes)
        self.pulls()
        for tier in here:
            for name in MODELS[tier]:
                put(self.paths.models, name)

    def is_machine(self, **facts: int) -> None:
        (self.home / "machine.json").write_text(json.dumps(hardware.to_json(machine(**facts))))

    def pulls(self, **goes: Any) -> None:
        (self.home / "pull.json").write_text(json.dumps(goes))

    def behaves(self, **tiers: dict[str, Any]) -> None:
        """What services of these tiers that are started from now on do."""
        (self.paths.run / "behaviour.json").write_text(json.dumps(tiers))

    def worked(self) -> list[str]:
        """``tiny begins …``, ``tiny ends …``: what the services did, in its order."""
        file = self.paths.run / "served"
        return file.read_text().splitlines() if file.exists() else []

    async def owner(self, *words: str, seconds: float = 30.0) -> Said:
        """A command of the owner."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.module, *words,
            env=self.environ,
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return await said(process, None, seconds)

    async def choose(self, tier: str) -> None:
        await self.call("PUT", "/api/settings", {"speech.quality": tier})

    async def tiers(self) -> dict[str, Any]:
        answer: dict[str, Any] = await self.call("GET", "/api/tiers")
        return answer

    async def serves(self, tier: str, wanted: str = "", seconds: float = 20.0) -> dict[str, Any]:
        """Once this tier serves and that one (or the same) is wanted: how it stands."""

        async def check() -> dict[str, Any] | None:
            told = await self.tiers()
            return told if (told["serving"], told["wanted"]) == (tier, wanted or tier) else None

        answer = await until_answer(check, seconds)
        assert answer is not None
        return answer
