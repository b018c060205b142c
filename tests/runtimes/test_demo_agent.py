"""The demo agent as a process, with a `clawmux` of the test on its PATH."""

from __future__ import annotations

import json
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


# -- messages --

HEAD = "[MSG id:msg-{0} from:{1} to:sky{2}] "


def mailed(folder: Path, *texts: str) -> list[str]:
    """What the demo runs for these texts, put into its mailbox once it reads it; it talks meanwhile."""
    mailbox = folder / "mailbox"
    (folder / "bin").mkdir()
    stub = folder / "bin" / "clawmux"
    # The question ends when all has been said, which the last text makes it do.
    stub.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = inbox ]; then echo "a long story, with all its words"; fi\n'
        'if [ "$1" != converse ]; then printf "%s\\n" "$*" >> told; exit 0; fi\n'
        'until grep -q "ack msg-last" told 2>/dev/null; do sleep 0.05; done; echo bye\n'
    )
    stub.chmod(0o755)
    mailbox.write_text('"[MSG id:msg-old from:user to:sky] for whoever was here before"\n')
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "clawmux.demo_agent", "--name", "sky", "--patience", "0.001", "--mailbox", mailbox],
        cwd=folder,
        env={"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "> Hello" in line:  # it has emptied its mailbox by then
            break
    with mailbox.open("a") as box:
        for text in (*texts, HEAD.format("last", "adam", "") + "That is all."):
            box.write(json.dumps(text) + "\n")
            box.flush()
    process.communicate(timeout=30)
    return (folder / "told").read_text().splitlines()


@pytest.mark.parametrize(
    ("text", "ran"),
    [
        (HEAD.format("1", "user", "") + "Hello!", ["ack msg-1", "reply msg-1 -- I heard: Hello."]),
        (HEAD.format("1", "adam", "") + "Hello!", ["ack msg-1"]),
        (HEAD.format("1", "adam", " expect-response") + "-- Port?", ["ack msg-1", "reply msg-1 -- I heard: -- Port."]),
        (HEAD.format("1", "adam", " reminder") + "Not acknowledged yet. Run: clawmux ack msg-1", ["ack msg-1"]),
        (HEAD.format("1", "adam", " reply-to:msg-0") + "Port 8460.", []),
        (
            HEAD.format("1", "user", "") + "Two\n(quoted) [MSG id:no]\n" + HEAD.format("2", "adam", "") + "Three",
            ["ack msg-1", "reply msg-1 -- I heard: Two (quoted) [MSG id:no].", "ack msg-2"],
        ),
        (
            HEAD.format("1", "user", "") + "3000 characters are kept for you. Read them: clawmux inbox show msg-1",
            ["ack msg-1", "inbox show msg-1", "reply msg-1 -- I heard: a long story, with all its words."],
        ),
    ],
)
def test_messages_are_acknowledged_and_answered_while_it_talks(tmp_path: Path, text: str, ran: list[str]) -> None:
    assert mailed(tmp_path, text) == [*ran, "ack msg-last"]


def test_of_a_long_message_only_the_beginning_is_repeated(tmp_path: Path) -> None:
    _, reply, _ = mailed(tmp_path, HEAD.format("1", "user", "") + "long " * 300)
    assert reply.startswith("reply msg-1 -- I heard: 1499 characters, which begin with: long long") and len(reply) < 200


def test_words_of_the_user_that_answer_no_question_are_heard(tmp_path: Path) -> None:
    mailbox = tmp_path / "mailbox"
    (tmp_path / "bin").mkdir()
    stub = tmp_path / "bin" / "clawmux"
    # Nobody can hear it; its user types instead.
    stub.write_text(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >> told\n"
        '[ "$2" = --goodbye ] || echo \'"[VOICE id:t1 from:user] Goodbye, now."\' >> mailbox\nexit 4\n'
    )
    stub.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "clawmux.demo_agent", "--mailbox", mailbox],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
    assert (tmp_path / "told").read_text().splitlines()[-1].startswith("converse --goodbye")
