"""Any other system: as much as psutil knows, or Python itself where that is missing. ClawMux is not made for these."""

from __future__ import annotations

import os

from clawmux.hardware import Hardware, Note, architecture_of
from clawmux.machine.attempt import attempt
from clawmux.machine.sources import Sources


def read(sources: Sources, notes: list[Note]) -> Hardware:
    total, free = attempt(notes, "memory", memory, (0, 0))
    cores = os.cpu_count() or 1
    return Hardware(
        system=sources.system,
        release=sources.release,
        architecture=architecture_of(sources.machine),
        libc=sources.libc,
        cpu_name=sources.environ.get("PROCESSOR_IDENTIFIER", ""),
        cpu_features=frozenset(),
        cores=cores,
        cores_of_host=cores,
        memory_bytes=total,
        memory_of_host_bytes=total,
        memory_free_bytes=free,
    )


def memory() -> tuple[int, int]:
    """In all, and what is free."""
    try:
        import psutil
    except ImportError:
        size = os.sysconf("SC_PAGE_SIZE")
        total = size * os.sysconf("SC_PHYS_PAGES")
        return total, total
    memory = psutil.virtual_memory()
    return int(memory.total), int(memory.available)
