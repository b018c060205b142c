"""``clawmux`` whose disk is full while the file ``disk-is-full`` lies in its home: SQLite then refuses every write."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

from clawmux.adapters.store import Statement, Store

MARK = "disk-is-full"
usual = Store._run


def run(connection: sqlite3.Connection, statements: list[Statement]) -> None:
    if (Path(os.environ["CLAWMUX_HOME"]) / MARK).exists():
        raise sqlite3.OperationalError("database or disk is full")
    usual(connection, statements)


if __name__ == "__main__":
    Store._run = staticmethod(run)  # type: ignore[method-assign]
    from clawmux.cli.main import main

    sys.exit(main())
