"""The files of a release: the same each time, complete, and install.sh names exactly the archive beside it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

import clawmux
from tests.build.conftest import load, sums_in

URL = "https://example.org/a/b"
NAME = f"clawmux-{clawmux.__version__}"


@pytest.fixture(scope="module")
def release() -> ModuleType:
    return load("release")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_install_sh_names_the_archive_beside_it(release: ModuleType, checkout: Path, tmp_path: Path) -> None:
    files = release.make(f"{URL}/", tmp_path, checkout)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in files)
    script = (tmp_path / "install.sh").read_text().splitlines()
    assert f"release_url='{URL}/{NAME}.tar.gz'" in script
    assert f"release_sha256='{sha256(tmp_path / f'{NAME}.tar.gz')}'" in script
    windows = (tmp_path / "install.ps1").read_text()
    assert f"'{URL}/{NAME}.tar.gz'" in windows and f"'{sha256(tmp_path / f'{NAME}.tar.gz')}'" in windows
    assert len(script) == len((checkout / "install.sh").read_text().splitlines())
    subprocess.run(["sh", "-n", tmp_path / "install.sh"], check=True)


def test_the_sums_are_those_of_the_files(release: ModuleType, checkout: Path, tmp_path: Path) -> None:
    release.make(URL, tmp_path, checkout)
    assert sums_in(tmp_path) == {path.name: sha256(path) for path in tmp_path.iterdir() if path.name != "SHA256SUMS"}


def test_the_archive_is_the_same_each_time(release: ModuleType, checkout: Path, tmp_path: Path) -> None:
    """Also from another folder with other times and modes, and from what the archive itself unpacks to."""
    first = release.source_archive(checkout, tmp_path)
    moved = tmp_path / "moved"
    shutil.copytree(checkout, moved)
    for path in moved.rglob("*"):
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o700 if runs else 0o600)
        os.utime(path, (10**9, 10**9))
    (moved / "clawmux" / "__pycache__").mkdir()
    (moved / "clawmux" / "__pycache__" / "x.pyc").touch()
    with tarfile.open(first) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    for number, source in enumerate((moved, tmp_path / "unpacked" / NAME)):
        (tmp_path / str(number)).mkdir()
        assert sha256(release.source_archive(source, tmp_path / str(number))) == sha256(first), source


def test_what_git_tracks_goes_in_and_the_tests_do_not(release: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    for name in ("clawmux/__init__.py", "installer/x.py", "tests/x.py", ".ci/run", "stray", "gone"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text('__version__ = "1.2"\n')
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run([*git, "init", "-q"], cwd=folder, check=True)
    subprocess.run([*git, "add", "clawmux", "installer", "tests", ".ci", "gone"], cwd=folder, check=True)
    (folder / "gone").unlink()
    with tarfile.open(release.source_archive(folder, tmp_path)) as archive:
        assert archive.getnames() == ["clawmux-1.2/clawmux/__init__.py", "clawmux-1.2/installer/x.py"]


def test_the_archive_holds_what_an_installation_reads(release: ModuleType, checkout: Path, tmp_path: Path) -> None:
    with tarfile.open(release.source_archive(checkout, tmp_path)) as archive:
        names = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
        owners = {(entry.uid, entry.gid, entry.uname, entry.gname) for entry in archive}
        modes = {stat.S_IMODE(entry.mode) for entry in archive}
    needed = {"clawmux/cli/start.py", "static/index.html", "installer/__main__.py", "build/zipapp.py", "build/prelude.sh"}
    assert needed | {"build/launcher.sh", "build/requirements/cpu.txt", "install.sh", "LICENSE"} <= names
    assert owners == {(0, 0, "", "")} and modes <= {0o644, 0o755}


@pytest.mark.parametrize("url", ["example.org", "https://a b", "https://x/'; rm -rf ~; '", "file:///x", ""])
def test_an_address_that_is_none_is_refused(url: str, release: ModuleType, checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(release.Failed, match="base-url"):
        release.make(url, tmp_path / "dist", checkout)
    assert not (tmp_path / "dist").exists()


def test_a_script_without_its_lines_is_refused(release: ModuleType, checkout: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy)
    text = (copy / "install.sh").read_text()
    (copy / "install.sh").write_text(text.replace("release_sha256=''", "release_sha256='x'"))
    with pytest.raises(release.Failed, match="release_sha256"):
        release.make(URL, tmp_path / "dist", copy)
