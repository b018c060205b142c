"""Files and links that appear whole or not at all: whoever looks, and whenever we are killed, sees the old or the new."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def write(path: Path, content: bytes, mode: int | None = None) -> None:
    """Replace the file, with ``mode`` or with the mode that it had; where it is a link, the file that it leads to."""
    target = path.resolve()
    there = target.stat() if target.exists() else None
    if there and there.st_nlink > 1:
        # A rename would cut this name off from the file's other names; some dotfile collections live by those.
        _write_in_place(target, content)
        return
    fresh = target.with_name(f".{target.name}.{os.getpid()}.clawmux")
    try:
        with fresh.open("wb") as out:
            out.write(content)
            out.flush()
            fresh.chmod(mode if mode is not None else stat.S_IMODE(there.st_mode) if there else 0o666 & ~_umask())
            os.fsync(out.fileno())
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def link(path: Path, target: Path) -> None:
    """Make ``path`` a link to ``target``, whatever link it was before."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.clawmux")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(path)


def is_left_over(name: str) -> bool:
    """The name of a file that a killed ``write`` or ``link`` leaves beside its target."""
    return name.startswith(".") and name.endswith(".clawmux")


def _write_in_place(target: Path, content: bytes) -> None:
    with target.open("r+b") as out:
        out.write(content)
        out.truncate()
        out.flush()
        os.fsync(out.fileno())


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
