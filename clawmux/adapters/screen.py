"""Pure: what an agent's screen says, and which text may be typed into its input box. Touches no pane."""

from __future__ import annotations

from dataclasses import dataclass


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
