"""Row ``states``: what a change of an agent's state costs: a hook's word to the hub until it is weighed and on its way to the
pages, against a request that changes nothing; a hook of an agent's program as a whole; and the weighing alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import aiohttp

from clawmux.adapters.runtimes.launcher import write_launcher
from clawmux.core.state import AgentState
from clawmux.wire.signs import Sign
from clawmux.wire.words import Activity, Source
from tests.bench.figure import Figure, Target
from tests.bench.rounds import interleave, milliseconds, run_program
from tests.live_hub import ROOT, LiveHub

# An agent's program waits for its hook: no more than for any other of our commands.
HOOK_TARGET = Target(ratio=1.5)
TIMES = 10
EVENTS = ("PreToolUse", "PostToolUse")
WEIGHED = 20_000


async def measure(rounds: int) -> list[Figure]:
    async with LiveHub("stand-in") as hub:
        session = await hub.spawn()
        launcher = write_launcher(hub.home / "bench", Path(sys.executable), ROOT)
        environ = {**hub.environ, "CLAWMUX_SESSION_ID": session}
        connector = aiohttp.UnixConnector(str(hub.paths.hub_socket))
        async with aiohttp.ClientSession(connector=connector) as http:
            number = 0

            def said() -> bytes:
                nonlocal number
                number += 1
                event = {"session_id": "s1", "hook_event_name": EVENTS[number % 2], "tool_name": "Bash", "tool_use_id": "t1"}
                return json.dumps({**event, "tool_input": {"command": f"make test-{number}"}}).encode()

            async def told() -> None:
                headers = {"Content-Type": "application/x-clawmux-argv"}
                body = b"\0".join([b"hook", b"--", said()])
                async with http.post(f"http://clawmux/cli/{session}", data=body, headers=headers) as response:
                    assert response.status == 200, await response.text()

            async def asked() -> None:
                async with http.get("http://clawmux/api/health") as response:
                    await response.read()

            async def nothing() -> float:
                return await milliseconds(asked())

            async def change() -> float:
                return await milliseconds(told())

            async def bare() -> float:
                return run_program([sys.executable, "-I", "-S", "-c", "pass"], environ)

            async def hook() -> float:
                return run_hook(launcher, said(), environ)

            request, changed, floor, whole = await interleave(rounds * TIMES, nothing, change, bare, hook)
            doing = next(s["doing"] for s in await hub.call("GET", "/api/sessions") if s["id"] == session)
            assert doing["source"] == "hook", doing
    return [
        Figure("a hook's word, told to the hub", "ms", changed, request, note="floor: a request that changes nothing"),
        Figure("a hook, from its program's start to its end", "ms", whole, floor, HOOK_TARGET),
        Figure("a change weighed", "us", weighing()),
    ]


def run_hook(launcher: Path, said: bytes, environ: Mapping[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run([launcher, "hook"], input=said, env=environ, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - started) * 1000


def weighing() -> float:
    """Of one agent, by a hook, while its records and its screen tell of it as well; the median of hundreds."""
    state, now, took = AgentState(0.0), 0.0, []
    for n in range(WEIGHED // 100):
        started = time.perf_counter()
        for m in range(100):
            now += 0.01
            busy = Activity.TOOL if (n + m) % 2 else Activity.THINKING
            state.observe(Sign((Source.HOOK, Source.RECORD, Source.SCREEN)[m % 3], busy, detail=f"make {m}"), now)
        took.append((time.perf_counter() - started) * 1e4)
    return median(took)
