"""The installer's decisions, without installing: where things go, what is done already, what is named when it is missing."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from clawmux.wire.cli import VERBS
from clawmux.wire.errors import ERRORS, ClawMuxError
from installer import place, plan, programs, removal, steps
from installer.__main__ import install, one_at_a_time

ROOT = Path(__file__).parents[2]


def test_a_changed_file_is_a_new_version(checkout: Path, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    before = place.find(checkout, environ).version
    page = checkout / "static" / "probe.txt"
    page.write_text("changed", encoding="utf-8")
    changed = place.find(checkout, environ).version
    page.unlink()
    assert changed != before == place.find(checkout, environ).version


def test_a_prefix_holds_the_program_and_leaves_data_where_it_is(checkout: Path, tmp_path: Path) -> None:
    found = place.find(checkout, {"HOME": str(tmp_path)}, tmp_path / "opt")
    assert found.launcher == tmp_path / "opt/bin/clawmux"
    assert found.program == tmp_path / "opt/share/clawmux"
    assert found.data.data == tmp_path / ".local/share/clawmux"


def test_models_are_a_step_of_their_own(checkout: Path, tmp_path: Path) -> None:
    found = place.find(checkout, {"HOME": str(tmp_path)})
    titles = [step.title for step in plan.make(found, plan.Choices())]
    assert [step.title for step in plan.make(found, plan.Choices(models=False))] == titles[:-1]
    assert "speech models" in titles[-1]


def test_missing_models_do_not_keep_the_hub_from_starting(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A network without the models' hosts: the page works in text until the hub has them."""
    found = place.find(checkout, {"HOME": str(tmp_path)})
    found.launcher.parent.mkdir(parents=True)
    found.launcher.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\ntest "$1" = start\n', encoding="utf-8")
    found.launcher.chmod(0o700)
    models = plan.make(found, plan.Choices())[-1:]
    monkeypatch.setattr(plan, "make", lambda place, choices: models)
    assert install(found, plan.Choices(start=True)) == ERRORS["download_failed"].exit_code
    assert (tmp_path / "calls").read_text(encoding="utf-8").splitlines() == ["models pull --set tiny", "status", "start"]
    said = capsys.readouterr().err
    assert "the speech models could not be fetched" in said
    assert "Start it with" not in said


@pytest.mark.parametrize(
    ("manager", "line"),
    [
        ("apt-get", "sudo apt-get install tmux"),
        ("brew", "brew install tmux"),
        ("apk", "sudo apk add tmux"),
        ("", "package manager"),
    ],
)
def test_the_right_command_is_named(manager: str, line: str) -> None:
    assert line in programs.install_line("tmux", lambda name: name if name == manager else None)


def test_a_python_that_cannot_make_environments_is_told_early() -> None:
    with pytest.raises(ClawMuxError, match="cannot make environments") as caught:
        programs.check_venv(lambda name: None)
    assert caught.value.code == "missing_program" and f"python3.{sys.version_info[1]}-venv" in caught.value.remedy


def test_the_launcher_sends_what_agents_say_to_the_client() -> None:
    template = (ROOT / "build/launcher.sh").read_text(encoding="utf-8")
    [line] = [line for line in template.splitlines() if line.startswith("    converse ")]
    # An owner's `clawmux status` shows everything; an agent's own launcher is another one.
    assert {word.strip() for word in line.split(")")[0].split("|")} == set(VERBS) - {"status"}


def test_a_foreign_launcher_is_neither_overwritten_nor_removed(checkout: Path, tmp_path: Path) -> None:
    found = place.find(checkout, {"HOME": str(tmp_path)})
    found.launcher.parent.mkdir(parents=True)
    found.launcher.write_text("#!/bin/sh\n", encoding="utf-8")
    with pytest.raises(ClawMuxError, match="not from this installer"):
        steps.write_launcher(found)
    assert removal.find(found, keep_data=False) == []


def test_a_switch_keeps_the_version_before_and_sweeps_older_ones(checkout: Path, tmp_path: Path) -> None:
    found = place.find(checkout, {"HOME": str(tmp_path)})
    for name in ("one", "two", "three"):
        (found.versions / name).mkdir(parents=True)
        steps.switch(replace(found, version=name))
        assert steps.is_current(replace(found, version=name)) and not steps.is_current(found)
    assert sorted(folder.name for folder in found.versions.iterdir()) == ["three", "two"]
    assert sorted(path.name for path in found.program.iterdir()) == ["current", "versions"]


def test_a_second_installation_waits_for_the_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    released = threading.Event()

    def second() -> None:
        with one_at_a_time(tmp_path / "install.lock"):
            assert released.is_set()

    with ThreadPoolExecutor(1) as pool:
        with one_at_a_time(tmp_path / "install.lock"):
            waiting = pool.submit(second)
            deadline = time.monotonic() + 10
            while "waiting for it" not in capsys.readouterr().err and time.monotonic() < deadline:
                time.sleep(0.01)
            released.set()
        waiting.result(timeout=10)


def test_too_little_room_is_said_before_anything_is_written(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "ENVIRONMENT_BYTES", 1 << 60)
    found = place.find(checkout, {"HOME": str(tmp_path)})
    with pytest.raises(ClawMuxError, match="MB are needed"):
        steps.make_version(found)
    assert list(tmp_path.iterdir()) == []


def test_the_copy_holds_the_same_files_as_the_wheel(checkout: Path, tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=checkout, check=True, capture_output=True, timeout=120)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert set(place.find(checkout, {"HOME": str(tmp_path)}).package_files()) == inside
