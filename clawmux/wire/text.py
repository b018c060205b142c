"""Text as people give it and get it: cleaned, limited, and printed. Knows no verb."""

from __future__ import annotations

import re
from typing import Any

from clawmux.wire.errors import ClawMuxError

# About an hour of speech. More is a file, which an agent should name and not read out.
TEXT_LIMIT_BYTES = 65536
ENVELOPE_VERSION = 1

_SURROGATES = re.compile("[\ud800-\udfff]")
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """The text a person may see and hear: no terminal commands, no NUL, no half characters, no outer blanks."""
    text = _SURROGATES.sub("\ufffd", _TERMINAL.sub("", text.replace("\r\n", "\n")))
    return _CONTROLS.sub("", text).strip()


# Characters that are not seen, or that turn the order of others round: controls, zero widths, bidirectional marks. The page has
# the same two sets (static/words.js).
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
# Of these, those that some scripts and emoji need are left alone in prose.
_UNRULY = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")


def undisguised(text: str) -> str:
    """What somebody decides about has to read as it will be done: a character that hides or reorders others is named."""
    return _UNSEEN.sub(_named, text)


def shown(text: str) -> str:
    """A text for reading: no terminal escape, and nothing that turns the order of the words round."""
    return _UNRULY.sub(_named, text)


def _named(found: re.Match[str]) -> str:
    return f"‹U+{ord(found[0]):04X}›"


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters; one that is longer ends in an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def in_one_line(text: str) -> str:
    """With its line breaks marked: to a shell they are no blanks, and what follows one is not part of the comment before it."""
    lines = (" ".join(line.split()) for line in re.split("\r\n|\r|\n", text))
    return " ⏎ ".join(filter(None, lines))


def check_text(where: str, text: str, limit: int = TEXT_LIMIT_BYTES) -> str:
    """The cleaned text, 1 to ``limit`` bytes of it."""
    cleaned = clean(text)
    size = len(cleaned.encode())
    if not size:
        raise ClawMuxError("usage", f"{where} is empty; expected 1 to {limit} bytes of text.", "Say it in a few words.")
    if size > limit:
        raise ClawMuxError(
            "too_large",
            f"{where} is {size} bytes; the limit is {limit}.",
            "Say it in short, and name the file that holds the rest.",
        )
    return cleaned


def error_text(error: ClawMuxError) -> str:
    """An error as it stands on stderr, the same from every command. It may quote a server's words, or a file's name."""
    return clean(f"clawmux: {error.text}\n{error.remedy}") + "\n"


def json_line(command: str, body: dict[str, Any]) -> str:
    """What every command prints for ``--json``, in one line: ``body`` holds ``result``, ``error``, or both."""
    import json  # few commands need it, and every command's start would pay for it

    return json.dumps({"clawmux": ENVELOPE_VERSION, "command": command, **body}, ensure_ascii=False)
