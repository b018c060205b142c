"""Takes an installation away again: what it put there, and the user's data unless they keep it. Names everything first."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from installer.place import Place
from installer.steps import is_ours


def find(place: Place, keep_data: bool) -> list[Path]:
    """The files and folders that an uninstallation removes, those that exist."""
    candidates = [place.current, place.versions, place.program / "install.lock"]
    if is_ours(place.launcher):
        candidates.insert(0, place.launcher)
    if not keep_data:
        candidates += [place.data.data, place.data.state, place.data.config]
        # Models elsewhere may be shared with another installation; inside the data folder they go with it.
    found = [path for path in candidates if path.is_symlink() or path.exists()]
    return [path for path in found if not any(parent in found for parent in path.parents)]


def stop(place: Place) -> None:
    """End the hub, and the agents with their tmux server: without a hub nobody would find them again."""
    if is_ours(place.launcher):
        subprocess.run([place.launcher, "stop"], check=False, capture_output=True, timeout=60)
    if place.data.tmux_socket.exists():
        subprocess.run(["tmux", "-S", place.data.tmux_socket, "kill-server"], check=False, capture_output=True, timeout=60)


def remove(place: Place, found: list[Path]) -> None:
    for path in found:
        if path.is_symlink() or path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path)
    if place.program.is_dir() and not any(place.program.iterdir()):
        place.program.rmdir()
