"""Who is the hub of a data folder: whoever holds the lock. The kernel lets go of it however the hub ends.

So an old file means nothing, and what is written inside it is for people to read. Starts and stops nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from clawmux.paths import Paths
from clawmux.wire.errors import ClawMuxError


@dataclass(frozen=True, slots=True)
class Running:
    """Who holds the lock, as far as it has said."""

    pid: int = 0
    url: str = ""
    """Empty until it serves."""


def running(paths: Paths) -> Running | None:
    """The hub of this data folder, or None. Only the lock decides; an old file means nothing."""
    try:
        descriptor = os.open(paths.lock_file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _bad_lock(paths.lock_file, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_facts(descriptor)
    finally:
        os.close(descriptor)
    return None


@contextmanager
def hold(paths: Paths) -> Iterator[int]:
    descriptor = _open_lock(paths.lock_file)
    try:
        _take(descriptor)
        write_facts(descriptor, Running(os.getpid()))
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def turn(paths: Paths) -> Iterator[None]:
    """One start after another, each until its hub serves: the later one can then name the earlier one's URL."""
    descriptor = _open_lock(paths.lock_file.with_name("start.lock"))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def wait_free(paths: Paths, seconds: float) -> bool:
    """Whether the lock came free in time. A thread waits in the kernel for it; a late one lets go at once."""
    free = threading.Event()

    def wait() -> None:
        with paths.lock_file.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
        free.set()

    threading.Thread(target=wait, daemon=True).start()
    return free.wait(seconds)


def write_facts(descriptor: int, facts: Running) -> None:
    text = json.dumps(asdict(facts)).encode() + b"\n"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)


def already_running(holder: Running) -> ClawMuxError:
    state = f"already running (pid {holder.pid}, {holder.url})" if holder.url else f"already being started (pid {holder.pid})"
    return ClawMuxError("conflict", f"the hub is {state}.", "Open its page with `clawmux open`, or stop it with `clawmux stop`.")


def _take(descriptor: int) -> None:
    """The exclusive lock. ``running`` holds a shared one for an instant; that must not look like a second hub."""
    for _ in range(50):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = _read_facts(descriptor)
            if _is_exclusive(descriptor):
                raise already_running(holder) from None
        time.sleep(0.01)
    raise already_running(_read_facts(descriptor))


def _is_exclusive(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _open_lock(file: Path) -> int:
    try:
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _bad_lock(file, error) from None


def _bad_lock(file: Path, error: OSError) -> ClawMuxError:
    return ClawMuxError("unsafe_files", f"{file} cannot be opened: {error.strerror}.", "Move it away; ClawMux makes its own.")


def _read_facts(descriptor: int) -> Running:
    try:
        facts = json.loads(os.pread(descriptor, 4096, 0))
        return Running(int(facts["pid"]), str(facts["url"]))
    except (ValueError, KeyError, TypeError):
        return Running()
