"""Writes a session's own `clawmux` command: a POSIX shell script that names its interpreter, so that no PATH can change it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from clawmux.paths import isolation
from clawmux.wire.cli import VERBS

# Answered by the small client that imports nothing: an agent may run these hundreds of times.
AGENT_VERBS = tuple(VERBS)

_SCRIPT = """\
#!/bin/sh
# Written by ClawMux for one agent session; written anew when the session starts.
{otherwise}case "${{1-}}" in
{verbs}) exec {python} -I -S {client} "$@" ;;
esac
exec {program} "$@"
"""
# An agent may live longer than the version that started it; the installed command goes on through upgrades.
_OTHERWISE = """\
[ -x {python} ] && [ -f {client} ] || exec {launcher} "$@"
"""


def write_launcher(folder: Path, interpreter: Path, package_root: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """``folder``/bin/clawmux, for the package that lies in ``package_root``/clawmux."""
    cli = package_root / "clawmux" / "cli"
    words = {
        "python": shlex.quote(os.fspath(interpreter)),
        "client": shlex.quote(os.fspath(cli / "start_client.py")),
        "program": shlex.join([os.fspath(interpreter), *isolation(), os.fspath(cli / "start.py")]),
        "launcher": shlex.quote(environ.get("CLAWMUX_LAUNCHER", "")),
    }
    otherwise = _OTHERWISE.format(**words) if environ.get("CLAWMUX_LAUNCHER") else ""
    script = _SCRIPT.format(verbs=" | ".join(AGENT_VERBS), otherwise=otherwise, **words)
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
