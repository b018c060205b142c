"""Row ``program``: the program as one file. How long each set takes to make and how large it is; how fast it starts, as the
installer's launcher and as the file itself do it, against a Python that does nothing.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clawmux.core.loops import RATE_LIMIT
from tests.bench.figure import Figure, Target, Unmeasured
from tests.bench.rounds import Way, interleave, run_program
from tests.live_hub import ROOT, LiveHub

# architecture.md of the design, section 9.
VERSION_TARGET = Target(ratio=1.6)
AGENT_TARGET = Target(ratio=1.3)
SETS = ("hub", "cpu")
# As in the row ``command``.
TIMES = 10
# The real interpreter: the link of an environment costs a look for its settings.
PYTHON = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


# So many messages may go from one agent to another at once; two ways send them.
TO_ONE = RATE_LIMIT // 2 - 1


@dataclass(frozen=True, slots=True)
class Made:
    program: Path
    seconds: float


async def measure(rounds: int) -> list[Figure]:
    if importlib.util.find_spec("shiv") is None:
        raise Unmeasured("shiv is not installed; it comes with build/requirements/test.txt")
    with folder() as home:
        made = {kind: await asyncio.to_thread(make, kind, home / kind) for kind in SETS}
        figures = [figure for kind in SETS for figure in about(kind, made[kind])]
        for kind in SETS:
            figures += await first_start(rounds, kind, made[kind].program, home)
        return figures + await starts(rounds, made["hub"].program, home)


@contextmanager
def folder() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="clawmux-bench-"))
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def make(kind: str, folder: Path) -> Made:
    command = [sys.executable, str(ROOT / "build/zipapp.py"), "--set", kind, "--output", str(folder / "clawmux.pyz")]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unmeasured(f"the set {kind} could not be made: {done.stderr.strip()[-200:]}")
    return Made(folder / "clawmux.pyz", time.perf_counter() - started)


def about(kind: str, made: Made) -> list[Figure]:
    size = made.program.stat().st_size / 1e6
    return [
        Figure(f"making the set {kind}", "s", made.seconds, note="with the packages' download, once"),
        Figure(f"size of the set {kind}", "MB", size),
    ]


async def first_start(rounds: int, kind: str, program: Path, home: Path) -> list[Figure]:
    """Each time into a folder that is not there."""
    root = home / "first"
    environ = plain(home) | {"SHIV_ROOT": str(root)}

    async def first() -> float:
        shutil.rmtree(root, ignore_errors=True)
        return run_program([str(program), "--version"], environ)

    [ours] = await interleave(min(rounds, 3), first)
    return [Figure(f"first start of the set {kind}", "ms", ours, note="it unpacks itself")]


async def starts(rounds: int, program: Path, home: Path) -> list[Figure]:
    run_program([str(program), "--version"], plain(home))
    launcher = install(program, home)
    async with LiveHub("stand-in") as hub:
        environ = plain(home) | {"CLAWMUX_SESSION_ID": await hub.spawn(), "CLAWMUX_SOCKET": str(hub.paths.hub_socket)}
        # They read nothing, so the answer is all that is waited for: the id of a message that is on the disk.
        others = [await hub.spawn() for _ in range(1 + rounds * TIMES // TO_ONE)]
        ways = (
            [PYTHON, "-I", "-S", "-c", "pass"],
            [str(launcher), "--version"],
            [str(program), "--version"],
            # shiv's own start, without the script in front.
            [PYTHON, str(program), "--version"],
        )
        starting = [way(argv, environ) for argv in ways]
        sending = [send_way(str(path), others, environ) for path in (launcher, program)]
        floor, launched, file, shiv, agent, agents_file = await interleave(rounds * TIMES, *starting, *sending)
    return [
        Figure("clawmux --version, launcher", "ms", launched, floor, VERSION_TARGET),
        Figure("clawmux --version, the file", "ms", file, floor, VERSION_TARGET),
        Figure("clawmux --version, shiv's own start", "ms", shiv, floor),
        Figure("agent's command and answer, launcher", "ms", agent, floor, AGENT_TARGET),
        Figure("agent's command and answer, the file", "ms", agents_file, floor, AGENT_TARGET),
    ]


def way(argv: list[str], environ: dict[str, str]) -> Way:
    async def run() -> float:
        return run_program(argv, environ)

    return run


def send_way(program: str, others: Sequence[str], environ: dict[str, str]) -> Way:
    turns = itertools.cycle(others)

    async def run() -> float:
        return run_program([program, "send", "--to", next(turns), "All the tests pass now."], environ)

    return run


def plain(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": f"{Path(PYTHON).parent}:/usr/bin:/bin", "LANG": "C.UTF-8"}


def install(program: Path, home: Path) -> Path:
    """The launcher of an installation, for the tree that the file has unpacked."""
    [site] = (home / ".cache" / "clawmux").glob("*_*/site-packages")
    cli = site / "clawmux" / "cli"
    launcher = home / "clawmux"
    values = {"PYTHON": PYTHON, "CLIENT": cli / "start_client.py", "START": cli / "start.py", "LAUNCHER": launcher}
    text = (ROOT / "build" / "launcher.sh").read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", shlex.quote(str(value)))
    launcher.write_text(text, encoding="utf-8")
    launcher.chmod(0o755)
    return launcher
