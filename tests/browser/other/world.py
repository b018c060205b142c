"""One browser with everything around it that a person has: a hub with its engines, a loudspeaker, a microphone, agents."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests import sound
from tests.browser.other.engine import Engine
from tests.live_hub import LiveHub
from tests.stand_ins.sound_room import SoundRoom

WATCH = (Path(__file__).parent / "watch.js").read_text().split("\n", 2)[2]


@dataclass(slots=True)
class World:
    hub: LiveHub
    room: SoundRoom
    page: Engine
    folder: Path
    agents: list[str] = field(default_factory=list)

    async def agent(self, runtime: str = "quiet", **order: str) -> str:
        """A new one, that ends with the test."""
        self.agents.append(await self.hub.spawn(runtime, **order))
        return self.agents[-1]

    async def enter(self, agent: str = "", hub: LiveHub | None = None) -> None:
        """Signed in, touched once, as a person does, with this agent in view. The microphone is processed as for anybody."""
        opened = await (hub or self.hub).call("POST", "/api/open", {})
        await self.page.open("about:blank")  # to the same page with another fragment the browser would only scroll
        await self.page.open(opened["url"].replace("clawmux.localhost", "127.0.0.1").replace("/#", "/?test=1&echo#"))
        await self.page.wait_for(".dock, .empty", 30)
        await self.page.evaluate(WATCH)
        await self.page.click(f'[data-session="{agent}"] .row' if agent else ".head h1")
        await self.page.until("__clawmux_test.events.some((event) => event.type === 'mode')")

    async def leave(self) -> None:
        await self.page.open("about:blank")
        for agent in self.agents:
            await self.hub.call("DELETE", f"/api/sessions/{agent}")
        self.agents.clear()

    async def mode(self, wanted: str, seconds: float = 30.0) -> None:
        await self.page.wait_for(f'.dock[data-mode="{wanted}"]', seconds)

    async def speaks(self, count: int = 1) -> None:
        """Until so many streams have begun to sound."""
        await self.page.until(f"watched.said.filter(({{ type }}) => type === 'playback_started').length >= {count}", 60)

    async def said(self, kind: str) -> list[dict[str, Any]]:
        """Messages from the page."""
        found: list[dict[str, Any]] = await self.page.evaluate("watched.said")
        return [message for message in found if message["type"] == kind]

    async def say(self, name: str) -> None:
        """Somebody in the room speaks one of ``sound.WORDS``."""
        file = self.folder / f"{name}.wav"
        if not file.exists():
            sound.write_wav(file, sound.clip(name, sound.MICROPHONE_RATE), sound.MICROPHONE_RATE)
        await self.room.say(file)

    async def source(self) -> sound.Samples:
        """The speech that the page was sent."""
        return samples(await self.page.evaluate("watched.source()"))

    async def tapped(self) -> tuple[sound.Samples, float, int]:
        """What the master bus carried, the context's time of its first sample, and its rate."""
        got = await self.page.evaluate("watched.tapped()")
        return samples(got["pieces"]), got["time"], got["rate"]


def samples(pieces: Sequence[str]) -> sound.Samples:
    """PCM16 in base64."""
    joined = b"".join(base64.b64decode(piece) for piece in pieces)
    return (np.frombuffer(joined, "<i2") / 32768).astype(np.float32)


def alike(source: sound.Samples, recording: sound.Samples, rate: int) -> float:
    """How well a recording holds half seconds of the source, in the median: on a busy machine sound may stumble once."""
    step = rate // 2
    pieces = [source[at : at + step] for at in range(0, len(source) - step, step)]
    loud = [piece for piece in pieces if np.sqrt(np.mean(piece**2)) > 0.02]
    return float(np.median([sound.find(piece, recording).score for piece in loud]))
