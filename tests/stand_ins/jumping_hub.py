"""``clawmux`` whose wall clock jumps: by the seconds that stand in the file ``clock`` in its home."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

FILE = "clock"
usual = time.time


def now() -> float:
    try:
        return usual() + float((Path(os.environ["CLAWMUX_HOME"]) / FILE).read_text() or 0)
    except FileNotFoundError:
        return usual()


if __name__ == "__main__":
    time.time = now
    from clawmux.cli.main import main

    sys.exit(main())
