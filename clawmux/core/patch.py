"""What git prints about changes, made into values: which files, and the lines of one of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

LINES_MOST = 4000
"""Of one file; a change with more is no reading matter."""
LINE_CHARACTERS = 2000
"""Of one line; minified files have lines of megabytes."""
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)")


class Change(StrEnum):
    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    RENAMED = "renamed"
    COPIED = "copied"
    RETYPED = "retyped"
    """A file has become a link, or the other way round."""
    CONFLICTED = "conflicted"
    UNTRACKED = "untracked"


_LETTERS = {
    "A": Change.ADDED,
    "M": Change.MODIFIED,
    "D": Change.DELETED,
    "R": Change.RENAMED,
    "C": Change.COPIED,
    "T": Change.RETYPED,
    "U": Change.CONFLICTED,
}


@dataclass(frozen=True, slots=True)
class ChangedFile:
    path: bytes
    """From the top of the working tree, as the file system has it."""
    change: Change
    before: bytes = b""
    """Its path before it was renamed or copied."""
    added: int | None = None
    """Lines; None: it is binary, or was not counted."""
    removed: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """``kind``: ``@`` begins a hunk, ``+`` and ``-`` and space are lines, ``\\`` is git's remark about a missing line end."""

    kind: str
    old: int
    """Its number before, 0 for none; in lines of the file."""
    new: int
    text: str


def files(raw: bytes) -> list[ChangedFile]:
    """What ``git diff --raw --numstat -z`` prints: first a row for each file, then its counts."""
    found: dict[bytes, ChangedFile] = {}
    fields = iter(raw.split(b"\0"))
    for field in fields:
        if field.startswith(b":"):
            file = _row(field, fields)
            # A conflict has a row for each side besides its own.
            if file.path not in found or file.change is Change.CONFLICTED:
                found[file.path] = file
        elif field:
            _count(field, fields, found)
    return list(found.values())


def _row(field: bytes, fields: Iterator[bytes]) -> ChangedFile:
    letter = field.rsplit(b" ", 1)[-1][:1].decode("ascii", "replace")
    path, change = next(fields, b""), _LETTERS.get(letter, Change.MODIFIED)
    if change in (Change.RENAMED, Change.COPIED):
        return ChangedFile(next(fields, b""), change, before=path)
    return ChangedFile(path, change)


def _count(field: bytes, fields: Iterator[bytes], found: dict[bytes, ChangedFile]) -> None:
    added, _, rest = field.partition(b"\t")
    removed, _, path = rest.partition(b"\t")
    if not path:  # renamed: both paths follow
        next(fields, b"")
        path = next(fields, b"")
    if path in found and added.isdigit() and removed.isdigit():
        found[path] = replace(found[path], added=int(added), removed=int(removed))


def lines(patch: str) -> tuple[list[Line], bool]:
    """The lines of a patch of one file, without git's own head; and whether some were left out."""
    found: list[Line] = []
    old = new = 0
    for text in patch.split("\n"):
        if hunk := _HUNK.fullmatch(text):
            old, new = int(hunk[1]), int(hunk[2])
            line = Line("@", old, new, hunk[3].strip())
        elif not found or not text:
            continue
        elif text[0] == "\\":
            line = Line("\\", 0, 0, text[2:])
        else:
            kind = text[0] if text[0] in "+-" else " "
            line = Line(kind, 0 if kind == "+" else old, 0 if kind == "-" else new, text[1:])
            old, new = old + (kind != "+"), new + (kind != "-")
        if len(found) == LINES_MOST:
            return found, True
        found.append(replace(line, text=_shortened(line.text)))
    return found, False


def _shortened(text: str) -> str:
    return text if len(text) <= LINE_CHARACTERS else f"{text[:LINE_CHARACTERS]}…"
