"""The private Python of install.sh: fetched, checked, resumed, tried, and where that cannot be, a system's own is taken aloud."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.test_install_sh import BASE_PYTHON, poor, without_usr_bin_python
from tests.stand_ins import portable_python
from tests.stand_ins.file_host import FileHost, Page
from tests.stand_ins.install_tree import NEEDED, Machine, Ran, lay, pinned, python_named, sum_of, tools

VERSION = portable_python.VERSION


@pytest.fixture(scope="module")
def python_archive() -> bytes:
    return portable_python.archive().read_bytes()


# For what does not depend on the interpreter: it says that it is the one it runs.
SHIM = portable_python.shim(BASE_PYTHON)


@pytest.fixture
def host() -> Iterator[FileHost]:
    with FileHost() as host:
        yield host


class Place:
    """A host that has a Python, and a machine with a script that is pinned to it."""

    def __init__(self, folder: Path, host: FileHost, content: bytes, *more: str, served: bytes | None = None) -> None:
        self.host = host
        self.sum = sum_of(content)
        self.machine = poor(folder, "sha256sum", *(more or ("curl",)))
        self.machine.environ["CLAWMUX_PYTHON_MIRROR"] = host.url("/mirror")
        self.script = lay(folder / "tree", pinned(self.sum, VERSION, without_usr_bin_python()))
        self.page = Page(content if served is None else served)
        self.name = f"cpython-{VERSION}-{self.sum[:8]}"

    def install(self, *arguments: str, **more: str) -> Ran:
        # The name of the file depends on the platform; its one page answers under every name.
        self.host.pages = AnyName(self.page)
        return self.machine.install(self.script, *arguments, **more)

    @property
    def python(self) -> str:
        return str(self.machine.program / "pythons" / self.name / "bin" / "python3")

    def system_python(self) -> None:
        python_named(Path(self.machine.path), "python3.12", BASE_PYTHON)


class AnyName(dict[str, Page]):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page

    def get(self, path: str, default: Page | None = None) -> Page:  # type: ignore[override]
        assert path.startswith("/mirror/2") and path.endswith("-install_only_stripped.tar.gz")
        return self.page


class TestFetched:
    def test_it_is_used_and_said(self, tmp_path: Path, host: FileHost, python_archive: bytes) -> None:
        place = Place(tmp_path, host, python_archive)
        done = place.install("--yes")
        assert done.handed["python"] == place.python
        assert done.handed["environ"]["CLAWMUX_INSTALL_PYTHON"] == f"private {place.name}"
        made = [place.machine.home / folder for folder in (".local", ".local/share")]
        assert done.handed["environ"]["CLAWMUX_INSTALL_MADE"] == ":".join(map(str, made))
        assert "fetching a Python of our own" in done.said
        assert [path.name for path in place.machine.program.iterdir()] == ["pythons"]

    def test_a_second_run_fetches_nothing(self, tmp_path: Path, host: FileHost, python_archive: bytes) -> None:
        place = Place(tmp_path, host, python_archive)
        place.install()
        before = place.machine.files()
        done = place.install()
        assert (len(host.seen), done.said, done.handed["python"]) == (1, "", place.python)
        assert done.handed["environ"]["CLAWMUX_INSTALL_MADE"] == ""
        assert place.machine.files() == before

    def test_the_folders_follow_prefix_and_environment(self, tmp_path: Path, host: FileHost) -> None:
        place = Place(tmp_path, host, SHIM)
        for words, environ, folder in [
            (["--prefix", str(tmp_path / "a b")], {}, tmp_path / "a b" / "share" / "clawmux"),
            (["--prefix=~/p"], {}, tmp_path / "home" / "p" / "share" / "clawmux"),
            ([], {"CLAWMUX_HOME": str(tmp_path / "all")}, tmp_path / "all" / "data"),
            ([], {"XDG_DATA_HOME": str(tmp_path / "xdg")}, tmp_path / "xdg" / "clawmux"),
        ]:
            done = place.install(*words, **environ)
            assert done.handed["environ"]["CLAWMUX_INSTALL_PYTHON"] == f"private {place.name}"
            assert (folder / "pythons" / place.name / ".complete").is_file()
            assert folder.stat().st_mode & 0o77 == 0

    def test_a_folder_without_a_network(self, tmp_path: Path, host: FileHost, python_archive: bytes) -> None:
        place = Place(tmp_path, host, python_archive)
        bundle = tmp_path / "bundle"
        bundle.mkdir()
        others = [
            "cpython-3.12.9+20250317-riscv64-unknown-linux-gnu.tar.gz",
            "cpython-3.12.9+20250317-aarch64-apple-darwin.tar.gz",
        ]
        for name in others:
            (bundle / name).write_bytes(b"of another platform")
        (bundle / f"cpython-{VERSION}-local.tar.gz").write_bytes(python_archive)
        (bundle / "SHA256SUMS").write_text(f"{place.sum}  cpython-{VERSION}-local.tar.gz\n", encoding="utf-8")
        done = place.install("--from", str(bundle))
        assert done.handed["environ"]["CLAWMUX_INSTALL_PYTHON"] == f"private cpython-{VERSION}-local-{place.sum[:8]}"
        assert host.seen == []


class TestCutTransfers:
    @pytest.mark.parametrize("client", ["curl", "wget", "busybox"])
    def test_every_transfer_is_cut(self, tmp_path: Path, host: FileHost, python_archive: bytes, client: str) -> None:
        if not shutil.which(client):
            pytest.skip(f"{client} is not installed")
        place = Place(tmp_path, host, python_archive, client)
        if client == "busybox":
            python_named(Path(place.machine.path), "wget", "/usr/bin/busybox wget")
        place.page.cuts = [len(python_archive) // 9] * 8
        done = place.install()
        assert done.handed["python"] == place.python
        assert len(host.seen) == 9
        assert host.served_bytes < len(python_archive) * 1.01

    def test_the_next_run_goes_on(self, tmp_path: Path, host: FileHost, python_archive: bytes) -> None:
        place = Place(tmp_path, host, python_archive)
        half = len(python_archive) // 2
        place.page.cuts = [half, 0, 0, 0]
        done = place.install()
        assert done.code == 20 and "cannot be fetched (curl: " in done.said
        assert [path.stat().st_size for path in (place.machine.program / "downloads").iterdir()] == [half]
        assert place.install().handed["python"] == place.python
        assert host.served_bytes < len(python_archive) * 1.01

    def test_a_claim_of_a_dead_installer_is_taken_over(self, tmp_path: Path, host: FileHost, python_archive: bytes) -> None:
        place = Place(tmp_path, host, python_archive)
        place.page.hold_after = len(python_archive) // 2
        host.pages = AnyName(place.page)
        killed = self.start(place)
        assert host.held.wait(20)
        # The shell and its curl, as a power cut would.
        os.killpg(killed.pid, 9)
        killed.wait()
        downloads = place.machine.program / "downloads"
        assert {path.name.partition("-")[0].rpartition(".")[2] for path in downloads.iterdir()} == {"cpython", "own"}
        place.page.hold_after = None
        host.go.set()
        assert place.install().handed["python"] == place.python
        assert not downloads.exists()

    def test_two_at_once_both_succeed(self, tmp_path: Path, host: FileHost, python_archive: bytes) -> None:
        place = Place(tmp_path, host, python_archive)
        place.page.hold_after = len(python_archive) // 2
        host.pages = AnyName(place.page)
        both = [self.start(place) for _ in range(2)]
        deadline = time.monotonic() + 20
        while len(host.seen) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        host.go.set()
        outs = [one.communicate(timeout=60) for one in both]
        assert [one.returncode for one in both] == [0, 0], outs
        assert all(place.python in out for out, _ in outs)
        assert [path.name for path in place.machine.program.iterdir()] == ["pythons"]
        assert [path.name for path in (place.machine.program / "pythons").iterdir()] == [place.name]
        assert not list(Path(place.python).parents[1].glob(f"{place.name}*"))

    def test_an_interrupted_run_leaves_only_what_it_fetched(self, tmp_path: Path, host: FileHost) -> None:
        place = Place(tmp_path, host, SHIM * 1000)
        place.page.hold_after = len(SHIM)
        host.pages = AnyName(place.page)
        running = self.start(place)
        assert host.held.wait(20)
        downloads = place.machine.program / "downloads"
        deadline = time.monotonic() + 20
        while not list(downloads.glob("*.part")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)
        running.communicate(timeout=20)
        assert running.returncode == 130
        assert [path.suffix for path in downloads.iterdir()] == [".part"]
        assert list((tmp_path / "temporary").iterdir()) == []

    @pytest.mark.parametrize("client", ["curl", "wget"])
    def test_a_server_without_ranges_begins_again_once(
        self, tmp_path: Path, host: FileHost, python_archive: bytes, client: str
    ) -> None:
        place = Place(tmp_path, host, python_archive, client)
        place.page.ranges, place.page.cuts = False, [1_000_000]
        assert place.install().handed["python"] == place.python

    def start(self, place: Place) -> subprocess.Popen[str]:
        machine = place.machine
        (machine.home.parent / "temporary").mkdir(exist_ok=True)
        return subprocess.Popen(
            ["sh", str(place.script)],
            env={
                "HOME": str(machine.home),
                "PATH": machine.path,
                "TMPDIR": str(machine.home.parent / "temporary"),
                **machine.environ,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


class TestRefused:
    @pytest.mark.parametrize("kind", ["wrong", "short"])
    def test_another_file_is_refused_with_both_sums(
        self, tmp_path: Path, host: FileHost, python_archive: bytes, kind: str
    ) -> None:
        served = {"wrong": b"?" + python_archive[1:], "short": python_archive[:-1]}[kind]
        place = Place(tmp_path, host, python_archive, served=served)
        place.system_python()
        done = place.install()
        assert done.handed["python"] == BASE_PYTHON
        assert done.handed["environ"]["CLAWMUX_INSTALL_PYTHON"] == "system"
        line = next(line for line in done.said.splitlines() if "is refused" in line)
        assert f"cpython-{VERSION}+" in line and sum_of(served) in line and place.sum in line
        assert "of this system instead" in done.said
        assert list(place.machine.program.rglob("*")) == []

    @pytest.mark.parametrize("content", [b"no archive", b""])
    def test_what_cannot_be_unpacked_is_no_python(self, tmp_path: Path, host: FileHost, content: bytes) -> None:
        place = Place(tmp_path, host, content)
        done = place.install()
        assert done.code == 20 and "cannot be" in done.said
        assert not list(place.machine.program.rglob("python*/*"))

    def test_what_does_not_run_here_is_no_python(self, tmp_path: Path, host: FileHost) -> None:
        (tmp_path / "python" / "bin").mkdir(parents=True)
        python_named(tmp_path / "python" / "bin", "python3", "/bin/false")
        subprocess.run(["tar", "-czf", tmp_path / "p.tgz", "-C", tmp_path, "python"], check=True)
        place = Place(tmp_path, host, (tmp_path / "p.tgz").read_bytes())
        place.system_python()
        done = place.install()
        assert done.handed["python"] == BASE_PYTHON and "does not run here" in done.said

    def test_for_words_that_are_wrong_nothing_is_fetched(self, tmp_path: Path, host: FileHost) -> None:
        place = Place(tmp_path, host, b"")
        place.system_python()
        refusing = (
            "import sys\ndef read(argv):\n    sys.exit('--nonsense' in argv and (print('no:', *argv, file=sys.stderr) or 2))\n"
        )
        place.script.with_name("installer").joinpath("arguments.py").write_text(refusing, encoding="utf-8")
        done = place.install("--yes", "--nonsense")
        assert (done.code, done.out, done.said) == (2, "", "no: --yes --nonsense\n")
        assert place.machine.files() == []

    @pytest.mark.parametrize("has_system_python", [True, False])
    def test_a_run_that_comes_to_nothing_leaves_no_folder(self, tmp_path: Path, host: FileHost, has_system_python: bool) -> None:
        place = Place(tmp_path, host, b"")
        if has_system_python:
            place.system_python()
        assert place.install("--fail", CLAWMUX_PYTHON_MIRROR="http://127.0.0.1:9").code == (9 if has_system_python else 20)
        assert place.machine.files() == []

    @pytest.mark.parametrize("client", ["curl", "wget", ""])
    def test_a_host_that_is_not_to_be_had(self, tmp_path: Path, host: FileHost, client: str) -> None:
        place = Place(tmp_path, host, b"", client or "true")
        place.system_python()
        before = time.monotonic()
        done = place.install(CLAWMUX_PYTHON_MIRROR="http://127.0.0.1:9")
        assert done.handed["python"] == BASE_PYTHON
        expected = "127.0.0.1:9/20" if client else "neither curl nor wget is here to fetch it"
        assert f"there is no Python of our own: {'http://' if client else ''}{expected}" in done.said
        assert time.monotonic() - before < 10

    @pytest.mark.parametrize("tool", ["sha256sum", "shasum", "openssl", "busybox", "python3", ""])
    def test_any_tool_may_make_the_sum_and_without_one_nothing_is_used(self, tmp_path: Path, host: FileHost, tool: str) -> None:
        place = Place(tmp_path, host, SHIM)
        (Path(place.machine.path) / "sha256sum").unlink()
        if tool and not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
        tools(Path(place.machine.path), *([tool] if tool not in ("python3", "") else []))
        if tool == "python3":
            python_named(Path(place.machine.path), "python3", BASE_PYTHON)
        if tool == "busybox":
            # One that is there and does not work is passed over.
            python_named(Path(place.machine.path), "openssl", "/bin/false")
        done = place.install()
        if tool:
            assert done.handed["environ"]["CLAWMUX_INSTALL_PYTHON"] == f"private {place.name}"
        else:
            assert done.code == 20 and "no program here can make a SHA-256" in done.said
            assert not (place.machine.program / "pythons").exists()


def test_the_table_has_six_pins_that_look_right() -> None:
    script = (Path(__file__).parents[2] / "install.sh").read_text(encoding="utf-8")
    pins = [line.split() for line in script.splitlines() if " sum=" in line and "target=" in line and "sum=''" not in line]
    assert len(pins) == 6 and len({pin[2] for pin in pins}) == 6
    for platform, target, digest, *_ in pins:
        system, processor = platform.rstrip(")").split("-")[:2]
        assert processor in target and {"linux": "unknown-linux", "macos": "apple-darwin"}[system] in target
        assert len(digest.removeprefix("sum=")) == 64


def test_a_poor_machine_is_poor(tmp_path: Path) -> None:
    """So that the tests above do not pass by a tool of this machine."""
    machine = poor(tmp_path)
    assert {path.name for path in Path(machine.path).iterdir()} == set(NEEDED)
    assert isinstance(machine, Machine)
