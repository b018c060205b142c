"""A real systemd user manager for a test, without a machine that was booted with systemd.

systemd --user runs in a mount namespace of its own, in which /run says that it was. Needs root and a writable control group.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAMS = (Path("/lib/systemd/systemd"), Path("/usr/lib/systemd/systemd"))
# $1 the manager, $2 the run folder that both sides see. The cgroup is for hosts whose systemd hierarchy is writable (version 1).
_RUN = """
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system || exit 1
mkdir -p "$3" 2>/dev/null && echo $$ > "$3/cgroup.procs"
exec "$1" --user --unit=default.target
"""
START_SECONDS = 10.0


class NoManager(Exception):
    """Why none can be had here."""


@contextmanager
def user_manager(home: Path, run: Path) -> Iterator[dict[str, str]]:
    """What the environment of systemctl and of the command under test must hold."""
    program = next((str(path) for path in _PROGRAMS if path.exists()), None)
    if program is None or not shutil.which("systemctl"):
        raise NoManager("systemd is not installed")
    if os.getuid() != 0:
        raise NoManager("only root can give systemd a /run of its own")
    if Path("/run/systemd/system").exists():
        raise NoManager("this machine runs under systemd; its user manager is not for tests")
    environ = {"HOME": str(home), "XDG_RUNTIME_DIR": str(run), "PATH": os.environ["PATH"]}
    group = Path("/sys/fs/cgroup/systemd") / run.parent.name
    with (run.parent / "systemd.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "-m", "--propagation", "private", "sh", "-c", _RUN, "sh", program, str(run), str(group)],
            env={**environ, "SYSTEMD_LOG_TARGET": "console"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            _wait(process, environ)
            yield environ
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _remove(group)


def _wait(process: subprocess.Popen[bytes], environ: dict[str, str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        done = subprocess.run(
            ["systemctl", "--user", "show", "default.target", "--property=ActiveState"],
            env=environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if "ActiveState=active" in done.stdout:
            return
        time.sleep(0.05)
    raise NoManager("systemd --user does not start here")


def _remove(group: Path) -> None:
    """The manager's control groups, those inside first; one that somebody lives in stays."""
    for folder in sorted(group.rglob("*"), key=lambda path: -len(path.parts)):
        if folder.is_dir():
            _try_rmdir(folder)
    _try_rmdir(group)


def _try_rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        pass
