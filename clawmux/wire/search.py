"""Text as it is searched, and the piece of it that is shown around what was found. Pure; knows neither store nor page."""

from __future__ import annotations

import json

# Marks of markdown, which nobody sees who reads it.
_MARKS = "*`~"
BEFORE_CHARACTERS = 48
"""So much stands before the words in an excerpt: on a phone it must leave them in sight."""
AFTER_CHARACTERS = 160


def plain(text: object) -> str:
    """In one line, without the marks of markdown. Empty for what is no text."""
    if not isinstance(text, str):
        return ""
    for mark in _MARKS:
        if mark in text:
            text = text.replace(mark, "")
    return " ".join(text.split())


def searched(text: object) -> str:
    """The same whatever its case (SQLite's own lower() knows the letters of English only)."""
    return plain(text).casefold()


def deeds(items: object) -> str:
    """What an agent has done, as words: the tools and what they worked on, from the JSON of a ``work`` entry's items."""
    try:
        found = json.loads(items) if isinstance(items, str) else items
    except ValueError:
        return ""
    done = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    return ", ".join(f"{item.get('tool') or ''} {item.get('detail') or ''}".strip() for item in done)


def excerpt(text: object, words: str) -> tuple[str, str, str]:
    """What stands before the words, the words as they are written there, what stands after; all short and in one line.

    Where the words are not found the beginning of the text is all.
    """
    line, wanted = plain(text), searched(words)
    at = line.casefold().find(wanted) if wanted else -1
    if at < 0:
        return "", "", _cut_end(line, BEFORE_CHARACTERS + AFTER_CHARACTERS)
    start = _place(line, at)
    end = _place(line, at + len(wanted))
    return _cut_start(line[:start]), line[start:end], _cut_end(line[end:], AFTER_CHARACTERS)


def _place(line: str, folded: int) -> int:
    """Where in the line the character stands that makes this place of its folded form: "ß" folds to two."""
    if len(line) == len(line.casefold()):
        return folded
    length = 0
    for place, character in enumerate(line):
        if length >= folded:
            return place
        length += len(character.casefold())
    return len(line)


def _cut_start(text: str) -> str:
    if len(text) <= BEFORE_CHARACTERS:
        return text
    kept = text[-BEFORE_CHARACTERS:]
    return f"…{kept[kept.find(' ') + 1 :]}" if " " in kept[:-1] else f"…{kept}"


def _cut_end(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    kept = text[:most]
    return f"{kept[: kept.rfind(' ')]}…" if " " in kept[1:] else f"{kept}…"
