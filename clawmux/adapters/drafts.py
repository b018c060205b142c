"""Pure: what stands in an input box, compared with what we type. How it is broken into lines there says nothing."""

from __future__ import annotations

import bisect
import unicodedata
from collections.abc import Sequence

# Somebody's own words are not found in a message of ours for so long.
LEAST_PART = 16


def same_words(shown: str, text: str) -> bool:
    """Whether the box shows this text; how it is broken into lines there says nothing."""
    found, expected = _bones(shown), _bones(text)
    # Some programs write right-to-left words in the order in which they are seen.
    return found == expected or (_is_right_to_left(text) and sorted(found) == sorted(expected))


def show_the_same_end(shown: str, text: str) -> bool:
    """Whether what is shown is the last part of this text."""
    found = _bones(shown)
    return bool(found) and _bones(text).endswith(found)


def stands_in(shown: str, text: str) -> bool:
    """Whether what is shown is a part of this text, in which a program may have left out the marks of markdown."""
    found = _bones(shown.translate(_MARKS))
    return bool(found) and found in _bones(text.translate(_MARKS))


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


_MARKS = {ord(mark): None for mark in "`*_#"}


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
