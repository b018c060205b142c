"""Running other people's programs for a moment: with a time limit, without a terminal, and without waiting for their children."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ran:
    status: int | None
    """-N when signal N ended it, as in subprocess; None when its time was over."""
    text: str
    """The beginning of what it printed, both streams together."""

    @property
    def first_line(self) -> str:
        return next((line.strip() for line in self.text.splitlines() if line.strip()), "")


def run(argv: Sequence[str], environ: Mapping[str, str], seconds: float) -> Ran:
    """A file and no pipe: a child that a program leaves behind would keep a pipe open. Raises OSError when it cannot start."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=dict(environ), cwd="/", start_new_session=True
        )
        try:
            status: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            # The whole group: a program of several processes must not go on after we have stopped looking.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        out.seek(0)
        return Ran(status, out.read(10_000).decode(errors="replace"))


_MEANINGS = {
    "SIGILL": "illegal instruction",
    "SIGABRT": "it aborted itself",
    "SIGBUS": "bus error",
    "SIGFPE": "arithmetic error",
    "SIGKILL": "killed, as the system does when memory is short",
    "SIGSEGV": "segmentation fault",
    "SIGTERM": "it was told to end",
}


def how_it_ended(status: int) -> str:
    """``signal 4 (illegal instruction)`` or ``exit status 1``."""
    if status >= 0:
        return f"exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
    return f"signal {-status} ({_MEANINGS.get(name, name)})"
