"""Changes of single lines in a TOML file that a person wrote: the other lines, comments included, stay as they are.

Knows lines, not TOML: whoever changes a text here reads it again and compares before it is written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def with_value(text: str, table: str, key: str, value: Any) -> str:
    """The key set in its table; a table that is missing is added at the end."""
    lines, line = _lines(text), f"{key} = {_literal(value)}"
    at, end = _place(lines, table, key)
    if at is not None:
        changed = [*lines[:at], line, *lines[at + 1 :]]
    elif end is not None:
        changed = [*lines[:end], line, *lines[end:]]
    else:
        changed = [*lines, *([""] if lines else []), f"[{table}]", line]
    return "\n".join(changed) + "\n"


def without_key(text: str, table: str, key: str) -> str:
    """The line of that key left out; an empty table stays."""
    lines = _lines(text)
    at, _ = _place(lines, table, key)
    return text if at is None else "".join(f"{line}\n" for line in [*lines[:at], *lines[at + 1 :]])


def replace(file: Path, text: str, new_mode: int = 0o600) -> None:
    """Whole or not at all, with its mode; where it is a link, the file that it leads to. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    target = file.resolve()
    # A name that nobody foresees: in a stranger's repository a link may lie ready under any other, and lead anywhere.
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}")
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else new_mode
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            temporary.chmod(mode)
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Nobody else who asks here changes that file meanwhile: of two that read it at once, one would undo what the other set.

    The folder is what is locked: the file itself is replaced by each change.
    """
    import fcntl  # only who changes something needs it

    try:
        folder = os.open(file.resolve().parent, os.O_RDONLY)
    except OSError:  # not there yet, and what is wrong with it otherwise is told by the change itself
        yield
        return
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _place(lines: list[str], table: str, key: str) -> tuple[int | None, int | None]:
    """Number of the key's line, and of the line after the last one of its table."""
    inside, end = False, None
    for number, existing in enumerate(lines):
        bare = existing.split("#")[0].strip()
        if bare.startswith("["):
            inside = bare == f"[{table}]"
        elif inside and bare.split("=")[0].strip() == key:
            return number, end
        if inside and bare:
            end = number + 1
    return None, end


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
