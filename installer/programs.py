"""What must be on the machine already, and the command that would put it there. Runs no package manager."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Program:
    name: str
    version: str = ""
    fault: str = ""
    """Why it cannot be used, in one sentence; empty when it can."""
    remedy: str = ""


def install_line(package: str, find: Callable[[str], str | None] = shutil.which) -> str:
    for manager, line in INSTALL_LINES.items():
        if find(manager):
            return f"Install it with: {line.format(package)}"
    return f"Install {package} with your system's package manager."


def look_for_tmux(environ: Mapping[str, str]) -> Program:
    """Agents live in tmux. Run, not only found: a broken one should be told now and not at the first agent."""
    try:
        said = subprocess.run(
            ["tmux", "-V"], check=True, capture_output=True, timeout=10, text=True, env=dict(environ), stdin=subprocess.DEVNULL
        )
    except FileNotFoundError:
        return Program("tmux", fault="tmux is not installed; agents run in it.", remedy=install_line("tmux"))
    except (subprocess.SubprocessError, OSError) as error:
        return Program("tmux", fault=f"tmux does not run: {error}.", remedy=install_line("tmux"))
    return Program("tmux", version=said.stdout.strip().removeprefix("tmux "))


def look_for_venv(find_module: Callable[[str], object | None] = importlib.util.find_spec) -> Program:
    """Debian keeps the half of ``python -m venv`` that brings pip in a package of its own."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if find_module("ensurepip") is None:
        return Program("venv", fault=f"{name} cannot make environments.", remedy=install_line(f"{name}-venv"))
    return Program("venv", version=name)
