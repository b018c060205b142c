"""The ``clawmux.toml`` of a project: where it lies, and what of it counts.

It may come with a repository that somebody else wrote, so it is read with care: a plain file of small size, found only
in the agent's folder, in its repository, or below the home folder. Only settings that are declared harmless are obeyed.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawmux.settings import DECLARATIONS, FIELD_OF, Settings, check, short
from clawmux.wire.errors import ClawMuxError

NAME = "clawmux.toml"
# A file with every setting and a comment at each has 2 kB. The hub waits while it is read, and a key of n parts takes n * n
# steps: at this size no more than 0.2 s.
_LIMIT_BYTES = 8192
# As settings are called; a stranger's file may have names that would do mischief on a terminal.
_PLAIN = re.compile("[a-z0-9_.-]{1,60}", re.ASCII)
_LISTED = 8


@dataclass(frozen=True, slots=True)
class Project:
    """What the clawmux.toml of a project decides."""

    file: Path | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    """By field; only settings that a project may decide."""
    notes: tuple[str, ...] = ()
    """What was refused, in sentences for the user."""


def project(folder: Path, home: Path | None = None) -> Project:
    """The clawmux.toml in force for a folder, what it decides and what of it was refused. Never raises."""
    file = find(folder, home)
    if file is None:
        return Project()
    contents = read(file)
    if contents.fault:
        return Project(file, notes=(f"{file} is not used: {contents.fault}.",))
    values: dict[str, Any] = {}
    notes, strangers = [], []
    for name, value in contents.entries:
        if name not in FIELD_OF or not DECLARATIONS[FIELD_OF[name]].project:
            strangers.append(name if _PLAIN.fullmatch(name) else short(name))
            continue
        try:
            values[FIELD_OF[name]] = check(name, value, source=str(file), code="bad_file")
        except ClawMuxError as error:
            notes.append(error.text)
    if strangers:
        notes.insert(0, f"{file}: not for a project to decide, and not obeyed: {_listed(strangers)}.")
    return Project(file, values, tuple(notes))


def for_project(settings: Settings, folder: Path, home: Path | None = None) -> tuple[Settings, tuple[str, ...]]:
    """These settings as the project of that folder has them, and what is to be said about its clawmux.toml."""
    found = project(folder, home)
    return (dataclasses.replace(settings, **found.values) if found.values else settings), found.notes


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
        # Between the look at it and this, somebody may have put a pipe in its place: that would wait for a writer.
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as content:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(content.fileno()).st_mode):
                return Contents(fault="it is not a plain file")
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


def _listed(names: list[str]) -> str:
    """The first few: a hostile file may hold thousands."""
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
