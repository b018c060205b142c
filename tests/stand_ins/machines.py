"""What GET /api/tiers tells of two machines: one with a graphics card of 8 GB, one with two processor cores and nothing more."""

from __future__ import annotations

import dataclasses
from typing import Any

from clawmux import catalog, hardware, tiers
from clawmux.hardware import Gpu, Hardware

SMALL = Hardware(
    system="linux",
    release="6.1",
    architecture="x86_64",
    libc="glibc 2.36",
    cpu_name="Intel Core i3-6100U",
    cpu_features=frozenset({"avx2"}),
    cores=2.0,
    cores_of_host=2,
    memory_bytes=4 << 30,
    memory_of_host_bytes=4 << 30,
    memory_free_bytes=1300 << 20,
)
CARD = dataclasses.replace(
    SMALL,
    cpu_name="AMD Ryzen 7 5800X",
    cores=8.0,
    memory_bytes=32 << 30,
    memory_free_bytes=20 << 30,
    gpus=(Gpu("nvidia", "NVIDIA GeForce RTX 3070 Ti", 8 << 30, int(2.5 * (1 << 30)), (8, 6)),),
    driver="550.90",
    cuda=(12, 4),
)


def answer(machine: Hardware, installed: tuple[str, ...] = ("tiny",)) -> dict[str, Any]:
    """Without how speech stands, which the stand-in hub adds."""
    rows = []
    recommended = tiers.recommend(machine)
    for fit in recommended.fits:
        names = [fit.recogniser.model, fit.speaker.model, "voices"]
        rows.append(
            {
                "tier": fit.tier.value,
                "title": fit.tier.value.capitalize(),
                "model": fit.recogniser.model,
                "fits": fit.fits,
                "device": fit.recogniser.device,
                "delay_seconds": fit.delay_seconds,
                "is_measured": False,
                "measured": None,
                "stale": "",
                "memory_bytes": fit.recogniser.memory_bytes + fit.speaker.memory_bytes,
                "download_bytes": 0 if fit.tier in installed else sum(catalog.MODELS[name].size for name in names),
                "installed": fit.tier in installed,
                "reason": fit.reason,
            }
        )
    return {
        "hardware": hardware.to_json(machine),
        "recommendation": {"mode": "local", "tier": recommended.tier.value, "reasons": list(recommended.reasons)},
        "tiers": rows,
        "remote": None,
    }
