"""``clawmux`` whose hub waits a second for an acknowledgment where the real one waits a minute. Everything else is real."""

from __future__ import annotations

import sys

from clawmux.core import lane

if __name__ == "__main__":
    lane.TRY_SECONDS = 1.0
    lane.GRACE_SECONDS = 0.3
    from clawmux.cli.main import main

    sys.exit(main())
