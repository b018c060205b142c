"""The ``clawmux.toml`` of a project: where it lies and what stands in it. Believes nothing of it; ``settings`` decides.

It may come with a repository that somebody else wrote, so it is read with care: a plain file of small size, found only
in the agent's folder, in its repository, or below the home folder.
"""

from __future__ import annotations

import functools
import os
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "clawmux.toml"
# A file with every setting and a comment at each has 2 kB.
_LIMIT_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Contents:
    entries: tuple[tuple[str, Any], ...] = ()
    """Dotted names and values, as they stand there."""
    fault: str = ""
    """Why it cannot be read, with the line; empty when it could."""


def find(folder: Path, home: Path | None = None) -> Path | None:
    """The nearest one: in the folder or above it, up to the repository's root, else up to the home folder.

    A folder that is in neither has only itself: what lies above it may belong to anybody.
    """
    try:
        home = (home or Path.home()).resolve()
        folder = folder.resolve()
    except (OSError, RuntimeError, ValueError):  # no home, links in a circle, a zero byte
        return None
    passed = []
    for place in (folder, *folder.parents):
        passed.append(place)
        if place == home or os.path.lexists(place / ".git"):
            return _first(passed)
    return _first([folder])


def read(file: Path) -> Contents:
    """What stands in it; the same value until the file changes."""
    try:
        facts = file.stat()
    except (OSError, ValueError) as error:
        return Contents(fault=_reason(error))
    if not stat.S_ISREG(facts.st_mode):
        return Contents(fault="it is not a plain file")
    if facts.st_size > _LIMIT_BYTES:
        return Contents(fault=f"it has {facts.st_size} bytes; {_LIMIT_BYTES} are read at most")
    return _read(file, (facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size))


def _first(places: list[Path]) -> Path | None:
    return next((place / NAME for place in places if os.path.lexists(place / NAME)), None)


@functools.lru_cache(maxsize=256)
def _read(file: Path, state: tuple[int, ...]) -> Contents:
    del state  # only part of the key
    try:
        with file.open("rb") as content:
            tables = tomllib.loads(content.read(_LIMIT_BYTES).decode("utf-8"))
    except RecursionError:
        return Contents(fault="a value is nested too deeply")
    except (OSError, ValueError) as error:  # TOML, UTF-8, numbers of thousands of digits; the disk
        return Contents(fault=_reason(error))
    return Contents(tuple(_flat(tables)))


def _flat(tables: dict[str, Any]) -> list[tuple[str, Any]]:
    found = []
    for table, entries in tables.items():
        if isinstance(entries, dict):
            found += [(f"{table}.{key}", value) for key, value in entries.items()]
        else:
            found.append((table, entries))
    return found


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).removesuffix(".")
