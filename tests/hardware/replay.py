"""Machines that are not here: the files, programs and drivers of one, put together from its file in tests/hardware/machines.

A file holds what such a machine answers: /proc/cpuinfo and /proc/meminfo in short, other files in full, sysctl and vm_stat of a
Mac, and for NVIDIA the words for fake_nvml.c. They were written down from what is known of such machines. A file may instead hold
``told``: the member ``hardware`` of what ``clawmux doctor --json`` has printed on a real one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawmux import hardware
from clawmux.hardware import Hardware
from clawmux.machine.sources import Finished, Sources, run_program
from clawmux.tiers import Mode, Wishes

MACHINES = Path(__file__).parent / "machines"


@dataclass(frozen=True, slots=True)
class Machine:
    name: str
    facts: dict[str, Any]

    @property
    def is_told(self) -> bool:
        return "told" in self.facts

    @property
    def has_driver(self) -> bool:
        return "nvml" in self.facts

    @property
    def wishes(self) -> Wishes:
        told = self.facts.get("wishes", {})
        mode = Mode(told["mode"]) if "mode" in told else None
        return Wishes(mode, None, told.get("speech_url", ""), told.get("server_url", ""))


def machines() -> list[Machine]:
    return [Machine(file.stem, json.loads(file.read_text(encoding="utf-8"))) for file in sorted(MACHINES.glob("*.json"))]


def replay(machine: Machine, root: Path, libraries: Mapping[str, Path], has_pynvml: bool = True) -> Hardware:
    if machine.is_told:
        return hardware.from_json(machine.facts["told"])
    return hardware.probe_from(sources_of(machine, root, libraries, has_pynvml))


def sources_of(machine: Machine, root: Path, libraries: Mapping[str, Path], has_pynvml: bool = True) -> Sources:
    """libraries: folders with the stand-in for the driver's library, ``new`` and ``old``."""
    write_files(machine.facts, root)
    environ = {"PATH": os.environ["PATH"], **machine.facts.get("environ", {})}
    if machine.has_driver:
        folder = libraries[machine.facts.get("library", "new")]
        environ |= {"FAKE_NVML": machine.facts["nvml"], "LD_LIBRARY_PATH": str(folder)}

    def run(argv: list[str], environ: Mapping[str, str], seconds: float) -> Finished:
        if "sysctl" in machine.facts:
            return mac_program(machine.facts, argv)
        # The last word is the folder of pynvml. Without it the child has nothing but the standard library.
        return run_program(argv if has_pynvml else [*argv[:-1], ""], environ, seconds)

    told = machine.facts["sources"]
    seconds = machine.facts.get("driver_seconds", 20.0)
    return Sources(
        root, environ, told["system"], told["release"], told["machine"], told["libc"], run, is_live=False, driver_seconds=seconds
    )


def mac_program(facts: dict[str, Any], argv: list[str]) -> Finished:
    if argv[0].endswith("vm_stat"):
        return Finished(0, facts["vm_stat"], "")
    # A translated program is told other things than a native one.
    known = facts["sysctl"] | (facts.get("translated", {}) if argv[0].endswith("sysctl") else {})
    lines = [f"{key}: {known[key]}" for key in argv if key in known]
    unknown = [f"sysctl: unknown oid '{key}'" for key in argv if "." in key and key not in known]
    return Finished(1 if unknown else 0, "\n".join(lines), "\n".join(unknown))


def write_files(facts: dict[str, Any], root: Path) -> None:
    for folder in facts.get("folders", ()):
        (root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
    files = dict(facts.get("files", {}))
    if processors := facts.get("processors"):
        files |= processor_files(processors)
    if memory := facts.get("memory"):
        files["/proc/meminfo"] = f"MemTotal: {memory['total_kb']} kB\nMemFree: 1 kB\nMemAvailable: {memory['available_kb']} kB\n"
    for name, text in files.items():
        file = root / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def processor_files(told: dict[str, Any]) -> dict[str, str]:
    """A value that is a list has one for each processor."""
    count = told["count"]
    blocks = []
    for number in range(count):
        lines = [f"processor\t: {number}"]
        lines += [f"{key}\t: {value[number] if isinstance(value, list) else value}" for key, value in told["lines"].items()]
        blocks.append("\n".join(lines))
    online = f"0-{count - 1}" if count > 1 else "0"
    return {
        "/proc/cpuinfo": "\n\n".join(blocks) + "\n",
        "/sys/devices/system/cpu/online": f"{online}\n",
        "/proc/self/status": f"Name:\tpython\nCpus_allowed_list:\t{told.get('allowed', online)}\n",
    }
