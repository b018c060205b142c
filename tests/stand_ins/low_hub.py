"""``clawmux`` whose tier low is of models that can be had: whisper-base where it is, else whisper-tiny.en once more; and the
smaller Kokoro. Everything else is real.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

from clawmux import tiers
from clawmux.adapters.models import ModelStore
from clawmux.hardware import Hardware
from clawmux.tiers import Engine
from clawmux.wire.words import Tier


def model(folder: Path) -> str:
    return "whisper-base" if ModelStore(folder).path("whisper-base") else "whisper-tiny.en"


def replace(chosen: str) -> None:
    tiers.TIERS[Tier.LOW] = dataclasses.replace(tiers.TIERS[Tier.LOW], model=chosen)
    usual = tiers._speaker

    def speaker(hardware: Hardware, tier: Tier) -> Engine:
        return usual(hardware, Tier.TINY)

    tiers._speaker = speaker
    if "speech" in sys.argv[1:2]:
        from clawmux.adapters.speech import choice

        choice._WANTED["low"] = (chosen,)


if __name__ == "__main__":
    replace(model(Path(os.environ["CLAWMUX_MODELS"])))
    from clawmux.cli.main import main

    sys.exit(main())
