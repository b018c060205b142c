"""Row ``lateness``: how late the hub answers while a page talks to it and the speech service recognises.

Seen from outside: round trips of a tiny request, one every few milliseconds, on a connection that stays open. Each turn
of work is followed by as long an idle stretch, so that other load falls on both.
"""

from __future__ import annotations

import asyncio
import math
import socket
import threading
import time
from pathlib import Path

from tests import sound
from tests.bench.converse import RATE, pcm16
from tests.bench.figure import Figure, Target
from tests.bench.rounds import percentile
from tests.bench.speaking import speaking
from tests.stand_ins.page import StandInPage

EVERY_SECONDS = 0.005
CLIP = "kennedy"
TARGET = Target(above=5)
_REQUEST = b"GET /api/health HTTP/1.1\r\nHost: clawmux\r\n\r\n"


async def measure(rounds: int) -> list[Figure]:
    pcm = pcm16(sound.clip(CLIP, RATE))
    idle: list[float] = []
    busy: list[float] = []
    # Eight times as fast as a person: most of a turn is recognition, and the frames come in a stream.
    async with speaking() as real, StandInPage(real.hub.url, real.hub.token, speed=8.0) as page:
        for number in range(rounds + 1):
            with _Probe(real.hub.paths.hub_socket) as probe:
                turn = await page.talk(real.session, pcm, close=True)
                await page.until(lambda turn=turn: page.moment("turn_done", turn=turn))  # type: ignore[misc]
            with _Probe(real.hub.paths.hub_socket) as quiet:
                await asyncio.sleep(probe.seconds)
            if number:
                busy += probe.round_trips_ms
                idle += quiet.round_trips_ms
    note = f"{len(busy)} requests"
    return [
        Figure("hub's answer while transcribing, p99", "ms", percentile(busy, 0.99), percentile(idle, 0.99), TARGET, note),
        Figure("the same, median", "ms", percentile(busy, 0.5), percentile(idle, 0.5)),
    ]


class _Probe:
    """A thread of its own: it waits in the kernel and not for the measurer's event loop."""

    def __init__(self, path: Path) -> None:
        self.round_trips_ms: list[float] = []
        self.seconds = math.nan
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(str(path))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> _Probe:
        self._began = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._connection.close()
        self.seconds = time.perf_counter() - self._began

    def _ask(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            started = time.perf_counter()
            self._connection.sendall(_REQUEST)
            # The answer is a few hundred bytes and comes in one piece.
            if not self._connection.recv(65536).startswith(b"HTTP/1.1 200"):
                raise AssertionError("the hub refused the probe")
            self.round_trips_ms.append((time.perf_counter() - started) * 1000)
