"""install.sh with its Python side: a plan writes nothing, a real installation works, changes nothing twice, and goes away."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import clawmux

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Machine:
    """A home of its own, and install.sh run in it from somewhere else."""

    home: Path
    script: Path

    @property
    def launcher(self) -> Path:
        return self.home / ".local" / "bin" / "clawmux"

    def environ(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "CLAWMUX_", "VOICE_"))}
        kept.pop("PYTHONPATH", None)
        return {**kept, "HOME": str(self.home), "CLAWMUX_PYTHON": sys.executable, **more}

    def install(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.run("sh", str(self.script), *arguments, **more)

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.home,
            env=self.environ(**more),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=540,
            check=False,
        )

    def files(self) -> dict[str, tuple[int, int]]:
        """Path -> (inode, time of last change) of all that lies in the home."""
        found = [path for path in self.home.rglob("*") if not path.is_relative_to(self.home / ".cache")]
        return {str(path): (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in found}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, ROOT / "install.sh")


def test_a_dry_run_writes_nothing(machine: Machine) -> None:
    result = machine.install("--dry-run", "--start")
    assert result.returncode == 0, result.stderr
    assert "would: start the hub" in result.stdout and f"{machine.home}/.local/bin/clawmux" in result.stdout
    assert machine.files() == {}


@pytest.mark.parametrize(
    ("arguments", "environ", "expected"),
    [
        (["--frobnicate"], {}, "unrecognized arguments: --frobnicate"),
        (["--keep-data"], {}, "--keep-data goes with --uninstall"),
        (["--prefix"], {}, "--prefix: expected one argument"),
        ([], {"CLAWMUX_PYTHON": "/nonexistent/python"}, "no Python 3.11, 3.12 or 3.13 was found"),
        (["--no-models"], {"PATH": "/nonexistent"}, "tmux is not installed"),
    ],
)
def test_what_is_wrong_is_said(machine: Machine, arguments: list[str], environ: dict[str, str], expected: str) -> None:
    script = [str(machine.script), *arguments]
    result = machine.run("/bin/sh", *script, **{"PATH": "/usr/bin:/bin", **environ})
    if environ.get("PATH"):
        # Without any PATH the script cannot find itself either; Python is asked directly.
        code = "import sys; sys.path.insert(0, sys.argv[1]); from installer.__main__ import main; sys.exit(main(sys.argv[2:]))"
        result = machine.run(sys.executable, "-I", "-c", code, str(ROOT), *arguments, **environ)
    assert result.returncode in (2, 20)
    assert expected in result.stderr
    assert [path for path in machine.files() if path.endswith("clawmux")] in ([], [f"{machine.home}/.local/share/clawmux"])


@pytest.fixture(scope="module")
def installed(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(tmp_path_factory.mktemp("home with a blank's quote"), checkout / "install.sh")
    result = machine.install("--no-models")
    assert result.returncode == 0, result.stderr[-3000:]
    return machine


@pytest.mark.install
class TestRealInstallation:
    """One installation, used by all: with everything but the models, which have tests of their own."""

    def test_the_command_works_from_anywhere(self, installed: Machine) -> None:
        result = installed.run(str(installed.launcher), "--version")
        assert (result.returncode, result.stdout) == (0, f"clawmux {clawmux.__version__}\n")

    def test_a_stranger_module_where_one_stands_is_not_taken(self, installed: Machine) -> None:
        (installed.home / "clawmux.py").write_text("raise SystemExit('taken')", encoding="utf-8")
        result = installed.run(str(installed.launcher), "--version", PYTHONPATH=str(installed.home))
        (installed.home / "clawmux.py").unlink()
        assert result.returncode == 0, result.stderr

    def test_an_agent_verb_finds_the_client(self, installed: Machine) -> None:
        result = installed.run(str(installed.launcher), "converse", "Hello")
        assert result.returncode == 3
        assert str(installed.home / ".local/state/clawmux/run/hub.sock") in result.stderr

    def test_engines_and_page_are_there(self, installed: Machine) -> None:
        code = "import faster_whisper, kokoro_onnx, mcp, aiohttp; from clawmux.paths import static_files; print(static_files())"
        python = installed.home / ".local/share/clawmux/current/venv/bin/python"
        result = installed.run(str(python), "-I", "-c", code)
        assert result.returncode == 0, result.stderr
        assert "site-packages/clawmux/static" in result.stdout

    def test_a_second_run_changes_nothing(self, installed: Machine) -> None:
        before = installed.files()
        result = installed.install("--no-models")
        assert result.returncode == 0 and result.stderr.count("done already") == 3, result.stderr
        # Opening the lock file changes nothing in it; all else keeps inode and time.
        lock = f"{installed.home}/.local/share/clawmux/install.lock"
        assert {path for path, facts in installed.files().items() if before.get(path) != facts} <= {lock}

    def test_shell_files_are_left_alone_and_the_line_is_said(self, installed: Machine) -> None:
        assert not list(installed.home.glob(".*rc")) and not list(installed.home.glob(".profile"))
        assert f'export PATH="{installed.launcher.parent}:$PATH"' in installed.install("--no-models").stderr

    def test_a_foreign_command_is_not_overwritten(self, installed: Machine) -> None:
        ours = installed.launcher.read_text(encoding="utf-8")
        installed.launcher.write_text("#!/bin/sh\necho mine\n", encoding="utf-8")
        result = installed.install("--no-models")
        kept = installed.launcher.read_text(encoding="utf-8")
        installed.launcher.write_text(ours, encoding="utf-8")
        assert result.returncode == 13 and "not from this installer" in result.stderr
        assert kept == "#!/bin/sh\necho mine\n"

    def test_an_interrupted_version_is_made_again(self, installed: Machine) -> None:
        [version] = (installed.home / ".local/share/clawmux/versions").iterdir()
        (version / "complete").rename(version / "interrupted")
        planned = installed.install("--no-models", "--dry-run").stdout
        (version / "interrupted").rename(version / "complete")
        assert "would: make" in planned

    def test_a_version_that_does_not_start_is_never_switched_to(self, installed: Machine, checkout: Path) -> None:
        current = installed.home / ".local/share/clawmux/current"
        before = current.readlink()
        entrance = checkout / "clawmux" / "__main__.py"
        whole = entrance.read_text(encoding="utf-8")
        entrance.write_text("raise RuntimeError('broken on purpose')\n", encoding="utf-8")
        result = installed.install("--no-models")
        entrance.write_text(whole, encoding="utf-8")
        assert result.returncode == 1 and "broken on purpose" in result.stderr
        assert current.readlink() == before
        assert [folder.name for folder in (current.parent / "versions").iterdir()] == [before.name]
        assert installed.run(str(installed.launcher), "--version").returncode == 0

    def test_uninstall_asks_first_and_then_leaves_nothing(self, installed: Machine) -> None:
        assert installed.install("--uninstall").returncode == 7
        assert installed.launcher.exists()
        data = installed.home / ".local/share/clawmux"
        (data / "clawmux.db").touch()
        assert installed.install("--uninstall", "--keep-data", "--yes").returncode == 0
        assert [path.name for path in data.iterdir()] == ["clawmux.db"]
        assert installed.install("--uninstall", "--yes").returncode == 0
        left = [path for path in installed.files() if "clawmux" in path and path != str(installed.home)]
        assert left == []
        assert "nothing to remove" in installed.install("--uninstall", "--yes").stderr
