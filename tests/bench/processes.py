"""What Linux tells of a running process: memory, processor time, loaded libraries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figure import Unmeasured

ENGINE_LIBRARIES = ("numpy", "onnxruntime", "ctranslate2")


def memory_mb(pid: int, kind: str) -> float:
    """``Rss`` (all its pages) or ``Pss`` (shared pages divided among their users), in MiB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except FileNotFoundError:
        raise Unmeasured("memory is read from Linux's /proc") from None
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:")) / 1024


def engine_libraries(pid: int) -> list[str]:
    """Those of the engines' libraries that the process has mapped."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return [name for name in ENGINE_LIBRARIES if f"/{name}" in maps]


def processor_seconds(pid: int) -> float:
    """Time on a processor so far, of all its threads, to the microsecond; stat(5) counts in hundredths."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


async def processor_shares(pids: Sequence[int], seconds: float) -> list[float]:
    """Percent of one core that each process uses while nothing is asked of it."""
    before, started = [processor_seconds(pid) for pid in pids], time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - started
    return [(processor_seconds(pid) - used) / took * 100 for pid, used in zip(pids, before, strict=True)]
