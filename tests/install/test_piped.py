"""The line a stranger types, with everything real but the addresses: ``curl ... | sh`` from a web server on loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import clawmux
from tests.install.test_private_python import AnyName
from tests.stand_ins import portable_python
from tests.stand_ins.file_host import FileHost, Page
from tests.stand_ins.install_tree import Machine, pinned, sum_of

ROOT = Path(__file__).parents[2]
OPTIONS = "--yes --mode thin --server http://127.0.0.1:9 --no-modify-path"

pytestmark = pytest.mark.install


class Release(AnyName):
    """The files of a release under /v1, and the interpreter under every other name."""

    def __init__(self, folder: Path, python: bytes) -> None:
        super().__init__(Page(python))
        self.files = {f"/v1/{path.name}": Page(path.read_bytes()) for path in folder.iterdir()}

    def get(self, path: str, default: Page | None = None) -> Page:  # type: ignore[override]
        return self.files.get(path) or super().get(path)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileHost]:
    folder = tmp_path_factory.mktemp("release")
    python = portable_python.archive().read_bytes()
    with FileHost() as host:
        program = str(ROOT / "build" / "release.py")
        command = [sys.executable, program, "--base-url", host.url("/v1"), "--output", str(folder)]
        subprocess.run(command, check=True, capture_output=True)
        script = (folder / "install.sh").read_text(encoding="utf-8")
        (folder / "install.sh").write_text(pinned(sum_of(python), portable_python.VERSION, script), encoding="utf-8")
        host.pages = Release(folder, python)
        yield host


@pytest.fixture(scope="module")
def machine(host: FileHost, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    # Where pip's mirror is named, as every machine has its own.
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    config = Path.home() / ".config" / "pip" / "pip.conf"
    kept |= {"PIP_CONFIG_FILE": str(config)} if config.exists() and "PIP_CONFIG_FILE" not in kept else {}
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "home").mkdir()
    return Machine(folder / "home", environ={**kept, "CLAWMUX_PYTHON_MIRROR": host.url("/mirror")})


def test_one_line_installs_it(host: FileHost, machine: Machine) -> None:
    done = machine.run(["sh", "-c", f"curl -fsSL {host.url('/v1/install.sh')} | sh -s -- {OPTIONS}"])
    assert done.code == 0, done.said[-3000:]
    version = machine.run([str(machine.home / ".local" / "bin" / "clawmux"), "--version"])
    assert (version.code, version.out) == (0, f"clawmux {clawmux.__version__}\n")
    assert len(list((machine.program / "pythons").glob("cpython-*/.complete"))) == 1
    assert not (machine.program / "downloads").exists()


def test_the_same_line_again_changes_nothing(host: FileHost, machine: Machine) -> None:
    before = {name: (machine.home / name).lstat().st_mtime_ns for name in machine.files() if (machine.home / name).is_file()}
    served = len(host.seen)
    done = machine.run(["sh", "-c", f"curl -fsSL {host.url('/v1/install.sh')} | sh -s -- {OPTIONS}"])
    assert done.code == 0 and "nothing was changed" in done.said, done.said[-3000:]
    after = {name: (machine.home / name).lstat().st_mtime_ns for name in machine.files() if (machine.home / name).is_file()}
    assert after == before
    # The script and the archive that it belongs to; no interpreter.
    assert len(host.seen) == served + 2


def test_the_same_line_takes_it_away(host: FileHost, machine: Machine) -> None:
    done = machine.run(["sh", "-c", f"curl -fsSL {host.url('/v1/install.sh')} | sh -s -- --uninstall --yes"])
    assert done.code == 0, done.said[-3000:]
    assert machine.files() == []
