"""The hub as a process: started once per data folder, found again, stopped. Knows nothing of what it serves.

The lock on ``paths.lock_file`` is the truth: whoever holds it is the hub, and the kernel lets go of it however the hub
ends. What is written inside the file is for people to read.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import logging
import os
import resource
import select
import subprocess
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import clawmux
from clawmux import paths as places
from clawmux.hub.log_file import LogHandler, open_log, rotate
from clawmux.paths import Paths
from clawmux.settings import Settings
from clawmux.wire.errors import ERRORS, ClawMuxError

Serve = Callable[[Settings, Paths, Callable[[str], None]], Coroutine[Any, Any, None]]
"""Runs the hub until it is told to stop; calls back with its base URL when it answers."""

# A cold start from a slow disk takes a few seconds; after this something hangs.
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
# 200 agents and as many connections fit; more only makes the closing of files at each fork slower.
OPEN_FILES = 65536


@dataclass(frozen=True, slots=True)
class Running:
    """Who holds the lock, as far as it has said."""

    pid: int = 0
    url: str = ""
    """Empty until it serves."""


def start(paths: Paths, arguments: Sequence[str] = (), command: Sequence[str] | None = None) -> Running:
    """Start the hub in the background and wait until it serves.

    ``arguments`` go to its ``start --foreground``; ``command`` replaces the way we run ourselves.
    """
    prepare(paths)
    if holder := running(paths):
        raise _already_running(holder)
    rotate(paths.hub_log)
    read_end, write_end = os.pipe()
    argv = [*(command or places.run_self()), "start", "--foreground", "--ready-fd", str(write_end), *arguments]
    log = open_log(paths.hub_log)
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(write_end,),
            start_new_session=True,
            cwd="/",  # keeps no folder of the caller's busy
            env=_environment(),
        )
    finally:
        os.close(log)
        os.close(write_end)
    try:
        return _wait_ready(child, read_end, paths)
    except KeyboardInterrupt:
        child.terminate()
        raise
    finally:
        os.close(read_end)


def run_foreground(settings: Settings, paths: Paths, ready: Callable[[Running], None], serve: Serve | None = None) -> None:
    """Be the hub until it is told to stop. ``ready`` is called once, when it serves."""
    prepare(paths)
    _raise_open_files()
    with _lock(paths) as descriptor:

        def on_ready(url: str) -> None:
            facts = Running(os.getpid(), url)
            _write_facts(descriptor, facts)
            ready(facts)

        try:
            asyncio.run((serve or _the_app())(settings, paths, on_ready))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise port_busy(settings.hub_host, settings.hub_port) from None


def run_detached(settings: Settings, paths: Paths, ready_descriptor: int, serve: Serve | None = None) -> None:
    """``run_foreground`` for the child of ``start``: log to the file, readiness or the error through the pipe."""
    os.set_inheritable(ready_descriptor, False)
    handler = LogHandler(paths.hub_log)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    with os.fdopen(ready_descriptor, "w", encoding="utf-8") as pipe:

        def tell(message: dict[str, Any]) -> None:
            if pipe.closed:
                return
            try:
                json.dump(message, pipe)
                pipe.close()
            except BrokenPipeError:
                pass  # whoever started us did not stay to hear it

        try:
            run_foreground(settings, paths, lambda facts: tell(asdict(facts)), serve)
        except ClawMuxError as error:
            tell(error.to_wire())
            raise
        except Exception as error:
            logging.getLogger(__name__).exception("the hub failed")
            tell(
                {
                    "code": "internal",
                    "text": f"the hub failed: {type(error).__name__}: {error}.",
                    "remedy": f"See {paths.hub_log}.",
                }
            )
            raise SystemExit(ERRORS["internal"].exit_code) from None


def stop(paths: Paths, ask: Callable[[], object], seconds: float = STOP_SECONDS) -> Running:
    """Ask the hub to end and wait until its lock is free. ``ask`` sends the request."""
    holder = running(paths)
    if holder is None:
        raise ClawMuxError("hub_not_running", "the hub is not running.", "Nothing to stop.")
    try:
        ask()
    except ClawMuxError as error:
        if error.code != "hub_not_running":
            raise
        # Between our look and our request it may have ended by itself; then there is nothing to complain about.
        if running(paths):
            raise ClawMuxError(
                "timeout",
                f"the hub (pid {holder.pid}) is running but does not answer: {error.text}",
                f"End it with: kill {holder.pid}",
            ) from None
    if not _wait_free(paths, seconds):
        raise ClawMuxError(
            "timeout",
            f"the hub (pid {holder.pid}) is still ending after {seconds:g} s.",
            f"Wait, or end it with: kill {holder.pid}",
        )
    return holder


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


def prepare(paths: Paths) -> None:
    """Our folders, private; refuses to work with files that others could read or have put there."""
    os.umask(0o077)
    for folder in (paths.config, paths.data, paths.state, paths.run):
        places.make_private(folder)
    for file in (paths.lock_file, paths.token_file, paths.store_file, paths.hub_log):
        if file.is_symlink() or file.exists():
            places.check_private(file)
    places.check_socket_path(paths.hub_socket)


def port_busy(host: str, port: int) -> ClawMuxError:
    """The error for a port that somebody else holds; names them where this system lets us see it."""
    owner = _port_owner(port)
    return ClawMuxError(
        "port_busy",
        f"{host}:{port} (hub.port) is in use" + (f" by {owner}." if owner else "."),
        "Stop that program, or choose another port: clawmux start --port N",
    )


@contextmanager
def _lock(paths: Paths) -> Iterator[int]:
    try:
        descriptor = os.open(paths.lock_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _bad_lock(paths.lock_file, error) from None
    try:
        _take(descriptor)
        _write_facts(descriptor, Running(os.getpid()))
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    """The exclusive lock. ``running`` holds a shared one for an instant; that must not look like a second hub."""
    for _ in range(50):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = _read_facts(descriptor)
            if _is_exclusive(descriptor):
                raise _already_running(holder) from None
        time.sleep(0.01)
    raise _already_running(_read_facts(descriptor))


def _is_exclusive(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _wait_free(paths: Paths, seconds: float) -> bool:
    """Whether the lock came free in time. A thread waits in the kernel for it; a late one lets go at once."""
    free = threading.Event()

    def wait() -> None:
        with paths.lock_file.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
        free.set()

    threading.Thread(target=wait, daemon=True).start()
    return free.wait(seconds)


def _already_running(holder: Running) -> ClawMuxError:
    state = f"already running (pid {holder.pid}, {holder.url})" if holder.url else f"already being started (pid {holder.pid})"
    return ClawMuxError("conflict", f"the hub is {state}.", "Open its page with `clawmux open`, or stop it with `clawmux stop`.")


def _bad_lock(file: Path, error: OSError) -> ClawMuxError:
    return ClawMuxError("unsafe_files", f"{file} cannot be opened: {error.strerror}.", "Move it away; ClawMux makes its own.")


def _write_facts(descriptor: int, facts: Running) -> None:
    text = json.dumps(asdict(facts)).encode() + b"\n"
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text, 0)


def _read_facts(descriptor: int) -> Running:
    try:
        facts = json.loads(os.pread(descriptor, 4096, 0))
        return Running(int(facts["pid"]), str(facts["url"]))
    except (ValueError, KeyError, TypeError):
        return Running()


def _wait_ready(child: subprocess.Popen[bytes], descriptor: int, paths: Paths) -> Running:
    message = _read_all(descriptor, READY_SECONDS)
    if message is None:
        child.terminate()
        raise ClawMuxError(
            "timeout", f"the hub was not ready after {READY_SECONDS:.0f} s and was ended.", f"See {paths.hub_log}."
        )
    try:
        facts = json.loads(message)
    except ValueError:
        status = child.wait()
        raise ClawMuxError(
            "internal",
            f"the hub ended (status {status}) before it was ready: {_last_line(paths.hub_log)}",
            f"See {paths.hub_log}.",
        ) from None
    if "url" in facts:
        # It outlives us on purpose; without this the interpreter would warn about a child left behind.
        child.returncode = 0
        return Running(facts["pid"], facts["url"])
    child.wait()
    raise ClawMuxError(facts["code"], facts["text"], facts["remedy"])


def _read_all(descriptor: int, seconds: float) -> bytes | None:
    """What is written until the other end closes; None when it does not close in time."""
    deadline, data = time.monotonic() + seconds, b""
    while select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(descriptor, 65536)
        if not piece:
            return data
        data += piece
    return None


def _last_line(file: Path) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing to its log")[:300]


def _environment() -> dict[str, str]:
    """Ours, so that the child, in another folder, finds the same package (a checkout's too) and the same files."""
    environment = dict(os.environ)
    for name in ("CLAWMUX_HOME", "CLAWMUX_MODELS"):
        if environment.get(name):
            environment[name] = str(Path(environment[name]).absolute())
    root = Path(clawmux.__file__).resolve().parent.parent
    if root.name != "site-packages":
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), environment.get("PYTHONPATH"))))
    return environment


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        pass  # macOS names a hard limit that it then refuses; the soft one still serves


def _the_app() -> Serve:
    from clawmux.hub.app import serve

    return serve


def _port_owner(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (OSError, psutil.Error):
        pass  # macOS shows other programs' connections to root only
    return ""
