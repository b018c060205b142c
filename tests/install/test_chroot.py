"""A bare Debian without Python, curl, wget and network: what a bundle's folder holds is enough for an installation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import clawmux
from tests.stand_ins import portable_python

ROOT = Path(__file__).parents[2]
# Without /proc a program does not find the libraries that lie beside it. Both go with the last process.
ENTER = 'mount -t proc proc "$0/proc" && root=$0 && exec chroot "$root" "$@"'

HOME = "/home/stranger"
THIN = ("--mode", "thin", "--server", "http://127.0.0.1:1")

pytestmark = pytest.mark.install


@dataclass(frozen=True, slots=True)
class Debian:
    folder: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environ = {"HOME": HOME, "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}
        return subprocess.run(
            ["unshare", "--mount", "--net", "sh", "-c", ENTER, str(self.folder), *command],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def home(self) -> list[str]:
        home = self.folder / HOME[1:]
        return sorted(str(path.relative_to(home)) for path in home.rglob("*"))


def release_of_this_machine() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return dict(line.replace('"', "").split("=", 1) for line in lines if "=" in line)


def bare_tree() -> Path:
    """Made once and kept: it takes a minute and 200 MB. With tmux, which an installation asks for and does not bring."""
    release = release_of_this_machine()
    if os.geteuid() != 0:
        pytest.skip("only root can make and enter another system's tree")
    if not shutil.which("debootstrap") or not shutil.which("unshare"):
        pytest.skip("debootstrap or unshare is not installed")
    if release.get("ID") != "debian":
        pytest.skip("the interpreter of these tests runs in a Debian of its own release, and this is no Debian")
    cache = Path(os.environ.get("CLAWMUX_TEST_CACHE") or tempfile.gettempdir())
    tree = cache / f"bare-{release['VERSION_CODENAME']}"
    if not tree.exists():
        draft = Path(tempfile.mkdtemp(dir=cache, prefix="bare-draft-"))
        # What it mounts inside goes with it, also when it is ended half-way.
        command = ["unshare", "--mount", "debootstrap", "--variant=minbase", "--include=tmux"]
        command += [release["VERSION_CODENAME"], str(draft / "tree")]
        made = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
        if made.returncode:
            shutil.rmtree(draft)
            pytest.skip(f"debootstrap fails here: {made.stdout[-300:]}")
        (draft / "tree").rename(tree)
        draft.rmdir()
    return tree


def libraries_of(archive: Path, work: Path) -> set[Path]:
    """What the interpreter's modules need of the system it was built on."""
    subprocess.run(["tar", "-xzf", archive, "-C", work], check=True)
    programs = [*work.glob("python/lib/python3.*/lib-dynload/*.so"), *work.glob("python/bin/python3")]
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    return {Path(line.split()[2]) for line in said.splitlines() if "=> /" in line and str(work) not in line}


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Debian]:
    tree = bare_tree()
    work = tmp_path_factory.mktemp("bare")
    subprocess.run(["cp", "-a", "--one-file-system", tree, work / "debian"], check=True)
    debian = Debian(work / "debian")
    if (entered := debian.run("true")).returncode:
        pytest.skip(f"this machine lets nobody enter another tree: {entered.stderr.strip()}")
    bundle = debian.folder / "bundle"
    program, python = str(ROOT / "build" / "bundle.py"), str(portable_python.archive())
    command = [sys.executable, program, str(bundle), "--set", "hub", "--python", python]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=500)
    if not (bundle / "install.sh").exists():
        shutil.copyfile(ROOT / "install.sh", bundle / "install.sh")
    unpacked = work / "python"
    unpacked.mkdir()
    for library in libraries_of(portable_python.archive(), unpacked):
        if not list(debian.folder.glob(f"**/{library.name}")):
            shutil.copyfile(library, debian.folder / "usr" / "local" / "lib" / library.name)
    assert debian.run("ldconfig").returncode == 0
    shutil.copytree(debian.folder / "etc" / "skel", debian.folder / HOME[1:])
    yield debian
    shutil.rmtree(work)


def test_it_is_bare(debian: Debian) -> None:
    for program in ("python3", "curl", "wget", "perl5.36-full", "gcc"):
        assert debian.run("sh", "-c", f"command -v {program}").returncode != 0


def test_without_a_folder_it_says_what_is_missing(debian: Debian) -> None:
    before = debian.home()
    subprocess.run(["cp", "-r", ROOT / "installer", ROOT / "clawmux", ROOT / "install.sh", debian.folder / "srv"], check=True)
    done = debian.run("sh", "/srv/install.sh", "--yes")
    assert done.returncode == 20
    assert "neither curl nor wget is here" in done.stderr and "sudo apt-get install python3 python3-venv" in done.stderr
    assert debian.home() == before


def test_the_folder_is_enough(debian: Debian) -> None:
    before = debian.home()
    options = ("--from", "/bundle", "--yes", *THIN)
    planned = debian.run("sh", "/bundle/install.sh", *options, "--dry-run")
    assert planned.returncode == 20 and "the plan itself needs a Python" in planned.stderr
    assert debian.home() == before
    done = debian.run("sh", "/bundle/install.sh", *options)
    assert done.returncode == 0, done.stderr[-3000:]
    version = debian.run(f"{HOME}/.local/bin/clawmux", "--version")
    assert (version.returncode, version.stdout) == (0, f"clawmux {clawmux.__version__}\n"), version.stderr
    pythons = debian.folder / HOME[1:] / ".local/share/clawmux/pythons"
    assert next(path.name for path in pythons.iterdir()).startswith(f"cpython-{portable_python.VERSION}-portable-")


def test_a_second_run_changes_nothing(debian: Debian) -> None:
    def facts() -> dict[str, int]:
        home = debian.folder / HOME[1:]
        return {str(path): path.lstat().st_mtime_ns for path in home.rglob("*") if path.is_file()}

    before = facts()
    done = debian.run("sh", "/bundle/install.sh", "--from", "/bundle", "--yes", *THIN)
    assert done.returncode == 0, done.stderr[-3000:]
    assert facts() == before


def test_and_it_goes_away(debian: Debian) -> None:
    done = debian.run("sh", "/bundle/install.sh", "--from", "/bundle", "--uninstall", "--yes")
    assert done.returncode == 0, done.stderr[-3000:]
    assert debian.home() == [".bash_logout", ".bashrc", ".profile"]
