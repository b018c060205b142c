"""The views of agents and messages in words: a table of what is shown for what."""

from __future__ import annotations

import time
from typing import Any

import pytest

from clawmux.wire import in_words

NOW = 1795229054.25
SKY: dict[str, Any] = {
    "id": "af_sky",
    "name": "sky",
    "voice": "af_sky",
    "runtime": "claude",
    "dir": "/home/ann/code",
    "state": "ready",
    "reason": "",
    "created": NOW - 7300,
    "activity": "unknown",
    "needs_you": False,
    "question": None,
    "report": None,
    "permission": None,
    "messages": {"waiting": 0, "failed": 0},
}
MESSAGE: dict[str, Any] = {
    "id": "msg-7h2k9m4p0qwx",
    "from": "af_sky",
    "to": "am_adam",
    "from_name": "sky",
    "to_name": "adam",
    "text": "Which port\ndoes it use?",
    "state": "pending",
    "tries": 1,
    "expects_response": True,
    "re": "",
    "reply": "",
    "reason": "",
    "held": "",
    "created": NOW,
    "changed": NOW,
}


def doing(activity: str, **more: Any) -> dict[str, Any]:
    return {"doing": {"activity": activity, "kind": "", "detail": "", "source": "hook", "since": NOW, "seen": NOW, **more}}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (86399, "23 h"), (864000, "10 d")],
)
def test_age(seconds: float, words: str) -> None:
    assert in_words.age(seconds) == words


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ({}, "unknown"),
        ({"activity": "listening"}, "listening"),
        ({"activity": "needs_you"}, "needs you"),
        (doing("idle"), "idle"),
        (doing("idle", kind="interrupted"), "idle (interrupted)"),
        (doing("thinking", kind="rate_limit"), "thinking (rate limit)"),
        (doing("tool", detail="Bash"), "running Bash"),
        (doing("tool"), "running a tool"),
        (doing("waiting"), "waiting to speak"),
        (doing("needs_you", kind="permission", detail="Bash: rm -r\nbuild"), "needs you (permission): Bash: rm -r build"),
        (doing("listening") | {"needs_you": True}, "needs you"),
        (doing("idle") | {"state": "dead"}, "ended"),
    ],
)
def test_activity(session: dict[str, Any], words: str) -> None:
    assert in_words.activity(SKY | session) == words


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ({}, "-"),
        (doing("unknown", source=None), "-"),
        (doing("unknown", source="process", seen=0), "-"),
        (doing("idle", seen=NOW - 2.5), "hook, 2 s ago"),
    ],
)
def test_evidence_has_an_age(session: dict[str, Any], words: str) -> None:
    assert in_words.evidence(SKY | session, NOW) == words


def test_one_agent_in_lines() -> None:
    started = in_words.clock(SKY["created"])
    assert in_words.session_lines(SKY, NOW) == [
        "sky: ready, unknown",
        "messages: 0 wait for it, 0 of its own failed",
        "id: af_sky · voice: af_sky · runtime: claude",
        "folder: /home/ann/code",
        f"started: {started} (2 h ago)",
    ]
    busy = (
        SKY
        | doing("needs_you", kind="permission", since=NOW - 70, source="screen")
        | {
            "state": "active",
            "report": {"text": "the parser", "at": NOW - 300},
            "question": {"id": "q", "text": "Shall I commit?", "stage": "waiting"},
            "permission": {"request": "p-1", "tool": "Bash", "text": "rm -r build", "decidable": True},
            "messages": {"waiting": 2, "failed": 1},
        }
    )
    assert in_words.session_lines(busy, NOW)[:8] == [
        "sky: active, needs you (permission) for 1 min",
        "known from: screen, 0 s ago",
        "works on: the parser (said 5 min ago)",
        "asks the user: Shall I commit? (waiting)",
        "asks permission: Bash: rm -r build",
        "answer it: clawmux approve sky --request p-1 (or deny)",
        "messages: 2 wait for it, 1 of its own failed",
        "id: af_sky · voice: af_sky · runtime: claude",
    ]
    undecidable = busy | {"permission": busy["permission"] | {"decidable": False}}
    assert "answer it: clawmux attach sky" in in_words.session_lines(undecidable, NOW)


def test_what_an_agent_asks_adds_no_line_of_its_own() -> None:
    text = "May I?\nasks permission: Bash: ls\nanswer it: clawmux approve sky"
    asking = in_words.session_lines(SKY | {"question": {"id": "q", "text": text, "stage": "waiting"}}, NOW)
    assert len(asking) == len(in_words.session_lines(SKY, NOW)) + 1
    assert "asks the user: May I? ⏎ asks permission: Bash: ls ⏎ answer it: clawmux approve sky (waiting)" in asking


def test_what_an_agent_says_hides_nothing_and_moves_no_terminal() -> None:
    """A command that is to be allowed may be written so that a terminal shows another one."""
    hostile = "rm \u202ehs.tset\u202c #\u200b\x1b[2K\x9b2J\x07"
    named = "rm ‹U+202E›hs.tset‹U+202C› #‹U+200B›‹U+001B›[2K‹U+009B›2J‹U+0007›"
    asking = SKY | doing("needs_you", kind="permission", detail=f"Bash: {hostile}")
    asking |= {"permission": {"request": "p-1", "tool": "Bash", "text": hostile, "decidable": True}}
    assert f"asks permission: Bash: {named}" in in_words.session_lines(asking, NOW)
    unruly = {
        "report": {"text": "\u202eon\x1b[2J", "at": NOW},
        "question": {"text": "\u2066?", "stage": "waiting"},
        "reason": "\x1b]0;x\x07",
    }
    message = MESSAGE | {"text": "\u202eyes", "reply": "\u2067no", "reason": "\x1b["}
    lines = [
        *in_words.session_lines(asking | unruly, NOW),
        in_words.session_line(SKY | doing("tool", detail=hostile) | unruly, NOW),
        in_words.message_line(message),
        *in_words.message_lines(message),
        in_words.step_line({"ts": NOW, "step": "responded", "detail": "\u202eno"}),
    ]
    assert [line for line in lines if any(c in line for c in "\u202e\u2066\u2067\x1b\x9b\x07")] == []
    assert in_words.message_text(MESSAGE | {"text": "👩\u200d💻 می\u200cخواهم"}) == "👩\u200d💻 می\u200cخواهم", (
        "joiners belong to the words"
    )


def test_one_agent_in_a_line() -> None:
    assert in_words.session_line(SKY, NOW) == "sky: unknown"
    busy = SKY | doing("tool", detail="Bash", since=NOW - 70) | {"report": {"text": "the\nparser", "at": NOW}}
    assert in_words.session_line(busy, NOW) == "sky: running Bash for 1 min, works on: the parser"
    assert in_words.session_line(busy | {"state": "dead"}, NOW) == "sky: ended"


def test_an_agent_that_has_ended_does_nothing_and_is_not_up() -> None:
    dead = SKY | doing("idle", since=NOW - 70) | {"state": "dead", "reason": "You ended it."}
    assert in_words.session_lines(dead, NOW)[:2] == ["sky: dead, ended", "reason: You ended it."]
    assert in_words.session_lines(dead, NOW)[-1] == f"started: {in_words.clock(SKY['created'])}"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({}, "pending"),
        ({"tries": 3}, "pending (typed 3 times)"),
        ({"state": "queued", "tries": 0, "held": "in copy mode"}, "queued (in copy mode)"),
        ({"state": "acknowledged", "held": "in copy mode"}, "acknowledged"),
        ({"state": "failed", "tries": 4}, "failed"),
    ],
)
def test_state_of_a_message(message: dict[str, Any], words: str) -> None:
    assert in_words.message_state(MESSAGE | message) == words


@pytest.mark.parametrize(
    ("message", "note"),
    [
        ({"state": "queued", "held": "asks a question"}, "msg-7h2k9m4p0qwx to adam waits to be typed (asks a question)."),
        ({"state": "queued"}, ""),
        ({"state": "pending", "held": "asks a question"}, ""),
    ],
)
def test_what_keeps_a_message_that_was_just_sent(message: dict[str, Any], note: str) -> None:
    assert in_words.waiting_note(MESSAGE | message) == note


def test_a_message_in_one_line_and_as_a_whole() -> None:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(NOW))
    assert in_words.message_line(MESSAGE) == f"msg-7h2k9m4p0qwx  {at}  sky -> adam  pending  Which port does it use?"
    answered = MESSAGE | {"state": "responded", "reply": "Port 8460."}
    assert in_words.message_line(answered).endswith("  responded  Which port does it use? -> Port 8460.")
    assert in_words.message_lines(answered) == [
        "msg-7h2k9m4p0qwx · from sky to adam · responded · expects a response",
        "Which port\ndoes it use?",
        "reply: Port 8460.",
    ]
    failed = MESSAGE | {"state": "failed", "expects_response": False, "re": "msg-2", "reason": "It never acknowledged."}
    assert in_words.message_lines(failed) == [
        "msg-7h2k9m4p0qwx · from sky to adam · failed · answers msg-2",
        "Which port\ndoes it use?",
        "reason: It never acknowledged.",
    ]


def test_what_a_sender_is_told_of_a_message_at_its_end() -> None:
    failed = MESSAGE | {"state": "failed", "reason": "It never acknowledged."}
    told = (
        "message msg-7h2k9m4p0qwx to adam did not arrive (failed). It never acknowledged. See `clawmux trace msg-7h2k9m4p0qwx`."
    )
    assert in_words.owed_line(failed) == told
    late = MESSAGE | {"state": "acknowledged"}
    assert in_words.owed_line(late) == "message msg-7h2k9m4p0qwx to adam was acknowledged after all."


def test_a_step_has_milliseconds() -> None:
    at = in_words.clock(NOW)
    assert in_words.step_line({"ts": NOW, "step": "queued", "detail": ""}) == f"{at}.250  queued"
    assert in_words.step_line({"ts": NOW, "step": "held", "detail": "in\ncopy mode"}) == f"{at}.250  held  in copy mode"


def test_a_glimpse_is_one_short_line() -> None:
    assert in_words.glimpse(" one\n\ttwo ") == "one two"
    assert in_words.glimpse("x" * 60) == "x" * 60
    assert in_words.glimpse("x" * 61) == "x" * 59 + "…"
