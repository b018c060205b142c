"""The hub as the installer meets it: whether it runs, a restart with the version in use, an end. All through its own command."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from clawmux.paths import Paths
from clawmux.wire.errors import ClawMuxError

STOP_SECONDS = 60
# The hub gives itself 60 s to come up (clawmux/hub/service.py).
START_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Running:
    pid: int = 0
    port: int = 0
    """0: it has not said yet."""


def running(data: Paths) -> Running | None:
    """Whoever holds the lock of the data folder is its hub; what is written in there is for people to read."""
    try:
        lock = data.lock_file.open("rb")
    except OSError:
        return None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _facts(lock.read(4096))
    return None


def _facts(text: bytes) -> Running:
    try:
        facts = json.loads(text)
        return Running(int(facts["pid"]), urlsplit(facts.get("url", "")).port or 0)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Running()


def restart(launcher: Path, data: Paths, usual_port: int) -> None:
    """The version in use instead of the one that runs, at the same port. Agents live on in tmux meanwhile."""
    facts = running(data)
    if facts is not None:
        end(launcher, data)
    # Without --port a service manager that keeps the hub is asked, and goes on keeping it.
    port = ["--port", str(facts.port)] if facts and facts.port not in (0, usual_port) else []
    started = run(launcher, "start", "--no-open", *port, seconds=START_SECONDS)
    if started.returncode:
        raise ClawMuxError("internal", f"its hub does not start: {last_words(started)}", "")
    asked = run(launcher, "status", "--json", seconds=STOP_SECONDS)
    if asked.returncode:
        raise ClawMuxError("internal", f"its hub gives no answer: {last_words(asked)}", "")


def end(launcher: Path, data: Paths) -> None:
    """The hub stops; when its own command cannot tell it, with a signal. Agents stay."""
    run(launcher, "stop", seconds=STOP_SECONDS)
    for kind in (signal.SIGTERM, signal.SIGKILL):
        facts = running(data)
        if facts is None:
            return
        if facts.pid:
            with suppress(ProcessLookupError):
                os.kill(facts.pid, kind)
        _wait_until_gone(data, 15)


def _wait_until_gone(data: Paths, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while running(data) is not None and time.monotonic() < deadline:
        time.sleep(0.1)  # a lock that somebody else holds makes no event when it goes


def run(program: Path, *words: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """One command of ours; a hub that it leaves behind holds none of our pipes."""
    try:
        return subprocess.run(
            [program, *words], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([str(program), *words], 124, "", f"no answer within {seconds:g} s")
    except OSError as error:
        return subprocess.CompletedProcess([str(program), *words], 126, "", str(error))


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    return "; ".join(lines[-2:])[-500:] or f"exit status {done.returncode} without a word"
