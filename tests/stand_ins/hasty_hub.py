"""``clawmux`` that does not wait for the disk: SQLite hands its writes to the operating system and says that they are done."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from clawmux.adapters import store

usual = store._connect


def connect(file: Path) -> sqlite3.Connection:
    connection = usual(file)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


if __name__ == "__main__":
    store._connect = connect
    from clawmux.cli.main import main

    sys.exit(main())
