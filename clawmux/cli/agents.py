"""Commands about agents: spawn, kill, attach."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from clawmux.cli import owner
from clawmux.cli.arguments import Arguments
from clawmux.cli.render import Result
from clawmux.paths import locate
from clawmux.wire.errors import ClawMuxError

# Preparing an agent's folder and its tmux session can take seconds on a loaded machine.
SPAWN_SECONDS = 60.0


def spawn(argv: list[str]) -> Result:
    parser = Arguments("spawn", "Start an agent; it appears on the page.", "clawmux spawn --runtime demo --voice am_adam")
    parser.add_argument("--voice", metavar="V", help="a voice such as af_sky (default: the first that is free)")
    parser.add_argument("--runtime", metavar="R", help="what runs: claude, codex, demo … (default: the setting agents.runtime)")
    parser.add_argument("--dir", metavar="D", type=Path, default=Path(), help="folder it works in (default: this one)")
    parser.add_argument("--name", metavar="N", help="what it is called (default: the name of its voice)")
    chosen = parser.parse_args(argv)
    if not chosen.dir.is_dir():
        raise ClawMuxError("usage", f"spawn: --dir {str(chosen.dir)!r} is not a folder.", "Name one that exists.")
    body = {"voice": chosen.voice, "runtime": chosen.runtime, "name": chosen.name, "dir": str(chosen.dir.resolve())}
    session = owner.call("POST", "/api/sessions", {k: v for k, v in body.items() if v is not None}, timeout=SPAWN_SECONDS)
    return Result(session, text=session["name"], note=f"{session['name']} is {session['state']} in {session['dir']}.")


def kill(argv: list[str]) -> Result:
    parser = Arguments("kill", "End an agent and everything it has started.", "clawmux kill sky")
    parser.add_argument("name", metavar="NAME", help="the agent's name or id")
    session = owner.find_session(parser.parse_args(argv).name)
    owner.call("DELETE", owner.session_address(session["id"]), timeout=SPAWN_SECONDS)
    return Result({"id": session["id"]}, note=f"{session['name']} has ended.")


def attach(argv: list[str]) -> Result:
    """Becomes tmux, and so never returns."""
    parser = Arguments("attach", "See an agent's terminal and type into it. Ctrl-B D leaves it running.", "clawmux attach sky")
    parser.add_argument("name", metavar="NAME", help="the agent's name or id")
    session = owner.find_session(parser.parse_args(argv).name)
    if session["state"] == "dead":
        raise ClawMuxError("conflict", f"{session['name']} has ended; it has no terminal.", "See `clawmux status --all`.")
    tmux = ["tmux", "-S", str(locate().tmux_socket)]
    try:
        target = _tmux_session(tmux, session["id"])
        os.execvp("tmux", [*tmux, "attach-session", "-t", target])
    except FileNotFoundError:
        raise ClawMuxError("missing_program", "tmux is not installed, or not on PATH.", "Install tmux.") from None


def _tmux_session(tmux: list[str], session_id: str) -> str:
    """tmux's own id ($3) of the session marked as this agent's: a name given to -t also matches its beginnings."""
    listed = subprocess.run(
        [*tmux, "list-sessions", "-F", "#{session_id} #{@clawmux_id}"], capture_output=True, text=True, check=False, timeout=10
    )
    for line in listed.stdout.splitlines():
        target, _, marked = line.partition(" ")
        if marked == session_id:
            return target
    raise ClawMuxError("not_found", f"tmux has no session of {session_id}: {listed.stderr.strip()}", "See `clawmux status`.")
