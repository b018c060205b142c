"""Files that hold secrets: read only when they are ours alone, written whole or not at all. Knows nothing of their content."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path

from clawmux.wire.errors import ClawMuxError


def read_private(file: Path) -> str:
    """The text of a file that is ours alone. Raises ``unsafe_files`` for links, other owners, open modes."""
    try:
        number = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise ClawMuxError("unsafe_files", f"{file} is a symbolic link.", "Remove the link; ClawMux makes its own.") from None
    with os.fdopen(number, encoding="utf-8", errors="replace") as opened:
        facts = os.fstat(number)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
            raise ClawMuxError(
                "unsafe_files",
                f"{file} must be a plain file, yours, with mode 600; it has mode {stat.S_IMODE(facts.st_mode):o}"
                f" and owner {facts.st_uid}.",
                f"If nobody else can have read it: chmod 600 {file}; otherwise remove it and a new one is made.",
            )
        return opened.read(1 << 20)


def write_private(file: Path, text: str, replace: bool = True) -> None:
    """Put a 0600 file in place whole or not at all. ``replace=False`` leaves one that somebody else put there first."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(6)}")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(number)
        if replace:
            temporary.replace(file)
        else:
            _link(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _link(temporary: Path, file: Path) -> None:
    try:
        os.link(temporary, file)
    except FileExistsError:
        pass  # two first starts at once: the earlier token stands
