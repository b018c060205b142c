"""Which version is in use: two links, each changed in one move. ``previous`` is set first, so that there is always a way back."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from installer import whole
from installer.place import Place


def to(place: Place, name: str, before: str) -> None:
    if before:
        _point(place.previous, before)
    _point(place.current, name)


def back(place: Place, name: str, before: str) -> None:
    """The links as they were: ``name`` in use, ``before`` the one before; empty means no link."""
    for link, target in ((place.current, name), (place.previous, before)):
        if target:
            _point(link, target)
        else:
            link.unlink(missing_ok=True)


def _point(link: Path, name: str) -> None:
    whole.link(link, Path("versions") / name)


def remove_versions(place: Place, names: Iterable[str]) -> None:
    for name in names:
        folder = place.versions / name
        # The mark first: a version that is half gone is not taken for one.
        (folder / "complete").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
