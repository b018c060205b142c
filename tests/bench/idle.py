"""Row ``idle``: how soon a hub serves, and what it weighs when nothing happens and no page is open."""

from __future__ import annotations

import sys
from statistics import median

from tests.bench.figure import Figure, Target
from tests.bench.processes import engine_libraries, memory_mb
from tests.bench.rounds import interleave, milliseconds, run_program
from tests.live_hub import LiveHub

START_TARGET = Target(at_most=400)
MEMORY_TARGET = Target(at_most=45)
NO_ENGINE = Target(at_most=0)


async def measure(rounds: int) -> list[Figure]:
    rss: list[float] = []
    pss: list[float] = []
    engines: set[str] = set()

    async def bare() -> float:
        return run_program([sys.executable, "-c", "pass"], {})

    async def hub() -> float:
        hub = LiveHub("stand-in")
        try:
            took = await milliseconds(hub.start())
            await hub.speech_is("ready")
            assert hub.process is not None
            rss.append(memory_mb(hub.process.pid, "Rss"))
            pss.append(memory_mb(hub.process.pid, "Pss"))
            engines.update(engine_libraries(hub.process.pid))
        finally:
            await hub.__aexit__()
        return took

    floor, ours = await interleave(rounds, bare, hub)
    return [
        Figure("hub's first start to both doors open", "ms", ours, floor, START_TARGET),
        Figure("idle hub, resident", "MB", median(rss), target=MEMORY_TARGET),
        Figure("idle hub, shared pages divided", "MB", median(pss)),
        Figure("engine libraries in the hub", "of 3", len(engines), target=NO_ENGINE, note=", ".join(sorted(engines))),
    ]
