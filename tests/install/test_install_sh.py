"""install.sh alone: a cut copy does nothing, every shell runs it, and it finds a source and a Python or says why not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.stand_ins import install_tree
from tests.stand_ins.file_host import FileHost, Page
from tests.stand_ins.install_tree import NEEDED, SCRIPT, Machine, lay, pack, python_named, stamped, sum_of, tools

SHELLS = ["sh", "dash", "bash", "bash --posix", "busybox sh", "zsh", "ksh", "mksh", "yash"]
# An interpreter that is no shim and no environment.
BASE_PYTHON = os.path.realpath(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")
BEGINS = SCRIPT.index("\n{\n") + 2


def need(shell: str) -> list[str]:
    words = shell.split()
    if not shutil.which(words[0]):
        pytest.skip(f"{words[0]} is not installed")
    return words


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "home").mkdir()
    return Machine(tmp_path / "home", environ={"CLAWMUX_PYTHON": BASE_PYTHON})


# --- a cut copy -------------------------------------------------------------------------------------------------------


def run_cuts(shell: list[str], folder: Path, cuts: list[int]) -> list[int]:
    """Those cuts, highest first, after which the shell said that all was well. One file, made shorter each time."""
    script = lay(folder / "checkout")
    python = folder / "python"
    python.write_text(f"#!/bin/sh\necho ran >>{folder}/ran\n", encoding="utf-8")
    python.chmod(0o755)
    (folder / "home").mkdir()
    environ = {
        "HOME": str(folder / "home"),
        "PATH": "/usr/bin:/bin",
        "CLAWMUX_PYTHON": str(python),
        "TMPDIR": str(folder / "home"),
    }
    calm = []
    with (folder / "said").open("wb") as said, Path(os.devnull).open("rb") as nothing:
        for cut in sorted(cuts, reverse=True):
            os.truncate(script, cut)
            actions = [(os.POSIX_SPAWN_DUP2, file.fileno(), number) for number, file in enumerate((nothing, said))]
            actions.append((os.POSIX_SPAWN_DUP2, nothing.fileno(), 2))
            words = [*shell, str(script), "--start"]
            child = os.posix_spawn(str(shutil.which(words[0])), words, environ, file_actions=actions)
            if os.waitpid(child, 0)[1] == 0:
                calm.append(cut)
    assert (folder / "said").stat().st_size == 0
    assert not list((folder / "home").iterdir())
    return calm


@pytest.mark.parametrize(
    ("shell", "step"), [("dash", 1), ("bash", 7), ("busybox sh", 7), ("zsh", 97), ("ksh", 97), ("mksh", 97), ("yash", 97)]
)
def test_a_copy_cut_at_any_byte_runs_nothing(tmp_path: Path, shell: str, step: int) -> None:
    words = need(shell)
    # The last byte is a line's end that nothing depends on; so the longest cut takes the brace before it.
    cuts = list(range(len(SCRIPT.encode()) - 2, -1, -step))
    with ThreadPoolExecutor(2) as pool:
        halves = [pool.submit(run_cuts, words, tmp_path / str(half), cuts[half::2]) for half in (0, 1)]
    calm = [cut for half in halves for cut in half.result()]
    assert not list(tmp_path.glob("*/ran"))
    # A shell that refuses has run nothing of the group; only comments alone are no mistake.
    assert max(calm) <= BEGINS


def test_the_whole_script_would_have_run(tmp_path: Path) -> None:
    run_cuts(["sh"], tmp_path, [len(SCRIPT.encode()) - 1])
    assert (tmp_path / "ran").exists()
    assert Machine(tmp_path / "home").install(lay(tmp_path / "again"), CLAWMUX_PYTHON=BASE_PYTHON).handed


def test_a_cut_pipe_runs_nothing(machine: Machine) -> None:
    for cut in range(BEGINS + 1, len(SCRIPT) - 2, 1009):
        done = machine.pipe(SCRIPT[:cut], "--start")
        assert (done.code != 0, done.out) == (True, ""), cut


# --- shells -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
class TestShells:
    def test_words_are_handed_over_as_they_are(self, machine: Machine, tmp_path: Path, shell: str) -> None:
        machine.shell = need(shell)
        words = ["--start", "a  b", "*", "", "it's", "$HOME", "--mode=thin"]
        done = machine.install(lay(tmp_path / "a folder's name"), *words)
        assert done.handed["arguments"] == words
        assert done.handed["source"] == str(tmp_path / "a folder's name")
        assert done.handed["environ"]["CLAWMUX_INSTALL_PYTHON"] == "system"

    def test_piped_from_a_release(self, machine: Machine, tmp_path: Path, shell: str) -> None:
        machine.shell = need(shell)
        archive = pack(tmp_path).read_bytes()
        with FileHost() as host:
            host.pages[f"/v1/{install_tree.ARCHIVE}"] = Page(archive)
            done = machine.pipe(stamped(host.url(f"/v1/{install_tree.ARCHIVE}"), sum_of(archive)), "--start", "a b")
        assert done.handed["arguments"] == ["--start", "a b"]
        assert done.handed["typed"] == ""
        assert not Path(done.handed["source"]).exists()
        assert "downloads" not in " ".join(machine.files())

    def test_the_exit_status_is_the_installers(self, machine: Machine, tmp_path: Path, shell: str) -> None:
        machine.shell = need(shell)
        assert machine.install(lay(tmp_path), "--fail").code == 9


def test_shellcheck_finds_nothing() -> None:
    checker = shutil.which("shellcheck")
    if not checker:
        pytest.skip("shellcheck is not installed")
    done = subprocess.run([checker, install_tree.ROOT / "install.sh"], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_no_message_is_long_or_shouts() -> None:
    assert "sudo" not in re.sub(r"(?m)^[a-z-]+ \S+ sudo .*$", "", SCRIPT)
    assert not re.search(r"(say|give_up \d+) \"[^\"]*!", SCRIPT)


# --- source -----------------------------------------------------------------------------------------------------------


class TestSource:
    def test_curl_pipes_it_into_sh(self, machine: Machine, tmp_path: Path) -> None:
        archive = pack(tmp_path).read_bytes()
        with FileHost() as host:
            host.pages[f"/{install_tree.ARCHIVE}"] = Page(archive)
            host.pages["/install.sh"] = Page(stamped(host.url(f"/{install_tree.ARCHIVE}"), sum_of(archive)).encode())
            done = machine.run(["sh", "-c", f"curl -fsSL {host.url('/install.sh')} | sh -s -- --start --yes"])
        assert done.handed["arguments"] == ["--start", "--yes"]

    def test_another_base_url(self, machine: Machine, tmp_path: Path) -> None:
        archive = pack(tmp_path).read_bytes()
        with FileHost() as host:
            host.pages[f"/mirror/{install_tree.ARCHIVE}"] = Page(archive)
            script = stamped(f"https://releases.invalid/v1/{install_tree.ARCHIVE}", sum_of(archive))
            done = machine.pipe(script, CLAWMUX_BASE_URL=host.url("/mirror/"))
        assert done.handed

    def test_a_wrong_archive_is_refused_with_both_sums(self, machine: Machine, tmp_path: Path) -> None:
        archive = pack(tmp_path).read_bytes()
        with FileHost() as host:
            host.pages[f"/{install_tree.ARCHIVE}"] = Page(archive + b"!")
            done = machine.pipe(stamped(host.url(f"/{install_tree.ARCHIVE}"), sum_of(archive)))
        assert done.code == 22 and done.out == ""
        assert (
            f"{install_tree.ARCHIVE} is refused: its SHA-256 is {sum_of(archive + b'!')}, expected was {sum_of(archive)}"
            in done.said
        )

    def test_a_release_that_is_gone_is_said(self, machine: Machine) -> None:
        with FileHost() as host:
            done = machine.pipe(stamped(host.url(f"/{install_tree.ARCHIVE}"), "0" * 64))
        assert done.code == 22 and "404" in done.said and "CLAWMUX_BASE_URL" in done.said

    def test_a_copy_without_anything_says_what_to_do(self, machine: Machine, tmp_path: Path) -> None:
        (tmp_path / "install.sh").write_text(SCRIPT, encoding="utf-8")
        for done in (machine.install(tmp_path / "install.sh"), machine.pipe(SCRIPT)):
            assert done.code == 2 and "Run it from a checkout" in done.said

    def test_a_file_that_is_called_as_the_shell_is_not_taken_for_the_script(self, machine: Machine) -> None:
        lay(machine.home)
        (machine.home / "sh").write_text("#!/bin/sh\n", encoding="utf-8")
        assert machine.pipe(SCRIPT).code == 2

    def test_a_folder_without_a_network(self, machine: Machine, tmp_path: Path) -> None:
        bundle = self.bundle(tmp_path)
        done = machine.pipe(SCRIPT, "--from", str(bundle))
        assert done.handed["arguments"] == ["--from", str(bundle)]
        assert machine.pipe(SCRIPT, f"--from={bundle}").handed

    @pytest.mark.parametrize(
        ("file", "content", "code", "expected"),
        [
            (install_tree.ARCHIVE, b"broken", 21, "is refused: its SHA-256 is"),
            ("SHA256SUMS", b"", 21, "it is not listed"),
            ("SHA256SUMS", None, 12, "has no SHA256SUMS"),
            (install_tree.ARCHIVE, None, 12, "holds no clawmux-*.tar.gz"),
        ],
    )
    def test_a_broken_bundle_is_refused(
        self, machine: Machine, tmp_path: Path, file: str, content: bytes | None, code: int, expected: str
    ) -> None:
        bundle = self.bundle(tmp_path)
        (bundle / file).unlink()
        if content is not None:
            (bundle / file).write_bytes(content)
        done = machine.pipe(SCRIPT, "--from", str(bundle))
        assert (done.code, done.out) == (code, "") and expected in done.said
        assert machine.files() == []

    def bundle(self, tmp_path: Path) -> Path:
        bundle = tmp_path / "a bundle"
        bundle.mkdir()
        archive = pack(tmp_path).rename(bundle / install_tree.ARCHIVE)
        (bundle / "SHA256SUMS").write_text(f"{sum_of(archive.read_bytes())} *{archive.name}\n", encoding="utf-8")
        return bundle


# --- a system's Python ------------------------------------------------------------------------------------------------


def poor(tmp_path: Path, *more: str) -> Machine:
    """A machine without Python, curl and wget."""
    (tmp_path / "home").mkdir()
    return Machine(tmp_path / "home", path=tools(tmp_path / "tools", *NEEDED, *more))


def without_usr_bin_python() -> str:
    return SCRIPT.replace(" /usr/bin/python3;", ";")


class TestSystemPython:
    def test_it_is_said_aloud(self, tmp_path: Path) -> None:
        machine = poor(tmp_path)
        python_named(tmp_path / "tools", "python3.12", BASE_PYTHON)
        done = machine.install(lay(tmp_path / "tree"))
        assert done.handed["python"] == BASE_PYTHON
        assert "neither curl nor wget is here" in done.said and f"of this system instead: {BASE_PYTHON}" in done.said

    def test_an_environment_gives_its_base(self, machine: Machine, tmp_path: Path) -> None:
        subprocess.run([BASE_PYTHON, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
        done = machine.install(lay(tmp_path / "tree"), CLAWMUX_PYTHON=str(tmp_path / "venv" / "bin" / "python"))
        assert not done.handed["python"].startswith(str(tmp_path))

    @pytest.mark.parametrize(
        ("program", "expected"),
        [
            ("/nonexistent/python", "was found under CLAWMUX_PYTHON=/nonexistent/python"),
            ("/bin/echo", "was found under CLAWMUX_PYTHON=/bin/echo"),
        ],
    )
    def test_a_forced_one_must_fit(self, machine: Machine, tmp_path: Path, program: str, expected: str) -> None:
        done = machine.install(lay(tmp_path / "tree"), CLAWMUX_PYTHON=program)
        assert (done.code, done.out) == (20, "") and expected in done.said

    @pytest.mark.parametrize(
        ("manager", "line"),
        [
            ("apt-get", "sudo apt-get install python3 python3-venv"),
            ("dnf", "sudo dnf install python3.12"),
            ("pacman", "sudo pacman -S python"),
            ("zypper", "sudo zypper install python312"),
            ("apk", "sudo apk add python3"),
            ("brew", "brew install python@3.12"),
            ("none", "Python 3.12, with your system's package manager"),
        ],
    )
    def test_without_any_the_package_is_named(self, tmp_path: Path, manager: str, line: str) -> None:
        machine = poor(tmp_path)
        python_named(tmp_path / "tools", manager, "/bin/false")
        done = machine.install(lay(tmp_path / "tree", without_usr_bin_python()))
        assert (done.code, done.out) == (20, "")
        assert "no Python 3.11, 3.12 or 3.13 was found" in done.said
        assert f"Install one: {line}" in done.said
        assert machine.files() == []

    def test_one_that_cannot_make_environments_is_told_apart(self, tmp_path: Path) -> None:
        machine = poor(tmp_path)
        python_named(tmp_path / "tools", "apt-get", "/bin/false")
        (tmp_path / "tools" / "python3").write_text("#!/bin/sh\necho 3.11.2 /usr/bin/python3.11\nexit 4\n", encoding="utf-8")
        (tmp_path / "tools" / "python3").chmod(0o755)
        done = machine.install(lay(tmp_path / "tree", without_usr_bin_python()))
        assert done.code == 20 and "sudo apt-get install python3.11-venv" in done.said

    @pytest.mark.parametrize(
        ("system", "processor", "expected"),
        [
            ("Linux", "riscv64", "none is made for linux-riscv64"),
            ("Linux", "armv7l", "none is made for linux-armv7l"),
            ("MINGW64_NT-10.0", "x86_64", "On Windows use WSL2"),
            ("FreeBSD", "amd64", "ClawMux runs on Linux and macOS, and this is FreeBSD"),
        ],
    )
    def test_other_platforms_are_named(self, tmp_path: Path, system: str, processor: str, expected: str) -> None:
        machine = poor(tmp_path)
        uname = tmp_path / "tools" / "uname"
        uname.write_text(f'#!/bin/sh\n[ "$1" = -m ] && echo {processor} || echo {system}\n', encoding="utf-8")
        done = machine.install(lay(tmp_path / "tree", without_usr_bin_python()))
        assert done.code == 20 and expected in done.said


def test_a_system_with_musl_has_its_own_python(tmp_path: Path) -> None:
    machine = poor(tmp_path)
    python_named(tmp_path / "tools", "python3.12", BASE_PYTHON)
    (tmp_path / "loader").touch()
    (tmp_path / "tools" / "uname").write_text('#!/bin/sh\n[ "$1" = -m ] && echo x86_64 || echo Linux\n', encoding="utf-8")
    script = re.sub(r"(?m)loader=/lib.*?( ;;)$", r"loader=/nonexistent\1", SCRIPT)
    script = script.replace('"/lib/ld-musl-$machine.so.1"', f'"{tmp_path}/loader"')
    done = machine.install(lay(tmp_path / "tree", script), "--dry-run")
    # The plan itself says that there are no engines (clawmux/machine/engines.py).
    pin = re.search(r"linux-x86_64-musl\).* sum=(.{8})", SCRIPT)
    assert pin and done.handed["environ"]["CLAWMUX_INSTALL_PYTHON"].endswith(pin.group(1))


# --- what only looks --------------------------------------------------------------------------------------------------


class TestLooking:
    def test_a_dry_run_writes_nothing(self, tmp_path: Path) -> None:
        archive = pack(tmp_path).read_bytes()
        machine = poor(tmp_path, "curl", "sha256sum")
        python_named(tmp_path / "tools", "python3.12", BASE_PYTHON)
        with FileHost() as host:
            host.pages[f"/{install_tree.ARCHIVE}"] = Page(archive)
            script = stamped(host.url(f"/{install_tree.ARCHIVE}"), sum_of(archive))
            done = machine.pipe(script, "--dry-run", CLAWMUX_PYTHON_MIRROR=host.url("/python"))
            assert len(host.seen) == 1
        assert done.handed["environ"]["CLAWMUX_INSTALL_PYTHON"].startswith("private cpython-3.12.")
        assert "would put a Python of about 30 MB into" in done.said
        assert machine.files() == []

    def test_a_dry_run_without_a_python_says_what_it_would_fetch(self, tmp_path: Path) -> None:
        machine = poor(tmp_path)
        done = machine.install(lay(tmp_path / "tree", without_usr_bin_python()), "--dry-run")
        assert done.code == 20 and "would put a Python" in done.said and "the plan itself needs a Python" in done.said
        assert machine.files() == []

    @pytest.mark.parametrize("word", ["--uninstall", "--help"])
    def test_what_removes_or_explains_fetches_no_python(self, tmp_path: Path, word: str) -> None:
        machine = poor(tmp_path, "curl", "sha256sum")
        python_named(tmp_path / "tools", "python3.12", BASE_PYTHON)
        with FileHost() as host:
            done = machine.install(lay(tmp_path / "tree"), word, CLAWMUX_PYTHON_MIRROR=host.url(""))
            assert host.seen == []
        assert done.handed["arguments"] == [word] and done.said == ""
        assert machine.files() == []

    def test_without_a_home_nothing_begins(self, machine: Machine, tmp_path: Path) -> None:
        done = machine.install(lay(tmp_path / "tree"), HOME="")
        assert done.code == 2 and "HOME is not set" in done.said
