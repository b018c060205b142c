"""What an agent says to the hub in words: ``converse``, ``status``, ``cancel-converse``. Parses; does nothing.

Both sides read this: the hub to understand a request's body, the tests to hold the client's help to it.
The client itself sends its words unread, so that it starts fast.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from clawmux.wire.errors import ClawMuxError

# About an hour of speech. More is a file, which an agent should name and not read out.
TEXT_LIMIT_BYTES = 65536
TIMEOUT_LIMIT_SECONDS = 86400
ARGV_TYPE = "application/x-clawmux-argv"


@dataclass(frozen=True, slots=True)
class Converse:
    """Say ``text`` to the user and answer with what they say; or wait on for the answer of ``resume``."""

    text: str
    """Cleaned; empty only with ``resume``."""
    listen: bool = True
    goodbye: bool = False
    timeout_seconds: float = 0.0
    """0: as long as settings and runtime allow."""
    resume: str = ""
    """Id of an earlier converse that ended with ``still_listening``."""


@dataclass(frozen=True, slots=True)
class Status:
    """The caller's own session in words, with what it has not been told yet; or another one, or all."""

    name: str = ""
    all: bool = False
    json: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """A message to other agents, each of whom gets one of their own."""

    to: tuple[str, ...]
    """Names or ids as they were given; ``all``: every other living agent."""
    text: str
    wait: Literal["", "ack", "response"] = ""
    timeout_seconds: float = 0.0
    """0: 30 s for an acknowledgment, 120 s for a response."""


@dataclass(frozen=True, slots=True)
class Ack:
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Messages:
    """The newest messages that the caller has sent or got; all of them for the owner."""

    with_name: str = ""
    limit: int = 20
    json: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """Every step of one message."""

    id: str
    json: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take back a message that was not typed yet."""

    id: str


@dataclass(frozen=True, slots=True)
class Inbox:
    """The whole text of one message to the caller; without an id, a list of what waits for them."""

    id: str = ""
    json: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What the caller works on, for status and page."""

    text: str


@dataclass(frozen=True, slots=True)
class Decide:
    """approve and deny: answer the permission question that ``name`` waits with."""

    name: str
    allow: bool
    text: str = ""
    """Why not; told to the agent."""


@dataclass(frozen=True, slots=True)
class InterruptTurn:
    """Stop the turn of ``name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Hook:
    """What an agent program's own hook says: its JSON, unread, perhaps cut at its end."""

    body: str


@dataclass(frozen=True, slots=True)
class CancelConverse:
    id: str


@dataclass(frozen=True, slots=True)
class Help:
    verb: str
    """Empty: all verbs."""


Request = (
    Converse | Status | CancelConverse | Help
    | Send | Ack | Reply | Messages | Trace | Cancel | Inbox | Report | Decide | InterruptTurn | Hook
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Option:
    field: str
    value: str = ""
    """What stands for the value in help; empty: a switch."""
    read: Callable[[str, str], Any] = lambda where, text: text
    """(where, text) -> value; raises ``usage`` naming where."""
    when_given: bool = True
    """What a switch sets its field to."""


@dataclass(frozen=True, slots=True)
class Verb:
    positional: str
    """Name of the one positional argument; empty: none."""
    options: dict[str, Option]
    build: Callable[[dict[str, Any]], Request]


def parse(argv: list[str]) -> Request:
    """The request these words make. Raises ``usage`` or ``too_large`` naming the argument and what was expected."""
    if not argv or argv[0] in ("--help", "-h", "help"):
        return Help("")
    if argv[0] not in VERBS:
        raise _usage(f"there is no command {argv[0]!r}; expected {', '.join(VERBS)}.")
    name, verb = argv[0], VERBS[argv[0]]
    values: dict[str, Any] = {}
    words = iter(argv[1:])
    only_text = False
    for word in words:
        if only_text or not _OPTION.fullmatch(word):
            _take_positional(name, verb, values, word)
        elif word == "--":
            only_text = True
        elif word in ("--help", "-h"):
            return Help(name)
        else:
            _take_option(name, verb, values, word, words)
    return verb.build(values)


def split_body(body: bytes) -> list[str]:
    """The words in a request's body; bytes that are not UTF-8 become U+FFFD."""
    return [word.decode("utf-8", "replace") for word in body.split(b"\0")]


def clean(text: str) -> str:
    """The text a person may see and hear: no terminal commands, no NUL, no half characters, no outer blanks."""
    text = _SURROGATES.sub("\ufffd", _TERMINAL.sub("", text.replace("\r\n", "\n")))
    return _CONTROLS.sub("", text).strip()


def check_text(where: str, text: str) -> str:
    """The cleaned text, 1 to TEXT_LIMIT_BYTES of it."""
    cleaned = clean(text)
    size = len(cleaned.encode())
    if not size:
        raise _usage(f"{where} is empty; expected 1 to {TEXT_LIMIT_BYTES} bytes of text.")
    if size > TEXT_LIMIT_BYTES:
        raise ClawMuxError(
            "too_large",
            f"{where} is {size} bytes; the limit is {TEXT_LIMIT_BYTES}.",
            "Say it in short, and name the file that holds the rest.",
        )
    return cleaned


def error_text(error: ClawMuxError) -> str:
    """An error as it stands on stderr, the same from every command. It may quote a server's words, or a file's name."""
    return clean(f"clawmux: {error.text}\n{error.remedy}") + "\n"


# An option looks like one as a whole; "- first point" and "--- title ---" are texts that agents really say.
_OPTION = re.compile(r"--|-[A-Za-z]|--[A-Za-z][A-Za-z0-9-]*(=.*)?", re.DOTALL)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SURROGATES = re.compile("[\ud800-\udfff]")
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _usage(text: str) -> ClawMuxError:
    return ClawMuxError("usage", text, "See `clawmux converse --help`.")


def _take_positional(name: str, verb: Verb, values: dict[str, Any], word: str) -> None:
    if not verb.positional:
        raise _usage(f"{name}: unexpected argument {word[:40]!r}; an agent sees its own status only.")
    if verb.positional in values:
        raise _usage(f"{name}: expected one {verb.positional}, got a second one: {word[:40]!r}. Put the text in quotes.")
    values[verb.positional] = word


def _take_option(name: str, verb: Verb, values: dict[str, Any], word: str, words: Any) -> None:
    word, equals, value = word.partition("=")
    if word not in verb.options:
        expected = ", ".join(verb.options) or "no option"
        raise _usage(f"{name}: there is no option {word}; expected {expected}. Put -- before a text that begins like one.")
    option = verb.options[word]
    if not option.value:
        if equals:
            raise _usage(f"{name}: {word} takes no value, got {value[:40]!r}.")
        values[option.field] = option.when_given
        return
    if not equals:
        value = next(words, "")
    values[option.field] = option.read(f"{name}: {word}", value)


def read_timeout(where: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not 1 <= seconds <= TIMEOUT_LIMIT_SECONDS:
        raise _usage(f"{where} {text[:40]!r} is not a number of seconds from 1 to {TIMEOUT_LIMIT_SECONDS}.")
    return seconds


def read_id(where: str, text: str) -> str:
    if not _ID.fullmatch(text):
        raise _usage(f"{where} {text[:70]!r} is not an id; expected up to 64 letters, digits, - and _.")
    return text


def _converse(values: dict[str, Any]) -> Converse:
    text = values.pop("TEXT", None)
    if values.get("resume"):
        if text is not None or not values.get("listen", True) or "goodbye" in values:
            raise _usage("converse: --resume only waits for the answer; expected no TEXT, --no-listen or --goodbye with it.")
        return Converse("", **values)
    if text is None:
        raise _usage("converse: TEXT is missing; expected what to say, or - to read it from stdin.")
    return Converse(check_text("converse: TEXT", text), **values)


def _cancel(values: dict[str, Any]) -> CancelConverse:
    if "ID" not in values:
        raise _usage("cancel-converse: ID is missing; expected the id of a converse.")
    return CancelConverse(read_id("cancel-converse: ID", values["ID"]))


VERBS: dict[str, Verb] = {
    "converse": Verb(
        "TEXT",
        {
            "--no-listen": Option("listen", when_given=False),
            "--goodbye": Option("goodbye"),
            "--timeout": Option("timeout_seconds", "SECONDS", read_timeout),
            "--resume": Option("resume", "ID", read_id),
        },
        _converse,
    ),
    "status": Verb("", {}, lambda values: Status()),
    "cancel-converse": Verb("ID", {}, _cancel),
}
