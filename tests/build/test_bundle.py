"""The folder for an installation without a network: everything in it, everything listed, nothing listed that is not there."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.utils import parse_wheel_filename

from clawmux import __version__
from clawmux.catalog import MODELS
from clawmux.wire.errors import ERRORS
from installer import bundle as installers
from tests.build.conftest import load, sums_in


@pytest.fixture(scope="module")
def program() -> ModuleType:
    before = list(sys.path)
    module = load("bundle")
    sys.path[:] = before
    return module


def locked(checkout: Path, *names: str) -> set[str]:
    texts = [(checkout / "build" / "requirements" / f"{name}.txt").read_text() for name in names]
    return {line.split("==")[0] for text in texts for line in text.splitlines() if "==" in line and ";" not in line}


def test_it_holds_the_source_and_every_package(bundle: Path, checkout: Path) -> None:
    names = {str(parse_wheel_filename(path.name)[0]) for path in (bundle / "wheels").iterdir()}
    assert locked(checkout, "bootstrap", "hub") <= names
    assert sorted(path.name for path in bundle.iterdir()) == [
        "SHA256SUMS",
        f"clawmux-{__version__}.tar.gz",
        "install.sh",
        "wheels",
    ]


def test_every_file_is_listed_and_the_installer_takes_it(bundle: Path) -> None:
    there = {path.relative_to(bundle).as_posix(): path for path in bundle.rglob("*") if path.is_file()}
    del there["SHA256SUMS"]
    assert sums_in(bundle) == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}
    installers.check(bundle)


def test_a_folder_with_something_in_it_is_left_alone(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    command = [sys.executable, str(checkout / "build" / "bundle.py"), str(tmp_path), "--set", "hub"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == ERRORS["conflict"].exit_code and "not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_models_are_files_under_their_sums(program: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the store as it is: what is there already is not fetched."""
    name = next(iter(MODELS))
    wanted = {file.sha256 for file in MODELS[name].files}
    asked: list[str] = []

    class Store:
        root = tmp_path / "store"

        def __init__(self, root: Path) -> None:
            assert root == self.root
            (root / "blobs").mkdir(parents=True)
            for sha256 in wanted:
                (root / "blobs" / sha256).write_text(sha256)

        def names(self, *what: str) -> list[str]:
            return list(what)

        def pull(self, *what: str, progress: object) -> None:
            asked.extend(what)

    monkeypatch.setenv("CLAWMUX_MODELS", str(Store.root))
    monkeypatch.setattr(program, "ModelStore", Store)
    program._add_models(tmp_path / "models", name, lambda text: None)
    assert asked == [name] and {path.name for path in (tmp_path / "models").iterdir()} == wanted


LOCK = """\
--only-binary :all:

one==1 ; sys_platform == 'darwin' and platform_machine == 'arm64' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via x
two==2 ; sys_platform == 'linux' \\
    --hash=sha256:cc
three==3 \\
    --hash=sha256:dd
    # via
    #   one
"""


@pytest.mark.parametrize(
    ("platform", "kept"),
    [
        ("macos-arm64", ["one==1", "three==3"]),
        ("macos-x86_64", ["three==3"]),
        ("linux-x86_64", ["two==2", "three==3"]),
        ("linux-aarch64", ["two==2", "three==3"]),
    ],
)
def test_another_platform_gets_what_its_markers_say(platform: str, kept: list[str], program: ModuleType) -> None:
    text = program.for_machine(LOCK, program.PLATFORMS[platform].markers("3.12"))
    assert [line.split(" ")[0] for line in text.splitlines() if "==" in line] == kept
    assert text.startswith("--only-binary :all:\n") and ";" not in text
    assert text.count("--hash") == sum({"one": 2, "two": 1, "three": 1}[name.split("==")[0]] for name in kept)


def test_the_sets_are_those_of_the_zipapp_and_their_overlays(program: ModuleType, checkout: Path) -> None:
    zipapp = load("zipapp")
    for kind, locks in program.LOCKS_OF.items():
        assert zipapp.LOCK_OF[kind.removesuffix("-blackwell")] == f"{locks[0]}.txt"
        assert all((checkout / "build" / "requirements" / f"{lock}.txt").is_file() for lock in locks)
