"""Takes an installation away again: what it put there, and the user's data unless they keep it. Names everything first."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clawmux import settings
from clawmux.wire.errors import ClawMuxError
from installer import hub, launcher, receipt, shell_files, whole
from installer.place import Place
from installer.receipt import Receipt

SERVICE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Found:
    """What a removal takes away."""

    paths: tuple[Path, ...]
    shell_files: tuple[Path, ...]
    """Start-up files that hold our lines."""
    folders: tuple[Path, ...]
    """Made for us; they go when they are empty."""
    keeps_data: bool

    def __bool__(self) -> bool:
        return bool(self.paths or self.shell_files)

    def lines(self, verb: str) -> list[str]:
        ours = [f"{verb}: {path}" for path in self.paths]
        return ours + [f"{verb}: our lines in {path}" for path in self.shell_files]


def find(place: Place, keep_data: bool, environ: Mapping[str, str]) -> Found:
    told = receipt.read(place.receipt) or Receipt()
    program = ("current", "previous", "versions", "cuda", "pythons", "downloads")
    candidates = [place.program / name for name in program]
    if launcher.look(place).is_ours:
        candidates.insert(0, place.launcher)
    candidates += [place.data.state] if keep_data else [place.data.state, place.data.config, place.data.data]
    keeps_receipt = keep_data and place.program == place.data.data
    # With the data stays the note which folders were made for it.
    candidates += [] if keeps_receipt and told.folders else [place.receipt]
    candidates += [path for path in _children(place.program) if whole.is_left_over(path.name)]
    there = [path for path in candidates if path.is_symlink() or path.exists()]
    paths = [path for path in there if not any(parent in there for parent in path.parents)]
    files = {*map(Path, told.shell_files), *shell_files.wanted(place.home, environ)}
    ours = sorted(path for path in files if path.is_file() and _has_lines(path))
    return Found(tuple(paths), tuple(ours), tuple(map(Path, told.folders)), keep_data)


def _has_lines(path: Path) -> bool:
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return shell_files.without_lines(content) != content


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def stop(place: Place, say: Callable[[str], None]) -> None:
    """What Tailscale shows of the hub, the service, the agents, the hub, each by its own command; then whatever is left of the
    agents' tmux server. ``say``: hears what could not be ended."""
    if launcher.look(place).content and launcher.look(place).is_ours:
        _remove_service(place)
        if message := _end_tailnet(place):
            say(message)
        for agent in _agents(place):
            hub.run(place.launcher, "kill", agent, seconds=hub.STOP_SECONDS)
        hub.end(place.launcher, place.data)
    if place.data.tmux_socket.exists():
        # Without a hub nobody would find them again.
        with suppress(OSError, subprocess.TimeoutExpired):
            end = ["tmux", "-S", str(place.data.tmux_socket), "kill-server"]
            subprocess.run(end, check=False, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)


def _end_tailnet(place: Place) -> str:
    """Takes back what Tailscale was told to show; empty, or why that could not be done. It would go on for whoever gets the
    port next."""
    try:
        url = settings.load(place.data.config_file).hub_public_url
    except ClawMuxError:
        return ""  # nobody can tell; the hub could not have started with it either
    # As clawmux.adapters.tailscale knows it, which is not for an installer to import.
    if not url.partition("//")[2].partition(":")[0].rstrip("/").endswith(".ts.net"):
        return ""
    done = hub.run(place.launcher, "phone", "--off", seconds=SERVICE_SECONDS)
    if not done.returncode:
        return ""
    return f"Tailscale may still show {url}: {hub.last_words(done)}; look at: tailscale serve status"


def _remove_service(place: Place) -> None:
    """Only the service of this installation's hub."""
    asked = hub.run(place.launcher, "service", "status", "--json", seconds=SERVICE_SECONDS)
    with suppress(ValueError, KeyError, TypeError):
        facts = json.loads(asked.stdout)["result"]
        if facts["installed"] and facts.get("data", str(place.data.data)) == str(place.data.data):
            hub.run(place.launcher, "service", "remove", seconds=SERVICE_SECONDS)


def _agents(place: Place) -> list[str]:
    if hub.running(place.data) is None:
        return []
    asked = hub.run(place.launcher, "status", "--json", seconds=hub.STOP_SECONDS)
    try:
        return [str(session["id"]) for session in json.loads(asked.stdout)["result"]["sessions"]]
    except (ValueError, KeyError, TypeError):
        return []


def remove(place: Place, found: Found, say: Callable[[str], None]) -> None:
    for path in found.shell_files:
        _restore(path, say)
    for path in found.paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if found.keeps_data:
        kept = receipt.read(place.receipt)
        if kept:
            receipt.write(place.receipt, Receipt(folders=kept.folders), kept.time)
    place.lock.unlink(missing_ok=True)
    _remove_empty(place, found.folders)


def _restore(path: Path, say: Callable[[str], None]) -> None:
    try:
        before = shell_files.without_lines(path.read_bytes())
        if before is None:
            path.resolve().unlink()
        else:
            whole.write(path, before)
    except OSError as error:
        say(f"our lines in {path} could not be taken out ({error.strerror}); they do nothing without the program.")


def _remove_empty(place: Place, folders: tuple[Path, ...]) -> None:
    """What was made for us and holds nothing any more, innermost first; never what others use."""
    for folder in (place.program, *sorted(folders, key=lambda folder: len(folder.parts), reverse=True)):
        if folder != place.home:
            with suppress(OSError):  # not empty, or not there
                folder.rmdir()
