"""Which process is at the other end of the unix socket, and whose it is. The kernel is asked, never the message.

    read_peer(sock)                       -> Peer(pid, uid), or None when it is no unix socket
    identify(peer, panes, uid, processes) -> Caller: owner, agent with its session, or stranger

A process is an agent when it, a parent of it, or its process session is the process of a tmux pane of ours, or, for a
child that cut itself loose from all that, when it or a parent was started with CLAWMUX_SESSION_ID. The environment is
the weakest sign and only ever makes less of a caller: nobody becomes owner by it.
What this cannot do: hold off a program of the same user that means harm (it could attach a debugger to the hub).
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from clawmux.hub.auth import STRANGER, Caller, Role, Via

# Far deeper than any shell nests; ends the walk when pids were reused into a ring.
GENERATIONS = 64
SESSION_VARIABLE = "CLAWMUX_SESSION_ID"

# <sys/un.h> and <sys/ucred.h> of macOS; Python does not name them.
_SOL_LOCAL, _LOCAL_PEERCRED, _LOCAL_PEERPID = 0, 0x001, 0x002


@dataclass(frozen=True, slots=True)
class Peer:
    """What the kernel says of the process that connected."""

    pid: int
    uid: int


class SocketOptions(Protocol):
    """The little of a socket that is needed; asyncio's transports hand out only that."""

    @property
    def family(self) -> int: ...
    def getsockopt(self, level: int, option: int, length: int, /) -> bytes: ...


class Processes(Protocol):
    """The process table. Every answer is None once the process is gone or hidden."""

    def parent(self, pid: int) -> int | None: ...
    def leader(self, pid: int) -> int | None:
        """The leader of its process session: for all that runs in a pane, the pane's own process."""

    def claimed(self, pid: int) -> str | None:
        """CLAWMUX_SESSION_ID in the environment it was started with."""


def read_peer(sock: SocketOptions, platform: str = sys.platform) -> Peer | None:
    """None for TCP. A pid of 0 means the kernel would not tell (another container): such a peer is a stranger."""
    if sock.family != socket.AF_UNIX:
        return None
    if platform == "darwin":
        # struct xucred: version, uid, ngroups and groups
        _, uid = struct.unpack_from("II", sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 76))
        (pid,) = struct.unpack("i", sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID, 4))
        return Peer(pid, uid)
    pid, uid, _ = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(pid, uid)


def identify(peer: Peer, panes: Mapping[int, str], uid: int, processes: Processes) -> Caller:
    """The caller behind a peer, when the hub runs as ``uid`` and ``panes`` maps pane processes to sessions."""
    if peer.uid != uid:
        return STRANGER
    line = []
    for pid in lineage(peer.pid, processes):
        if pid in panes:  # most callers are agents' commands, a step or two below their pane
            return Caller(Role.AGENT, Via.SOCKET, panes[pid], peer.pid)
        line.append(pid)
    if not line:
        return STRANGER
    for sign in (_by_leader, _by_claim):
        if session_id := sign(line, panes, processes):
            return Caller(Role.AGENT, Via.SOCKET, session_id, peer.pid)
    return Caller(Role.OWNER, Via.SOCKET, pid=peer.pid)


def lineage(pid: int, processes: Processes) -> Iterator[int]:
    """The process and its parents, nearest first; empty when it is already gone, for then nothing is known of it."""
    for _ in range(GENERATIONS):
        parent = processes.parent(pid) if pid > 0 else None
        if parent is None:
            return
        yield pid
        pid = parent


def _by_leader(line: list[int], panes: Mapping[int, str], processes: Processes) -> str | None:
    return next((panes[leader] for pid in line if (leader := processes.leader(pid) or 0) in panes), None)


def _by_claim(line: list[int], _: Mapping[int, str], processes: Processes) -> str | None:
    return next((claim for pid in line if (claim := processes.claimed(pid))), None)


class ProcFolder:
    """The process table of Linux."""

    def parent(self, pid: int) -> int | None:
        try:
            # The name in brackets may itself hold brackets and spaces: proc(5) is read from its last bracket on.
            return int(_read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return None

    def leader(self, pid: int) -> int | None:
        return _leader(pid)

    def claimed(self, pid: int) -> str | None:
        try:
            variables = b"\0" + _read(f"/proc/{pid}/environ")
        except OSError:
            return None
        _, name, rest = variables.partition(b"\0" + SESSION_VARIABLE.encode() + b"=")
        return rest.partition(b"\0")[0].decode("utf-8", "replace") if name else None


class Psutil:
    """The process table of every other system."""

    def parent(self, pid: int) -> int | None:
        import psutil

        try:
            return int(psutil.Process(pid).ppid())
        except psutil.Error:
            return None

    def leader(self, pid: int) -> int | None:
        return _leader(pid)

    def claimed(self, pid: int) -> str | None:
        import psutil

        try:
            return psutil.Process(pid).environ().get(SESSION_VARIABLE) or None
        except psutil.Error:
            return None


def _read(path: str) -> bytes:
    """Every command is a handful of these: a third of the time that a file object takes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def _leader(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def process_table(platform: str = sys.platform) -> Processes:
    return ProcFolder() if platform == "linux" else Psutil()
