"""Row ``command``: what an agent's ``clawmux status`` takes from a shell, against a Python that does nothing.

``status`` is the verb that is answered at once; ``converse`` goes the same way.
"""

from __future__ import annotations

import sys
from pathlib import Path

from clawmux.adapters.runtimes.launcher import write_launcher
from tests.bench.figure import Figure, Target
from tests.bench.rounds import interleave, run_program
from tests.live_hub import CLIENT, ROOT, LiveHub

# reliability.md of the design: the launcher and one round trip on top of the bare interpreter.
TARGET = Target(ratio=1.27)
# What the launcher's shell script starts.
PROGRAM = CLIENT.with_name("start_client.py")
# Ten milliseconds each: more of them cost little.
TIMES = 10


async def measure(rounds: int) -> list[Figure]:
    async with LiveHub("stand-in") as hub:
        session = await hub.spawn()
        environ = {**hub.environ, "CLAWMUX_SESSION_ID": session}
        launcher = write_launcher(hub.home / "bench", Path(sys.executable), ROOT)

        async def bare() -> float:
            return run_program([sys.executable, "-I", "-S", "-c", "pass"], environ)

        async def launched() -> float:
            return run_program([str(launcher), "status"], environ)

        async def direct() -> float:
            return run_program([sys.executable, "-I", "-S", str(PROGRAM), "status"], environ)

        floor, ours, client = await interleave(rounds * TIMES, bare, launched, direct)
    return [
        Figure("agent's command, launcher to answer", "ms", ours, floor, TARGET),
        Figure("the same without the launcher", "ms", client, floor),
    ]
