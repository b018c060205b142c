"""The demo agent as a process, with a `clawmux` of the test on its PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from clawmux.demo_agent import SETBACKS, answer
from clawmux.wire.errors import ERRORS

CHECKOUT = Path(__file__).parent.parent.parent

# Takes the next file of answers/ as its behaviour and writes down what it was told.
STUB = """#!/bin/sh
shift
printf '%s\\n' "$*" >> told
next=$(ls answers | head -n 1)
. "./answers/$next"
rm "./answers/$next"
exit "${code-0}"
"""


@dataclass(frozen=True, slots=True)
class Played:
    exit_code: int
    told: list[str]
    log: str


def play(folder: Path, *answers: str) -> Played:
    """Run the demo to its end; each answer is a few lines of shell for one `clawmux converse`."""
    (folder / "answers").mkdir()
    for number, lines in enumerate(answers):
        (folder / "answers" / f"{number:03}").write_text(lines)
    (folder / "bin").mkdir()
    (folder / "bin" / "clawmux").write_text(STUB)
    (folder / "bin" / "clawmux").chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "clawmux.demo_agent", "--name", "sky", "--patience", "0.001"],
        cwd=folder,
        env={"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    told = folder / "told"
    return Played(done.returncode, told.read_text().splitlines() if told.exists() else [], done.stdout)


def test_a_conversation(tmp_path: Path) -> None:
    played = play(tmp_path, "echo Nice to meet you.", "echo list your folder", "echo Goodbye", "")
    assert played.exit_code == 0
    assert played.told == [
        "Hello, I am Sky. What shall I do?",
        "I heard: Nice to meet you. What else?",
        "My folder has 3 entries: answers, bin, told. What else?",
        "--goodbye Goodbye. It was nice to talk to you.",
    ]
    assert "> Hello, I am Sky." in played.log and "< Nice to meet you." in played.log


@pytest.mark.parametrize("code", sorted(SETBACKS))
def test_a_setback_is_waited_out(tmp_path: Path, code: int) -> None:
    played = play(tmp_path, f"echo why >&2; code={code}", f"code={code}", "echo bye", "")
    assert played.exit_code == 0
    asked = SETBACKS[code].say or "Hello, I am Sky. What shall I do?"
    assert played.told[1:3] == [asked, asked]
    assert SETBACKS[code].log in played.log and "why" in played.log


def test_nothing_on_stdout_is_nothing_heard(tmp_path: Path) -> None:
    assert play(tmp_path, "", "echo bye", "").told[1] == SETBACKS[5].say


def test_near_a_time_limit_it_resumes(tmp_path: Path) -> None:
    resume = "echo 'still listening; run: clawmux converse --resume abc123' >&2; code=9"
    assert play(tmp_path, resume, resume, "echo bye", "").told[1:3] == ["--resume abc123", "--resume abc123"]


@pytest.mark.parametrize("code", [1, 2, 10, 11, 12])
def test_what_waiting_does_not_mend_ends_it_with_the_same_code(tmp_path: Path, code: int) -> None:
    played = play(tmp_path, f"echo the reason >&2; code={code}")
    assert played.exit_code == code and "the reason" in played.log


def test_a_goodbye_that_nobody_hears_is_still_the_end(tmp_path: Path) -> None:
    assert play(tmp_path, "echo stop", "code=4").exit_code == 0


def test_without_a_clawmux_it_says_so(tmp_path: Path) -> None:
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "clawmux.demo_agent"],
        cwd=tmp_path, env={"PATH": str(tmp_path), "PYTHONPATH": str(CHECKOUT)},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 127 and "cannot be run" in done.stdout


def test_every_code_of_the_table_is_a_code_of_ours() -> None:
    assert set(SETBACKS) <= {row.exit_code for row in ERRORS.values()}


@pytest.mark.parametrize(
    ("words", "said", "ends"),
    [
        ("Please list the files.", "My folder is empty. What else?", False),
        ("What is in this directory?", "My folder is empty. What else?", False),
        ("Goodbye!", "Goodbye. It was nice to talk to you.", True),
        ("good bye then", "Goodbye. It was nice to talk to you.", True),
        ("Fix the bicycle bytes.", "I heard: Fix the bicycle bytes. What else?", False),
        ("Really?", "I heard: Really. What else?", False),
    ],
)
def test_answer(tmp_path: Path, words: str, said: str, ends: bool) -> None:
    assert answer(words, tmp_path) == (said, ends)


def test_a_full_folder_is_cut_and_an_unreadable_one_named(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"f{number}").touch()
    (tmp_path / ".hidden").touch()
    assert "10 entries: f0, f1, f2, f3, f4, f5, f6, f7 and 2 more." in answer("list", tmp_path)[0]
    assert "cannot read" in answer("list", tmp_path / "none")[0]
