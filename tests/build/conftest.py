"""One zipapp of the hub set for all tests here: made really, with packages from the registry."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
# The real interpreter: an environment's link would bring its packages along.
PYTHON = Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()


def load(name: str) -> ModuleType:
    """A program of build/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"clawmux_build_{name}", ROOT / "build" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def unpacked_in(root: Path) -> list[Path]:
    return sorted(path for path in root.glob("*_*") if path.is_dir())


def sums_in(folder: Path) -> dict[str, str]:
    """File -> what SHA256SUMS says of it."""
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name: sha256 for sha256, name in (line.split("  ", 1) for line in lines)}


@dataclass(frozen=True, slots=True)
class Machine:
    """A home folder with nothing in it, and a PATH that holds one Python that fits."""

    home: Path
    program: Path

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": f"{PYTHON.parent}:/usr/bin:/bin", "LANG": "C.UTF-8"}

    def run(
        self, *words: str | Path, more: Mapping[str, str] | None = None, code: int = 0, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words or (self.program, "--version"),
            env=self.environ | dict(more or {}),
            cwd=cwd or self.home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return done

    @property
    def trees(self) -> list[Path]:
        return unpacked_in(self.home / ".cache" / "clawmux")


def make(checkout: Path, kind: str, output: Path) -> None:
    command = [sys.executable, checkout / "build" / "zipapp.py", "--set", kind, "--output", output]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: what is made twice must be made of the same, whatever is edited meanwhile."""
    folder = tmp_path_factory.mktemp("checkout")
    for tree in ("clawmux", "static", "installer", "build"):
        shutil.copytree(ROOT / tree, folder / tree, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("LICENSE", "README.md", "pyproject.toml", "install.sh", "install.ps1"):
        shutil.copyfile(ROOT / file, folder / file)
    return folder


@pytest.fixture(scope="session")
def zipapp(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("made") / "clawmux.pyz"
    make(checkout, "hub", output)
    return output


@pytest.fixture(scope="session")
def bundle(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for an installation without a network."""
    folder = tmp_path_factory.mktemp("bundle") / "of hub"
    command = [sys.executable, str(checkout / "build" / "bundle.py"), str(folder), "--set", "hub"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture
def machine(zipapp: Path, tmp_path: Path) -> Machine:
    """The file is linked, not copied, and nothing was unpacked yet."""
    home = tmp_path / "ho me"
    home.mkdir()
    program = home / "clawmux.pyz"
    os.link(zipapp, program)
    return Machine(home, program)


@pytest.fixture(scope="session")
def unpacked(zipapp: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where shiv unpacked it, for tests that change nothing there."""
    machine = Machine(tmp_path_factory.mktemp("unpacked"), zipapp)
    machine.run()
    return machine.trees[0] / "site-packages"
