"""The shell script in front of the zip file: which Python it takes, where it unpacks, what it says when neither works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import clawmux
from tests.build.conftest import PYTHON, VERSION, Machine, unpacked_in

SAID = f"clawmux {clawmux.__version__}\n"
SHELLS = ["sh", "dash", "bash", "bash --posix", "busybox sh", "zsh", "ksh", "mksh", "yash"]


def fake_python(file: Path, script: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.mark.parametrize("shell", SHELLS)
def test_shells(shell: str, machine: Machine, unpacked: Path) -> None:
    name, *options = shell.split()
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    # First through shiv, then without it.
    for _ in range(2):
        assert machine.run(name, *options, machine.program, "--version").stdout == SAID
    assert machine.run(name, *options, "clawmux.pyz", "--version").stdout == SAID


def test_the_second_start_opens_no_zip_file(machine: Machine) -> None:
    machine.run()
    [tree] = machine.trees
    prelude = machine.program.read_bytes()[:8192]
    machine.program.unlink()
    machine.program.write_bytes(prelude)
    machine.program.chmod(0o755)
    assert machine.run().stdout == SAID
    assert (tree / "site-packages" / "clawmux" / "static" / "index.html").is_file()


def test_a_moved_file_and_a_link_to_it_work(machine: Machine, tmp_path: Path) -> None:
    machine.run()
    moved = tmp_path / "moved"
    moved.mkdir()
    machine.program.rename(moved / "cm")
    assert machine.run(moved / "cm", "--version").stdout == SAID
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "clawmux").symlink_to("../moved/cm")
    before = machine.trees
    assert machine.run(tmp_path / "bin" / "clawmux", "--version").stdout == SAID
    assert machine.trees == before
    found = machine.run("clawmux", "--version", more={"PATH": f"{tmp_path}/bin:{machine.environ['PATH']}"})
    assert found.stdout == SAID and machine.trees == before
    # Straight to the tree: shiv itself would find it by a longer way.
    fake_python(tmp_path / "python", 'echo "$3"')
    told = machine.run(tmp_path / "bin" / "clawmux", "x", more={"CLAWMUX_PYTHON": str(tmp_path / "python")}).stdout
    assert told == f"{before[-1]}/site-packages/clawmux/cli/start.py\n"


def test_a_folder_that_may_not_be_written_stays_as_it_is(machine: Machine) -> None:
    folder = machine.home / "program"
    folder.mkdir()
    machine.program.rename(folder / "clawmux.pyz")
    folder.chmod(0o555)
    for _ in range(2):
        assert machine.run(folder / "clawmux.pyz", "--version").stdout == SAID
    assert [path.name for path in folder.iterdir()] == ["clawmux.pyz"]


def test_nowhere_to_unpack_is_said(machine: Machine) -> None:
    (machine.home / "file").touch()
    done = machine.run(more={"SHIV_ROOT": str(machine.home / "file" / "in")}, code=18)
    assert "cannot be written" in done.stderr and "SHIV_ROOT" in done.stderr and "Traceback" not in done.stderr


def test_first_starts_at_once_unpack_once(machine: Machine) -> None:
    children = [
        subprocess.Popen([machine.program, "--version"], env=machine.environ, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert [child.communicate(timeout=120)[0] for child in children] == [SAID] * 4
    assert len(machine.trees) == 1 and not list(machine.trees[0].parent.glob("*.tmp"))


def test_a_start_that_was_killed_leaves_nothing_that_matters(machine: Machine) -> None:
    machine.run()
    [tree] = machine.trees
    half = tree.with_name(f"{tree.name}.tmp")
    tree.rename(half)
    (half / "site-packages" / "clawmux" / "cli" / "main.py").write_text("half a line")
    shutil.rmtree(half / "site-packages" / "aiohttp")
    assert machine.run().stdout == SAID
    assert (tree / "site-packages" / "aiohttp").is_dir() and not half.exists()


def test_names_without_a_python_behind_them_are_passed_over(machine: Machine, tmp_path: Path) -> None:
    fake_python(tmp_path / "shims" / f"python{VERSION}", "echo 'no such version' >&2; exit 127")
    fake_python(tmp_path / "shims" / "python3", f'exec {PYTHON} "$@"')
    assert machine.run(more={"PATH": f"{tmp_path}/shims:/usr/bin:/bin"}).stdout == SAID
    assert machine.run(more={"PATH": "/nothing"}).stdout == SAID, "the one that was found is remembered"


def test_without_a_fitting_python_it_says_which(machine: Machine, tmp_path: Path) -> None:
    for name in (f"python{VERSION}", "python3", "uv"):
        fake_python(tmp_path / "shims" / name, "exit 1")
    # Only what the script itself needs, so that no Python of this machine is found.
    for name in ("uname", "mkdir", "ln", "readlink"):
        (tmp_path / "shims" / name).symlink_to(shutil.which(name) or "/bin/false")
    if any(Path(folder, f"python{VERSION}").exists() for folder in ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")):
        pytest.skip("the system itself has this version of Python")
    done = machine.run(more={"PATH": f"{tmp_path}/shims"}, code=20)
    assert f"CPython {VERSION}" in done.stderr and "CLAWMUX_PYTHON" in done.stderr and "install.sh" in done.stderr


def test_a_python_beside_the_file_comes_first(machine: Machine) -> None:
    fake_python(machine.home / "python", f'echo beside >&2; exec {PYTHON} "$@"')
    assert "beside" in machine.run().stderr
    (machine.home / "python").unlink()
    (machine.home / "python" / "bin").mkdir(parents=True)
    fake_python(machine.home / "python" / "bin" / f"python{VERSION}", f'echo private >&2; exec {PYTHON} "$@"')
    assert "private" in machine.run().stderr


def test_a_named_python_comes_before_all_others(machine: Machine, tmp_path: Path) -> None:
    fake_python(tmp_path / "mine", f'echo mine >&2; exec {PYTHON} "$@"')
    for _ in range(2):
        assert "mine" in machine.run(more={"CLAWMUX_PYTHON": str(tmp_path / "mine")}).stderr
    done = machine.run(more={"CLAWMUX_PYTHON": str(tmp_path / "none")}, code=20)
    assert "CLAWMUX_PYTHON" in done.stderr and str(tmp_path / "none") in done.stderr


def test_another_version_of_python_is_refused_at_every_door(machine: Machine, unpacked: Path) -> None:
    other = next((path for name in ("3.11", "3.12", "3.13") if name != VERSION and (path := real_python(name))), None)
    if other is None:
        pytest.skip("there is no second Python that fits ClawMux")
    named = {"CLAWMUX_PYTHON": str(other)}
    assert f"needs CPython {VERSION}" in machine.run(more=named, code=20).stderr
    machine.run()
    assert f"needs CPython {VERSION}" in machine.run(more=named, code=20).stderr
    assert f"needs CPython {VERSION}" in machine.run(other, machine.program, "--version", code=20).stderr
    start = unpacked / "clawmux" / "cli" / "start.py"
    assert f"needs CPython {VERSION}" in machine.run(other, "-I", "-S", start, "--version", code=20).stderr


def real_python(version: str) -> Path | None:
    """pyenv's names are no interpreters; its folders have them."""
    folders = [*os.environ["PATH"].split(":"), *map(str, Path.home().glob(".pyenv/versions/*/bin")), "/usr/bin", "/usr/local/bin"]
    for folder in {*folders, *(str(path) for path in PYTHON.parents[2].glob("*/bin"))}:
        path = Path(folder) / f"python{version}"
        if path.exists() and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


def test_another_kind_of_machine_is_refused(machine: Machine, tmp_path: Path) -> None:
    fake_python(tmp_path / "bin" / "uname", "echo Plan9 pdp11")
    done = machine.run(more={"PATH": f"{tmp_path}/bin:{machine.environ['PATH']}"}, code=20)
    assert "not for Plan9 pdp11" in done.stderr


def test_shivs_own_variables_work(machine: Machine, tmp_path: Path) -> None:
    elsewhere = {"SHIV_ROOT": str(tmp_path / "root")}
    machine.run(more=elsewhere)
    [tree] = unpacked_in(tmp_path / "root")
    assert machine.trees == []
    done = machine.run(
        machine.program, "-c", "import aiohttp; print(aiohttp.__file__)", more=elsewhere | {"SHIV_INTERPRETER": "1"}
    )
    assert done.stdout.startswith(str(tree))
    entry = {"SHIV_ENTRY_POINT": "platform:python_version"}
    machine.run(more=elsewhere | entry, code=1)
    (tree / "site-packages" / "clawmux" / "__init__.py").write_text("broken")
    assert machine.run(more=elsewhere | {"SHIV_FORCE_EXTRACT": "1"}).stdout == SAID


def test_a_relative_root_is_the_same_from_every_folder(machine: Machine, tmp_path: Path) -> None:
    machine.run(more={"SHIV_ROOT": "root"}, cwd=tmp_path)
    assert len(unpacked_in(tmp_path / "root")) == 1


def test_pythons_variables_change_nothing(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "clawmux").mkdir()
    (tmp_path / "clawmux" / "__init__.py").write_text("raise SystemExit('the wrong package')")
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong module')")
    for _ in range(2):
        assert machine.run(more={"PYTHONPATH": str(tmp_path), "PYTHONHOME": str(tmp_path)}, cwd=tmp_path).stdout == SAID
    found = machine.run(machine.program, "settings", "list", "--json", more={"PYTHONPATH": str(tmp_path)}, cwd=tmp_path)
    assert json.loads(found.stdout)["command"] == "settings"


def test_the_script_passes_words_on_as_they_are(machine: Machine) -> None:
    machine.run()
    done = machine.run(machine.program, "a  b; $HOME", code=2)
    assert "'a  b; $HOME'" in done.stderr
    assert machine.run(machine.program, code=2).stderr.startswith("ClawMux:")


def test_what_agents_say_goes_to_the_small_client(machine: Machine, tmp_path: Path) -> None:
    machine.run()
    fake_python(tmp_path / "python", 'printf "%s\\n" "$@"')
    named = {"CLAWMUX_PYTHON": str(tmp_path / "python")}
    for verb in ("converse", "send", "hook", "cancel-converse"):
        words = machine.run(machine.program, verb, "x  y", more=named).stdout.splitlines()
        assert words[:2] == ["-I", "-S"] and words[2].endswith("/clawmux/cli/start_client.py") and words[3:] == [verb, "x  y"]
    assert machine.run(machine.program, "status", more=named).stdout.splitlines()[2].endswith("/clawmux/cli/start.py")


def test_what_it_starts_runs_the_same_file(machine: Machine, tmp_path: Path) -> None:
    machine.run()
    fake_python(tmp_path / "python", 'printf "%s\\n" "$CLAWMUX_LAUNCHER"')
    told = machine.run("./clawmux.pyz", "status", more={"CLAWMUX_PYTHON": str(tmp_path / "python"), "CLAWMUX_LAUNCHER": "/x"})
    assert told.stdout.strip().replace("/./", "/") == str(machine.program)
