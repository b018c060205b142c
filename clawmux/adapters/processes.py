"""Ending everything an agent has started, and who holds a port. Knows process ids only, no panes.

Closing a terminal is not enough: some agents ignore SIGHUP, and their shell tools run commands in process sessions of their own.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

# How long a program may take to put its things in order after SIGTERM.
TERM_SECONDS = 2.0


def end_session(leader: int, leader_is_dead: bool = False, session_id: str | None = None) -> None:
    """SIGTERM, and SIGKILL after 2 s, for the process session of ``leader`` and all its descendants. Blocks: call it in a thread.

    A process id may have been given away again, so the leader is only taken for ours while tmux says that it lives, or when
    ``session_id`` is given and stands in its environment.
    """
    import psutil

    found = _members(leader, leader_is_dead, session_id)
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(found, timeout=TERM_SECONDS)
    # What was started while we waited has no living leader above it any more, but is still in the same process session.
    late = [process for process in _members(leader, True, None) if process not in found]
    for process in [*alive, *late]:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs([*alive, *late], timeout=TERM_SECONDS)


def go_on(pid: int) -> None:
    """Bring back a program that has suspended itself. One that has ended meanwhile is left alone."""
    with contextlib.suppress(OSError):
        # The leader of a pane leads its group as well; a program that is started by another is in that group.
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGCONT)


def is_orphan(pid: int) -> bool:
    """Whether the process lives and what has started it does not."""
    import psutil

    try:
        parent = psutil.Process(pid).parent()
        return parent is None or parent.pid == 1 or parent.name() == "systemd"
    except psutil.Error:
        return False


def resident_bytes(pid: int) -> int:
    """Memory that the process holds now; 0 where nobody says."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def port_owner(port: int) -> str:
    """``pid 12 (node)``, as far as this system lets us see it; else empty."""
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (OSError, psutil.Error):
        pass  # macOS shows other programs' connections to root only
    return ""


def _members(leader: int, leader_is_dead: bool, session_id: str | None) -> list[psutil.Process]:
    import psutil

    top = _process(leader)
    if top is not None and (leader_is_dead or not _is_ours(top, session_id)):
        # The kernel gives no id away while a process session bears it: a living leader means a stranger's session.
        return []
    members = {} if top is None else {p.pid: p for p in [top, *_children(top)]}
    for pid in psutil.pids():
        if pid not in members and pid != os.getpid() and _session_of(pid) == leader and (member := _process(pid)):
            members[pid] = member
            members.update((child.pid, child) for child in _children(member))
    return list(members.values())


def _is_ours(process: psutil.Process, session_id: str | None) -> bool:
    import psutil

    if session_id is None:
        return True
    try:
        return bool(process.environ().get("CLAWMUX_SESSION_ID") == session_id)
    except psutil.Error:
        return False


def _process(pid: int) -> psutil.Process | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None


def _children(process: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def _session_of(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1
