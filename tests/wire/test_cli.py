"""The words of an agent: what they mean, and what is said about words that mean nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawmux.wire.cli import (
    HOOK_LIMIT_BYTES,
    TEXT_LIMIT_BYTES,
    VERBS,
    Ack,
    Cancel,
    CancelConverse,
    Converse,
    Decide,
    Help,
    Hook,
    Inbox,
    InterruptTurn,
    Messages,
    Reply,
    Report,
    Request,
    Send,
    Status,
    Trace,
    clean,
    error_text,
    json_line,
    parse,
    split_body,
)
from clawmux.wire.errors import ClawMuxError

ID = "msg-7h2k9m4p0qwx"

UNDERSTOOD: list[tuple[list[str], Request]] = [
    (["converse", "Hello"], Converse("Hello")),
    (["converse", "Hello", "--no-listen"], Converse("Hello", listen=False)),
    (["converse", "--no-listen", "--goodbye", "Bye"], Converse("Bye", listen=False, goodbye=True)),
    (["converse", "Hello", "--timeout", "90"], Converse("Hello", timeout_seconds=90.0)),
    (["converse", "Hello", "--timeout=1.5"], Converse("Hello", timeout_seconds=1.5)),
    (["converse", "Hello", "--timeout", "86400"], Converse("Hello", timeout_seconds=86400.0)),
    (["converse", "--resume", "3d12-ab_C"], Converse("", resume="3d12-ab_C")),
    (["converse", "--resume=x", "--timeout", "5"], Converse("", resume="x", timeout_seconds=5.0)),
    (["converse", "--", "--no-listen"], Converse("--no-listen")),
    (["converse", "--goodbye", "--", "-h"], Converse("-h", goodbye=True)),
    (["converse", "- one\n- two"], Converse("- one\n- two")),
    (["converse", "--- a title ---"], Converse("--- a title ---")),
    (["converse", "-5 degrees"], Converse("-5 degrees")),
    (["converse", "  Grüße 🎧\r\n"], Converse("Grüße 🎧")),
    (["converse", "x" * TEXT_LIMIT_BYTES], Converse("x" * TEXT_LIMIT_BYTES)),
    (["send", "--to", "sky", "Hello"], Send(("sky",), "Hello")),
    (["send", "Hello", "--to=sky"], Send(("sky",), "Hello")),
    (["send", "--to", "sky,adam", "--to", "Echo-2", "Hi"], Send(("sky", "adam", "echo-2"), "Hi")),
    (["send", "--to", "sky, af_sky ,sky", "Hi"], Send(("sky", "af_sky"), "Hi")),
    (["send", "--to", "all", "Hi"], Send(("all",), "Hi")),
    (["send", "--to", "sky", "--wait-ack", "Hi"], Send(("sky",), "Hi", "ack")),
    (["send", "--to", "sky", "--wait-response", "--timeout", "60", "Hi"], Send(("sky",), "Hi", "response", 60.0)),
    (["send", "--to", "sky", "--wait-ack", "--wait-ack", "Hi"], Send(("sky",), "Hi", "ack")),
    (["send", "--to", "sky", "--", "--wait-ack"], Send(("sky",), "--wait-ack")),
    (["send", "--to", "sky", "~/notes are yours;"], Send(("sky",), "~/notes are yours;")),
    (["send", "--to", "sky", "-rf"], Send(("sky",), "-rf")),
    (["send", "--to", "sky", "a\ud83d\0 caf\ufffd \u202eשלום 👩‍👧"], Send(("sky",), "a\ufffd caf\ufffd \u202eשלום 👩‍👧")),
    (["ack", ID], Ack((ID,))),
    (["ack", f"id:{ID}", "msg-2", ID], Ack((ID, "msg-2"))),
    (["reply", ID, "Yes, do."], Reply(ID, "Yes, do.")),
    (["reply", ID, "--", "--yes"], Reply(ID, "--yes")),
    (["status"], Status()),
    (["status", "Sky"], Status("sky")),
    (["status", "--all", "--json"], Status(all=True, json=True)),
    (["messages"], Messages()),
    (["messages", "--with", "adam", "--limit", "200", "--json"], Messages("adam", 200, json=True)),
    (["trace", ID], Trace(ID)),
    (["trace", ID, "--json"], Trace(ID, json=True)),
    (["cancel", ID], Cancel(ID)),
    (["inbox"], Inbox()),
    (["inbox", "show", ID], Inbox(ID)),
    (["inbox", ID, "--json"], Inbox(ID, json=True)),
    (["report", "  the parser,\n and its tests "], Report("the parser, and its tests")),
    (["approve", "sky"], Decide("sky", allow=True)),
    (["approve", "sky", "--request", "p-1"], Decide("sky", allow=True, request="p-1")),
    (["deny", "sky"], Decide("sky", allow=False)),
    (["deny", "sky", "not there; use /tmp"], Decide("sky", allow=False, text="not there; use /tmp")),
    (["interrupt", "sky"], InterruptTurn("sky")),
    (["hook", '{"hook_event_name": "Stop"}'], Hook('{"hook_event_name": "Stop"}')),
    (["hook", "--", "--no JSON\x1b[0m "], Hook("--no JSON\x1b[0m ")),
    (["hook", "x" * HOOK_LIMIT_BYTES], Hook("x" * HOOK_LIMIT_BYTES)),
    (["cancel-converse", "abc"], CancelConverse("abc")),
    ([], Help("")),
    (["--help"], Help("")),
    (["converse", "--help"], Help("converse")),
    (["converse", "Hello", "-h"], Help("converse")),
]


@pytest.mark.parametrize(("argv", "request_"), UNDERSTOOD)
def test_words_that_are_understood(argv: list[str], request_: Request) -> None:
    assert parse(argv) == request_


REFUSED: list[tuple[list[str], str, str]] = [
    (["speak", "Hello"], "usage", "no command 'speak'; expected converse, send, ack, reply, status, messages"),
    (["x" * 1000], "usage", "no command 'xxxx"),
    (["converse"], "usage", "converse: TEXT is missing"),
    (["converse", ""], "usage", "converse: TEXT is empty; expected 1 to 65536 bytes"),
    (["converse", " \n\x00\x1b[0m"], "usage", "converse: TEXT is empty"),
    (["converse", "Hello", "world"], "usage", "expected [TEXT], got one more: 'world'"),
    (["converse", "Hello", "--loud"], "usage", "no option --loud; expected --no-listen, --goodbye, --timeout, --resume"),
    (["converse", "Hello", "-n"], "usage", "no option -n"),
    (["converse", "Hello", "--no-listen=yes"], "usage", "--no-listen takes no value"),
    (["converse", "Hello", "--timeout"], "usage", "--timeout '' is not a number of seconds from 1 to 86400"),
    (["converse", "Hello", "--timeout", "0.9"], "usage", "--timeout '0.9'"),
    (["converse", "Hello", "--timeout", "86401"], "usage", "--timeout '86401'"),
    (["converse", "Hello", "--timeout", "nan"], "usage", "--timeout 'nan'"),
    (["converse", "Hello", "--timeout", "soon"], "usage", "--timeout 'soon'"),
    (["converse", "--resume", ""], "usage", "--resume '' is not an id"),
    (["converse", "--resume", "a/b"], "usage", "--resume 'a/b' is not an id"),
    (["converse", "--resume", "x" * 65], "usage", "is not an id"),
    (["converse", "Hello", "--resume", "x"], "usage", "--resume only waits"),
    (["converse", "--no-listen", "--resume", "x"], "usage", "--resume only waits"),
    (["send", "--to", "sky"], "usage", "send: TEXT is missing; expected what to say, or - to read it from stdin"),
    (["send", "Hello"], "usage", "send: --to is missing; expected names of agents, or all"),
    (["send", "sky", "Hello"], "usage", "send: --to is missing"),
    (["send", "--to", "sky", ""], "usage", "send: TEXT is empty"),
    (["send", "--to", "sky", "two", "words"], "usage", "send: expected TEXT, got one more: 'words'. Put a text in quotes"),
    (["send", "--to", "", "Hi"], "usage", "send: --to '' is not the name or id"),
    (["send", "--to", "sky,", "Hi"], "usage", "send: --to '' is not the name or id"),
    (["send", "--to", "s*", "Hi"], "usage", "send: --to 's*' is not the name or id"),
    (["send", "Hi", "--to"], "usage", "send: --to '' is not the name or id"),
    (["send", "--to", "sky", "--wait-ack", "--wait-response", "Hi"], "usage", "expected one of --wait-ack, --wait-response"),
    (["send", "--to", "sky", "--timeout", "9", "Hi"], "usage", "--timeout counts only together with --wait-ack"),
    (["send", "--to", "sky", "--wait", "Hi"], "usage", "no option --wait; expected --to, --wait-ack, --wait-response"),
    (["send", "--to", "sky", "x" * (TEXT_LIMIT_BYTES + 1)], "too_large", "send: TEXT is 65537 bytes"),
    (["ack"], "usage", "ack: ID is missing; expected an id such as msg-"),
    (["ack", ID, "a b"], "usage", "ack: ID 'a b' is not an id"),
    (["reply", ID], "usage", "reply: TEXT is missing"),
    (["reply"], "usage", "reply: ID is missing"),
    (["reply", "Yes, do.", ID], "usage", "reply: ID 'Yes, do.' is not an id"),
    (["reply", ID, "Yes,", "do."], "usage", "reply: expected ID TEXT, got one more: 'do.'"),
    (["status", "sky", "adam"], "usage", "status: expected [NAME], got one more: 'adam'"),
    (["status", "../sky"], "usage", "status: NAME '../sky' is not the name or id"),
    (["status", "--loud"], "usage", "status: there is no option --loud; expected --all, --json"),
    (["messages", "sky"], "usage", "messages: expected no argument, got one more: 'sky'"),
    (["messages", "--limit", "0"], "usage", "--limit '0' is not a number from 1 to 200"),
    (["messages", "--limit", "201"], "usage", "--limit '201'"),
    (["messages", "--limit", "٣"], "usage", "--limit '٣'"),
    (["trace"], "usage", "trace: ID is missing"),
    (["cancel"], "usage", "cancel: ID is missing"),
    (["inbox", "show"], "usage", "inbox: ID is missing"),
    (["inbox", "read", ID], "usage", "inbox: 'read' is not known; expected show ID"),
    (["report"], "usage", "report: TEXT is missing"),
    (["report", "x" * 501], "too_large", "report: TEXT is 501 bytes; the limit is 500"),
    (["approve"], "usage", "approve: NAME is missing; expected the name or id of an agent"),
    (["approve", "sky", "please"], "usage", "approve: expected NAME, got one more: 'please'"),
    (["deny", "sky", "x" * 2001], "too_large", "deny: TEXT is 2001 bytes"),
    (["interrupt"], "usage", "interrupt: NAME is missing"),
    (["hook"], "usage", "hook: JSON is missing"),
    (["cancel-converse"], "usage", "ID is missing"),
    (["cancel-converse", "a b"], "usage", "ID 'a b' is not an id"),
    (
        ["converse", "x" * (TEXT_LIMIT_BYTES + 1)],
        "too_large",
        f"is {TEXT_LIMIT_BYTES + 1} bytes; the limit is {TEXT_LIMIT_BYTES}",
    ),
    (["converse", "ü" * (TEXT_LIMIT_BYTES // 2 + 1)], "too_large", f"the limit is {TEXT_LIMIT_BYTES}"),
]


@pytest.mark.parametrize(("argv", "code", "text"), REFUSED)
def test_words_that_are_refused_say_what_was_expected(argv: list[str], code: str, text: str) -> None:
    with pytest.raises(ClawMuxError) as caught:
        parse(argv)
    assert caught.value.code == code
    assert text in caught.value.text
    assert len(caught.value.text) < 300
    assert code != "usage" or re.fullmatch(r"See `clawmux (\S+ )?--help`.|Say it in a few words.", caught.value.remedy)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x00b", "ab"),
        ("red \x1b[31mwords\x1b[0m", "red words"),
        ("title \x1b]0;evil\x07 end", "title  end"),
        ("half \ud83d of a pair", "half \ufffd of a pair"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("bell\x07 back\x08space \x9b31m", "bell backspace 31m"),
        ("\r\nline\rover\r\n", "lineover"),
        ("שלום مرحبا 👩‍👧", "שלום مرحبا 👩‍👧"),
    ],
)
def test_cleaning(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text())
def test_cleaned_text_is_whole_utf8_without_controls_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert not any(ord(character) < 32 and character not in "\n\t" for character in cleaned)
    assert clean(cleaned) == cleaned


WORDS = st.sampled_from([option for verb in VERBS.values() for option in verb.options] + ["--", "-", ID, "sky", "show"])


@given(st.sampled_from([*VERBS, "sing"]), st.lists(st.text() | WORDS))
def test_any_words_give_a_request_or_a_clear_error(verb: str, argv: list[str]) -> None:
    try:
        parse([verb, *argv])
    except ClawMuxError as error:
        assert error.code in ("usage", "too_large")
        assert error.text


def test_body_is_split_at_nul_and_read_as_utf8() -> None:
    assert split_body(b"converse\0caf\xe9 \xc3\xa9\0--no-listen") == ["converse", "caf\ufffd é", "--no-listen"]


def test_error_text_is_one_line_and_its_remedy() -> None:
    assert error_text(ClawMuxError("usage", "wrong.", "Do this.")) == "clawmux: wrong.\nDo this.\n"
    assert error_text(ClawMuxError("usage", "wrong.")) == "clawmux: wrong.\n"


def test_json_is_one_line_in_a_numbered_envelope() -> None:
    assert json_line("trace", {"result": {"text": "é\n"}}) == '{"clawmux": 1, "command": "trace", "result": {"text": "é\\n"}}'
