"""Pure: what an agent's screen says, and which text may be typed into its input box. Touches no pane."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from enum import StrEnum

from clawmux.adapters.drafts import is_begun, same_words, show_the_same_end


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
    """Of these lines what was said by the user, for a box with a frame: it begins with a prompt, which no frame stands above,
    and goes on while lines are indented or empty. A program that clears the screen leaves pictures of its box in the history,
    whole or in part, and what stands in those was not sent."""
    if not rules.frame:
        return "\n".join(lines)
    kept: list[str] = []
    is_said = was_frame = False
    for line in lines:
        is_frame = bool(re.search(rules.frame, line))
        if not line[:1].isspace() and re.match(rules.prompt, line):
            is_said = not was_frame
        elif is_frame or (line and not line[0].isspace()):
            is_said = False
        was_frame = is_frame
        if is_said:
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
    return show_the_same_end("".join(lines[: frames[0]]), typed)


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
