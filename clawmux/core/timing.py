"""How long the parts of a turn took, from the user's last word to the agent's first sound. Decides; touches nothing.

    last word -> (pause heard) -> turn closed -> (speech to text) -> words -> (agent) -> answer -> (first sound) -> sound

Inputs are methods; ``now`` is monotonic seconds. Each that has moved a turn on returns what is known of it by then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Timed:
    """One turn of the user and what came of it; milliseconds, None as long as it has not come so far."""

    session_id: str
    turn: str
    heard_ms: int
    """From the last word until that was taken for the end; 0 when the user ended it themselves, or typed."""
    stt_ms: int | None = None
    """0 for typed words."""
    agent_ms: int | None = None
    first_sound_ms: int | None = None


@dataclass(slots=True)
class _Course:
    timed: Timed
    since: float
    """When its last known part ended."""
    answer: str = ""
    """Id of what the agent said to it."""


@dataclass(slots=True)
class Timing:
    """The newest turn of each session."""

    _courses: dict[str, _Course] = field(default_factory=dict)

    def turn_closed(self, turn: str, session_id: str, pause_ms: float, now: float) -> Timed:
        """The user has finished, ``pause_ms`` after the last word."""
        course = _Course(Timed(session_id, turn, round(max(0.0, pause_ms))), now)
        self._courses[session_id] = course
        return course.timed

    def typed(self, turn: str, session_id: str, now: float) -> Timed:
        """Words that were typed are with the agent."""
        course = _Course(Timed(session_id, turn, 0, 0), now)
        self._courses[session_id] = course
        return course.timed

    def heard(self, turn: str, now: float) -> Timed | None:
        """Its words are here."""
        course = next((c for c in self._courses.values() if c.timed.turn == turn and c.timed.stt_ms is None), None)
        return self._moved(course, now, lambda timed, ms: replace(timed, stt_ms=ms))

    def said(self, session_id: str, answer: str, now: float) -> Timed | None:
        """The agent speaks; only the first that it says to a turn counts."""
        course = self._courses.get(session_id)
        if course is None or course.timed.stt_ms is None or course.answer:
            return None
        course.answer = answer
        return self._moved(course, now, lambda timed, ms: replace(timed, agent_ms=ms))

    def sounded(self, answer: str, now: float) -> Timed | None:
        """The first sound of it left the page."""
        course = next((c for c in self._courses.values() if c.answer == answer and c.timed.first_sound_ms is None), None)
        return self._moved(course, now, lambda timed, ms: replace(timed, first_sound_ms=ms))

    def empty(self, turn: str) -> None:
        """Nothing came of it."""
        self._courses = {session: c for session, c in self._courses.items() if c.timed.turn != turn}

    def session_ended(self, session_id: str) -> None:
        self._courses.pop(session_id, None)

    def newest(self) -> list[Timed]:
        return [course.timed for course in self._courses.values()]

    @staticmethod
    def _moved(course: _Course | None, now: float, put: Callable[[Timed, int], Timed]) -> Timed | None:
        if course is None:
            return None
        course.timed, course.since = put(course.timed, round((now - course.since) * 1000)), now
        return course.timed
