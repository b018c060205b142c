"""Pure: what an agent's screen says, and which text may be typed into its input box. Touches no pane."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class InputRules:
    """How one runtime's input box looks and what it takes; data of its manifest."""

    prompt: str
    """Regex of the line that the input box begins with; what it does not match of that line is the draft."""
    frame: str = ""
    """Regex of the lines above and below the box; empty = the box has none."""
    dialogs: tuple[str, ...] = ()
    """Words that stand on the screen only while Enter would answer a dialog."""
    closed: tuple[str, ...] = ()
    """Words that stand on the screen while the box takes no text, such as a transcript view."""
    placeholders: tuple[str, ...] = ()
    """Regexes of grey hints that look like a draft."""
    stash_key: str = ""
    """Control character that puts a draft away until after the next message; empty = a draft refuses the message."""
    chunk_chars: int = 400
    chunk_lines: int = 2
    chunk_pause_ms: int = 20
    settle_ms: int = 250
    """Between the last chunk and Enter: some boxes swallow an Enter that follows a paste at once."""
    trailing_space: bool = True
    """Keeps a completion menu from taking the Enter."""
    most_chars: int = 2000
    commands: str = "!/?"
    """A message that begins with one of these characters would be run, not read."""


class Box(StrEnum):
    """What the bottom of the screen is."""

    OPEN = "open"
    DIALOG = "dialog"
    CLOSED = "closed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Screen:
    box: Box
    draft: str = ""
    """What stands in an open box already."""


REFUSALS: dict[Box, str] = {
    Box.DIALOG: "a dialog is open in it, which Enter would answer",
    Box.CLOSED: "it shows a view that takes no text",
    Box.NONE: "its input box is not on the screen",
}

# Some runtimes write a line or two of hints under the box; a menu under it is taller, and would take the Enter.
MOST_LINES_BELOW = 4


def read_screen(text: str, rules: InputRules, typed: str = "") -> Screen:
    """Where the input box is and what is in it; in doubt there is none. A box that has grown beyond the top of the screen is
    known only by the end of what we have ``typed`` into it."""
    if any(words in text for words in rules.dialogs):
        return Screen(Box.DIALOG)
    if any(words in text for words in rules.closed):
        return Screen(Box.CLOSED)
    lines = text.rstrip().split("\n")
    found = _framed(lines, rules) if rules.frame else _unframed(lines, rules)
    if typed and _is_tail(lines, rules, typed):
        return Screen(Box.OPEN, typed)
    if not found or not (prompt := re.match(rules.prompt, found[0])):
        return Screen(Box.NONE)
    draft = "\n".join([found[0][prompt.end() :], *found[1:]]).strip()
    is_hint = any(re.search(hint, draft) for hint in rules.placeholders)
    return Screen(Box.OPEN, "" if is_hint else draft)


def _framed(lines: list[str], rules: InputRules) -> list[str]:
    """The lines between the last two frame lines."""
    frames = [number for number, line in enumerate(lines) if re.search(rules.frame, line)]
    if len(frames) < 2 or len(lines) - 1 - frames[-1] > MOST_LINES_BELOW:
        return []
    return lines[frames[-2] + 1 : frames[-1]]


def _is_tail(lines: list[str], rules: InputRules, typed: str) -> bool:
    frames = [number for number, line in enumerate(lines) if rules.frame and re.search(rules.frame, line)]
    if len(frames) != 1 or len(lines) - 1 - frames[0] > MOST_LINES_BELOW:
        return False
    shown = "".join("".join(lines[: frames[0]]).split())
    return bool(shown) and "".join(typed.split()).endswith(shown)


def _unframed(lines: list[str], rules: InputRules) -> list[str]:
    """From the last prompt to the next empty line."""
    starts = [number for number, line in enumerate(lines) if re.match(rules.prompt, line)]
    if not starts:
        return []
    box = list(itertools.takewhile(str.strip, lines[starts[-1] :]))
    return box if len(lines) - starts[-1] - len(box) <= MOST_LINES_BELOW else []


# ECMA-48: CSI, then the strings (OSC, DCS, SOS, PM, APC) with their ends, then two-character escapes. Also their C1 forms.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]).*?(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1bO[ -~]?"  # SS3: arrow and function keys
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
# Control characters, lone surrogates, and what hides or reorders text, tag characters (U+E0000) too: agents read what they
# spell, people do not see it. The joiners of emoji and of Persian (U+200D, U+200C) stay.
_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


# What agents are taught to read as ours, at the start of any line; spelled in any case and with blanks before it.
_HEADER_LOOK_ALIKE = re.compile(r"^(\s*)\[(?=\s*(?:MSG|VOICE|SYSTEM)\b)", re.IGNORECASE | re.MULTILINE)
_MARKED = r"\1(quoted) ["


def sanitise(text: str) -> str:
    """Only what a person could have typed into the box: no key can be pressed and no paste be ended by it."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return _UNSEEN.sub("", text.replace("\r", "\n").replace("\t", "    ")).strip("\n").rstrip()


def with_header(header: str, text: str) -> str:
    """``[VOICE id:… from:user] text``. A line that looks like such a header itself is marked, so that it cannot be one."""
    return f"[{header}] {_HEADER_LOOK_ALIKE.sub(_MARKED, sanitise(text))}"


def chunks(text: str, rules: InputRules) -> list[str]:
    """The text in pieces that the runtime takes for typed; chunk_chars = 0 leaves it whole."""
    if not rules.chunk_chars:
        return [text]
    pieces, piece, newlines = [], "", 0
    for character in text:
        if len(piece) >= rules.chunk_chars or (character == "\n" and newlines >= rules.chunk_lines):
            pieces.append(piece)
            piece, newlines = "", 0
        piece += character
        newlines += character == "\n"
    return [*pieces, piece]


def same_words(shown: str, text: str) -> bool:
    """Whether the box shows this text; how it is broken into lines there says nothing."""
    return "".join(shown.split()) == "".join(text.split())
