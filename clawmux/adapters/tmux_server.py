"""What the private tmux server is started with: its program, its options and its environment. Starts nothing."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping

from clawmux.wire.errors import ClawMuxError

KEEPER = "clawmux-keeper"
"""The session that our control client is attached to; it keeps nothing but the connection."""

# Each with -q, so that a tmux which does not know one starts all the same.
OPTIONS: tuple[tuple[str, str, str], ...] = (
    ("-s", "exit-empty", "off"),
    ("-s", "escape-time", "0"),  # a lone ESC reaches the agent at once
    ("-s", "set-clipboard", "off"),  # what an agent prints may not write the user's clipboard
    ("-s", "focus-events", "on"),
    ("-g", "allow-passthrough", "off"),
    ("-g", "default-size", "200x50"),  # agents' boxes and dialogs are told apart best from 160x45 up
    ("-g", "default-terminal", "screen-256color"),
    ("-g", "remain-on-exit", "on"),  # a dead agent's exit status and last words stay readable; kill() takes them away
    ("-g", "remain-on-exit-format", ""),
    ("-g", "update-environment", ""),
    ("-g", "status-left", "#{@clawmux_id} "),
    ("-g", "status-right", "Ctrl-b d leaves, the agent goes on"),
    ("-g", "status-right-length", "60"),
)

# What the server, and so every agent, inherits from the hub. No secrets, and nothing of an agent the hub was started from:
# with CLAUDE_CODE_CHILD_SESSION set, Claude Code writes no transcript.
_INHERITED = re.compile(
    r"HOME|USER|LOGNAME|PATH|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|XDG_\w+|SSH_AUTH_SOCK|DISPLAY|WAYLAND_DISPLAY"
    r"|DBUS_SESSION_BUS_ADDRESS|SSL_CERT_FILE|SSL_CERT_DIR|NODE_EXTRA_CA_CERTS|NIX_\w+|TERMINFO|TERMINFO_DIRS"
)


def server_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the tmux server is started with. Everything that only one agent needs goes through ``spawn`` instead."""
    kept = {name: value for name, value in environ.items() if _INHERITED.fullmatch(name)}
    if not any("utf" in kept.get(name, "").lower() for name in ("LC_ALL", "LC_CTYPE", "LANG")):
        kept.pop("LC_ALL", None)
        kept["LC_CTYPE"] = "UTF-8" if sys.platform == "darwin" else "C.UTF-8"
    return {**kept, "TERM": "screen-256color"}


def own_scope(environ: Mapping[str, str], pid: int) -> list[str]:
    """What stands before tmux's words when systemd runs us as a service: the server then gets a control group of its own.

    KillMode=process leaves it alone when the service stops. It would still share the service's limits, and its fate
    where a whole control group is ended: systemctl kill, systemd-oomd.
    """
    if environ.get("SYSTEMD_EXEC_PID") != str(pid) or (tool := shutil.which("systemd-run", path=environ.get("PATH"))) is None:
        return []
    words = [tool, "--user", "--scope", "--quiet", "--collect", "--description=ClawMux: the agents", "-p", "OOMPolicy=continue"]
    return [*words, "--"]


def find_tmux(program: str = "tmux", platform: str = sys.platform) -> str:
    """The path of tmux, or ``missing_program`` with the command that installs it here."""
    if found := shutil.which(program):
        return found
    commands = {
        "apt-get": "sudo apt-get install -y tmux", "dnf": "sudo dnf install -y tmux", "pacman": "sudo pacman -S tmux",
        "zypper": "sudo zypper install tmux", "apk": "sudo apk add tmux", "brew": "brew install tmux",
    }  # fmt: skip
    command = next((line for tool, line in commands.items() if shutil.which(tool)), None)
    if command is None:
        command = "brew install tmux (from https://brew.sh)" if platform == "darwin" else "your package manager, package tmux"
    raise ClawMuxError("missing_program", f"{program} is not installed; agents live in it.", f"Install it: {command}")
