"""``clawmux`` whose hub ends itself with kill -9 the moment it has stored the text that the file ``end-after`` holds."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from pathlib import Path

from clawmux.adapters.store import Statement, Store

MARK = "end-after"
usual = Store._run


def run(connection: sqlite3.Connection, statements: list[Statement]) -> None:
    usual(connection, statements)
    mark = Path(os.environ["CLAWMUX_HOME"]) / MARK
    if mark.exists() and any(mark.read_text() in values for _, values in statements):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    Store._run = staticmethod(run)  # type: ignore[method-assign]
    from clawmux.cli.main import main

    sys.exit(main())
