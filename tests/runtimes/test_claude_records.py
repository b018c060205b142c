"""What Claude Code's own files say: real lines of transcripts, growing, cut, replaced."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from clawmux.adapters.runtimes import claude_records
from clawmux.adapters.runtimes.claude_records import Tail, transcript_path
from clawmux.adapters.runtimes.records import Program, Records, open_records
from clawmux.wire.signs import Observation, Place, Sign, Taken
from clawmux.wire.words import Activity, Kind, Source

PID = 4711


def sign(activity: Activity, kind: Kind = Kind.NONE, detail: str = "") -> Sign:
    return Sign(Source.RECORD, activity, kind, detail)


def taken(text: str) -> Taken:
    return Taken(Source.RECORD, text)


IDLE, THINKING = sign(Activity.IDLE), sign(Activity.THINKING)


def told(text: str) -> dict[str, Any]:
    return {"type": "user", "message": {"role": "user", "content": text}}


def uses(tool: str, id: str = "u1", **given: str) -> dict[str, Any]:
    return {"type": "assistant", "message": {"content": [{"type": "tool_use", "id": id, "name": tool, "input": given}]}}


def result(id: str = "u1") -> dict[str, Any]:
    return {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": id, "content": "ok"}]}}


class Home:
    """What the program would have written."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / ".claude"
        self.work = folder / "my work"
        (self.home / "sessions").mkdir(parents=True)
        self.session = "5e55"
        self.file = transcript_path(self.home, str(self.work), self.session)
        self.file.parent.mkdir(parents=True)

    def records(self) -> Records:
        program = Program(PID, self.work, self.work, {"HOME": str(self.home.parent)})
        records = open_records("claude", program)
        assert records is not None
        return records

    def is_(self, status: str, **more: str) -> None:
        said = {"pid": PID, "sessionId": self.session, "cwd": str(self.work), "status": status, **more}
        (self.home / "sessions" / f"{PID}.json").write_text(json.dumps(said))

    def writes(self, *lines: dict[str, Any] | str) -> None:
        with self.file.open("a") as out:
            out.writelines(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        ("idle", {}, [IDLE]),
        ("shell", {}, [IDLE]),
        ("busy", {}, [THINKING]),
        ("waiting", {"waitingFor": "permission prompt"}, [sign(Activity.NEEDS_YOU, Kind.PERMISSION, "permission prompt")]),
        ("waiting", {"waitingFor": "dialog open"}, [sign(Activity.NEEDS_YOU, Kind.QUESTION, "dialog open")]),
        ("waiting", {}, [sign(Activity.NEEDS_YOU, Kind.QUESTION)]),
        ("something new", {}, []),
    ],
)
def test_the_status_file(home: Home, status: str, more: dict[str, str], expected: list[Observation]) -> None:
    home.is_(status, **more)
    assert home.records().look() == expected


def test_without_any_file_nothing_is_said(home: Home) -> None:
    assert home.records().look() == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"status": 5, "sessionId": []}', "\0\0", "[" * 9999])
def test_a_broken_status_file_says_nothing(home: Home, text: str) -> None:
    (home.home / "sessions" / f"{PID}.json").write_text(text)
    assert home.records().look() == []


def test_each_text_is_told_once_and_in_order(home: Home) -> None:
    records = home.records()
    home.is_("busy")
    home.writes(told("one"))
    assert records.look() == [taken("one"), THINKING]
    assert records.look() == [THINKING]
    queued = {"type": "queue-operation", "operation": "enqueue", "content": "while you work"}
    blocks = {
        "type": "user",
        "message": {"content": [{"type": "text", "text": "two"}, {"type": "image"}, {"type": "text", "text": "3"}]},
    }
    home.writes(queued, blocks, {"type": "queue-operation", "operation": "dequeue"})
    assert records.look() == [taken("while you work"), taken("two"), taken("3"), THINKING]


def test_what_is_not_the_users_is_not_told(home: Home) -> None:
    home.is_("idle")
    records = home.records()
    home.writes({**told("by the program"), "isMeta": True}, {**told("to a subagent"), "isSidechain": True}, result())
    home.writes("no json\n", "5\n", '{"type":"user","message":5}\n', '{"type":"assistant","message":{"content":[5]}}\n')
    assert records.look() == [IDLE]


def test_a_tool_that_runs_is_named_and_so_is_one_that_asks(home: Home) -> None:
    home.is_("busy")
    records = home.records()
    home.writes(told("go"), uses("Bash", command="ls -l"))
    assert records.look() == [taken("go"), sign(Activity.TOOL, detail="Bash")]
    home.is_("waiting", waitingFor="permission prompt")
    assert records.look() == [sign(Activity.NEEDS_YOU, Kind.PERMISSION, "Bash: ls -l")]
    home.writes(result())
    home.is_("busy")
    assert records.look() == [THINKING]


def test_an_interrupted_turn_ends_idle_until_the_next(home: Home) -> None:
    home.is_("busy")
    records = home.records()
    home.writes(told("go"), uses("Bash"))
    records.look()
    home.writes(told("[Request interrupted by user for tool use]"))
    home.is_("idle")
    assert records.look() == records.look() == [sign(Activity.IDLE, Kind.INTERRUPTED)]
    home.writes(told("again"))
    home.is_("busy")
    assert records.look() == [taken("again"), THINKING]
    home.is_("idle")
    assert records.look() == [IDLE]


@pytest.mark.parametrize(
    ("error", "activity", "kind"),
    [
        ("rate_limit", Activity.NEEDS_YOU, Kind.RATE_LIMIT),
        ("authentication_failed", Activity.NEEDS_YOU, Kind.LOGIN),
        ("server_error", Activity.IDLE, Kind.API_ERROR),
        ("new_error", Activity.IDLE, Kind.API_ERROR),
    ],
)
def test_a_turn_that_failed_says_why(home: Home, error: str, activity: Activity, kind: Kind) -> None:
    home.is_("idle")
    records = home.records()
    records.look()
    content = [{"type": "text", "text": "API Error:\n 500"}]
    home.writes(told("x"), {"type": "assistant", "isApiErrorMessage": True, "error": error, "message": {"content": content}})
    assert records.look() == [taken("x"), sign(activity, kind, "API Error: 500")]


def test_how_an_earlier_turn_ended_is_past_when_it_is_first_read(home: Home) -> None:
    """After a restart of the hub the texts matter still, an old interrupt does not."""
    home.is_("idle")
    home.writes(told("[MSG id:msg-1] hi"), told("[Request interrupted by user]"))
    assert home.records().look() == [taken("[MSG id:msg-1] hi"), IDLE]


def test_clear_begins_another_transcript(home: Home) -> None:
    records = home.records()
    home.is_("busy")
    home.writes(told("one"), uses("Bash"))
    records.look()
    home.session = "c1ea"
    home.file = home.file.with_name("c1ea.jsonl")
    home.is_("idle")
    assert records.look() == [IDLE]
    home.writes(told("two"))
    assert records.look() == [taken("two"), IDLE]


def test_a_hook_tells_the_place_before_the_status_file_does(home: Home, tmp_path: Path) -> None:
    records = home.records()
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_text(json.dumps(told("hi")) + "\n")
    records.placed(Place("5e55", str(elsewhere)))
    home.is_("idle")
    assert records.look() == [taken("hi"), IDLE]


def test_a_line_is_read_when_it_is_whole(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "t")
    assert tail.lines() == []
    tail.file.write_bytes(b'{"a":1}\n{"b"')
    assert tail.lines() == [b'{"a":1}']
    assert tail.lines() == []
    with tail.file.open("ab") as out:
        out.write(b":2}\n")
    assert tail.lines() == [b'{"b":2}']


def test_a_file_that_is_cut_or_replaced_is_read_anew(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "t")
    tail.file.write_bytes(b"one\ntwo\n")
    assert tail.lines() == [b"one", b"two"]
    os.truncate(tail.file, 0)
    assert tail.lines() == []
    (tmp_path / "new").write_bytes(b"three\nfour\nfive\n")
    (tmp_path / "new").replace(tail.file)
    assert tail.lines() == [b"three", b"four", b"five"]


@pytest.mark.parametrize("sort", ["a pipe", "a folder", "a terminal", "no name of a file", "too long a name", "without an end"])
def test_what_is_no_file_has_no_lines_and_is_not_waited_for(tmp_path: Path, sort: str) -> None:
    """A hook names the file, and anybody in the session can run that."""
    place = tmp_path / "place"
    if sort == "a pipe":
        os.mkfifo(place)
    elif sort == "a folder":
        place.mkdir()
    others = {
        "a terminal": Path("/dev/tty"),
        "no name of a file": Path("/x\0y"),
        "too long a name": tmp_path / ("x" * 5000),
        "without an end": Path("/dev/zero"),
    }
    assert Tail(others.get(sort, place)).lines() == []


def test_a_look_reads_no_more_than_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claude_records, "LOOK_BYTES", 64)
    tail = Tail(tmp_path / "t")
    tail.file.write_bytes(b"x" * 1000 + b"\nlast\n")
    assert tail.lines()[-1] == b"last"
    with tail.file.open("ab") as out:
        out.write(b"y" * 200)
    assert tail.lines() == tail.lines() == []
    with tail.file.open("ab") as out:
        out.write(b"\nnew\n")
    assert tail.lines()[-1] == b"new"


def test_another_folder_of_the_programs_own(home: Home) -> None:
    home.is_("busy")
    program = Program(PID, home.work, home.work, {"HOME": "/nowhere", "CLAUDE_CONFIG_DIR": str(home.home)})
    records = open_records("claude", program)
    assert records is not None and records.look() == [THINKING]


def test_a_program_that_another_one_has_started_is_found_by_its_session(home: Home) -> None:
    home.is_("busy")
    (home.home / "sessions" / "1.json").write_text('{"sessionId": "other", "status": "idle"}')
    (home.home / "sessions" / f"{PID}.json").rename(home.home / "sessions" / "2.json")
    records = home.records()
    assert records.look() == []
    records.placed(Place(home.session, str(home.file)))
    assert records.look() == records.look() == [THINKING]
    (home.home / "sessions" / "2.json").unlink()
    assert records.look() == []


def test_an_unknown_reader_reads_nothing(home: Home) -> None:
    assert open_records("", Program(PID, home.work, home.work, {})) is None
