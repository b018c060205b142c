"""The probe on this machine and on broken ones: it always answers, and starts nothing without need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawmux import hardware
from clawmux.machine import nvidia
from clawmux.machine.sources import Finished, Sources, live, run_program
from tests.hardware.any_hardware import HARDWARE

ROOT = Path(__file__).parents[2]
FILES = [
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/self/cgroup",
    "/proc/self/mountinfo",
    "/proc/self/status",
    "/proc/device-tree/model",
    "/sys/devices/system/cpu/online",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/bus/pci/devices/0000:00:02.0/class",
    "/sys/bus/pci/devices/0000:00:02.0/vendor",
    "/usr/share/misc/pci.ids",
    "/sys/module/nvidia/version",
]
# What real files are made of, in an order that no real file has.
WORDS = "processor flags MemTotal MemAvailable Cpus_allowed_list memory cgroup2 max kB x ü 0x03 0x10de 8086 0::/ .. : , - /"
PIECES = st.sampled_from([*WORDS.split(), "model name", "-1", "0", "7", "9" * 20, " ", " - ", ": ", "\t", "\n", "\0"])
SYSTEMS = st.sampled_from(["linux", "darwin", "freebsd", "windows", ""])
ANSWERS = st.builds(Finished, st.sampled_from([0, 1, -6, -300, None]), st.lists(PIECES).map("".join) | st.text(), st.text())


def nothing_runs(argv: list[str], environ: Mapping[str, str], seconds: float) -> Finished:
    raise AssertionError(f"{argv} was started")


def linux(root: Path) -> Sources:
    return Sources(root, {}, "linux", "6.1.0", "x86_64", "glibc 2.36", nothing_runs, is_live=False)


def test_this_machine() -> None:
    found = hardware.probe()
    assert found.system == sys.platform and found.cores_of_host == psutil.cpu_count()
    assert 0 < found.cores <= len(os.sched_getaffinity(0))
    assert found.memory_of_host_bytes == psutil.virtual_memory().total >= found.memory_bytes
    assert 0 < found.memory_free_bytes <= found.memory_bytes
    assert found.cpu_name and found.cpu_features and found.python == sys.version_info[:2]


def test_names_hold_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor : 0\nmodel name : Fine\x1b]0;owned\x07 \x1b[2J\x9b31mCPU\n")
    (tmp_path / "run/systemd").mkdir(parents=True)
    (tmp_path / "run/systemd/container").write_text("pod\x1b[31m\x07")
    found = hardware.probe_from(linux(tmp_path))
    assert found.cpu_name == "Fine 31mCPU" and found.container == "pod"
    assert all(word.isprintable() for note in found.notes for word in (note.reason, note.remedy))


def test_nothing_is_started_without_a_hint_of_nvidia(tmp_path: Path) -> None:
    assert hardware.probe_from(linux(tmp_path)).gpus == ()


def test_a_machine_without_any_file_gives_notes_and_an_answer(tmp_path: Path) -> None:
    found = hardware.probe_from(linux(tmp_path))
    assert (found.system, found.cores, found.memory_bytes) == ("linux", 1, 0)
    assert [note.what for note in found.notes] == ["processor", "memory"]
    assert "/proc/meminfo No such file" in found.notes[1].reason


def test_a_folder_in_place_of_a_file_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "proc/meminfo").mkdir(parents=True)
    assert "Is a directory" in hardware.probe_from(linux(tmp_path)).notes[1].reason


def test_a_bug_in_a_reading_is_a_note(tmp_path: Path) -> None:
    broken = replace(linux(tmp_path), release=None)  # type: ignore[arg-type]
    assert "AttributeError" in hardware.probe_from(broken).notes[-1].reason


@settings(deadline=None, max_examples=60)
@given(SYSTEMS, st.dictionaries(st.sampled_from(FILES), st.lists(PIECES, max_size=30).map("".join)), ANSWERS)
def test_it_never_raises(system: str, files: dict[str, str], answer: Finished) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            file = Path(folder) / name.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode("utf-8", "surrogatepass"))
        sources = replace(linux(Path(folder)), system=system, run=lambda argv, environ, seconds: answer)
        found = hardware.probe_from(sources, deep=True)
    assert hardware.from_json(hardware.to_json(found)) == found
    assert found.cores > 0 and found.memory_bytes >= 0
    assert not [note for note in found.notes if note.what == "hardware"], "each reading answers for itself"


def test_a_program_that_cannot_be_started_is_a_note(tmp_path: Path) -> None:
    def refuse(argv: list[str], environ: Mapping[str, str], seconds: float) -> Finished:
        raise OSError(12, "Cannot allocate memory")

    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    notes = hardware.probe_from(replace(linux(tmp_path), run=refuse)).notes
    assert "Cannot allocate memory" in notes[-1].reason and notes[-1].what == "nvidia"


def test_the_child_finds_pynvml_though_it_is_isolated(tmp_path: Path, libraries: Mapping[str, Path]) -> None:
    """As the installed program starts: python -I -S, with its own folders put on the path by itself."""
    (tmp_path / "sys/module/nvidia").mkdir(parents=True)
    (tmp_path / "usr").mkdir()
    program = f"""
import sys, json
sys.path[:0] = [{sysconfig.get_path("purelib")!r}, {str(ROOT)!r}]
from pathlib import Path
from clawmux import hardware
from clawmux.machine import nvidia
assert nvidia._command()[-1] == {sysconfig.get_path("purelib")!r}, nvidia._command()
print(json.dumps(hardware.to_json(hardware.probe(Path({str(tmp_path)!r})))))
"""
    environ = {"LD_LIBRARY_PATH": str(libraries["new"]), "FAKE_NVML": "driver=1.2;cuda=12040;card=NVIDIA Test|8192|100|8.6"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = hardware.from_json(json.loads(done.stdout))
    assert (found.driver, found.cuda, [gpu.name for gpu in found.gpus]) == ("1.2", (12, 4), ["NVIDIA Test"])


def test_wsl_puts_its_library_on_the_childs_path(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/dxg").touch()
    (tmp_path / "usr/lib/wsl/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/wsl/lib/libnvidia-ml.so.1").touch()
    asked: list[str] = []

    def run(argv: list[str], environ: Mapping[str, str], seconds: float) -> Finished:
        asked.append(environ["LD_LIBRARY_PATH"])
        return Finished(0, '{"code": 12, "text": ""}', "")

    hardware.probe_from(replace(linux(tmp_path), run=run, environ={"LD_LIBRARY_PATH": "/mine"}))
    assert asked == [f"/mine:{nvidia.WSL_LIBRARIES}"]


def test_a_program_that_runs_too_long_is_ended_and_what_it_said_is_kept() -> None:
    script = "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('half', flush=True); time.sleep(60)"
    done = run_program([sys.executable, "-c", script], os.environ, 3.0)
    assert (done.code, done.out.strip()) == (None, "half")


def test_deep_asks_py_cpuinfo_and_notes_what_the_system_kept_back(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor : 0\nflags : sse2 avx2\n")
    answer = Finished(0, json.dumps({"brand_raw": "A Processor", "flags": ["avx2", "avx512f", "mmx"]}), "")
    found = hardware.probe_from(replace(linux(tmp_path), run=lambda argv, environ, seconds: answer), deep=True)
    assert found.cpu_name == "A Processor" and found.cpu_features == {"sse2", "avx2"}
    assert "avx512f" in found.notes[-1].reason


def test_deep_on_this_machine_says_the_same() -> None:
    quick, deep = hardware.probe(), hardware.probe(deep=True)
    assert (quick.cpu_name, quick.cpu_features, quick.notes) == (deep.cpu_name, deep.cpu_features, deep.notes)


def test_another_root_is_another_machine(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/osrelease").write_text("5.15.167.4-microsoft-standard-WSL2\n")
    (tmp_path / "proc/sys/kernel/arch").write_text("aarch64\n")
    assert not live(tmp_path, {}).is_live
    found = hardware.probe(tmp_path, {})
    assert (found.wsl, found.architecture) == (2, "arm64")


@settings(deadline=None)
@given(HARDWARE)
def test_json_and_back(found: hardware.Hardware) -> None:
    assert hardware.from_json(json.loads(json.dumps(hardware.to_json(found)))) == found


def test_json_of_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    told = hardware.to_json(hardware.probe())
    assert hardware.from_json({**told, "smell": "ozone"}) == hardware.from_json(told)


@pytest.mark.parametrize("told", [{}, {"system": "linux"}, {"gpus": 3}, []])
def test_nonsense_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a machine's facts"):
        hardware.from_json(told)
