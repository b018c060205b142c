"""tmux: its version by a table, and a message typed into a real pane of a private server."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest

from clawmux.checks import terminal
from clawmux.doctor.examination import CHECKS, look
from clawmux.finding import Verdict
from tests.doctor.conftest import AddProgram, MakeScene

TMUX = next(check for check in CHECKS if check.name == "tmux")


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        ("tmux 3.3a", Verdict.OK),
        ("tmux 3.2", Verdict.OK),
        ("tmux next-3.6", Verdict.OK),
        ("tmux openbsd-7.4", Verdict.OK),
        ("tmux openbsd-2.1", Verdict.OK),
        ("tmux master", Verdict.OK),
        ("tmux 3.1c", Verdict.WARN),
        ("tmux 2.9", Verdict.WARN),
    ],
)
def test_versions(told: str, verdict: Verdict) -> None:
    finding = terminal.judge_version(told, "/usr/bin/tmux")
    assert finding.verdict is verdict and told in finding.detail
    assert bool(finding.remedy) == (verdict is Verdict.WARN)


def test_the_real_tmux_is_found(scene: MakeScene) -> None:
    [finding] = look(TMUX, scene())
    assert finding.verdict is Verdict.OK and "tmux" in finding.detail


def test_a_missing_tmux_is_named_with_its_package(
    scene: MakeScene, program: AddProgram, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("apt-get", "exit 0")
    monkeypatch.setenv("PATH", str(home / "programs"))
    [finding] = look(TMUX, scene())
    assert finding.verdict is Verdict.FAIL
    assert finding.remedy == "Install it: sudo apt-get install -y tmux"
    [finding] = terminal.typing(scene())
    assert finding.verdict is Verdict.SKIP


@pytest.mark.parametrize(
    ("script", "words"),
    [("echo broken library >&2; exit 127", "exit status 127"), ("kill -ILL $$", "signal 4"), ("sleep 60", "in time")],
)
def test_a_tmux_that_does_not_run(
    scene: MakeScene, program: AddProgram, monkeypatch: pytest.MonkeyPatch, script: str, words: str
) -> None:
    monkeypatch.setattr(terminal, "VERSION_SECONDS", 0.3)
    program("tmux", script)
    [finding] = look(TMUX, scene())
    assert finding.verdict is Verdict.FAIL and words in finding.detail


def test_a_message_arrives_exactly_and_nothing_is_left(scene: MakeScene, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(home / "tmp"))
    [finding] = terminal.typing(scene())
    assert finding.verdict is Verdict.OK, finding
    assert "3 lines" in finding.detail
    assert list((home / "tmp").iterdir()) == []
    running = subprocess.run(["ps", "-e", "-o", "args"], capture_output=True, text=True, check=True, timeout=10).stdout
    assert str(home / "tmp") not in running, "the private server has ended"


@pytest.mark.parametrize("script", ["exit 1", 'case "$*" in *-server*) exec /usr/bin/tmux "$@" ;; *) exit 1 ;; esac'])
def test_a_tmux_that_refuses_to_work(scene: MakeScene, program: AddProgram, script: str) -> None:
    """One that does not start, and the real one with everything refused but its start and its end."""
    program("tmux", script)
    [finding] = terminal.typing(scene())
    assert finding.verdict is Verdict.FAIL and "private tmux" in finding.detail


@pytest.mark.parametrize(
    "change", [lambda m: m[:100], lambda m: m.replace("  Second", "Second"), lambda m: "", lambda m: m + "x"]
)
def test_a_message_that_came_changed(change: object) -> None:
    assert callable(change)
    finding = terminal.judge_arrived(change(terminal.MESSAGE), 0.1)
    assert finding.verdict is Verdict.FAIL and "changed from character" in finding.detail


def test_the_blank_that_keeps_menus_shut_is_no_change() -> None:
    assert terminal.judge_arrived(terminal.MESSAGE + " ", 0.1).verdict is Verdict.OK
