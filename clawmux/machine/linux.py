"""A Linux machine, Windows' subsystem for Linux and Jetson among them. Reads /proc, /sys and a few files of /etc."""

from __future__ import annotations

import os

from clawmux.hardware import Gpu, Hardware, Note, architecture_of
from clawmux.machine import elsewhere, limits, nvidia, pci, processor
from clawmux.machine.attempt import attempt
from clawmux.machine.sources import Sources

# A container's runtime leaves one of these.
_CONTAINER_MARKS = {"/.dockerenv": "docker", "/run/.containerenv": "podman", "/dev/.lxd-mounts": "lxd"}
_CONTAINER_WORDS = {"kubepods": "kubernetes", "docker": "docker", "libpod": "podman", "lxc": "lxc", "containerd": "containerd"}


def read(sources: Sources, notes: list[Note]) -> Hardware:
    cpuinfo = attempt(notes, "processor", lambda: sources.text("/proc/cpuinfo"), "")
    board = sources.text_or_nothing("/proc/device-tree/model")
    limit = attempt(notes, "limits", lambda: limits.read_limits(sources), limits.Limits())
    total, free = attempt(notes, "memory", lambda: _memory(sources), (0, 0))
    if not total and sources.is_live:
        total, free = attempt(notes, "memory", elsewhere.memory, (0, 0))
    host_cores = _host_cores(sources, cpuinfo)
    wsl = _wsl(sources.release)
    jetson = _jetson(sources, board)
    name = processor.name_of(cpuinfo, board)
    if cpuinfo and "VirtualApple" in name:
        notes.append(Note("processor", "This Linux runs translated on Apple Silicon; a native arm64 one would be much faster."))
    if wsl == 1:
        notes.append(
            Note(
                "wsl",
                "This is WSL1, which is slow and knows no graphics card.",
                "In Windows, wsl --set-version NAME 2 makes it WSL2.",
            )
        )
    nothing: tuple[Gpu, ...] = ()
    on_bus = attempt(notes, "graphics cards", lambda: pci.read(sources), nothing)
    found = nvidia.Found()
    if nvidia.is_hinted(sources, on_bus):
        found = attempt(notes, "nvidia", lambda: nvidia.read(sources, notes, total, free), found)
    return Hardware(
        system="linux",
        release=sources.release,
        architecture=architecture_of(sources.machine),
        libc=sources.libc,
        cpu_name=name,
        cpu_features=processor.features_of(cpuinfo),
        cores=min(_allowed(sources) or host_cores, limit.cores or host_cores, host_cores),
        cores_of_host=host_cores,
        memory_bytes=min(total, limit.memory_bytes) if limit.memory_bytes and total else total or limit.memory_bytes or 0,
        memory_of_host_bytes=total,
        memory_free_bytes=free if limit.memory_free_bytes is None else min(free, limit.memory_free_bytes),
        wsl=wsl,
        jetson=jetson,
        container=_container(sources),
        gpus=(*found.gpus, *_others(sources, on_bus, bool(found.gpus), wsl)),
        driver=found.driver,
        cuda=found.cuda,
    )


def _memory(sources: Sources) -> tuple[int, int]:
    """In all, and what could be had without swapping."""
    amounts = {}
    for line in sources.text("/proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        amount = rest.split()
        if amount and amount[0].isdigit():
            amounts[name] = int(amount[0]) * 1024
    # MemAvailable is there since Linux 3.14; WSL1 has neither it nor a page cache of its own.
    free = amounts.get("MemAvailable", amounts.get("MemFree", 0) + amounts.get("Cached", 0))
    return amounts["MemTotal"], min(free, amounts["MemTotal"])


def _host_cores(sources: Sources, cpuinfo: str) -> int:
    online = processor.size_of_list(sources.text_or_nothing("/sys/devices/system/cpu/online"))
    return online or processor.count_of(cpuinfo) or (os.cpu_count() if sources.is_live else None) or 1


def _allowed(sources: Sources) -> int:
    """Processors that this process may run on (taskset, a cpuset); 0 when nobody says."""
    for line in sources.text_or_nothing("/proc/self/status").splitlines():
        name, _, value = line.partition(":")
        if name == "Cpus_allowed_list":
            return processor.size_of_list(value)
    return len(os.sched_getaffinity(0)) if sources.is_live and hasattr(os, "sched_getaffinity") else 0


def _wsl(release: str) -> int:
    """4.4.0-19041-Microsoft is the first kind, 5.15.167.4-microsoft-standard-WSL2 the second."""
    if "microsoft" not in release.lower():
        return 0
    return 2 if "WSL2" in release or "microsoft-standard" in release else 1


def _jetson(sources: Sources, board: str) -> str:
    if "jetson" in board.lower():
        return board
    return (board or "NVIDIA Jetson") if sources.has("/etc/nv_tegra_release") else ""


def _container(sources: Sources) -> str:
    for mark, kind in _CONTAINER_MARKS.items():
        if sources.has(mark):
            return kind
    # systemd-nspawn, LXC and podman tell it to their first process; systemd keeps it where all may read it.
    if named := sources.text_or_nothing("/run/systemd/container") or sources.environ.get("container", ""):
        return named
    groups = sources.text_or_nothing("/proc/1/cgroup") + sources.text_or_nothing("/proc/self/cgroup")
    return next((kind for word, kind in _CONTAINER_WORDS.items() if word in groups), "")


def _others(sources: Sources, on_bus: tuple[Gpu, ...], has_answer: bool, wsl: int) -> tuple[Gpu, ...]:
    """has_answer: NVIDIA's driver told of its cards. The bus shows them even where it does not."""
    others = tuple(card for card in on_bus if card.vendor != "nvidia" or not has_answer)
    if wsl == 2 and sources.has("/dev/dxg") and not others and not has_answer:
        return (Gpu("other", "The graphics card of Windows", unusable="Windows passes it on, but it is not one of NVIDIA's."),)
    return others
