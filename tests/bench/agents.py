"""Row ``agents``: 200 agents that do nothing, in tmux under an idle hub: what they take to start and to keep."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

from tests.bench.figure import Figure, Unmeasured
from tests.bench.processes import memory_mb, processor_shares
from tests.bench.rounds import run_program
from tests.bench.speaking import speaking
from tests.live_hub import LiveHub
from tests.waiting import until_answer

COUNT = 200
IDLE_SECONDS = 10.0
# Agents come up one look after another; what that takes is not idleness.
SETTLE_SECONDS = 90.0


async def measure(rounds: int) -> list[Figure]:
    """Once, whatever ``rounds`` says: it is long, and an average over many seconds already."""
    del rounds
    bare_seconds = _bare_spawn_seconds()
    async with speaking("stand-in") as fleet:
        hub = fleet.hub
        assert hub.process is not None
        pids = hub.process.pid, await _tmux_pid(hub.paths.tmux_socket)
        memory = [memory_mb(pid, "Pss") for pid in pids]
        shares = await processor_shares(pids, IDLE_SECONDS)
        started = time.perf_counter()
        for _ in range(COUNT - 1):
            await hub.spawn()
        seconds = (time.perf_counter() - started) * COUNT / (COUNT - 1)
        await until_answer(lambda: _all_up(hub), SETTLE_SECONDS)
        full_shares = await processor_shares(pids, IDLE_SECONDS)
        full_memory = [memory_mb(pid, "Pss") for pid in pids]
    named = f"{COUNT} agents"
    return [
        Figure(f"{named} started one by one", "s", seconds, bare_seconds, note="against tmux alone"),
        Figure(f"hub with {named}, processor", "%", full_shares[0], shares[0], note="of one core; floor: 1 agent"),
        Figure(f"tmux with {named}, processor", "%", full_shares[1], shares[1]),
        Figure(f"hub with {named}, memory", "MB", full_memory[0], memory[0]),
        Figure(f"tmux with {named}, memory", "MB", full_memory[1], memory[1]),
    ]


def _bare_spawn_seconds() -> float:
    """As many sessions by the tmux command alone."""
    program = shutil.which("tmux")
    if program is None:
        raise Unmeasured("tmux is not on PATH")
    with tempfile.TemporaryDirectory(prefix="cm") as folder:
        tmux = [program, "-f", "/dev/null", "-S", f"{folder}/s"]
        started = time.perf_counter()
        for _ in range(COUNT):
            run_program([*tmux, "new-session", "-d", "sleep", "86400"], {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
        took = time.perf_counter() - started
        run_program([*tmux, "kill-server"], {})
    return took


async def _all_up(hub: LiveHub) -> bool:
    return all(session["state"] != "starting" for session in await hub.call("GET", "/api/sessions"))


async def _tmux_pid(socket: Path) -> int:
    argv = ["tmux", "-S", str(socket), "display-message", "-p", "#{pid}"]
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    return int(told)
