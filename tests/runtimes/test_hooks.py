"""What hooks say: bodies as Claude Code and Codex send them, cut ones, and nonsense."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawmux.adapters.runtimes.hooks import DETAIL_CHARS, Hooks, decision, read_object, read_tool
from clawmux.wire.signs import Observation, Place, Sign, Taken, ToolBegan, ToolEnded
from clawmux.wire.words import Activity, Kind, Source

PLACE = Place("s1", "/t.jsonl")
LS = {"tool_name": "Bash", "tool_input": {"command": "ls", "description": "List"}, "tool_use_id": "u1"}
CAT = {"tool_name": "Read", "tool_input": {"file_path": "/a"}, "tool_use_id": "u2"}


def body(event: str, **fields: Any) -> str:
    return json.dumps({"session_id": "s1", "transcript_path": "/t.jsonl", "cwd": "/w", "hook_event_name": event, **fields})


def sign(activity: Activity, kind: Kind = Kind.NONE, detail: str = "", request: str = "") -> Sign:
    return Sign(Source.HOOK, activity, kind, detail, request)


def told(*bodies: str) -> list[Observation]:
    """What the last of them says, without where it comes from."""
    hooks = Hooks()
    *_, last = [hooks.read(said, "r1") for said in bodies]
    assert not last or last[0] == PLACE
    return last[1:]


IDLE = sign(Activity.IDLE)
THINKING = sign(Activity.THINKING)


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        ("SessionStart", {"source": "startup"}, [IDLE]),
        ("SessionStart", {"source": "clear"}, [IDLE]),
        ("SessionStart", {"source": "compact"}, []),
        ("UserPromptSubmit", {"prompt": "[MSG id:msg-1] hi"}, [Taken(Source.HOOK, "[MSG id:msg-1] hi"), THINKING]),
        ("PreToolUse", LS, [sign(Activity.TOOL, detail="Bash")]),
        ("PostToolUse", {**LS, "tool_response": {"stdout": "x"}}, [THINKING]),
        ("PostToolUseFailure", LS, [THINKING]),
        ("PermissionRequest", LS, [sign(Activity.NEEDS_YOU, Kind.PERMISSION, "Bash: ls", "r1")]),
        ("PermissionRequest", {"tool_name": "mcp__x"}, [sign(Activity.NEEDS_YOU, Kind.PERMISSION, "mcp__x", "r1")]),
        (
            "PermissionRequest",
            {"tool_name": "AskUserQuestion", "tool_input": {"questions": [{"question": "Which?"}, {"question": "When?"}]}},
            [sign(Activity.NEEDS_YOU, Kind.QUESTION, "AskUserQuestion: Which? When?", "r1")],
        ),
        ("PermissionDenied", LS, [THINKING]),
        ("Notification", {"notification_type": "permission_prompt", "message": "Claude needs"}, []),
        ("Notification", {"notification_type": "idle_prompt"}, []),
        ("Elicitation", {"message": "Your  key?"}, [sign(Activity.NEEDS_YOU, Kind.QUESTION, "Your key?")]),
        ("ElicitationResult", {}, [THINKING]),
        ("PreCompact", {"trigger": "auto"}, [sign(Activity.THINKING, Kind.COMPACTION)]),
        ("PostCompact", {"trigger": "auto"}, [THINKING]),
        ("PostCompact", {"trigger": "manual"}, [IDLE]),
        ("Stop", {"last_assistant_message": "Done."}, [IDLE]),
        ("Interrupt", {"turn_id": "t"}, [sign(Activity.IDLE, Kind.INTERRUPTED)]),
        (
            "StopFailure",
            {"error": "rate_limit", "last_assistant_message": "API Error: (429)"},
            [sign(Activity.NEEDS_YOU, Kind.RATE_LIMIT, "API Error: (429)")],
        ),
        ("StopFailure", {"error": "authentication_failed"}, [sign(Activity.NEEDS_YOU, Kind.LOGIN, "authentication_failed")]),
        ("StopFailure", {"error": "server_error"}, [sign(Activity.IDLE, Kind.API_ERROR, "server_error")]),
        ("SessionEnd", {"reason": "clear"}, []),
        ("SomethingNew", {}, []),
    ],
)
def test_each_event(event: str, fields: dict[str, Any], expected: list[Observation]) -> None:
    assert told(body(event, **fields)) == expected


def test_the_agent_is_at_the_tool_that_still_runs() -> None:
    begins = [body("PreToolUse", **LS), body("PreToolUse", **CAT)]
    assert told(*begins) == [sign(Activity.TOOL, detail="Read")]
    assert told(*begins, body("PostToolUse", **CAT)) == [sign(Activity.TOOL, detail="Bash")]
    assert told(*begins, body("PostToolUse", **CAT), body("PostToolUse", **LS)) == [THINKING]
    assert told(*begins, body("PostToolBatch")) == [THINKING]


def test_words_that_come_while_a_tool_runs_leave_it_running() -> None:
    said = told(body("PreToolUse", **LS), body("UserPromptSubmit", prompt="and then?"))
    assert said == [Taken(Source.HOOK, "and then?"), sign(Activity.TOOL, detail="Bash")]


def test_a_subagent_is_not_the_agent_but_its_permissions_are_asked_of_the_user() -> None:
    hooks = Hooks()
    assert hooks.read(body("PreToolUse", agent_id="a1", **LS)) == []
    assert hooks.read(body("Stop", agent_id="a1")) == []
    assert hooks.read(body("PermissionRequest", agent_id="a1", **LS), "r9")[1:] == [
        sign(Activity.NEEDS_YOU, Kind.PERMISSION, "Bash: ls", "r9")
    ]


def test_other_tools_do_not_end_a_question() -> None:
    asked = [body("PreToolUse", **CAT), body("PreToolUse", **LS), body("PermissionRequest", **LS)]
    assert told(*asked, body("PostToolUse", **CAT)) == []
    assert told(*asked, body("PostToolUse", **CAT), body("PostToolUse", **LS)) == [THINKING]
    assert told(*asked, body("Stop")) == [IDLE]


def test_the_end_of_a_tool_is_known_also_when_its_id_is_cut_off() -> None:
    whole = body("PostToolUse", tool_name="Bash", tool_input={}, tool_response="x" * 1000, tool_use_id="u1")
    assert told(body("PreToolUse", **LS), whole[:400]) == [THINKING]


def test_a_detail_is_one_short_line() -> None:
    [asked] = told(body("PermissionRequest", tool_name="Bash", tool_input={"command": "a\nb " * 1000}))
    assert isinstance(asked, Sign) and asked.detail.startswith("Bash: a ⏎ b a ⏎ b")
    assert DETAIL_CHARS - 2 < len(asked.detail) <= DETAIL_CHARS


def test_whoever_allows_a_command_sees_its_lines_and_that_it_goes_on() -> None:
    """In one line and without a mark a comment would swallow the rest, and what was cut off nobody would miss."""
    command = "make  test # quick\r\n\n\trm -rf ~"
    [asked] = told(body("PermissionRequest", tool_name="Bash", tool_input={"command": command}))
    assert isinstance(asked, Sign) and asked.detail == "Bash: make test # quick ⏎ rm -rf ~"
    [long] = told(body("PermissionRequest", tool_name="Bash", tool_input={"command": "true; " * 99 + "rm -rf ~"}))
    assert isinstance(long, Sign) and len(long.detail) == DETAIL_CHARS and long.detail.endswith("…")


@given(st.integers(0, 400))
def test_of_a_cut_body_the_fields_before_the_cut_count(length: int) -> None:
    whole = body("UserPromptSubmit", prompt='a "b" é 👍 \\ \n' * 20, n=[1, {"x": None}], more={"deep": {"er": "text"}})
    found = read_object(whole[:length])
    expected = json.loads(whole)
    for name, value in found.items():
        is_begun = isinstance(value, str) and expected[name].startswith(value)
        assert value == expected[name] or is_begun or isinstance(value, dict)
    assert list(found) == list(expected)[: len(found)]


@pytest.mark.parametrize(
    "said", ["", "[]", "null", '"x"', "{", "{]", '{"a"', '{"a":', '{"a":tru', '{"\\u12', "[" * 99999, '{"a":' * 9999, "{[1]:2"]
)
def test_nonsense_says_nothing(said: str) -> None:
    assert Hooks().read(said) == []


@pytest.mark.parametrize(
    "event", ["PreToolUse", "PostToolUse", "PermissionRequest", "StopFailure", "UserPromptSubmit", "Elicitation"]
)
def test_fields_of_another_kind_than_expected_do_no_harm(event: str) -> None:
    odd = {"prompt": 1, "tool_name": ["x"], "tool_input": "text", "tool_use_id": {}, "error": None, "message": 5}
    assert all(isinstance(said, Place | Sign | Taken) for said in Hooks().read(body(event, **odd)))


def test_a_decision_is_what_the_program_reads() -> None:
    allowed, denied = json.loads(decision(True)), json.loads(decision(False, "not now"))
    assert allowed["hookSpecificOutput"] == {"hookEventName": "PermissionRequest", "decision": {"behavior": "allow"}}
    assert denied["hookSpecificOutput"]["decision"] == {"behavior": "deny", "message": "not now"}


@pytest.mark.parametrize(
    ("event", "fields", "expected"),
    [
        ("PreToolUse", LS, ToolBegan("u1", "Bash", "ls")),
        ("PreToolUse", {"tool_name": "Plan"}, ToolBegan("Plan", "Plan", "")),
        ("PreToolUse", {**LS, "agent_id": "sub"}, None),
        ("PostToolUse", CAT, ToolEnded("u2", "Read", True)),
        ("PostToolUseFailure", CAT, ToolEnded("u2", "Read", False)),
        ("PermissionDenied", CAT, ToolEnded("u2", "Read", False)),
        ("PostToolBatch", CAT, None),
        ("Stop", {}, None),
        ("PreToolUse", {}, None),
    ],
)
def test_when_a_tool_begins_and_ends(event: str, fields: dict[str, Any], expected: ToolBegan | ToolEnded | None) -> None:
    assert read_tool(body(event, **fields)) == expected
