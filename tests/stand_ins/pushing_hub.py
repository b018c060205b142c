"""``clawmux`` whose hub pushes to services of this machine, and waits a second where the real one waits longer."""

from __future__ import annotations

import sys
from pathlib import Path

from clawmux.core import attention, conversation
from clawmux.hub import notifier, push, runtime
from tests.stand_ins.push_service import HERE

GRACE_SECONDS = 1.0
AWAY_SECONDS = 1.6
PAGE_SECONDS = 3.0


class Here(push.Push):
    def __init__(self, key_file: Path) -> None:
        super().__init__(key_file, HERE, (0.2,) * 5)


if __name__ == "__main__":
    attention.GRACE_SECONDS = GRACE_SECONDS
    attention.AWAY_SECONDS = AWAY_SECONDS
    conversation.PAGE_GRACE_SECONDS = PAGE_SECONDS
    notifier.WORK_SECONDS = 0.5
    vars(runtime)["Push"] = Here
    from clawmux.cli.main import main

    sys.exit(main())
