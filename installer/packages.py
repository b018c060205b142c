"""Packages from locks with hashes, into throw-away environments. What comes is what the lock says, or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from clawmux.wire.errors import ERRORS, ClawMuxError
from installer.place import Place, interpreter


@contextmanager
def environment(place: Place, folder: Path, wheels: Path | None, needs_pip: bool = False) -> Iterator[Path]:
    """A throw-away environment with what build/requirements/bootstrap.txt holds; its Python."""
    lock = place.requirements("bootstrap.txt")
    is_needed = any(line.strip() and not line.lstrip().startswith(("#", "-")) for line in lock.read_text().splitlines())
    maker = [str(interpreter()), "-I", "-m", "venv", *([] if is_needed or needs_pip else ["--without-pip"]), str(folder)]
    run(place, maker, f"{interpreter()} cannot make an environment", "internal")
    python = folder / "bin" / "python"
    if is_needed:
        install(place, python, lock, wheels)
    yield python


def install(place: Place, python: Path, lock: Path, wheels: Path | None, target: Path | None = None) -> None:
    # The tools are small, and gone again soon; what stays is hundreds of megabytes.
    manner = ["--progress-bar", "on"] if target and sys.stderr.isatty() else ["--quiet", "--progress-bar", "off"]
    command = [str(python), "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *manner]
    command += ["--root-user-action", "ignore"]
    command += ["--require-hashes", "-r", str(lock)]
    command += ["--no-index", "--find-links", str(wheels)] if wheels else []
    command += ["--target", str(target)] if target else []
    run(place, command, "the packages could not be installed", shows=True)


def run(place: Place, command: Sequence[str], what_failed: str, code: str = "download_failed", shows: bool = False) -> None:
    """One tool; its complaints go to our stderr. What it keeps between runs lies in our folder and not in the user's cache."""
    # pip draws its progress on stdout, where only our answer belongs.
    said = sys.stderr if shows else subprocess.DEVNULL
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=said, env=_environ(place))
    if done.returncode:
        # Our own tools end with the exit code of what was wrong.
        code = next((word for word, row in ERRORS.items() if row.exit_code == done.returncode and word in _OURS), code)
        raise ClawMuxError(
            code, f"{what_failed} (exit status {done.returncode}); the tool's own words are above.", _REMEDIES[code]
        )


_OURS = ("download_failed", "missing_program", "disk_full", "bad_file")
_REMEDIES = {
    "download_failed": "Check the network, the room on the disk, and pip's proxy and index settings; then run install.sh again.",
    "internal": "Nothing was changed.",
    "missing_program": "Install what is named above, then run install.sh again.",
    "disk_full": "Make room, or use --prefix DIR; then run install.sh again.",
    "bad_file": "Fetch it again, then run install.sh again.",
}


def _environ(place: Place) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    cache = place.downloads / "packages"
    temporary = cache / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    # On our own disk, whose room was looked at: /tmp is often a small one in memory.
    ours = {"PIP_CACHE_DIR": str(cache), "TMPDIR": str(temporary)}
    # pip asks a rustc that it finds for its version, and rustup's makes a folder in the home for that.
    ours |= {} if "RUSTUP_HOME" in kept else {"RUSTUP_HOME": str(cache / "rustup")}
    return kept | ours | {"PIP_ROOT_USER_ACTION": "ignore", "PIP_RESUME_RETRIES": "20"}
