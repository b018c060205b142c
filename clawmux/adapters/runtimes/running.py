"""What a running agent program has open: files, listening ports, its environment. Looks only; raises nothing.

A program installed by npm may be a child of the pane's first process, so its descendants are looked at too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


def open_files(pid: int) -> list[str]:
    """Full paths of the files that it or a descendant has open."""
    import psutil

    found: list[str] = []
    for process in _family(pid):
        with contextlib.suppress(psutil.Error, OSError):
            found += [file.path for file in process.open_files()]
    return found


def listening_ports(pid: int) -> list[int]:
    """TCP ports of the loopback address on which it or a descendant listens. Commands that it runs listen too: ask and see."""
    import psutil

    found: list[int] = []
    for process in _family(pid):
        with contextlib.suppress(psutil.Error, OSError):
            found += [
                connection.laddr.port
                for connection in process.net_connections("tcp")
                if connection.status == psutil.CONN_LISTEN and connection.laddr.ip in ("127.0.0.1", "0.0.0.0", "::1", "::")
            ]
    return list(dict.fromkeys(found))


def environment(pid: int) -> dict[str, str]:
    """What it was started with; empty when that cannot be seen."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return dict(psutil.Process(pid).environ())
    return {}


def started(pid: int) -> float:
    """Unix seconds at which it began; 0 when that cannot be seen."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return float(psutil.Process(pid).create_time())
    return 0.0


def is_in_front(pid: int, command: str) -> bool:
    """Whether this shell itself reads its terminal now, and no command of its; ``command``: the one that tmux names.

    Without /proc a script that the same shell runs looks like the shell's own prompt."""
    import psutil

    with contextlib.suppress(OSError, IndexError):
        # proc_pid_stat(5): after the name, which may hold anything, come state, ppid, pgrp, session, tty_nr and tpgid.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[5] == fields[2]
    with contextlib.suppress(psutil.Error, OSError):
        return bool(psutil.Process(pid).name() == command.removeprefix("-"))
    return True


def program_file(pid: int, name: str) -> str:
    """The file of the program ``name`` that runs there; the name itself when that cannot be seen."""
    import psutil

    for process in _family(pid):
        with contextlib.suppress(psutil.Error, OSError):
            if Path(file := process.exe()).name == name:
                return str(file)
    return name


def _family(pid: int) -> Iterator[psutil.Process]:
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        first = psutil.Process(pid)
        yield first
        yield from first.children(recursive=True)
