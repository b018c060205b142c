"""One text as it becomes sound and is heard: its samples, how far they were made and played, when its words sound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from clawmux.core.marks import Mark, Marks
from clawmux.wire.frames import SPEECH_RATE

# English at normal speed; only shown and used as a first guess.
CHARACTERS_PER_SECOND = 15.0


@dataclass(frozen=True, slots=True)
class Utterance:
    """What is to be spoken, and as whom."""

    id: str
    session_id: str
    text: str
    voice: str
    speed: float


@dataclass(slots=True)
class Stream:
    says: Utterance
    slot: int
    pcm: bytearray = field(default_factory=bytearray)
    complete: bool = False
    failed: str = ""
    """Why it cannot be spoken; the samples made before stay."""
    played: int = 0
    """Samples the page reported as heard."""
    started: bool = False
    grew: asyncio.Event = field(default_factory=asyncio.Event)
    marks: Marks | None = None
    """When its words sound, as far as its samples tell; None when nobody is to know."""
    marked: list[Mark] = field(default_factory=list)
    making: asyncio.Task[None] | None = None
    sending: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        return self.says.id

    @property
    def samples(self) -> int:
        return len(self.pcm) // 2

    @property
    def est_ms(self) -> int:
        if self.complete:
            return self.samples * 1000 // SPEECH_RATE
        return round(len(self.says.text) / CHARACTERS_PER_SECOND / self.says.speed * 1000)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Looked at whenever something about it is new."""
        while not condition():
            self.grew.clear()
            await self.grew.wait()
