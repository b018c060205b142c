"""The speech services that run, and their calls on the one that serves. Decides nothing: ``core.engine`` does.

Each has its number, its socket (``run/speech-<number>.sock``) and its child process. Work stays with the service it began
with: one that is told to stop gets no more of it, and ends when the last is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from clawmux.adapters.speech.client import Listening, SpeechClient
from clawmux.hub.speech_child import SpeechChild
from clawmux.paths import Paths
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import SpeechState, Tier

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Service:
    client: SpeechClient
    child: SpeechChild
    uses: int = 0
    is_leaving: bool = False
    health: dict[str, Any] = field(default_factory=dict)
    """What it said of itself last."""


class SpeechServices:
    """``on_report`` gets number, state, reason and whether the tier's own models serve; ``on_served`` the number."""

    def __init__(
        self,
        paths: Paths,
        on_report: Callable[[int, SpeechState, str, bool], None],
        on_exit: Callable[[int, str], None],
        on_served: Callable[[int], None],
    ) -> None:
        self._paths = paths
        self._on_report = on_report
        self._on_exit = on_exit
        self._on_served = on_served
        self._services: dict[int, Service] = {}
        self._serving = 0
        self._closing: set[asyncio.Task[None]] = set()

    # -- life --

    def start(self, number: int, tier: Tier) -> None:
        socket = self._paths.run / f"speech-{number}.sock"
        client = SpeechClient(socket)
        child = SpeechChild(
            socket,
            self._paths.speech_log,
            client,
            lambda state, told: self._reported(number, state, told),
            lambda reason: self._exited(number, reason),
            tier,
        )
        self._services[number] = Service(client, child)
        child.start()

    def switch(self, number: int) -> None:
        self._serving = number

    def stop(self, number: int) -> None:
        service = self._services[number]
        service.is_leaving = True
        self._end_when_idle(service)

    def terminate(self) -> None:
        """Ask all of them to end, without waiting for it."""
        for service in self._services.values():
            service.child.terminate()

    async def close(self) -> None:
        """End all of them and wait for it."""
        services = list(self._services.values())
        await asyncio.gather(*(service.child.stop() for service in services))
        await asyncio.gather(*(service.client.close() for service in services), *self._closing)
        self._services.clear()

    @property
    def health(self) -> dict[str, Any]:
        """Of the one that serves."""
        service = self._services.get(self._serving)
        return service.health if service else {}

    @property
    def pid(self) -> int:
        """Of the one that serves; 0 when none does."""
        service = self._services.get(self._serving)
        return service.child.pid if service else 0

    def _reported(self, number: int, state: SpeechState, told: dict[str, Any]) -> None:
        self._services[number].health = told
        self._on_report(number, state, str(told.get("reason") or ""), not told.get("is_substitute", False))

    def _exited(self, number: int, reason: str) -> None:
        service = self._services.pop(number)
        log.log(logging.INFO if service.is_leaving else logging.WARNING, "speech service %d: %s", number, reason)
        closing = asyncio.create_task(service.client.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._on_exit(number, reason)

    def _end_when_idle(self, service: Service) -> None:
        if service.is_leaving and not service.uses:
            service.child.end()

    # -- the calls of SpeechClient --

    async def synthesize(self, text: str, voice: str, speed: float, format: str = "pcm") -> AsyncGenerator[bytes, None]:
        with self._use() as client:
            async for chunk in client.synthesize(text, voice, speed, format):
                yield chunk

    async def transcribe(self, data: bytes, content_type: str, language: str = "") -> str:
        with self._use() as client:
            return await client.transcribe(data, content_type, language)

    @asynccontextmanager
    async def listen(self, language: str, mode: str, silence_seconds: float, quality: str = "") -> AsyncIterator[Listening]:
        with self._use() as client:
            async with client.listen(language, mode, silence_seconds, quality=quality) as listening:
                yield listening

    @contextmanager
    def _use(self) -> Iterator[SpeechClient]:
        number = self._serving
        service = self._services.get(number)
        if service is None:
            raise ClawMuxError("speech_down", "no speech service runs.", "See the speech log, or: clawmux status")
        service.uses += 1
        try:
            yield service.client
        finally:
            service.uses -= 1
            self._end_when_idle(service)
        self._on_served(number)
