"""What this machine is, as one frozen value. Reads; decides nothing, changes nothing, never raises.

probe()      look at this machine (the single readings are in clawmux/machine/)
to_json()    the facts as one JSON object; ``clawmux doctor --json`` prints it, tests/hardware/ keeps such files
from_json()  and back
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clawmux.shown import harmless

if TYPE_CHECKING:
    from clawmux.machine.sources import Sources


@dataclass(frozen=True, slots=True)
class Note:
    """A reading that failed, or something that a person should know about one."""

    what: str
    """The reading: ``nvidia``, ``memory``, ``cpu name``."""
    reason: str
    """One sentence."""
    remedy: str = ""
    """What the user can do about it; empty when there is nothing."""


@dataclass(frozen=True, slots=True)
class Gpu:
    vendor: str
    """``nvidia``, ``amd``, ``intel`` or ``apple``."""
    name: str
    memory_bytes: int | None = None
    """Its own memory, or for a unified part what it shares with the processor; None when nobody says."""
    free_bytes: int | None = None
    compute_capability: tuple[int, int] | None = None
    """NVIDIA only."""
    is_unified: bool = False
    """It has no memory of its own (Jetson, GB10, Apple)."""
    is_mig_slice: bool = False
    unusable: str = ""
    """Why ClawMux does not use it, in one sentence; empty when it can."""
    number: int = 0
    """NVIDIA only: CUDA's number of it, as long as CUDA_DEVICE_ORDER is PCI_BUS_ID."""


@dataclass(frozen=True, slots=True)
class Apple:
    generation: int
    """1 for M1; 0 when the name tells nothing."""
    variant: str
    """``""``, ``Pro``, ``Max`` or ``Ultra``."""
    performance_cores: int
    is_translated: bool = False
    """This process runs under Rosetta."""


@dataclass(frozen=True, slots=True)
class Hardware:
    system: str
    """``linux``, ``darwin``, ``windows``, as ``platform.system()`` says, in small letters."""
    release: str
    architecture: str
    """``x86_64`` or ``arm64``, of the machine and not of this process."""
    libc: str
    """``glibc 2.36``, ``musl``; empty elsewhere."""
    cpu_name: str
    cpu_features: frozenset[str]
    """Those that it has of sse2, sse4_1, avx2, avx_vnni, avx512f, avx512_vnni, neon."""
    cores: float
    """Really available: after affinity and the limits of all control groups above us. May be a fraction."""
    cores_of_host: int
    memory_bytes: int
    """Really available to us in all: the least limit of all control groups above us, or the machine's memory. 0 = unknown."""
    memory_of_host_bytes: int
    memory_free_bytes: int
    """What could be taken now without swapping."""
    wsl: int = 0
    """1 or 2 inside Windows' subsystem for Linux; 0 elsewhere."""
    jetson: str = ""
    """Name of the Jetson part; empty elsewhere."""
    container: str = ""
    """``docker``, ``podman``, ``lxc`` …; empty outside one."""
    apple: Apple | None = None
    gpus: tuple[Gpu, ...] = ()
    driver: str = ""
    """Version of the NVIDIA driver."""
    cuda: tuple[int, int] | None = None
    """Newest CUDA version that the driver serves."""
    python: tuple[int, int] = (0, 0)
    """Version of the interpreter that looked: wheels are made for each one."""
    notes: tuple[Note, ...] = field(default=())


def probe(root: Path = Path("/"), environ: Mapping[str, str] = os.environ, deep: bool = False) -> Hardware:
    """This machine; with another root, the one whose /proc, /sys, /dev and /etc were copied there.

    Under 50 ms without an NVIDIA card. deep: ask py-cpuinfo too, which takes a second and more.
    """
    from clawmux.machine.sources import live

    return probe_from(live(root, environ), deep)


def probe_from(sources: Sources, deep: bool = False) -> Hardware:
    """The machine that these sources tell of."""
    notes: list[Note] = []
    try:
        found = _reader(sources.system)(sources, notes)
        if deep or (sources.is_live and not found.cpu_name and not found.cpu_features):
            from clawmux.machine import deep as more

            found = more.add(sources, notes, found)
    except Exception as error:
        # Each reading answers for itself; this is for what nobody has thought of. Something must be told in any case.
        notes.append(Note("hardware", f"This machine could not be read: {type(error).__name__}: {error}."))
        found = _unknown(sources)
    return _shown(dataclasses.replace(found, python=sys.version_info[:2], notes=tuple(notes)))


def _shown(found: Hardware) -> Hardware:
    """A virtual machine's name for its processor is whatever somebody has typed, and it is printed on terminals."""
    return dataclasses.replace(
        found,
        cpu_name=harmless(found.cpu_name),
        jetson=harmless(found.jetson),
        container=harmless(found.container),
        driver=harmless(found.driver),
        gpus=tuple(dataclasses.replace(gpu, name=harmless(gpu.name)) for gpu in found.gpus),
        notes=tuple(Note(note.what, harmless(note.reason), harmless(note.remedy)) for note in found.notes),
    )


def _reader(system: str) -> Callable[[Sources, list[Note]], Hardware]:
    """Each system's module is loaded on that system only."""
    if system == "linux":
        from clawmux.machine import linux

        return linux.read
    if system == "darwin":
        from clawmux.machine import darwin

        return darwin.read
    from clawmux.machine import elsewhere

    return elsewhere.read


def architecture_of(machine: str) -> str:
    """One word for what systems spell differently."""
    return {"amd64": "x86_64", "aarch64": "arm64"}.get(machine.lower(), machine.lower())


def to_json(hardware: Hardware) -> dict[str, Any]:
    """Made of what JSON itself has: lists, and no tuples."""
    facts = {**dataclasses.asdict(hardware), "cpu_features": sorted(hardware.cpu_features)}
    return dict(json.loads(json.dumps(facts)))


def from_json(told: Mapping[str, Any]) -> Hardware:
    """Words it does not know are left out, so that a newer version's facts can be read; raises ValueError for nonsense."""
    try:
        facts = _known(Hardware, told)
        facts["cpu_features"] = frozenset(facts["cpu_features"])
        facts["apple"] = Apple(**_known(Apple, facts["apple"])) if facts.get("apple") else None
        facts["gpus"] = tuple(_gpu(gpu) for gpu in facts.get("gpus", ()))
        facts["notes"] = tuple(Note(**_known(Note, note)) for note in facts.get("notes", ()))
        facts["cuda"] = _pair(facts.get("cuda"))
        facts["python"] = _pair(facts.get("python")) or (0, 0)
        return Hardware(**facts)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"these are not a machine's facts: {error}") from None


def _gpu(told: Mapping[str, Any]) -> Gpu:
    facts = _known(Gpu, told)
    return Gpu(**{**facts, "compute_capability": _pair(facts.get("compute_capability"))})


def _known(kind: type, told: Mapping[str, Any]) -> dict[str, Any]:
    return {each.name: told[each.name] for each in dataclasses.fields(kind) if each.name in told}


def _pair(told: Any) -> tuple[int, int] | None:
    return (int(told[0]), int(told[1])) if told else None


def _unknown(sources: Sources) -> Hardware:
    machine = architecture_of(sources.machine)
    cores = os.cpu_count() or 1
    return Hardware(sources.system, sources.release, machine, sources.libc, "", frozenset(), cores, cores, 0, 0, 0)
