"""Agent programs on PATH: their versions, their faults, and that nothing but ``--version`` is ever asked of them."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from clawmux.adapters.runtimes.manifest import Runtime
from clawmux.checks import runtimes as checks
from clawmux.finding import Finding, Verdict
from tests.doctor.conftest import AddProgram, MakeScene
from tests.waiting import until


def found(scene: MakeScene, **facts: object) -> dict[str, Finding]:
    return {finding.what: finding for finding in checks.runtimes(scene(**facts))}


def test_a_version_is_told_and_nothing_else_is_asked(scene: MakeScene, program: AddProgram, home: Path) -> None:
    file = program("claude", f'echo "$@" >> {home}/asked; [ -t 0 ] && echo terminal >> {home}/asked; echo "2.1.0 (Claude Code)"')
    finding = found(scene)["Claude Code"]
    assert (finding.verdict, finding.detail) == (Verdict.OK, f"2.1.0 (Claude Code), {file}.")
    assert (home / "asked").read_text() == "--version\n"


def test_what_is_typed_to_the_doctor_is_not_read(scene: MakeScene, program: AddProgram) -> None:
    """Whoever pipes something into a script that runs the doctor loses none of it."""
    program("claude", "read -r line; echo 2.1.0 $line")
    reading, writing = os.pipe()
    os.write(writing, b"words for somebody else\n")
    before = os.dup(0)
    os.dup2(reading, 0)
    try:
        assert found(scene)["Claude Code"].detail.startswith("2.1.0, ")
    finally:
        os.dup2(before, 0)
        for descriptor in (before, reading, writing):
            os.close(descriptor)


def test_none_is_installed_yet(scene: MakeScene, program: AddProgram) -> None:
    findings = found(scene)
    assert {finding.verdict for finding in findings.values()} == {Verdict.SKIP}
    assert "npm install -g @anthropic-ai/claude-code" in findings["agents.runtime"].remedy


@pytest.mark.parametrize(
    ("script", "deep", "verdict", "words"),
    [
        ("echo Cannot find module >&2; exit 1", False, Verdict.WARN, "exit status 1: Cannot find module"),
        ("kill -ILL $$", False, Verdict.WARN, "signal 4 (illegal instruction)"),
        ("sleep 60", False, Verdict.OK, "within 0.2 s"),
        ("sleep 60", True, Verdict.WARN, "within 0.3 s"),
    ],
)
def test_a_program_that_does_not_tell_its_version(
    scene: MakeScene, program: AddProgram, monkeypatch: pytest.MonkeyPatch, script: str, deep: bool, verdict: Verdict, words: str
) -> None:
    monkeypatch.setattr(checks, "QUICK_SECONDS", 0.2)
    monkeypatch.setattr(checks, "DEEP_SECONDS", 0.3)
    program("codex", script)
    finding = found(scene, deep=deep)["Codex"]
    assert finding.verdict is verdict and words in finding.detail


def test_a_program_that_cannot_be_started(scene: MakeScene, program: AddProgram) -> None:
    program("codex", "").write_bytes(b"\x7fELF of another machine")
    finding = found(scene)["Codex"]
    assert finding.verdict is Verdict.FAIL and "cannot be started" in finding.detail


async def test_a_child_that_is_left_behind_holds_nobody_up_and_is_ended(
    scene: MakeScene, program: AddProgram, home: Path
) -> None:
    program("codex", f"sleep 60 & echo $! > {home}/child; echo 1.0")
    assert found(scene)["Codex"].detail.startswith("1.0, ")
    await until(lambda: has_ended(int((home / "child").read_text())))


def has_ended(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_a_broken_manifest_is_named(scene: MakeScene, program: AddProgram) -> None:
    place = scene().paths.user_runtimes
    place.mkdir(parents=True)
    (place / "mine.toml").write_text("title = 7\n")
    finding = found(scene)["runtime mine"]
    assert finding.verdict is Verdict.FAIL and "mine.toml" in finding.detail


KNOWN = {name: Runtime(name, name.title(), name, "first_contact", install=f"get {name}") for name in ("claude", "codex")}


@pytest.mark.parametrize(
    ("chosen", "missing", "verdict", "remedy"),
    [
        ("claude", set(), None, ""),
        ("claude", {"codex"}, None, ""),
        ("claude", {"claude"}, Verdict.WARN, "Run: clawmux settings set agents.runtime codex"),
        ("claude", {"claude", "codex"}, Verdict.SKIP, "For Claude: get claude. Until then: clawmux spawn --runtime demo"),
        ("codex", {"claude", "codex"}, Verdict.WARN, "Install it: get codex"),
        ("gone", set(), Verdict.WARN, "Run: clawmux settings set agents.runtime NAME"),
    ],
)
def test_what_new_agents_run(chosen: str, missing: set[str], verdict: Verdict | None, remedy: str) -> None:
    findings = checks.judge_choice(chosen, KNOWN, missing)
    assert [(finding.verdict, finding.remedy) for finding in findings] == ([(verdict, remedy)] if verdict else [])
