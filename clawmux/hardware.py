"""What this machine is, as one frozen value. Reads; decides nothing, changes nothing, never raises.

probe()      look at this machine
to_json()    the facts as one JSON object; ``clawmux doctor --json`` prints it, tests/hardware/ keeps such files
from_json()  and back
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Note:
    """A reading that failed, or something that a person should know about one."""

    what: str
    """The reading: ``nvidia``, ``memory``, ``cpu name``."""
    reason: str
    """One sentence."""


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
    """Those of avx2, avx512f, avx512_vnni, neon that it has."""
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
    notes: tuple[Note, ...] = field(default=())
