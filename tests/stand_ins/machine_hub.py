"""``clawmux`` on a machine of the test's making: its hardware from the file ``machine.json`` of CLAWMUX_HOME, and model
downloads that go as the file ``pull.json`` says: ``{"seconds": 1, "error": "No network."}``, where no error means that
they come.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from clawmux import catalog, hardware
from clawmux.adapters import models
from clawmux.wire.errors import ClawMuxError

HOME = Path(os.environ.get("CLAWMUX_HOME", ""))
STEPS = 10


def probe(*_: Any, **__: Any) -> hardware.Hardware:
    return hardware.from_json(json.loads((HOME / "machine.json").read_text()))


def put(root: Path, name: str) -> None:
    """Files of the right names and sizes, with holes in place of the weights."""
    for file in catalog.MODELS[name].files:
        path = root / "ready" / name / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            out.truncate(file.size)


def pull(self: models.ModelStore, *what: str, progress: models.Report) -> None:
    goes = json.loads((HOME / "pull.json").read_text())
    names = self.names(*what)
    total = sum(catalog.MODELS[name].size for name in names)
    for step in range(STEPS):
        progress(models.Progress("fetching", f"{names[0]}/model.bin", total * step // STEPS, total))
        time.sleep(goes.get("seconds", 0.0) / STEPS)
    if "error" in goes:
        raise ClawMuxError("download_failed", goes["error"])
    for name in names:
        put(self.root, name)


if __name__ == "__main__":
    hardware.probe = probe
    models.ModelStore.pull = pull  # type: ignore[method-assign, assignment]
    from clawmux.cli.main import main

    sys.exit(main())
