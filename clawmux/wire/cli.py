"""The words of an agent's command, read: a table of verbs, and what each makes of its words. Parses; does nothing.

Both sides read this: the hub to understand a request's body, the tests to hold the client's help to it.
The client itself sends its words unread, so that it starts fast.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from clawmux.wire.errors import ClawMuxError
from clawmux.wire.requests import (
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
)
from clawmux.wire.text import TEXT_LIMIT_BYTES, check_text, clean, error_text, json_line

__all__ = [
    "ARGV_TYPE",
    "HOOK_LIMIT_BYTES",
    "TEXT_LIMIT_BYTES",
    "TIMEOUT_LIMIT_SECONDS",
    "VERBS",
    "Ack",
    "Cancel",
    "CancelConverse",
    "Converse",
    "Decide",
    "Help",
    "Hook",
    "Inbox",
    "InterruptTurn",
    "Messages",
    "Option",
    "Reply",
    "Report",
    "Request",
    "Send",
    "Status",
    "Trace",
    "Verb",
    "check_text",
    "clean",
    "error_text",
    "json_line",
    "parse",
    "read_id",
    "read_timeout",
    "split_body",
]  # fmt: skip

TIMEOUT_LIMIT_SECONDS = 86400
# A hook's JSON may hold a whole file that the agent has read; what the hub needs of it stands at its beginning.
HOOK_LIMIT_BYTES = 262144
# Both are shown in one line of a list.
REPORT_LIMIT_BYTES = 500
REASON_LIMIT_BYTES = 2000
ARGV_TYPE = "application/x-clawmux-argv"


@dataclass(frozen=True, slots=True)
class Option:
    field: str
    value: str = ""
    """What stands for the value in help; empty: a switch."""
    read: Callable[[str, str], Any] = lambda where, text: text
    """(where, text) -> value; raises ``usage`` naming where."""
    when_given: Any = True
    """What a switch sets its field to."""
    many: bool = False
    """May be given several times: its values are tuples, put one behind the other."""


@dataclass(frozen=True, slots=True)
class Verb:
    takes: tuple[str, ...]
    """Its arguments as help shows them: ``NAME``, ``[NAME]`` may be left out, ``ID...`` may be several."""
    options: dict[str, Option]
    build: Callable[[list[str], dict[str, Any]], Request]
    """From the arguments, as many as ``takes`` allows, and the fields that options have set."""
    needs: str = ""
    """An option that must be given."""


def parse(argv: list[str]) -> Request:
    """The request these words make. Raises ``usage`` or ``too_large`` naming the argument and what was expected."""
    if not argv or argv[0] in ("--help", "-h", "help"):
        return Help("")
    if argv[0] not in VERBS:
        raise ClawMuxError(
            "usage", f"there is no command {argv[0][:40]!r}; expected {', '.join(VERBS)}.", "See `clawmux --help`."
        )
    name, verb = argv[0], VERBS[argv[0]]
    arguments: list[str] = []
    fields: dict[str, Any] = {}
    words = iter(argv[1:])
    only_text = False
    for word in words:
        if only_text or not _OPTION.fullmatch(word):
            arguments.append(word)
        elif word == "--":
            only_text = True
        elif word in ("--help", "-h"):
            return Help(name)
        else:
            _take_option(name, verb, fields, word, words)
    if verb.needs and verb.options[verb.needs].field not in fields:
        raise _usage(name, f"{name}: {verb.needs} is missing; expected {_EXPECTED[verb.needs]}.")
    _check_number(name, verb, arguments)
    return verb.build(arguments, fields)


def split_body(body: bytes) -> list[str]:
    """The words in a request's body; bytes that are not UTF-8 become U+FFFD."""
    return [word.decode("utf-8", "replace") for word in body.split(b"\0")]


def read_timeout(where: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not 1 <= seconds <= TIMEOUT_LIMIT_SECONDS:
        raise _usage(where, f"{where} {text[:40]!r} is not a number of seconds from 1 to {TIMEOUT_LIMIT_SECONDS}.")
    return seconds


def read_id(where: str, text: str) -> str:
    # `id:msg-…` is how it stands in the header of a message.
    text = text.removeprefix("id:")
    if not _ID.fullmatch(text):
        raise _usage(where, f"{where} {text[:70]!r} is not an id; expected up to 64 letters, digits, - and _.")
    return text


# An option looks like one as a whole; "- first point" and "--- title ---" are texts that agents really say.
_OPTION = re.compile(r"--|-[A-Za-z]|--[A-Za-z][A-Za-z0-9-]*(=.*)?", re.DOTALL)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DIGITS = re.compile("[0-9]{1,4}")
_MOST_MESSAGES = 200
_EXPECTED = {
    "TEXT": "what to say, or - to read it from stdin",
    "NAME": "the name or id of an agent",
    "ID": "an id such as msg-7h2k9m4p0qwx",
    "JSON": "what an agent program's hook says",
    "--to": "names of agents, or all",
}


def _usage(where: str, text: str) -> ClawMuxError:
    return ClawMuxError("usage", text, f"See `clawmux {where.partition(':')[0]} --help`.")


def _check_number(name: str, verb: Verb, arguments: list[str]) -> None:
    for position, takes in enumerate(verb.takes):
        if position >= len(arguments) and not takes.startswith("["):
            plain = takes.removesuffix("...")
            raise _usage(name, f"{name}: {plain} is missing; expected {_EXPECTED[plain]}.")
    if len(arguments) > len(verb.takes) and not (verb.takes and verb.takes[-1].endswith("...")):
        expected = " ".join(verb.takes) or "no argument"
        raise _usage(
            name, f"{name}: expected {expected}, got one more: {arguments[len(verb.takes)][:40]!r}. Put a text in quotes."
        )


def _take_option(name: str, verb: Verb, fields: dict[str, Any], word: str, words: Iterator[str]) -> None:
    word, equals, value = word.partition("=")
    if word not in verb.options:
        expected = ", ".join(verb.options) or "no option"
        raise _usage(name, f"{name}: there is no option {word}; expected {expected}. Put -- before a text that begins like one.")
    option = verb.options[word]
    if not option.value:
        if equals:
            raise _usage(name, f"{name}: {word} takes no value, got {value[:40]!r}.")
        if fields.get(option.field, option.when_given) != option.when_given:
            choices = ", ".join(other for other, row in verb.options.items() if row.field == option.field)
            raise _usage(name, f"{name}: expected one of {choices}.")
        fields[option.field] = option.when_given
        return
    if not equals:
        value = next(words, "")
    read = option.read(f"{name}: {word}", value)
    fields[option.field] = fields.get(option.field, ()) + read if option.many else read


def _read_name(where: str, text: str) -> str:
    if not _ID.fullmatch(text):
        raise _usage(where, f"{where} {text[:70]!r} is not the name or id of an agent.")
    return text.lower()


def _read_names(where: str, text: str) -> tuple[str, ...]:
    return tuple(_read_name(where, name.strip()) for name in text.split(","))


def _read_limit(where: str, text: str) -> int:
    if not _DIGITS.fullmatch(text) or not 1 <= int(text) <= _MOST_MESSAGES:
        raise _usage(where, f"{where} {text[:40]!r} is not a number from 1 to {_MOST_MESSAGES}.")
    return int(text)


def _converse(arguments: list[str], fields: dict[str, Any]) -> Request:
    if fields.get("resume"):
        if arguments or not fields.get("listen", True) or "goodbye" in fields:
            raise _usage(
                "converse", "converse: --resume only waits for the answer; expected no TEXT, --no-listen or --goodbye with it."
            )
        return Converse("", **fields)
    if not arguments:
        raise _usage("converse", f"converse: TEXT is missing; expected {_EXPECTED['TEXT']}.")
    return Converse(check_text("converse: TEXT", arguments[0]), **fields)


def _send(arguments: list[str], fields: dict[str, Any]) -> Request:
    if "timeout_seconds" in fields and "wait" not in fields:
        raise _usage("send", "send: --timeout counts only together with --wait-ack or --wait-response.")
    to = tuple(dict.fromkeys(fields.pop("to")))
    return Send(to, check_text("send: TEXT", arguments[0]), **fields)


def _reply(arguments: list[str], fields: dict[str, Any]) -> Request:
    return Reply(read_id("reply: ID", arguments[0]), check_text("reply: TEXT", arguments[1]))


def _inbox(arguments: list[str], fields: dict[str, Any]) -> Request:
    """``inbox``, ``inbox show ID``; ``inbox ID`` is what hurry makes of it."""
    if arguments == ["show"]:
        raise _usage("inbox", f"inbox: ID is missing; expected {_EXPECTED['ID']}.")
    if len(arguments) == 2 and arguments[0] != "show":
        raise _usage("inbox", f"inbox: {arguments[0][:40]!r} is not known; expected show ID, or nothing for a list.")
    return Inbox(read_id("inbox: ID", arguments[-1]) if arguments else "", **fields)


def _report(arguments: list[str], fields: dict[str, Any]) -> Request:
    return Report(" ".join(check_text("report: TEXT", arguments[0], REPORT_LIMIT_BYTES).split()))


def _decide(name: str) -> Callable[[list[str], dict[str, Any]], Request]:
    def build(arguments: list[str], fields: dict[str, Any]) -> Request:
        reason = check_text(f"{name}: TEXT", arguments[1], REASON_LIMIT_BYTES) if arguments[1:] else ""
        return Decide(_read_name(f"{name}: NAME", arguments[0]), name == "approve", reason, **fields)

    return build


_JSON = {"--json": Option("json")}
_REQUEST = {"--request": Option("request", "ID", read_id)}

VERBS: dict[str, Verb] = {
    "converse": Verb(
        ("[TEXT]",),
        {
            "--no-listen": Option("listen", when_given=False),
            "--goodbye": Option("goodbye"),
            "--timeout": Option("timeout_seconds", "SECONDS", read_timeout),
            "--resume": Option("resume", "ID", read_id),
        },
        _converse,
    ),
    "send": Verb(
        ("TEXT",),
        {
            "--to": Option("to", "NAME[,NAME...]", _read_names, many=True),
            "--wait-ack": Option("wait", when_given="ack"),
            "--wait-response": Option("wait", when_given="response"),
            "--timeout": Option("timeout_seconds", "SECONDS", read_timeout),
        },
        _send,
        needs="--to",
    ),
    "ack": Verb(("ID...",), {}, lambda ids, fields: Ack(tuple(dict.fromkeys(read_id("ack: ID", text) for text in ids)))),
    "reply": Verb(("ID", "TEXT"), {}, _reply),
    "status": Verb(
        ("[NAME]",),
        {"--all": Option("all"), **_JSON},
        lambda names, fields: Status(_read_name("status: NAME", names[0]) if names else "", **fields),
    ),
    "messages": Verb(
        (),
        {"--with": Option("with_name", "NAME", _read_name), "--limit": Option("limit", "N", _read_limit), **_JSON},
        lambda words, fields: Messages(**fields),
    ),
    "trace": Verb(("ID",), _JSON, lambda ids, fields: Trace(read_id("trace: ID", ids[0]), **fields)),
    "cancel": Verb(("ID",), {}, lambda ids, fields: Cancel(read_id("cancel: ID", ids[0]))),
    "inbox": Verb(("[show]", "[ID]"), _JSON, _inbox),
    "report": Verb(("TEXT",), {}, _report),
    "approve": Verb(("NAME",), _REQUEST, _decide("approve")),
    "deny": Verb(("NAME", "[TEXT]"), _REQUEST, _decide("deny")),
    "interrupt": Verb(("NAME",), {}, lambda names, fields: InterruptTurn(_read_name("interrupt: NAME", names[0]))),
    "hook": Verb(("JSON",), {}, lambda words, fields: Hook(words[0])),
    "cancel-converse": Verb(("ID",), {}, lambda ids, fields: CancelConverse(read_id("cancel-converse: ID", ids[0]))),
}
