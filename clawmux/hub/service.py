"""The hub as a process: started once per data folder, found again, stopped. Knows nothing of what it serves.

That there is one only is kept by clawmux/hub/lock.py.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import resource
import select
import subprocess
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import clawmux
from clawmux import paths as places
from clawmux.adapters.processes import port_owner
from clawmux.hub import lock
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


def start(paths: Paths, arguments: Sequence[str] = (), command: Sequence[str] | None = None) -> lock.Running:
    """Start the hub in the background and wait until it serves.

    ``arguments`` go to its ``start --foreground``; ``command`` replaces the way we run ourselves.
    """
    before = prepare(paths)
    with lock.turn(paths):
        if holder := lock.running(paths):
            raise lock.already_running(holder)
        rotate(paths.hub_log)
        return _start_child([*(command or places.run_self()), "start", "--foreground"], arguments, paths, before)


def _start_child(command: Sequence[str], arguments: Sequence[str], paths: Paths, umask: int) -> lock.Running:
    read_end, write_end = os.pipe()
    argv = [*command, "--ready-fd", str(write_end), *arguments]
    log = open_log(paths.hub_log)
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(write_end,),
            start_new_session=True,
            umask=umask,  # the user's own again, for the hub to hand on to the agents
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


def run_foreground(settings: Settings, paths: Paths, ready: Callable[[lock.Running], None], serve: Serve | None = None) -> None:
    """Be the hub until it is told to stop. ``ready`` is called once, when it serves."""
    agents_umask = prepare(paths)
    with ExitStack() as turn:
        turn.enter_context(lock.turn(paths))

        def on_ready(facts: lock.Running) -> None:
            turn.close()
            ready(facts)

        _be_the_hub(settings, paths, on_ready, serve or _the_app(agents_umask))


def _be_the_hub(settings: Settings, paths: Paths, ready: Callable[[lock.Running], None], serve: Serve) -> None:
    _raise_open_files()
    with lock.hold(paths) as descriptor:

        def on_ready(url: str) -> None:
            facts = lock.Running(os.getpid(), url)
            lock.write_facts(descriptor, facts)
            ready(facts)

        try:
            asyncio.run(serve(settings, paths, on_ready))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise port_busy(settings.hub_host, settings.hub_port) from None


def run_detached(settings: Settings, paths: Paths, ready_descriptor: int, serve: Serve | None = None) -> None:
    """``run_foreground`` for the child of ``start``: log to the file, readiness or the error through the pipe.

    Its parent has made the folders private and holds the turn.
    """
    agents_umask = os.umask(0o077)
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
            _be_the_hub(settings, paths, lambda facts: tell(asdict(facts)), serve or _the_app(agents_umask))
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


def stop(paths: Paths, ask: Callable[[], object], seconds: float = STOP_SECONDS) -> lock.Running:
    """Ask the hub to end and wait until its lock is free. ``ask`` sends the request."""
    holder = lock.running(paths)
    if holder is None:
        raise ClawMuxError("hub_not_running", "the hub is not running.", "Nothing to stop.")
    try:
        ask()
    except ClawMuxError as error:
        if error.code != "hub_not_running":
            raise
        # Between our look and our request it may have ended by itself; then there is nothing to complain about.
        if lock.running(paths):
            raise ClawMuxError(
                "timeout",
                f"the hub (pid {holder.pid}) is running but does not answer: {error.text}",
                f"End it with: kill {holder.pid}",
            ) from None
    if not lock.wait_free(paths, seconds):
        raise ClawMuxError(
            "timeout",
            f"the hub (pid {holder.pid}) is still ending after {seconds:g} s.",
            f"Wait, or end it with: kill {holder.pid}",
        )
    return holder


def prepare(paths: Paths) -> int:
    """Our folders, private; refuses to work with files that others could read or have put there. Returns the umask before."""
    before = os.umask(0o077)
    for folder in (paths.config, paths.data, paths.state, paths.run):
        places.make_private(folder)
    for file in (paths.lock_file, paths.token_file, paths.store_file, paths.hub_log):
        if file.is_symlink() or file.exists():
            places.check_private(file)
    places.check_socket_path(paths.hub_socket)
    return before


def port_busy(host: str, port: int) -> ClawMuxError:
    """The error for a port that somebody else holds; names them where this system lets us see it."""
    owner = port_owner(port)
    return ClawMuxError(
        "port_busy",
        f"{host}:{port} (hub.port) is in use" + (f" by {owner}." if owner else "."),
        "Stop that program, or choose another port: clawmux start --port N",
    )


def _wait_ready(child: subprocess.Popen[bytes], descriptor: int, paths: Paths) -> lock.Running:
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
            f"the hub ended (status {status}) before it was ready: {last_line(paths.hub_log)}",
            f"See {paths.hub_log}.",
        ) from None
    if "url" in facts:
        # It outlives us on purpose; without this the interpreter would warn about a child left behind.
        child.returncode = 0
        return lock.Running(facts["pid"], facts["url"])
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


def last_line(file: Path) -> str:
    """Of a log: what its writer said last."""
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


def _the_app(agents_umask: int) -> Serve:
    from clawmux.hub import certificates

    with certificates.unread():
        from clawmux.hub.app import serve

    return partial(serve, agents_umask=agents_umask)
