"""Where the readings come from: files below a root, an environment, programs. A recorded machine replaces all of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended."""

    code: int | None
    """Exit code; less than 0 for a signal; None when its time ran out."""
    out: str
    err: str


Run = Callable[[list[str], Mapping[str, str], float], Finished]
"""argv, environment and seconds at most; raises OSError when it cannot be started."""


@dataclass(frozen=True, slots=True)
class Sources:
    root: Path
    environ: Mapping[str, str]
    system: str
    """``linux``, ``darwin``, ``windows``, ``freebsd`` …"""
    release: str
    """Of the kernel."""
    machine: str
    """Of this process: under Rosetta it is not the machine's."""
    libc: str
    run: Run
    is_live: bool = True
    """False: a recorded machine; nothing may be asked of the one we are on."""
    driver_seconds: float = 8.0
    """A driver that has not answered by then hangs: a sleeping GPU takes up to 4 s to wake."""

    def path(self, name: str) -> Path:
        return self.root / name.lstrip("/")

    def text(self, name: str) -> str:
        """The file's text, without the zero bytes that end those of a device tree."""
        return self.path(name).read_bytes().decode("utf-8", "replace").rstrip("\0\n")

    def text_or_nothing(self, name: str) -> str:
        try:
            return self.text(name)
        except OSError:
            return ""

    def has(self, name: str) -> bool:
        try:
            return self.path(name).exists()
        except OSError:
            return False

    def names(self, folder: str) -> list[str]:
        try:
            return sorted(os.listdir(self.path(folder)))  # noqa: PTH208  (only the names are wanted)
        except OSError:
            return []


def live(root: Path, environ: Mapping[str, str]) -> Sources:
    """This machine; with another root, a recorded Linux machine as far as its files tell."""
    is_live = root == Path("/")
    if sys.platform == "win32":
        machine = environ.get("PROCESSOR_ARCHITEW6432") or environ.get("PROCESSOR_ARCHITECTURE") or ""
        version = sys.getwindowsversion()
        return Sources(root, environ, "windows", f"{version.major}.{version.build}", machine, "", run_program, is_live)
    uname = os.uname()
    found = Sources(root, environ, uname.sysname.lower(), uname.release, uname.machine, _libc(), run_program, is_live)
    if is_live:
        return found
    return replace(
        found,
        release=found.text_or_nothing("/proc/sys/kernel/osrelease") or found.release,
        machine=found.text_or_nothing("/proc/sys/kernel/arch") or found.machine,
    )


def _libc() -> str:
    """Of this interpreter: what wheels it can load depends on that and not on the rest of the system."""
    if sys.platform != "linux":
        return ""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "musl"
    except (ValueError, OSError):
        return "musl"


def run_program(argv: list[str], environ: Mapping[str, str], seconds: float) -> Finished:
    """Runs it with nothing on stdin. What it has said counts even when it does not end."""
    # Loaded here: most machines are known without starting anything.
    import subprocess

    process = subprocess.Popen(
        argv,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=seconds)
        return Finished(process.returncode, _decoded(out), _decoded(err))
    except subprocess.TimeoutExpired as late:
        process.kill()
        try:
            process.wait(0.5)
        except subprocess.TimeoutExpired:
            # It sleeps inside the driver, where no signal reaches it. It is left behind.
            pass
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        return Finished(None, _decoded(late.stdout), _decoded(late.stderr))


def _decoded(data: bytes | str | None) -> str:
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else data or ""
