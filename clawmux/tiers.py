"""Which quality fits which machine: the table of tiers, and the one function that judges. Pure: reads a Hardware value only.

Installer, doctor, hub and settings page all ask here, so that all of them say the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clawmux.wire.words import Tier


class Mode(StrEnum):
    THIN = "thin"
    """A page on this machine, everything else on a server."""
    SPLIT = "split"
    """Hub and agents here, engines on another machine."""
    LOCAL = "local"
    """Everything here."""


class Packages(StrEnum):
    """The named requirement sets of build/requirements: what is installed."""

    HUB = "hub"
    CPU = "cpu"
    NVIDIA = "nvidia"
    APPLE = "apple"


@dataclass(frozen=True, slots=True)
class Engine:
    """How one half of speech runs."""

    package: str
    """``faster-whisper``, ``kokoro-onnx``, ``pywhispercpp``, ``mlx-audio`` …, or ``remote``."""
    device: str
    """``cpu``, ``cuda:0``, ``metal``; empty for remote."""
    precision: str
    """``int8``, ``float16``, ``int8_float16``, ``float32``."""
    model: str
    """Name in clawmux.catalog.MODELS; empty for remote."""
    memory_bytes: int
    """Of the device, at work."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One tier on one machine."""

    tier: Tier
    fits: bool
    recogniser: Engine
    speaker: Engine
    delay_seconds: float
    """From the end of an utterance of 5 s to its words."""
    is_measured: bool
    """False: an estimate."""
    reason: str
    """One sentence for the user: why it fits, or why not."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user has said; empty where they leave it to us."""

    mode: Mode | None = None
    tier: Tier | None = None
    speech_url: str = ""
    server_url: str = ""
    """Address of a hub elsewhere, for the thin mode."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    mode: Mode
    tier: Tier
    packages: Packages
    recogniser: Engine
    speaker: Engine
    models: tuple[str, ...]
    """Names in clawmux.catalog.MODELS that this needs on this machine."""
    fits: tuple[Fit, ...]
    """Every tier, best first."""
    reasons: tuple[str, ...]
    """Sentences for the user, the weightiest first."""
