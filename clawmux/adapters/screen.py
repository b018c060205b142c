"""Pure: what an agent's screen says, and which text may be typed into its input box. Touches no pane."""

from __future__ import annotations

import bisect
import itertools
import re
import unicodedata
from collections.abc import Sequence
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
    queued: str = ""
    """Regex of the lines that show what was sent, but comes back into the box when the turn is stopped."""
    stash_key: str = ""
    """Control character that puts a draft away until after the next message; empty = a draft refuses the message."""
    clear_key: str = "\x15"
    """Control character that takes back the line before the cursor: pressed until a half-typed message of ours is gone."""
    mid_turn: bool = True
    """Whether it takes text while it works."""
    chunk_chars: int = 400
    chunk_lines: int = 2
    chunk_pause_ms: int = 20
    settle_ms: int = 250
    """Between the last chunk and Enter: some boxes swallow an Enter that follows a paste at once."""
    steady_ms: int = 20
    """The box has to look the same for so long before it is typed into, and before an Enter counts as taken: a screen may be
    read while its program is drawing it."""
    trailing_space: bool = True
    """Keeps a completion menu from taking the Enter."""
    most_chars: int = 2600
    """Typed at a time; 2 KB of text with their headers fit."""
    most_lines: int = 30
    """Of the messages that are typed at a time; a taller box outgrows the screen, and what is in it cannot be read any more."""
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
    above: str = ""
    """What stands before the box, or instead of it: what the program has shown already."""
    queued: str = ""
    """The lines of it that the program holds back."""


REFUSALS: dict[Box, str] = {
    Box.DIALOG: "a dialog is open in it, which Enter would answer",
    Box.CLOSED: "it shows a view that takes no text",
    Box.NONE: "its input box is not on the screen",
}

# Some runtimes write a line or two of hints under the box; a menu under it is taller, and would take the Enter.
MOST_LINES_BELOW = 4


@dataclass(frozen=True, slots=True)
class _Place:
    """Lines of the box: from ``first`` to before ``end``; the frame below is no part of it."""

    first: int
    end: int


def read_screen(text: str, rules: InputRules, typed: str = "", history: str = "") -> Screen:
    """Where the input box is and what is in it; in doubt there is none. ``history`` has scrolled off above. A box that has
    grown beyond the top of the screen, or has empty lines in it, is known only by what we have ``typed`` into it."""
    lines = text.rstrip().split("\n")
    place = _framed(lines, rules, typed) if rules.frame else _unframed(lines, rules, typed)
    if typed and _is_tail(lines, rules, typed):
        return Screen(Box.OPEN, typed)
    if place is None:
        shut = _shut("\n".join(lines), rules)
        # What a dialog hides is the box, so whatever it shows was sent. Without one, our words may stand in a box unseen.
        return Screen(shut or Box.NONE, above=_shown(f"{history}\n{text}".split("\n"), rules) if shut is Box.DIALOG else "")
    above = _shown([*history.split("\n"), *lines[: place.first - 1 if rules.frame else place.first]], rules)
    queued = "\n".join(line for line in lines[: place.first] if rules.queued and re.match(rules.queued, line))
    draft = _draft(lines[place.first : place.end], rules)
    ours = bool(typed) and same_words(draft, typed)
    # Words of dialogs above the box are only talked about. Without a frame its answers may look like a box themselves.
    beside = lines[place.end if rules.frame or ours else place.first :]
    if shut := _shut("\n".join(beside), rules):
        return Screen(shut, above=above, queued=queued)
    is_hint = any(re.search(hint, draft) for hint in rules.placeholders)
    return Screen(Box.OPEN, "" if is_hint else draft, above, queued)


def _shown(lines: list[str], rules: InputRules) -> str:
    """These lines without earlier pictures of the box: a program that clears the screen leaves them above it."""
    if not rules.frame:
        return "\n".join(lines)
    frames = [number for number, line in enumerate(lines) if re.search(rules.frame, line)]
    ends = {first: end for first, end in itertools.pairwise([*frames, len(lines)]) if _is_prompt(lines, first + 1, rules)}
    kept, end = [], 0
    for number, line in enumerate(lines):
        end = ends.get(number, end)
        if number >= end:
            kept.append(line)
    return "\n".join(kept)


def _is_prompt(lines: list[str], number: int, rules: InputRules) -> bool:
    return number < len(lines) and bool(re.match(rules.prompt, lines[number]))


def _shut(text: str, rules: InputRules) -> Box | None:
    if any(words in text for words in rules.dialogs):
        return Box.DIALOG
    return Box.CLOSED if any(words in text for words in rules.closed) else None


def _draft(box: list[str], rules: InputRules) -> str:
    prompt = re.match(rules.prompt, box[0])
    return "\n".join([box[0][prompt.end() if prompt else 0 :], *box[1:]]).strip()


def _framed(lines: list[str], rules: InputRules, typed: str) -> _Place | None:
    """Between the last frame line and one before it that a prompt follows; the text in the box may have such lines, too."""
    frames = [number for number, line in enumerate(lines) if re.search(rules.frame, line)]
    if not frames or len(lines) - 1 - frames[-1] > MOST_LINES_BELOW:
        return None
    tops = [top for top in reversed(frames[:-1]) if top + 1 < frames[-1] and _is_prompt(lines, top + 1, rules)]
    places = [_Place(top + 1, frames[-1]) for top in tops]
    ours = (p for p in places if typed and same_words(_draft(lines[p.first : p.end], rules), typed))
    return next(ours, places[0] if places else None)


def _is_tail(lines: list[str], rules: InputRules, typed: str) -> bool:
    frames = [number for number, line in enumerate(lines) if rules.frame and re.search(rules.frame, line)]
    if len(frames) != 1 or len(lines) - 1 - frames[0] > MOST_LINES_BELOW:
        return False
    shown = _bones("".join(lines[: frames[0]]))
    return bool(shown) and _bones(typed).endswith(shown)


def _unframed(lines: list[str], rules: InputRules, typed: str) -> _Place | None:
    """From the last prompt to the next empty line, or to the end of what we have typed."""
    starts = [number for number, line in enumerate(lines) if re.match(rules.prompt, line)]
    if not starts:
        return None
    first = starts[-1]
    end = first + len(list(itertools.takewhile(str.strip, lines[first:])))
    ours = (e for e in range(len(lines), end, -1) if typed and is_begun(_draft(lines[first:e], rules), [typed]))
    end = next(ours, end)
    return _Place(first, end) if len(lines) - end <= MOST_LINES_BELOW and end > first else None


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


# Somebody's own words are not found in a message of ours for so long.
LEAST_PART = 16


def same_words(shown: str, text: str) -> bool:
    """Whether the box shows this text; how it is broken into lines there says nothing."""
    found, expected = _bones(shown), _bones(text)
    # Some programs write right-to-left words in the order in which they are seen.
    return found == expected or (_is_right_to_left(text) and sorted(found) == sorted(expected))


def is_begun(shown: str, texts: Sequence[str]) -> bool:
    """Whether the box shows nothing but some of these texts, one after another, the last perhaps in part."""
    rest = _bones(shown)
    while rest:
        bones = [_bones(text) for text in texts]
        if any(text.startswith(rest) for text in bones):
            return True
        whole = next((text for text in bones if text and rest.startswith(text)), None)
        if whole is None:
            return False
        rest = rest[len(whole) :]
    return False


def is_made_of(shown: str, texts: Sequence[str]) -> bool:
    """Whether the box shows nothing but longer parts of these texts, in whatever order and number."""
    ours, rest = _bones("\n".join(texts)), _bones(shown)
    while rest:
        # As much of the rest as stands somewhere in ours.
        length = bisect.bisect_left(range(1, len(rest) + 1), True, key=lambda n: rest[:n] not in ours)
        if length < LEAST_PART:
            return False
        rest = rest[length:]
    return True


def pieces_in(shown: str, pieces: Sequence[str]) -> int | None:
    """How many of the pieces of one text the box shows; None when it cannot be told for sure."""
    found = [number for number in range(1, len(pieces) + 1) if same_words(shown, "".join(pieces[:number]))]
    return found[0] if len(found) == 1 else None


def _bones(text: str) -> str:
    """What any terminal shows of a text in the same way: no blanks, which wrapping adds and takes; no emoji, marks and joiners,
    of which tmux keeps as many as fit into a cell."""
    if text.isascii():
        return "".join(text.split())
    # Some programs put a letter and its marks together, or take them apart.
    apart = unicodedata.normalize("NFD", text)
    return "".join(c for c in apart if c in _PLAIN or (c < "\U00010000" and unicodedata.category(c)[0] in "LNP"))


_PLAIN = frozenset(chr(code) for code in range(0x21, 0x7F))


def _is_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
