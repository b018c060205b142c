"""What the control groups above this process leave of the machine: processors and memory. Reads /proc/self and /sys/fs/cgroup.

A limit of any group above us binds us, whatever our own says, and the kernel shows the machine's figures all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from clawmux.machine.sources import Sources

# Version 1 says "no limit" with the largest number of pages.
_NO_LIMIT = 1 << 60


@dataclass(frozen=True, slots=True)
class Limits:
    cores: float | None = None
    memory_bytes: int | None = None
    memory_free_bytes: int | None = None
    """The least that any limited group has left; what it can drop of its file cache counts as left."""


@dataclass(frozen=True, slots=True)
class _Mount:
    root: str
    """The group that is seen at the mount point."""
    point: str


def read_limits(sources: Sources) -> Limits:
    cores: list[float] = []
    memory: list[int] = []
    free: list[int] = []
    groups = _groups(sources.text_or_nothing("/proc/self/cgroup"))
    mounts = _mounts(sources.text_or_nothing("/proc/self/mountinfo"))
    for controller in ("", "memory", "cpu"):
        for folder in _ancestors(groups, mounts, controller):
            if (quota := _cores(sources, folder)) is not None:
                cores.append(quota)
            if (limit := _memory(sources, folder)) is not None:
                memory.append(limit)
                free.append(max(0, limit - _used(sources, folder)))
    return Limits(min(cores, default=None), min(memory, default=None), min(free, default=None))


def _groups(text: str) -> dict[str, str]:
    """Our group for each controller; the one of version 2 is under ''."""
    found = {}
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _mounts(text: str) -> dict[str, _Mount]:
    """Where each controller's tree is seen. proc_pid_mountinfo(5): 36 35 98:0 /root /point rw … - type source options"""
    found: dict[str, _Mount] = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        controllers = [""] if kind[0] == "cgroup2" else kind[2].split(",")
        for controller in controllers:
            found.setdefault(controller, _Mount(fields[3], fields[4]))
    if found:
        return found
    usual = {"": "/sys/fs/cgroup", "memory": "/sys/fs/cgroup/memory", "cpu": "/sys/fs/cgroup/cpu"}
    return {controller: _Mount("/", point) for controller, point in usual.items()}


def _ancestors(groups: dict[str, str], mounts: dict[str, _Mount], controller: str) -> Iterator[PurePosixPath]:
    mount = mounts.get(controller)
    if mount is None:
        return
    point, own = PurePosixPath(mount.point), PurePosixPath(groups.get(controller, "/"))
    # A container may see its own group at the mount point while /proc/self/cgroup tells the host's path of it. What is not
    # below the group that is mounted cannot be seen; then the mounted one is the nearest we know.
    is_seen = own.is_relative_to(mount.root) and ".." not in own.parts
    here = point / own.relative_to(mount.root) if is_seen else point
    yield from (here, *(folder for folder in here.parents if folder.is_relative_to(point)))


def _cores(sources: Sources, folder: PurePosixPath) -> float | None:
    quota, _, period = sources.text_or_nothing(f"{folder}/cpu.max").partition(" ")
    if not quota:
        quota = sources.text_or_nothing(f"{folder}/cpu.cfs_quota_us")
        period = sources.text_or_nothing(f"{folder}/cpu.cfs_period_us")
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return None
    return int(quota) / int(period)


def _memory(sources: Sources, folder: PurePosixPath) -> int | None:
    # Above memory.high a group is slowed until it gives memory back, so that is a limit for us, too.
    texts = (sources.text_or_nothing(f"{folder}/{name}") for name in ("memory.max", "memory.high", "memory.limit_in_bytes"))
    limits = [int(text) for text in texts if text.isdigit()]
    return min((limit for limit in limits if limit < _NO_LIMIT), default=None)


def _used(sources: Sources, folder: PurePosixPath) -> int:
    for current, droppable in (("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file")):
        text = sources.text_or_nothing(f"{folder}/{current}")
        if text.isdigit():
            return max(0, int(text) - _statistic(sources.text_or_nothing(f"{folder}/memory.stat"), droppable))
    return 0


def _statistic(text: str, name: str) -> int:
    for line in text.splitlines():
        word, _, value = line.partition(" ")
        if word == name and value.isdigit():
            return int(value)
    return 0
