"""What must be on the machine already, and the command that would put it there. Runs no package manager."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable

from clawmux.wire.errors import ClawMuxError

# Program of the package manager -> the line a user would type; the first that is there wins.
INSTALL_LINES = {
    "apt-get": "sudo apt-get install {}",
    "dnf": "sudo dnf install {}",
    "pacman": "sudo pacman -S {}",
    "zypper": "sudo zypper install {}",
    "apk": "sudo apk add {}",
    "brew": "brew install {}",
    "port": "sudo port install {}",
}


def install_line(package: str, find: Callable[[str], str | None] = shutil.which) -> str:
    for manager, line in INSTALL_LINES.items():
        if find(manager):
            return f"Install it with: {line.format(package)}"
    return f"Install {package} with your system's package manager."


def check_tmux() -> None:
    """Agents live in tmux. Run, not only found: a broken one should be told now and not at the first agent."""
    try:
        subprocess.run(["tmux", "-V"], check=True, capture_output=True, timeout=10)
    except FileNotFoundError:
        raise ClawMuxError("missing_program", "tmux is not installed; agents run in it.", install_line("tmux")) from None
    except (subprocess.SubprocessError, OSError) as error:
        raise ClawMuxError("missing_program", f"tmux does not run: {error}.", install_line("tmux")) from None


def check_venv(find_module: Callable[[str], object | None] = importlib.util.find_spec) -> None:
    """Debian keeps the half of ``python -m venv`` that brings pip in a package of its own."""
    if find_module("ensurepip") is None:
        name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        raise ClawMuxError("missing_program", f"{name} cannot make environments.", install_line(f"{name}-venv"))
