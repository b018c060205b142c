"""The command ``clawmux``: a small shell script that leads through ``current``, so that a new version does not change it."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass

from clawmux.wire.errors import ClawMuxError
from installer import whole
from installer.place import MARK, Place


@dataclass(frozen=True, slots=True)
class Launcher:
    """What lies where the launcher goes."""

    content: bytes | None = None
    """None: nothing does."""
    is_ours: bool = True
    is_right: bool = False


def look(place: Place) -> Launcher:
    if not os.path.lexists(place.launcher):
        return Launcher()
    if place.launcher.is_symlink() or not place.launcher.is_file():
        return Launcher(b"", is_ours=False)
    content = place.launcher.read_bytes()
    is_ours = MARK.encode() in content[:400]
    is_right = is_ours and content == text(place) and os.access(place.launcher, os.X_OK)
    return Launcher(content, is_ours, is_right)


def text(place: Place) -> bytes:
    cli = place.current / "site" / "clawmux" / "cli"
    values = {
        "@PYTHON@": place.current / "python",
        "@CLIENT@": cli / "start_client.py",
        "@START@": cli / "start.py",
        "@LAUNCHER@": place.launcher,
    }
    template = (place.build / "launcher.sh").read_text(encoding="utf-8")
    filled = re.sub(r"@[A-Z]+@", lambda found: shlex.quote(str(values[found[0]])), template)
    return filled.encode("utf-8", "surrogateescape")


def write(place: Place) -> None:
    if not look(place).is_ours:
        raise foreign(place)
    place.launcher.parent.mkdir(parents=True, exist_ok=True)
    whole.write(place.launcher, text(place), mode=0o755)


def put_back(place: Place, before: Launcher) -> None:
    """The launcher as it was found."""
    if before.content is None:
        place.launcher.unlink(missing_ok=True)
    elif before.is_ours:
        whole.write(place.launcher, before.content, mode=0o755)


def foreign(place: Place) -> ClawMuxError:
    return ClawMuxError(
        "conflict", f"{place.launcher} is there and not from this installer.", "Move it away, or install with --prefix DIR."
    )
