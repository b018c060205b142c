"""Who is at the other end of the unix socket (S15, S25): the rule by tables of processes, the reading by real ones."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from clawmux.hub.auth import Role, Via
from clawmux.hub.peer import GENERATIONS, Peer, Processes, ProcFolder, Psutil, identify, lineage, read_peer

ME = 1000


@dataclass
class Table:
    """A process table written down."""

    parents: Mapping[int, int]
    leaders: Mapping[int, int] = field(default_factory=dict)
    claims: Mapping[int, str] = field(default_factory=dict)

    def parent(self, pid: int) -> int | None:
        return self.parents.get(pid)

    def leader(self, pid: int) -> int | None:
        return self.leaders.get(pid)

    def claimed(self, pid: int) -> str | None:
        return self.claims.get(pid)


# 1 init, 50 tmux server, 100 and 200 panes, 110 a shell in pane 100, 111 its child; 300 the owner's terminal.
PARENTS = {1: 0, 50: 1, 100: 50, 110: 100, 111: 110, 200: 50, 300: 1, 301: 300, 900: 1}
PANES = {100: "sky", 200: "echo"}


@pytest.mark.parametrize(
    ("what", "pid", "table", "role", "session_id"),
    [
        ("the pane's process itself", 100, Table(PARENTS), Role.AGENT, "sky"),
        ("deep below a pane", 111, Table(PARENTS), Role.AGENT, "sky"),
        ("the other pane", 200, Table(PARENTS), Role.AGENT, "echo"),
        ("a terminal of the owner", 301, Table(PARENTS), Role.OWNER, ""),
        ("the tmux server is no pane", 50, Table(PARENTS), Role.OWNER, ""),
        ("daemonised, session kept", 900, Table(PARENTS, leaders={900: 100}), Role.AGENT, "sky"),
        ("daemonised with setsid, environment kept", 900, Table(PARENTS, {900: 900}, {900: "sky"}), Role.AGENT, "sky"),
        ("a pane says more than the environment", 111, Table(PARENTS, {}, {111: "echo"}), Role.AGENT, "sky"),
        ("the environment of a parent", 301, Table(PARENTS, {}, {300: "gone"}), Role.AGENT, "gone"),
        ("already gone", 777, Table(PARENTS), Role.STRANGER, ""),
        ("in another container", 0, Table(PARENTS), Role.STRANGER, ""),
        ("parents in a ring", 5, Table({5: 6, 6: 5}), Role.OWNER, ""),
    ],
)
def test_processes(what: str, pid: int, table: Table, role: Role, session_id: str) -> None:
    caller = identify(Peer(pid, ME), PANES, ME, table)
    assert (caller.role, caller.session_id) == (role, session_id), what


@pytest.mark.parametrize("uid", [0, 999, 65534])
def test_another_user_is_a_stranger_whatever_its_processes(uid: int) -> None:
    caller = identify(Peer(111, uid), PANES, ME, Table(PARENTS))
    assert (caller.role, caller.via) == (Role.STRANGER, Via.NOTHING)


def test_the_walk_ends() -> None:
    assert len(list(lineage(5, Table({5: 6, 6: 5})))) == GENERATIONS


def test_tcp_has_no_peer() -> None:
    with socket.socket(socket.AF_INET) as sock:
        assert read_peer(sock) is None


@pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED")
def test_the_kernel_names_the_peer() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert read_peer(ours) == Peer(os.getpid(), os.getuid())


def test_macos_answers_are_read() -> None:
    """Its structures, as <sys/ucred.h> lays them out; the system itself is not here to ask."""

    class Mac:
        family = socket.AF_UNIX

        def getsockopt(self, level: int, option: int, length: int, /) -> bytes:
            assert level == 0
            if option == 2:
                return (4711).to_bytes(4, "little")
            return (0).to_bytes(4, "little") + (501).to_bytes(4, "little") + bytes(length - 8)

    assert read_peer(Mac(), "darwin") == Peer(4711, 501)


@pytest.mark.parametrize("processes", [ProcFolder(), Psutil()], ids=["proc", "psutil"])
def test_reading_this_process(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(processes, ProcFolder) and sys.platform != "linux":
        pytest.skip("/proc")
    # A name with brackets and spaces, as prctl lets any program have one.
    rename = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'a) S 1 (b', 0, 0, 0); print(flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", rename],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "CLAWMUX_SESSION_ID": "sky"}, start_new_session=True,
    )  # fmt: skip
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        assert processes.parent(child.pid) == os.getpid()
        assert processes.leader(child.pid) == child.pid
        assert processes.claimed(child.pid) == "sky"
        assert identify(Peer(child.pid, ME), {os.getpid(): "echo"}, ME, processes).session_id == "echo"
        child.communicate()
    assert (processes.parent(child.pid), processes.claimed(child.pid)) == (None, None)


DAEMON = """
import os, sys, time
if os.fork(): sys.exit()
SETSID
if os.fork(): os._exit(0)
open(sys.argv[1], "w").write(str(os.getpid()))
os.rename(sys.argv[1], sys.argv[1] + ".pid")
time.sleep(20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("setsid", ["", "os.setsid()"], ids=["session kept", "own session"])
def test_a_daemon_of_an_agent_is_still_that_agent(root: Path, setsid: str) -> None:
    pane = subprocess.Popen(
        [sys.executable, "-c", DAEMON.replace("SETSID", setsid), str(root / "d")],
        env={**os.environ, "CLAWMUX_SESSION_ID": "sky"}, start_new_session=True,
    )  # fmt: skip
    pane.wait(timeout=10)
    deadline = time.monotonic() + 10
    while not (root / "d.pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    daemon = int((root / "d.pid").read_text(encoding="utf-8"))
    try:
        caller = identify(Peer(daemon, ME), {pane.pid: "sky"}, ME, ProcFolder())
        assert (caller.role, caller.session_id) == (Role.AGENT, "sky")
    finally:
        os.kill(daemon, 9)
