"""Writes a session's own `clawmux` command: a POSIX shell script that names its interpreter, so that no PATH can change it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

# Answered by the small client that imports nothing: an agent may run these hundreds of times.
AGENT_VERBS = ("converse", "status", "cancel-converse")

_SCRIPT = """\
#!/bin/sh
# Written by ClawMux for one agent session; written anew when the session starts.
case "${{1-}}" in
{verbs}) exec {python} -I -S {client} "$@" ;;
esac
PYTHONPATH={root}${{PYTHONPATH:+:$PYTHONPATH}}
export PYTHONPATH
exec {python} -P -m clawmux "$@"
"""


def write_launcher(folder: Path, interpreter: Path, package_root: Path) -> Path:
    """``folder``/bin/clawmux, for the package that lies in ``package_root``/clawmux."""
    script = _SCRIPT.format(
        verbs=" | ".join(AGENT_VERBS),
        python=shlex.quote(os.fspath(interpreter)),
        client=shlex.quote(os.fspath(package_root / "clawmux" / "cli" / "start_client.py")),
        root=shlex.quote(os.fspath(package_root)),
    )
    target = folder / "bin" / "clawmux"
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(target, script, mode=0o700)
    return target


def write_private(target: Path, text: str, mode: int = 0o600) -> None:
    """In one step, so that an agent that still runs never reads half a file."""
    temporary = target.with_name(target.name + ".tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as out:
        out.write(text)
    temporary.replace(target)
