"""The keys of a manifest: what stands in the file, how it is checked, and whether it must be there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Activity, Kind


@dataclass(frozen=True, slots=True)
class Key:
    expected: str
    fits: Callable[[Any], bool]
    required: bool = False


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


def _tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(table, dict) for table in value)


def _contents(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(content, str | dict) for content in value.values())


def _environment(value: Any) -> bool:
    return _contents(value) and all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) for name in value)


def _files(value: Any) -> bool:
    return _contents(value) and all(not path.startswith("/") and ".." not in Path(path).parts for path in value)


def _count(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and _count(value)


def _regex(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(re.compile(value))
    except re.error:
        return False


def _regexes(value: Any) -> bool:
    return _texts(value) and all(_regex(word) for word in value)


RUNTIME_KEYS: dict[str, Key] = {
    "title": Key("a text", _text, required=True),
    "program": Key("a text: the program's name or path", lambda value: _text(value) and bool(value), required=True),
    "ready": Key('"first_contact" or a regular expression', _regex, required=True),
    "install": Key("a text", _text),
    "arguments": Key("a list of texts", _texts),
    "skip_permissions_arguments": Key("a list of texts", _texts),
    "environment": Key("a table of variable names to texts or tables", _environment),
    "root_environment": Key("a table of variable names to texts or tables", _environment),
    "pass_environment": Key("a list of texts", _texts),
    "files": Key("a table of relative paths to texts or tables", _files),
    "instructions": Key("a text", _text),
    "notes": Key("a text", _text),
    "converse_limit_seconds": Key("a number of seconds, 0 or more", _count),
    "needs": Key("a list of tables", _tables),
    "screens": Key("a list of tables", _tables),
    "records": Key("a text", _text),
    "interrupt_key": Key("one to four characters, or an empty text", lambda value: _text(value) and len(value) <= 4),
    "interrupt_presses": Key("a whole number from 1 to 3", lambda value: _whole(value) and 1 <= value <= 3),
    "suspended": Key("a regular expression", _regex),
    "foreground": Key("true or false", lambda value: isinstance(value, bool)),
    "input": Key("a table", lambda value: isinstance(value, dict)),
    "channel": Key("a table", lambda value: isinstance(value, dict)),
}
CHANNEL_KEYS: dict[str, Key] = {
    "kind": Key("a text", _text, required=True),
    "first": Key("true or false", lambda value: isinstance(value, bool)),
    "always": Key("true or false", lambda value: isinstance(value, bool)),
}
NEED_KEYS: dict[str, Key] = {
    "screen": Key("a regular expression", _regex, required=True),
    "reason": Key("a text", _text, required=True),
}
SCREEN_KEYS: dict[str, Key] = {
    "screen": Key("a regular expression", _regex, required=True),
    "activity": Key(f"one of {', '.join(Activity)}", lambda value: value in list(Activity), required=True),
    "kind": Key(f"one of {', '.join(kind for kind in Kind if kind)}", lambda value: value in list(Kind)),
    "detail": Key("a text", _text),
    "lines": Key("a whole number", _whole),
}
INPUT_KEYS: dict[str, Key] = {
    "prompt": Key("a regular expression", _regex, required=True),
    "frame": Key("a regular expression", _regex),
    "dialogs": Key("a list of texts", _texts),
    "closed": Key("a list of texts", _texts),
    "placeholders": Key("a list of regular expressions", _regexes),
    "queued": Key("a regular expression", _regex),
    "stash_key": Key("one control character, or an empty text", lambda value: _text(value) and len(value) <= 1),
    "clear_key": Key("one control character, or an empty text", lambda value: _text(value) and len(value) <= 1),
    "mid_turn": Key("true or false", lambda value: isinstance(value, bool)),
    "chunk_chars": Key("a whole number", _whole),
    "chunk_lines": Key("a whole number", _whole),
    "chunk_pause_ms": Key("a whole number", _whole),
    "settle_ms": Key("a whole number", _whole),
    "steady_ms": Key("a whole number", _whole),
    "trailing_space": Key("true or false", lambda value: isinstance(value, bool)),
    "most_chars": Key("a whole number", _whole),
    "most_lines": Key("a whole number", _whole),
    "commands": Key("a text", _text),
}


def checked(file: Path, where: str, table: Mapping[str, Any], keys: Mapping[str, Key]) -> dict[str, Any]:
    """The table, its lists as tuples. ``where``: what stands before a key's name in an error. Raises ``bad_file``."""
    for name in table:
        if name not in keys:
            raise bad(file, f"{where}{name}", f"one of {', '.join(keys)}", "is not a key")
    for name, key in keys.items():
        if name not in table and key.required:
            raise bad(file, f"{where}{name}", key.expected, "is missing")
        if name in table and not key.fits(table[name]):
            raise bad(file, f"{where}{name}", key.expected, f"= {table[name]!r} is wrong")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}


def bad(file: Path, key: str, expected: str, what: str = "is wrong") -> ClawMuxError:
    return ClawMuxError("bad_file", f"{file}: {key} {what}; expected {expected}.", "Every key is explained in claude.toml.")
