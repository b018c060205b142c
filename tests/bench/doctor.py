"""Row ``doctor``: a look at everything without ``--deep``, against a Python that does nothing."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench.figure import Figure, Target
from tests.bench.rounds import interleave, run_program
from tests.live_hub import ROOT

# Issue 3: a person who is in trouble is not kept waiting.
TARGET = Target(at_most=1000)
# It found something: an exit code of the doctor's, and no failure of ours to measure.
FOUND = (0, 1, 2)


async def measure(rounds: int) -> list[Figure]:
    home = Path(tempfile.mkdtemp(prefix="cmb"))
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "CLAWMUX_MODELS") if name in os.environ}
    environ = {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT)}

    async def bare() -> float:
        return run_program([sys.executable, "-I", "-S", "-c", "pass"], environ)

    async def doctor() -> float:
        return run_program([sys.executable, "-m", "clawmux", "doctor"], environ, FOUND)

    async def as_json() -> float:
        return run_program([sys.executable, "-m", "clawmux", "doctor", "--json"], environ, FOUND)

    try:
        floor, ours, told = await interleave(rounds, bare, doctor, as_json)
    finally:
        shutil.rmtree(home)
    return [
        Figure("clawmux doctor, without --deep", "ms", ours, floor, TARGET),
        Figure("the same with --json", "ms", told, floor, TARGET),
    ]
