"""The zipapp is what it says: whole, the same each time, with the page inside and nothing of the machine that made it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.build.conftest import PYTHON, VERSION, Machine, load


@pytest.fixture(scope="module")
def names(zipapp: Path) -> list[str]:
    with zipfile.ZipFile(zipapp) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_the_same_input_gives_the_same_bytes(zipapp: Path, bundle: Path, checkout: Path, tmp_path: Path) -> None:
    """From another folder, at another time, with another umask, from wheels in a folder, in another language."""
    moved = tmp_path / "else where"
    shutil.copytree(checkout, moved)
    for path in moved.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (10**9, 10**9))
    output = tmp_path / "another name"
    command = [*command_for(moved), output, "--wheels", bundle / "wheels"]
    environ = {**os.environ, "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    done = subprocess.run(command, cwd="/", umask=0o077, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == _sha256(zipapp) == _sha256(output)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def command_for(checkout: Path) -> list[str | Path]:
    return [sys.executable, checkout / "build" / "zipapp.py", "--set", "hub", "--output"]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_page_and_licence_are_inside_and_what_nobody_needs_is_not(names: list[str]) -> None:
    inside = {name.removeprefix("site-packages/") for name in names}
    assert {"clawmux/static/index.html", "clawmux/LICENSE", "clawmux/cli/start.py", "aiohttp/__init__.py"} <= inside
    assert "mcp/__init__.py" in inside
    odd = [
        n for n in inside if n.endswith((".pyc", "/RECORD", "/direct_url.json")) or n.split("/")[0] in ("bin", "test", "tests")
    ]
    assert odd == []
    assert names == sorted(names, key=lambda name: (name.split("/")[0] != "site-packages", name.split("/")[0] != "_bootstrap"))


def test_the_package_inside_is_the_one_of_the_wheel(names: list[str], checkout: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=checkout, check=True, capture_output=True, timeout=120)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    in_wheel = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("clawmux/")}
    ours = {name.removeprefix("site-packages/") for name in names if name.startswith("site-packages/clawmux/")}
    assert ours - {"clawmux/LICENSE"} == in_wheel


def test_nothing_tells_where_when_or_by_whom_it_was_made(zipapp: Path, checkout: Path) -> None:
    foreign = [str(path).encode() for path in (checkout, zipapp.parent, Path(sys.prefix))]
    with zipfile.ZipFile(zipapp) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        modes = {entry.external_attr >> 16 & 0o777 for entry in archive.infolist() if "/" in entry.filename}
        assert modes <= {0o644, 0o755}
        guilty = [entry.filename for entry in archive.infolist() if any(path in archive.read(entry) for path in foreign)]
    assert guilty == []


def test_other_programs_take_it_for_a_zip_file(zipapp: Path) -> None:
    unzip = shutil.which("unzip")
    if unzip is None:
        pytest.skip("unzip is not installed")
    done = subprocess.run([unzip, "-tq", zipapp], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_python_starts_it_without_the_script_in_front(machine: Machine) -> None:
    assert machine.run(PYTHON, machine.program, "--version").stdout == machine.run().stdout


def test_nvidias_is_the_processors(checkout: Path) -> None:
    zipapp = load("zipapp")
    assert zipapp.LOCK_OF["nvidia"] == zipapp.LOCK_OF["cpu"]
    assert all((checkout / "build" / "requirements" / lock).is_file() for lock in zipapp.LOCK_OF.values())


def test_a_changed_wheel_is_refused(checkout: Path, tmp_path: Path) -> None:
    lock = checkout / "build" / "requirements" / "hub.txt"
    [name] = [line.split(" ")[0] for line in lock.read_text().splitlines() if line.startswith("aiosignal==")]
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / f"{name.replace('==', '-')}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("aiosignal/__init__.py", "")
    command = [*command_for(checkout), tmp_path / "x.pyz", "--wheels", wheels]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 22 and "could not be fetched" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wheels"]


def test_an_interpreter_that_does_not_run_is_named(checkout: Path, tmp_path: Path) -> None:
    command = [*command_for(checkout), tmp_path / "x", "--python", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 20 and str(tmp_path) in done.stderr


def test_the_script_in_front_is_filled_in(zipapp: Path) -> None:
    prelude = zipapp.read_bytes()[:8192].split(b"\nexit 1\n")[0].decode()
    assert f"\npython_version={VERSION}\n" in prelude and "@" not in prelude.replace('"$@"', "")
    assert len(prelude) < 6000


def test_of_pips_many_lines_one_tells_which_file_comes(capsys: pytest.CaptureFixture[str]) -> None:
    zipapp = load("zipapp")
    for line in (
        "Collecting av==18.1.0 (from -r cpu.txt (line 204))",
        "Downloading av-18.1.0-cp311.whl (35.8 MB)",
        "Ignoring av: markers",
    ):
        zipapp._show_file(line)
    assert capsys.readouterr().err == "\r\x1b[Kzipapp: av 18.1.0 (35.8 MB)\r"
