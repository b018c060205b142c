"""What became of an utterance: when its words sound, and how much of it was heard when the user cut it off."""

from __future__ import annotations

from collections.abc import Iterable

from clawmux.adapters.speech.sentences import split_pieces
from clawmux.adapters.speech.text import spoken
from clawmux.adapters.speech.voices import find_voice
from clawmux.core.marks import Mark, Marks, heard_until
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.frames import SPEECH_RATE

# Who cuts off the last word has heard it all.
_REST_SECONDS = 0.7
# Answers that never come: notes are kept for so many questions.
_KEPT = 200


def marks_of(text: str, voice: str) -> Marks:
    """In the pieces that the speech service makes of it."""
    try:
        language = find_voice(voice).language
    except ClawMuxError:
        language = "en"  # another server's voice
    pieces = split_pieces(spoken(text, language))
    return Marks(text, [(piece.text, piece.pause_seconds) for piece in pieces], SPEECH_RATE)


def to_wire(text: str, marks: Iterable[Mark]) -> list[list[int]]:
    """As pages count characters: in UTF-16."""
    if text.isascii() or max(text) <= "\uffff":
        return [[mark.start_ms, mark.end_ms, mark.begin, mark.end] for mark in marks]
    units = [0]
    for character in text:
        units.append(units[-1] + (2 if character > "\uffff" else 1))
    return [[mark.start_ms, mark.end_ms, units[mark.begin], units[mark.end]] for mark in marks]


class CutOff:
    """What agents are told who were interrupted: it goes with the answer to their question."""

    def __init__(self) -> None:
        self._notes: dict[str, str] = {}

    def note(self, question_id: str, text: str, marks: list[Mark], heard_seconds: float, whole_seconds: float) -> None:
        if heard_seconds > whole_seconds - _REST_SECONDS:
            return
        last = heard_until(text, marks, heard_seconds * 1000)
        where = f", at: “… {last}”" if last else ""
        self._notes[question_id] = f"(The user interrupted you after {heard_seconds:.1f} s of {whole_seconds:.1f} s{where})"
        for old in list(self._notes)[:-_KEPT]:
            del self._notes[old]

    def told(self, question_id: str, answer: str) -> str:
        """The answer with its note, if there is one."""
        note = self._notes.pop(question_id, "")
        return "\n".join(part for part in (answer, note) if part)
