"""Several ways of one thing in turn, so that a busy moment of the machine falls on all of them."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median

Way = Callable[[], Awaitable[float]]
"""Does it once; how much it took."""


async def interleave(rounds: int, *ways: Way) -> list[float]:
    """The median of each way. The first time of each, which finds everything cold, does not count."""
    found: list[list[float]] = [[] for _ in ways]
    for number in range(rounds + 1):
        order = range(len(ways)) if number % 2 else range(len(ways) - 1, -1, -1)
        for at in order:
            took = await ways[at]()
            if number:
                found[at].append(took)
    return [median(values) for values in found]


async def milliseconds(work: Awaitable[object]) -> float:
    started = time.perf_counter()
    await work
    return (time.perf_counter() - started) * 1000


def run_program(argv: Sequence[str], environ: Mapping[str, str], fine: Sequence[int] = (0,)) -> float:
    """Milliseconds from the start of a program to its end, in which nothing else of ours runs. ``fine``: its exit codes."""
    silent = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_RDWR, 0) for n in (0, 1)]
    started = time.perf_counter()
    pid = os.posix_spawn(argv[0], list(argv), environ, file_actions=silent)
    _, status = os.waitpid(pid, 0)
    took = (time.perf_counter() - started) * 1000
    if (code := os.waitstatus_to_exitcode(status)) not in fine:
        raise AssertionError(f"{' '.join(argv)} ended with status {code}")
    return took


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
