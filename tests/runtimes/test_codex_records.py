"""What Codex writes about itself: lines as they stand in real rollouts of 0.169, growing, broken, moved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clawmux.adapters.runtimes import codex_records
from clawmux.adapters.runtimes.codex_records import CodexRecords, Rollout, rollout_of, thread_of
from clawmux.wire.signs import Observation, Place, Sign, Taken, ToolFailed
from clawmux.wire.words import Activity, Kind, Source

THREAD = "01a1ff2e-e3d4-7810-9ae0-b371d899597b"


def sign(activity: Activity, kind: Kind = Kind.NONE, detail: str = "") -> Sign:
    return Sign(Source.RECORD, activity, kind, detail)


IDLE, THINKING = sign(Activity.IDLE), sign(Activity.THINKING)
INTERRUPTED = sign(Activity.IDLE, Kind.INTERRUPTED)


def line(type_: str, payload: Any) -> bytes:
    return json.dumps({"timestamp": "2026-11-21T17:37:05Z", "ordinal": 1, "type": type_, "payload": payload}).encode()


def event(name: str, **more: Any) -> bytes:
    return line("event_msg", {"type": name, "turn_id": "t1", **more})


STARTED = event("task_started", started_at=1)
ENDED = event("task_complete", last_agent_message="Done.", error=None)
ABORTED = event("turn_aborted", reason="interrupted")
CALL = line("response_item", {"type": "function_call", "name": "exec_command", "call_id": "c1", "arguments": "{}"})
OUTPUT = line("response_item", {"type": "function_call_output", "call_id": "c1", "output": "ok"})
TOLD = event("item_completed", item={"type": "UserMessage", "content": [{"type": "text", "text": "[MSG id:msg-1 …] hello"}]})


def ran(use: str, status: str) -> bytes:
    return event("item_completed", item={"type": "CommandExecution", "id": use, "status": status, "exit_code": 3})


def test_a_command_that_failed_is_told_of() -> None:
    """Its hook tells of the end, and not what it came to."""
    reading = Rollout()
    assert reading.read(ran("call_1", "failed")) == [ToolFailed("call_1")]
    assert reading.read(ran("call_2", "completed")) == []


def failed(message: str, info: Any) -> bytes:
    return event("task_complete", error={"message": message, "codex_error_info": info})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        ([STARTED], THINKING),
        # It runs, or waits for leave: the file does not tell, so it says nothing.
        ([STARTED, CALL], None),
        ([STARTED, CALL, OUTPUT], THINKING),
        ([STARTED, CALL, OUTPUT, ENDED], IDLE),
        ([STARTED, CALL, ABORTED], INTERRUPTED),
        ([STARTED, ABORTED, STARTED], THINKING),
        ([STARTED, ENDED], IDLE),
        ([STARTED, failed("Too many.", {"response_too_many_failed_attempts": {"http_status_code": 429}})],
         sign(Activity.NEEDS_YOU, Kind.RATE_LIMIT, "Too many.")),
        ([STARTED, failed("Who?", {"http_connection_failed": {"http_status_code": 401}})],
         sign(Activity.NEEDS_YOU, Kind.LOGIN, "Who?")),
        ([STARTED, failed("Used up.", "usage_limit_exceeded")], sign(Activity.NEEDS_YOU, Kind.RATE_LIMIT, "Used up.")),
        ([STARTED, failed("Broken\n  pipe.", "internal_server_error")], sign(Activity.IDLE, Kind.API_ERROR, "Broken pipe.")),
        ([STARTED, failed("x" * 1000, None)], sign(Activity.IDLE, Kind.API_ERROR, "x" * 300)),
    ],
)  # fmt: skip
def test_what_a_rollout_says(lines: list[bytes], expected: Sign | None) -> None:
    reading = Rollout()
    for one in lines:
        reading.read(one)
    assert reading.sign == expected


@pytest.mark.parametrize(
    "broken",
    [b"", b"\xff", b"[]", b"null", b'{"payload": 1}', b'{"payload": {"type": 1}}', b'{"payload": {"type": "item_completed"}}',
     event("item_completed", item={"type": "UserMessage", "content": 1}), event("task_complete", error="no"), b"[" * 100_000],
)  # fmt: skip
def test_a_line_that_is_not_understood_says_nothing(broken: bytes) -> None:
    reading = Rollout()
    reading.read(STARTED)
    assert reading.read(broken) in ([], [Taken(Source.RECORD, "")])
    assert reading.sign in (THINKING, IDLE)


@pytest.fixture
def rollout(tmp_path: Path) -> Path:
    file = tmp_path / f"rollout-2026-11-21T17-37-05-{THREAD}.jsonl"
    file.write_bytes(line("session_meta", {"id": THREAD, "source": "cli"}) + b"\n")
    return file


def write(file: Path, *lines: bytes) -> None:
    with file.open("ab") as out:
        out.write(b"".join(one + b"\n" for one in lines))


def test_it_is_found_among_the_open_files_and_read_as_it_grows(rollout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subagent = rollout.with_name(f"rollout-2026-11-21T18-00-00-{THREAD[::-1]}.jsonl")
    subagent.write_bytes(line("session_meta", {"source": {"subagent": {}}}) + b"\n")
    other = [str(rollout.parent / "state.sqlite"), str(subagent), str(rollout), str(rollout)]
    monkeypatch.setattr(codex_records, "open_files", lambda pid: other)
    assert rollout_of(1) == rollout and thread_of(rollout) == THREAD
    records = CodexRecords(1)
    assert records.look() == [Place(THREAD, str(rollout))]
    write(rollout, STARTED, TOLD)
    taken: list[Observation] = [Taken(Source.RECORD, "[MSG id:msg-1 …] hello"), THINKING]
    assert records.look() == taken
    assert records.look() == [THINKING]
    with rollout.open("ab") as out:
        out.write(ENDED[:20])
    assert records.look() == [THINKING]
    with rollout.open("ab") as out:
        out.write(ENDED[20:] + b"\n")
    assert records.look() == [IDLE]


def test_a_hook_may_name_another_one(rollout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codex_records, "open_files", lambda pid: [])
    records = CodexRecords(1)
    assert records.look() == []
    write(rollout, STARTED)
    records.placed(Place(THREAD, str(rollout)))
    assert records.look() == [THINKING]
    records.placed(Place(THREAD, str(rollout)))
    assert records.look() == [THINKING], "the same place again changes nothing"
    records.placed(Place("other", str(rollout.with_name("gone.jsonl"))))
    assert records.look() == []
    records.close()
    assert records.look() == []
