"""A home of its own, and the installer of a checkout run in it, as install.sh runs it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ENTRY = "import sys; sys.path.insert(0, sys.argv[1]); from installer.__main__ import main; sys.exit(main(sys.argv[2:]))"
_OTHERS = ("XDG_", "CLAWMUX_", "VOICE_", "PYTHON", "TMUX", "DISPLAY", "WAYLAND", "ZDOTDIR", "DBUS_")
Result = subprocess.CompletedProcess[str]


@dataclass
class Machine:
    home: Path
    checkout: Path
    more: dict[str, str] = field(default_factory=dict)
    """Further environment."""

    @property
    def launcher(self) -> Path:
        return self.home / ".local/bin/clawmux"

    @property
    def program(self) -> Path:
        return self.home / ".local/share/clawmux"

    @property
    def current(self) -> str:
        return (self.program / "current").readlink().name

    @property
    def versions(self) -> set[str]:
        return {path.name for path in (self.program / "versions").iterdir()}

    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
        # The folder of the tests' own clawmux is no part of the user's PATH.
        here = str(Path(sys.executable).parent)
        path = os.pathsep.join(folder for folder in kept["PATH"].split(os.pathsep) if folder != here)
        # Models of the tests, so that none are fetched; a test that means none names another folder.
        return {**kept, "HOME": str(self.home), "PATH": path, "SHELL": "/bin/bash", **self.more}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-I", "-B", "-c", ENTRY, str(self.checkout), *arguments]

    def install(self, *arguments: str) -> Result:
        return self.run(*self.command(*arguments))

    def run(self, *command: str, seconds: float = 300) -> Result:
        """Without a terminal, also when a developer has one."""
        return subprocess.run(
            command,
            cwd=self.home.parent,
            env=self.environ(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            timeout=seconds,
            check=False,
        )

    def clawmux(self, *words: str) -> Result:
        return self.run(str(self.launcher), *words)

    def version(self) -> str:
        return self.clawmux("--version").stdout.strip().removeprefix("clawmux ")

    def listing(self) -> dict[str, str]:
        """Everything in the home: kind, mode and content of each file and folder."""
        return {str(path.relative_to(self.home)): _facts(path) for path in sorted(self.home.rglob("*"))}

    def times(self) -> dict[str, tuple[int, int]]:
        """Inode and time of the last change of everything in the home."""
        return {str(path): (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in self.home.rglob("*")}


def _facts(path: Path) -> str:
    mode = f"{path.lstat().st_mode:o}"
    if path.is_symlink():
        return f"{mode} -> {path.readlink()}"
    return f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else mode
