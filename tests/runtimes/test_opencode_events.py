"""What OpenCode's events say: as they come from the real 1.18, in its order, cut and strange."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from clawmux.adapters.runtimes.opencode_events import MOST_MESSAGES, OpenCodeEvents
from clawmux.wire.signs import Observation, Place, Sign, Taken, ToolBegan, ToolEnded
from clawmux.wire.words import Activity, Kind, Source

OURS = "ses_ours"


def sign(activity: Activity, kind: Kind = Kind.NONE, detail: str = "", request: str = "") -> Sign:
    return Sign(Source.RECORD, activity, kind, detail, request)


IDLE, THINKING = sign(Activity.IDLE), sign(Activity.THINKING)


def event(type_: str, **properties: Any) -> dict[str, Any]:
    return {"id": "evt_1", "type": type_, "properties": properties}


def status(type_: str, session: str = OURS, **more: Any) -> dict[str, Any]:
    return event("session.status", sessionID=session, status={"type": type_, **more})


def created(session: str, parent: str | None = None) -> dict[str, Any]:
    return event("session.created", info={"id": session, **({"parentID": parent} if parent else {})})


def user(message: str, session: str = OURS) -> dict[str, Any]:
    return event("message.updated", sessionID=session, info={"id": message, "sessionID": session, "role": "user"})


def text(message: str, words: str, session: str = OURS, **more: Any) -> dict[str, Any]:
    part = {"type": "text", "text": words, "messageID": message, "sessionID": session, **more}
    return event("message.part.updated", sessionID=session, part=part)


def tool(use: str, state: str, name: str = "bash", session: str = OURS) -> dict[str, Any]:
    part = {"type": "tool", "tool": name, "callID": use, "sessionID": session, "state": {"status": state}}
    return event("message.part.updated", sessionID=session, part=part)


def error(name: str, session: str = OURS, **data: Any) -> dict[str, Any]:
    return event("session.error", sessionID=session, error={"name": name, "data": data})


def asked(request: str = "per_1", session: str = OURS) -> dict[str, Any]:
    told = {"command": "touch  x\n--all"}
    return event("permission.asked", id=request, sessionID=session, permission="bash", patterns=["touch *"], metadata=told)


BUSY, REST = status("busy"), status("idle")
PERMISSION = sign(Activity.NEEDS_YOU, Kind.PERMISSION, "bash: touch x ⏎ --all", "per_1")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([BUSY], THINKING),
        ([BUSY, tool("c1", "pending"), tool("c1", "running")], sign(Activity.TOOL, detail="bash")),
        ([BUSY, tool("c1", "running"), tool("c2", "running", "edit")], sign(Activity.TOOL, detail="edit")),
        ([BUSY, tool("c1", "running"), tool("c2", "running", "edit"), tool("c2", "completed", "edit")],
         sign(Activity.TOOL, detail="bash")),
        ([BUSY, tool("c1", "running"), tool("c1", "error")], THINKING),
        ([BUSY, tool("c1", "running"), REST], IDLE),
        ([BUSY, asked()], PERMISSION),
        ([BUSY, asked(), asked("per_2")], PERMISSION),
        ([BUSY, asked(), event("permission.replied", requestID="per_1", sessionID=OURS, reply="once")], THINKING),
        ([BUSY, asked(session="ses_child")], PERMISSION),
        ([BUSY, event("question.asked", id="que_1", questions=[{"question": "Which one?"}, {"question": "When?"}])],
         sign(Activity.NEEDS_YOU, Kind.QUESTION, "Which one? When?")),
        ([BUSY, event("question.asked", id="que_1", questions=[{"question": ""}]),
          event("question.rejected", requestID="que_1")],
         THINKING),
        ([BUSY, error("MessageAbortedError", message="Aborted"), REST], sign(Activity.IDLE, Kind.INTERRUPTED)),
        ([BUSY, error("APIError", message="bad key", statusCode=401), REST], sign(Activity.NEEDS_YOU, Kind.LOGIN, "bad key")),
        ([BUSY, error("APIError", message="broken", statusCode=500), REST], sign(Activity.IDLE, Kind.API_ERROR, "broken")),
        ([BUSY, error("ProviderAuthError", message="who"), REST], sign(Activity.NEEDS_YOU, Kind.LOGIN, "who")),
        ([BUSY, error("APIError", message="broken"), REST, BUSY, REST], IDLE),
        ([BUSY, error("APIError", "ses_other", message="broken"), REST], IDLE),
        ([status("retry", message="Too Many Requests")], sign(Activity.THINKING, Kind.RATE_LIMIT, "Too Many Requests")),
        ([status("retry", attempt=1, message="reset")], sign(Activity.THINKING, Kind.API_ERROR, "reset")),
        ([BUSY, event("message.part.updated", part={"type": "compaction", "sessionID": OURS})],
         sign(Activity.THINKING, Kind.COMPACTION)),
        ([BUSY, event("message.part.updated", part={"type": "compaction", "sessionID": OURS}),
          event("session.compacted", sessionID=OURS)], THINKING),
        ([BUSY, status("idle", "ses_child")], THINKING),
        ([status("busy", "ses_other")], None),
    ],
)  # fmt: skip
def test_what_the_agent_does(events: list[Mapping[str, Any]], expected: Sign | None) -> None:
    reading = OpenCodeEvents(OURS)
    for one in events:
        reading.read(one)
    assert reading.sign == expected


def read(reading: OpenCodeEvents, *events: Mapping[str, Any]) -> list[Observation]:
    return [seen for one in events for seen in reading.read(one)]


def test_what_the_user_said_is_taken_once_for_each_text() -> None:
    reading = OpenCodeEvents(OURS)
    said = [user("m1"), text("m1", "[MSG id:msg-1 …] hello"), text("m1", "hint", synthetic=True), text("m2", "an answer")]
    assert read(reading, *said) == [Taken(Source.RECORD, "[MSG id:msg-1 …] hello")]
    assert read(reading, user("m3", "ses_child"), text("m3", "to a subagent", "ses_child"))[1:] == [
        Taken(Source.RECORD, "to a subagent")
    ], "a session that nobody has named a child is one that the user has turned to"


def test_which_session_is_the_agents() -> None:
    reading = OpenCodeEvents()
    assert reading.sign is None and read(reading, BUSY) == []
    assert read(reading, created(OURS)) == [Place(OURS)]
    assert read(reading, created("ses_child", OURS), user("m1", "ses_child")) == [], "a subagent's is not"
    assert read(reading, BUSY) == [] and reading.sign == THINKING
    assert read(reading, created("ses_new")) == [Place("ses_new")]
    assert reading.sign is None, "what the old one did says nothing of the new one"
    assert read(reading, user("m2", OURS)) == [Place(OURS)], "its user has gone back"


def test_how_things_stand_when_the_stream_begins() -> None:
    reading = OpenCodeEvents(OURS)
    reading.found({}, [], [])
    assert reading.sign == IDLE
    reading.found({OURS: {"type": "busy"}}, [asked()["properties"]], [])
    assert reading.sign == PERMISSION
    reading.found({OURS: "strange"}, ["strange"], [None])
    assert reading.sign == IDLE


@pytest.mark.parametrize(
    "strange",
    [{}, {"type": 1}, {"type": "session.status"}, {"type": "session.status", "properties": 1}, event("session.status"),
     event("session.created"), event("message.updated", info=1), event("message.part.updated", part={"type": []}),
     event("permission.asked"), event("permission.replied"), event("question.asked", id="q", questions=1),
     event("session.error")],
)  # fmt: skip
def test_a_strange_event_changes_nothing(strange: dict[str, Any]) -> None:
    reading = OpenCodeEvents(OURS)
    reading.read(BUSY)
    assert reading.read(strange) == [] and reading.sign == THINKING


def test_it_remembers_a_bounded_number_of_messages() -> None:
    reading = OpenCodeEvents(OURS)
    read(reading, *(user(f"m{number}") for number in range(10 * MOST_MESSAGES)))
    assert read(reading, text("m0", "old"), text(f"m{10 * MOST_MESSAGES - 1}", "new")) == [Taken(Source.RECORD, "new")]


def test_a_tool_is_told_of_once_its_input_is_known_and_when_it_ends() -> None:
    reading = OpenCodeEvents(OURS)
    given = {"type": "tool", "tool": "bash", "callID": "c1", "sessionID": OURS}
    running = {**given, "state": {"status": "running", "input": {"command": "ls"}}}
    events = [
        BUSY,
        tool("c1", "pending"),
        event("message.part.updated", part=running),
        event("message.part.updated", part=running),
        tool("c1", "completed"),
        tool("c1", "completed"),
        tool("c2", "running", "edit"),
        tool("c2", "error", "edit"),
    ]
    assert read(reading, *events) == [
        ToolBegan("c1", "bash", "ls"),
        ToolEnded("c1", "bash", True),
        ToolBegan("c2", "edit", ""),
        ToolEnded("c2", "edit", False),
    ]
