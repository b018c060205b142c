"""Control groups, affinity and the lists of the kernel, each shape that was seen somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawmux.machine import processor
from clawmux.machine.limits import Limits, read_limits
from clawmux.machine.sources import Sources, run_program

MB = 1 << 20
V2 = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
HYBRID = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)
INSIDE = "40 30 0:30 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"


def limits(root: Path, cgroup: str, mountinfo: str, files: dict[str, str]) -> Limits:
    for name, text in {"proc/self/cgroup": cgroup, "proc/self/mountinfo": mountinfo, **files}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return read_limits(Sources(root, {}, "linux", "", "x86_64", "", run_program, is_live=False))


@pytest.mark.parametrize(
    ("cgroup", "mountinfo", "files", "expected"),
    [
        pytest.param("", "", {}, Limits(), id="no control groups"),
        pytest.param("0::/\n", V2, {"sys/fs/cgroup/memory.max": "max"}, Limits(), id="no limit"),
        pytest.param(
            "0::/a/b\n",
            V2,
            {"sys/fs/cgroup/a/b/cpu.max": "200000 100000", "sys/fs/cgroup/a/cpu.max": "50000 100000"},
            Limits(cores=0.5),
            id="the parent's limit is the smaller one",
        ),
        pytest.param(
            "0::/a\n",
            V2,
            {"sys/fs/cgroup/a/memory.max": f"{900 * MB}", "sys/fs/cgroup/a/memory.high": f"{700 * MB}"},
            Limits(memory_bytes=700 * MB, memory_free_bytes=700 * MB),
            id="above memory.high a group is slowed",
        ),
        pytest.param(
            "0::/a\n",
            V2,
            {
                "sys/fs/cgroup/a/memory.max": f"{900 * MB}",
                "sys/fs/cgroup/a/memory.current": f"{800 * MB}",
                "sys/fs/cgroup/a/memory.stat": f"anon {MB}\nfile {MB}\ninactive_file {300 * MB}\n",
            },
            Limits(memory_bytes=900 * MB, memory_free_bytes=400 * MB),
            id="cached files can be dropped",
        ),
        pytest.param(
            "5:memory:/job/x\n4:cpu,cpuacct:/job\n0::/\n",
            HYBRID,
            {
                "sys/fs/cgroup/memory/job/memory.limit_in_bytes": f"{512 * MB}",
                "sys/fs/cgroup/memory/job/x/memory.limit_in_bytes": "9223372036854771712",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "150000",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            Limits(cores=1.5, memory_bytes=512 * MB, memory_free_bytes=512 * MB),
            id="both versions at once",
        ),
        pytest.param(
            "9:memory:/docker/abc/inner\n",
            INSIDE,
            {"sys/fs/cgroup/memory/inner/memory.limit_in_bytes": f"{64 * MB}"},
            Limits(memory_bytes=64 * MB, memory_free_bytes=64 * MB),
            id="a group inside the one that is mounted",
        ),
        pytest.param(
            "9:memory:/docker/abcdef\n",
            INSIDE,
            {"sys/fs/cgroup/memory/memory.limit_in_bytes": f"{64 * MB}", "sys/fs/cgroup/memory/def/memory.limit_in_bytes": "1"},
            Limits(memory_bytes=64 * MB, memory_free_bytes=64 * MB),
            id="a group elsewhere whose name begins the same",
        ),
        pytest.param(
            "0::/../other\n",
            V2,
            {"sys/fs/cgroup/memory.max": f"{64 * MB}"},
            Limits(memory_bytes=64 * MB, memory_free_bytes=64 * MB),
            id="a group outside of what we see",
        ),
        pytest.param(
            "0::/a\n",
            "",
            {"sys/fs/cgroup/a/memory.max": f"{64 * MB}"},
            Limits(memory_bytes=64 * MB, memory_free_bytes=64 * MB),
            id="mounts are not told",
        ),
        pytest.param("0::/a\n", V2, {"sys/fs/cgroup/a/cpu.max": "100000 0"}, Limits(), id="a period of nothing"),
        pytest.param("rubbish\n", "rubbish - x\n", {"sys/fs/cgroup/cpu.max": "so much"}, Limits(), id="rubbish"),
    ],
)
def test_limits(tmp_path: Path, cgroup: str, mountinfo: str, files: dict[str, str], expected: Limits) -> None:
    assert limits(tmp_path, cgroup, mountinfo, files) == expected


@pytest.mark.parametrize(
    ("text", "size"), [("0", 1), ("0-3,8\n", 5), ("", 0), ("0-0", 1), ("3-1", 0), ("a-b", 0), ("0-", 1), ("0,2,4", 3)]
)
def test_size_of_list(text: str, size: int) -> None:
    assert processor.size_of_list(text) == size


@pytest.mark.parametrize(
    ("cpuinfo", "model", "name"),
    [
        ("model name\t: AMD  EPYC\nmodel\t: 17\n", "", "AMD EPYC"),
        ("CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n", "Raspberry Pi 5", "ARM Cortex-A76 (Raspberry Pi 5)"),
        ("CPU implementer\t: 0x41\nCPU part\t: 0xd05\nCPU part\t: 0xd0b\n", "", "ARM Cortex-A76"),
        ("CPU implementer\t: 0x99\nCPU part\t: 0x001\n", "", "ARM processor 0x99:0x001"),
        ("", "A Board", "A Board"),
        ("", "", ""),
    ],
)
def test_name_of(cpuinfo: str, model: str, name: str) -> None:
    assert processor.name_of(cpuinfo, model) == name


def test_only_what_every_processor_has_counts() -> None:
    assert processor.features_of("flags : avx2 avx512f\nflags : avx2\n") == {"avx2"}
