"""``low_hub`` whose tier medium is two small files on the host that CLAWMUX_TEST_HOST names: they come, and are no model."""

from __future__ import annotations

import hashlib
import os
import random
import sys
from pathlib import Path

from clawmux import catalog, tiers
from clawmux.catalog import Model, ModelFile, WebSource
from clawmux.wire.words import Tier
from tests.stand_ins import low_hub

CONTENTS = {"model.bin": random.Random(7).randbytes(400_000), "config.json": b"{}"}


def files(address: str) -> tuple[ModelFile, ...]:
    return tuple(
        ModelFile(name, len(content), hashlib.sha256(content).hexdigest(), (WebSource(f"{address}/{name}"),))
        for name, content in CONTENTS.items()
    )


if __name__ == "__main__":
    low_hub.replace(low_hub.model(Path(os.environ["CLAWMUX_MODELS"])))
    name = tiers.TIERS[Tier.MEDIUM].model
    catalog.MODELS[name] = Model(name, "No model", "MIT", files(os.environ["CLAWMUX_TEST_HOST"]))
    from clawmux.cli.main import main

    sys.exit(main())
