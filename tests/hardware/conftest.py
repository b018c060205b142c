from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from clawmux.hardware import Hardware
from tests.hardware.replay import Machine, replay

SOURCE = Path(__file__).parent / "fake_nvml.c"


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with a libnvidia-ml.so.1 that answers from FAKE_NVML: one like today's, one like those before 510."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "no C compiler; tests/run.sh installs one"
    found = {}
    for name, options in {"new": (), "old": ("-DOLD",)}.items():
        folder = tmp_path_factory.mktemp(name)
        command = [compiler, "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", *options]
        subprocess.run([*command, "-o", folder / "libnvidia-ml.so.1", SOURCE], check=True, timeout=60)
        found[name] = folder
    return found


@pytest.fixture(scope="session")
def seen(libraries: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[Machine], Hardware]:
    """What the probe finds on a machine; each is looked at once."""
    kept: dict[str, Hardware] = {}

    def look(machine: Machine) -> Hardware:
        if machine.name not in kept:
            kept[machine.name] = replay(machine, tmp_path_factory.mktemp(machine.name), libraries)
        return kept[machine.name]

    return look
