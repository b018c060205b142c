"""What the hub knows of its machine: looked at in a thread, remembered for a while; and what each tier would take of it.

``holds_two`` answers for ``core.engine`` whether a tier finds room beside the one that serves. Changes nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawmux import __version__, catalog, hardware, tiers
from clawmux.hardware import Gpu, Hardware
from clawmux.machine import measured
from clawmux.machine.measured import Measured
from clawmux.settings import Settings
from clawmux.shown import harmless
from clawmux.tiers import Fit, Wishes
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Tier

# Long enough for a page that asks at every look at its settings; short enough that a card which became free is seen.
REMEMBERED_SECONDS = 60.0
# Left to the agents and everybody else when a second service is started.
SPARE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Running:
    """The service at work."""

    tier: Tier
    device: str = ""
    """Where it recognises, as it says itself; empty when it does not."""


class Machine:
    def __init__(self, models: Path, measurements: Path, probe: Callable[[], Hardware] = hardware.probe) -> None:
        self._models = models
        self._measurements = measurements
        self._probe = probe
        self._known: Hardware | None = None
        self._looked = 0.0
        self._looking = asyncio.Lock()

    async def hardware(self, remembered_seconds: float = REMEMBERED_SECONDS) -> Hardware:
        async with self._looking:
            if self._known is None or time.monotonic() - self._looked > remembered_seconds:
                self._looked = time.monotonic()
                self._known = found = await asyncio.to_thread(self._probe)
                return found
            return self._known

    def forget(self) -> None:
        self._known = None

    async def missing(self, tier: Tier, settings: Settings) -> list[str]:
        """Names of the models that this tier lacks here."""
        return await asyncio.to_thread(self._missing, models_of(await self.hardware(), tier, settings))

    async def installed(self, settings: Settings) -> list[Tier]:
        """Tiers that could be started now, best first."""
        return [tier for tier in tiers.TIERS if not await self.missing(tier, settings)]

    async def holds_two(self, tier: Tier, running: Running) -> bool:
        return holds_two(await self.hardware(remembered_seconds=0.0), tier, running)

    async def why_no_further(self, tier: Tier) -> str:
        """Why a recogniser of this tier cannot be loaded into the service that runs; empty when it can."""
        found = await self.hardware(remembered_seconds=0.0)
        missing = await asyncio.to_thread(self._missing, models_of(found, tier, Settings(speech_kokoro_url="elsewhere")))
        return f"{missing[0]} is not on this machine" if missing else why_too_large(found, tier)

    async def view(self, settings: Settings, running: Running | None) -> dict[str, Any]:
        """The part of GET /api/tiers that is about the machine."""
        found = await self.hardware()
        ours = as_if_free(found, running)
        wishes = Wishes(speech_url=settings.speech_whisper_url)
        recommended = tiers.recommend(ours, wishes)
        figures = measured.read(self._measurements)
        rows = []
        for fit in (tiers.fit(ours, tier) for tier in tiers.TIERS):
            missing = await asyncio.to_thread(self._missing, models_of(ours, fit.tier, settings))
            rows.append(_with_figures(_row(fit, missing), figures.get(fit.tier.value), found))
        return {
            "hardware": hardware.to_json(found),
            "recommendation": {
                "mode": recommended.mode.value,
                "tier": recommended.tier.value,
                "reasons": [harmless(reason) for reason in recommended.reasons],
            },
            "tiers": rows,
        }

    def keep_measured(self, tier: Tier, figures: Measured) -> None:
        """In place of what was measured of this tier before."""
        try:
            measured.write(self._measurements, {**measured.read(self._measurements), tier.value: figures})
        except OSError as error:
            remedy = "Make room, then measure again." if error.errno == errno.ENOSPC else "Look who may write there."
            raise ClawMuxError("bad_file", f"{self._measurements} cannot be written: {error.strerror}.", remedy) from None

    def _missing(self, names: Collection[str]) -> list[str]:
        # Imported here, in a thread: a hub whose models are there never needs it before.
        from clawmux.adapters.models import ModelStore

        store = ModelStore(self._models)
        return [name for name in names if store.path(name) is None]


def models_of(found: Hardware, tier: Tier, settings: Settings) -> list[str]:
    """What this tier loads here; nothing for a half that another server does."""
    fit = tiers.fit(found, tier)
    names = [] if settings.speech_whisper_url else [fit.recogniser.model]
    names += [] if settings.speech_kokoro_url else [*tiers.voice_models(fit.speaker)]
    return [name for name in names if name in catalog.MODELS]


def holds_two(found: Hardware, tier: Tier, running: Running) -> bool:
    """Whether a tier finds room beside the one that runs already, without being pushed off its card. Pure."""
    beside, alone = tiers.fit(found, tier), tiers.fit(as_if_free(found, running), tier)
    if beside.recogniser.device != alone.recogniser.device:
        return False
    return not found.memory_free_bytes or _processor_bytes(beside) + SPARE_BYTES <= found.memory_free_bytes


def why_too_large(found: Hardware, tier: Tier) -> str:
    """Why one more recogniser finds no room; empty when it does. Pure."""
    fit = tiers.fit(found, tier)
    needed, free = fit.recogniser.memory_bytes + SPARE_BYTES, found.memory_free_bytes
    if not fit.fits:
        return fit.reason.rstrip(".")
    if fit.recogniser.device.startswith("cuda") or not free or needed <= free:
        return ""
    return f"a second recogniser needs {tiers.amount(needed)} of memory, and {tiers.amount(free)} are free"


def as_if_free(found: Hardware, running: Running | None) -> Hardware:
    """The machine without the service that runs: what that one holds would be free for another. Pure."""
    if running is None:
        return found
    ours, need = tiers.fit(found, running.tier), tiers.TIERS[running.tier]
    device = running.device or ours.recogniser.device
    gpus = tuple(_emptier(gpu, need.card_bytes) if device == f"cuda:{gpu.number}" else gpu for gpu in found.gpus)
    recogniser = 0 if device.startswith("cuda") else need.processor_bytes
    free = found.memory_free_bytes and min(found.memory_bytes, found.memory_free_bytes + recogniser + ours.speaker.memory_bytes)
    return dataclasses.replace(found, gpus=gpus, memory_free_bytes=free)


def _emptier(gpu: Gpu, size: int) -> Gpu:
    if gpu.vendor != "nvidia" or gpu.free_bytes is None or gpu.memory_bytes is None:
        return gpu
    return dataclasses.replace(gpu, free_bytes=min(gpu.memory_bytes, gpu.free_bytes + size))


def _processor_bytes(fit: Fit) -> int:
    """Of the machine's own memory, which Apple's card shares."""
    recogniser = 0 if fit.recogniser.device.startswith("cuda") else fit.recogniser.memory_bytes
    return recogniser + fit.speaker.memory_bytes


def _row(fit: Fit, missing: list[str]) -> dict[str, Any]:
    return {
        "tier": fit.tier.value,
        "title": tiers.TIERS[fit.tier].title,
        "model": fit.recogniser.model,
        "fits": fit.fits,
        "device": fit.recogniser.device,
        "delay_seconds": fit.delay_seconds,
        "memory_bytes": fit.recogniser.memory_bytes + fit.speaker.memory_bytes,
        "download_bytes": sum(catalog.MODELS[name].size for name in missing),
        "installed": not missing,
        "reason": fit.reason,
    }


def _with_figures(row: dict[str, Any], figures: Measured | None, found: Hardware) -> dict[str, Any]:
    """What was measured on this machine stands in the place of the estimate. Pure."""
    stale = measured.why_stale(figures, found, __version__, row["model"], row["device"]) if figures else ""
    if figures is None or stale:
        return {**row, "is_measured": False, "measured": None, "stale": stale}
    # A card's memory is not in what its process holds.
    memory = {"memory_bytes": figures.memory_bytes} if figures.memory_bytes and row["device"] == "cpu" else {}
    told = {key: value for key, value in dataclasses.asdict(figures).items() if key not in ("machine", "model", "device")}
    return {**row, **memory, "delay_seconds": figures.delay_seconds, "is_measured": True, "measured": told, "stale": ""}
