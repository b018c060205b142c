"""Row ``probe``: what it takes to find out what this machine is, where no NVIDIA driver has to be asked."""

from __future__ import annotations

import sys
import time

from clawmux import hardware
from tests.bench.figure import Figure, Target, Unmeasured
from tests.bench.rounds import interleave, run_program
from tests.live_hub import ROOT

TARGET = Target(above=50)
AGAIN_TARGET = Target(at_most=50)
TIMES = 10
# What every program of ours loads.
FLOOR = "import dataclasses, json, pathlib"
PROGRAM = f"{FLOOR}; import sys; sys.path.insert(0, {str(ROOT)!r}); from clawmux import hardware; hardware.probe()"


async def measure(rounds: int) -> list[Figure]:
    if any(gpu.vendor == "nvidia" for gpu in hardware.probe().gpus):
        raise Unmeasured("the driver of this machine's NVIDIA card would be measured")

    async def bare() -> float:
        return run_program([sys.executable, "-I", "-S", "-c", FLOOR], {})

    async def fresh() -> float:
        return run_program([sys.executable, "-I", "-S", "-c", PROGRAM], {})

    async def again() -> float:
        started = time.perf_counter()
        hardware.probe()
        return (time.perf_counter() - started) * 1000

    floor, first, later = await interleave(rounds * TIMES, bare, fresh, again)
    return [
        Figure("hardware probe in a new process", "ms", first, floor, TARGET),
        Figure("hardware probe again", "ms", later, target=AGAIN_TARGET),
    ]
