"""The benchmarks' command line: which rows, how often, printed how. Run by tests/bench/run."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from tests.bench import agents, command, converse, doctor, idle, lateness, messages, playing, probing, program, sentences, states
from tests.bench.figure import Figure, Unmeasured
from tests.bench.table import Measured, print_json, print_table

Row = Callable[[int], Awaitable[list[Figure]]]
ROWS: dict[str, Row] = {
    "command": command.measure,
    "converse": converse.measure,
    "playing": playing.measure,
    "sentences": sentences.measure,
    "idle": idle.measure,
    "lateness": lateness.measure,
    "agents": agents.measure,
    "messages": messages.measure,
    "states": states.measure,
    "probe": probing.measure,
    "doctor": doctor.measure,
    "program": program.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", description="Measure ClawMux and print one table. See docs/bench.md."
    )
    parser.add_argument(
        "--only", metavar="NAME", action="append", choices=ROWS, help=f"one row; again for more: {', '.join(ROWS)}"
    )
    parser.add_argument("--rounds", metavar="N", type=int, default=10, help="repetitions; ten times as many where they are cheap")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a target is missed or a row cannot be measured")
    chosen = parser.parse_args()
    results = [asyncio.run(_measure(name, max(1, chosen.rounds))) for name in chosen.only or ROWS]
    (print_json if chosen.json else print_table)(results, chosen.rounds)
    bad = any(result.missing or any(figure.is_met is False for figure in result.figures) for result in results)
    return 1 if chosen.strict and bad else 0


async def _measure(name: str, rounds: int) -> Measured:
    print(f"measuring {name} …", file=sys.stderr)
    task = asyncio.current_task()
    assert task is not None
    # Ended in any way, it leaves no hub behind.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return Measured(name, await ROWS[name](rounds), os.getloadavg()[0])
    except Unmeasured as lacking:
        return Measured(name, [], os.getloadavg()[0], lacking.reason)


if __name__ == "__main__":
    sys.exit(main())
