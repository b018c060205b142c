"""What an agent does with its tools, gathered to bursts."""

from __future__ import annotations

import time

import pytest

from clawmux.core.work import LONG_SECONDS, MOST_ITEMS, MOST_RUNNING, Burst, Work, is_talk
from clawmux.wire.signs import ToolBegan, ToolEnded, ToolFailed


def item(tool: str, detail: str, seconds: float, ok: bool = True) -> dict[str, object]:
    return {"tool": tool, "detail": detail, "seconds": seconds, "ok": ok}


def test_a_burst_is_taken_once_and_holds_what_has_ended() -> None:
    work = Work()
    work.began(ToolBegan("u1", "Read", "a.py"), 10.0)
    work.began(ToolBegan("u2", "Bash", "make"), 10.5)
    work.ended(ToolEnded("u2", "Bash", False), 12.0)
    work.ended(ToolEnded("u1", "Read", True), 14.0)
    work.began(ToolBegan("u3", "Edit", "a.py"), 14.0)
    assert work.take() == Burst((item("Bash", "make", 1.5, False), item("Read", "a.py", 4.0)), 4.0, 0)
    assert work.take() is None
    work.ended(ToolEnded("u3", "Edit", True), 15.0)
    assert work.take() == Burst((item("Edit", "a.py", 1.0),), 1.0, 0)


def test_an_end_without_its_id_is_that_of_the_oldest_of_its_name() -> None:
    work = Work()
    work.began(ToolBegan("u1", "Read", "a"), 0.0)
    work.began(ToolBegan("u2", "Read", "b"), 0.0)
    work.ended(ToolEnded("Read", "Read", True), 1.0)
    work.ended(ToolEnded("u9", "Bash", True), 1.0)
    burst = work.take()
    assert burst is not None and [done["detail"] for done in burst.items] == ["a"]


def test_one_that_failed_is_told_so_whichever_comes_first() -> None:
    work = Work()
    work.began(ToolBegan("u1", "Bash", "make"), 0.0)
    work.failed(ToolFailed("u1"))
    work.ended(ToolEnded("u1", "Bash", True), 1.0)
    work.began(ToolBegan("u2", "Bash", "make"), 1.0)
    work.ended(ToolEnded("u2", "Bash", True), 2.0)
    work.failed(ToolFailed("u2"))
    work.failed(ToolFailed("u9"))
    assert work.take() == Burst((item("Bash", "make", 1.0, False), item("Bash", "make", 1.0, False)), 2.0, 0)
    work.failed(ToolFailed("u2"))
    work.began(ToolBegan("u1", "Bash", "make"), 3.0)
    work.ended(ToolEnded("u1", "Bash", True), 4.0)
    assert work.take() == Burst((item("Bash", "make", 1.0),), 1.0, 0)


def test_what_runs_when_the_agent_rests_was_stopped() -> None:
    work = Work()
    work.began(ToolBegan("u1", "Bash", "sleep 99"), 0.0)
    work.stopped(3.0)
    work.ended(ToolEnded("u1", "Bash", True), 4.0)
    assert work.take() == Burst((item("Bash", "sleep 99", 3.0, False),), 3.0, 0)


def test_a_burst_is_bounded() -> None:
    work = Work()
    for number in range(MOST_ITEMS + 5):
        work.began(ToolBegan(f"u{number}", "Read"), 0.0)
        work.ended(ToolEnded(f"u{number}", "Read", True), 1.0)
    burst = work.take()
    assert burst is not None and (len(burst.items), burst.left) == (MOST_ITEMS, 5)
    for number in range(MOST_RUNNING + 5):
        work.began(ToolBegan(f"v{number}", "Read"), 0.0)
    work.stopped(1.0)
    burst = work.take()
    assert burst is not None and (len(burst.items), burst.left) == (MOST_RUNNING, 0)


def test_a_long_burst_is_due_between_two_tools() -> None:
    work = Work()
    work.began(ToolBegan("u1", "Bash"), 0.0)
    assert not work.is_long(LONG_SECONDS + 1)
    work.ended(ToolEnded("u1", "Bash", True), LONG_SECONDS)
    assert not work.is_long(LONG_SECONDS)
    work.began(ToolBegan("u2", "Bash"), LONG_SECONDS)
    assert not work.is_long(LONG_SECONDS + 1)
    work.ended(ToolEnded("u2", "Bash", True), LONG_SECONDS + 1)
    assert work.is_long(LONG_SECONDS + 1)


@pytest.mark.parametrize(
    ("tool", "detail", "expected"),
    [
        ("Bash", "clawmux converse 'All done'", True),
        ("Bash", "cat note.txt | clawmux send --to adam -", True),
        ("shell", '"/tmp/x y/bin/clawmux" reply 1 ok', False),  # no way of telling where the path ends
        ("shell", '"/tmp/x/bin/clawmux" reply 1 ok', True),
        ("mcp__clawmux__converse", "", True),
        ("mcp__clawmuxish", "", False),
        ("Bash", "cd clawmux && make", False),
        ("Bash", "grep -r clawmux .", False),
        ("Read", "/home/ann/clawmux/notes.md", False),
    ],
)
def test_talk_is_no_work(tool: str, detail: str, expected: bool) -> None:
    assert is_talk(tool, detail) is expected


@pytest.mark.parametrize("sign", ["&", ";", "| ", "a/", ";x/"])
def test_no_command_takes_long(sign: str) -> None:
    started = time.process_time()
    is_talk("Bash", sign * 30_000)
    assert time.process_time() - started < 1
