"""The hub's log: one file and the one before it, both readable by the owner only. Writes lines; chooses none."""

from __future__ import annotations

import logging
import os
from pathlib import Path

# Months of a quiet hub; two such files are still quick to search and to send to somebody.
LIMIT_BYTES = 5_000_000


def open_log(file: Path) -> int:
    """A descriptor that appends to the file. A link in its place is refused (O_NOFOLLOW)."""
    return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def rotate(file: Path, limit_bytes: int = LIMIT_BYTES) -> None:
    """Move a full log aside as ``.1``, over the one that was there."""
    if file.exists() and file.stat().st_size >= limit_bytes:
        file.replace(file.with_name(file.name + ".1"))


class LogHandler(logging.Handler):
    """Sends records to descriptor 2, which is the log; a full file is changed under it.

    Native libraries and the interpreter's own last words go to descriptor 2 as well, so it must follow the file.
    """

    def __init__(self, file: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        super().__init__()
        self._file = file
        self._limit_bytes = limit_bytes
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            os.write(2, (self.format(record) + "\n").encode("utf-8", "backslashreplace"))
            if os.fstat(2).st_size >= self._limit_bytes:
                self._change_file()
        except OSError:
            self.handleError(record)

    def _change_file(self) -> None:
        rotate(self._file, self._limit_bytes)
        descriptor = open_log(self._file)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
