"""The steps of an installation. Each knows whether it is already done, does it, and leaves nothing half made."""

from __future__ import annotations

import compileall
import os
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clawmux import __version__
from clawmux.wire.errors import ClawMuxError
from installer import programs
from installer.place import MARK, Place

# Packages with engines take 460 MB unpacked, and pip needs their archives beside them while it works.
ENVIRONMENT_BYTES = 700 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    is_done: Callable[[Place], bool]
    perform: Callable[[Place], None]
    is_needed: bool = True
    """Without it nothing after it makes sense."""


def check_programs(place: Place) -> None:
    programs.check_tmux()
    programs.check_venv()


def is_installed(place: Place) -> bool:
    return place.complete.is_file()


def make_version(place: Place) -> None:
    """An environment from the locks with our package in it, tried once before it counts."""
    _check_room(place.program, ENVIRONMENT_BYTES)
    shutil.rmtree(place.folder, ignore_errors=True)
    place.folder.mkdir(parents=True)
    try:
        venv.create(place.folder / "venv", with_pip=True, symlinks=True)
        _install_locks(place)
        _copy_package(place)
        _try_it(place)
    except BaseException:
        shutil.rmtree(place.folder, ignore_errors=True)
        raise
    place.complete.write_text(f"{__version__}\n", encoding="utf-8")


def is_current(place: Place) -> bool:
    return place.current.is_symlink() and place.current.resolve() == place.folder.resolve()


def switch(place: Place) -> None:
    """Make this version the one in use, in one move; the one before it stays, older ones go."""
    before = place.current.resolve().name if place.current.is_symlink() else ""
    fresh = place.program / "current.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(Path("versions") / place.version)
    fresh.replace(place.current)
    for folder in place.versions.iterdir():
        if folder.name not in (place.version, before):
            shutil.rmtree(folder, ignore_errors=True)


def launcher_text(place: Place) -> str:
    """The launcher goes through ``current``, so that it needs no change when the version does."""
    inside = place.site_packages.relative_to(place.folder)
    values = {
        "@PYTHON@": place.current / "venv" / "bin" / "python",
        "@CLIENT@": place.current / inside / "clawmux" / "cli" / "start_client.py",
        "@LAUNCHER@": place.launcher,
    }
    text = place.launcher_template.read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(name, shlex.quote(str(value)))
    return text


def has_launcher(place: Place) -> bool:
    return is_ours(place.launcher) and place.launcher.read_text(encoding="utf-8") == launcher_text(place)


def is_ours(launcher: Path) -> bool:
    return launcher.is_file() and MARK in launcher.read_text(encoding="utf-8", errors="replace")[:400]


def write_launcher(place: Place) -> None:
    if os.path.lexists(place.launcher) and not is_ours(place.launcher):
        raise ClawMuxError(
            "conflict", f"{place.launcher} is there and not from this installer.", "Move it away, or install with --prefix DIR."
        )
    place.launcher.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.launcher.with_name(f".clawmux.{os.getpid()}")
    fresh.write_text(launcher_text(place), encoding="utf-8")
    fresh.chmod(0o755)
    fresh.replace(place.launcher)


def pull_models(place: Place) -> None:
    """The command knows what is there already and shows its own progress."""
    result = subprocess.run([place.launcher, "models", "pull", "--set", "tiny"], check=False, stdin=subprocess.DEVNULL)
    if result.returncode:
        raise ClawMuxError(
            "download_failed",
            "the speech models could not be fetched.",
            f"Run again later: {place.launcher} models pull --set tiny",
        )


def _check_room(folder: Path, needed: int) -> None:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise ClawMuxError(
            "disk_full", f"{there} has {free >> 20} MB free; {needed >> 20} MB are needed.", "Make room, or use --prefix DIR."
        )


def _install_locks(place: Place) -> None:
    # Quiet without a terminal, progress bars on one: it is a download of some 150 MB.
    manner = ["--progress-bar", "on"] if sys.stderr.isatty() else ["--quiet", "--progress-bar", "off"]
    command = [
        str(place.python),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        *manner,
        "--require-hashes",
    ]
    for lock in place.locks:
        command += ["-r", str(lock)]
    result = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if result.returncode:
        raise ClawMuxError(
            "download_failed",
            "the packages could not be installed; pip's own words are above.",
            "Check the network or pip's proxy and index settings, then run install.sh again.",
        )


def _copy_package(place: Place) -> None:
    for name, source in place.package_files().items():
        target = place.site_packages / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    compileall.compile_dir(place.site_packages / "clawmux", quiet=2)


def _try_it(place: Place) -> None:
    """A version that cannot say its name is never switched to."""
    result = subprocess.run(
        [place.python, "-I", "-m", "clawmux", "--version"], check=False, capture_output=True, text=True, timeout=60
    )
    if result.returncode or __version__ not in result.stdout:
        raise ClawMuxError("internal", f"the new version does not start: {result.stderr.strip()[-500:]}", "Nothing was changed.")
