"""What a quality of speech took when it was measured on this machine, and whether that still counts. Pure, but for the file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawmux.hardware import Hardware


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one quality, in seconds and bytes."""

    delay_seconds: float
    """From the end of an utterance of some 5 s to its words; the middle one of several."""
    hearing_factor: float
    """Seconds of work for a second of what was said; below 1 is faster than it sounds."""
    first_sound_seconds: float
    """From a short sentence to the first sound of it."""
    speaking_factor: float
    """Seconds of work for a second of speech."""
    memory_bytes: int
    """Of the speech process, at work; 0 where nobody could say."""
    model: str
    """The recogniser's."""
    device: str
    """Where it recognised: ``cpu``, ``cuda:0`` …"""
    at: float
    """Seconds since 1970."""
    version: str
    """Of ClawMux."""
    machine: str
    """Its ``fingerprint``."""


def fingerprint(hardware: Hardware) -> str:
    """The same for the same machine, whatever else runs on it: free memory and the like are left out."""
    facts = {
        "processor": [hardware.cpu_name, hardware.architecture, sorted(hardware.cpu_features), hardware.cores],
        "memory": hardware.memory_of_host_bytes,
        "system": [hardware.system, hardware.driver, hardware.cuda],
        "cards": [[gpu.name, gpu.memory_bytes] for gpu in hardware.gpus],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def why_stale(measured: Measured, hardware: Hardware, version: str, model: str, device: str) -> str:
    """Why these figures say nothing of that model there; empty when they do."""
    if measured.machine != fingerprint(hardware):
        return "this machine has changed since it was measured"
    if measured.version != version:
        return f"it was measured with version {measured.version}"
    if (measured.model, measured.device) != (model, device):
        return f"{measured.model} was measured, on {measured.device}"
    return ""


def read(file: Path) -> dict[str, Measured]:
    """What was measured, by tier. What cannot be read counts as never measured."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return {str(tier): Measured(**_checked(figures)) for tier, figures in told.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return {}


def write(file: Path, figures: Mapping[str, Measured]) -> None:
    """All at once. Raises OSError."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps({tier: dataclasses.asdict(measured) for tier, measured in figures.items()}), encoding="utf-8")
    new.replace(file)


def _checked(figures: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {"model": str, "device": str, "version": str, "machine": str, "memory_bytes": int}
    return {field.name: kinds.get(field.name, float)(figures[field.name]) for field in dataclasses.fields(Measured)}
