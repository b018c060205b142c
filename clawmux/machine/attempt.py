"""A reading that may fail: its value, or something in its place and a note of why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from clawmux.hardware import Note

T = TypeVar("T")


def attempt(notes: list[Note], what: str, reading: Callable[[], T], otherwise: T) -> T:
    """One odd file of a stranger's machine must not cost all other readings: whatever it raises becomes a note."""
    try:
        return reading()
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        notes.append(Note(what, f"The {what} could not be read:{name} {error.strerror or error}."))
    except Exception as error:
        notes.append(Note(what, f"The {what} could not be read: {type(error).__name__}: {error}."))
    return otherwise
