"""One agent session: starting, ready, active, dead. Decides; touches nothing.

``dead`` is final. What a living one does is weighed in ``state``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from clawmux.wire.words import SessionState, Stage

# state -> the states it may become. An illegal move is refused and changes nothing.
MOVES: dict[SessionState, frozenset[SessionState]] = {
    SessionState.STARTING: frozenset({SessionState.READY, SessionState.ACTIVE, SessionState.DEAD}),
    SessionState.READY: frozenset({SessionState.ACTIVE, SessionState.DEAD}),
    SessionState.ACTIVE: frozenset({SessionState.READY, SessionState.DEAD}),
    SessionState.DEAD: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of one agent. Frozen: every change is a new value, stored and shown as one."""

    id: str
    name: str
    voice: str
    runtime: str
    directory: str
    created: float
    """Unix seconds."""
    first_n: int
    """Number of the first event that belongs to this session; ids return after a session has ended."""
    state: SessionState = SessionState.STARTING
    pane_id: str = ""
    pid: int = 0
    last_active: float = 0.0
    """Unix seconds of the last sign of life: a command, words, output."""
    reason: str = ""
    """Why it is dead, or what it waits for while starting."""
    report: str = ""
    """What it says that it works on."""
    reported: float = 0.0
    """When it said so; unix seconds."""

    def moved(self, state: SessionState, reason: str = "") -> Session:
        """In that state, or unchanged when the move is not allowed."""
        return replace(self, state=state, reason=reason) if state in MOVES[self.state] else self

    def seen(self, now: float) -> Session:
        return replace(self, last_active=max(self.last_active, now))


def with_question(session: Session, stage: Stage | None) -> Session:
    """Active while a converse call is in progress, ready when none is. A first call means it has come up."""
    if stage is not None:
        return session.moved(SessionState.ACTIVE)
    return session.moved(SessionState.READY) if session.state is SessionState.ACTIVE else session


def idle_deadline(session: Session, stage: Stage | None, idle_minutes: float) -> float | None:
    """Unix second at which inactivity ends the session; none while it asks something, or when idle_minutes is 0."""
    if idle_minutes <= 0 or session.state is SessionState.DEAD or stage is not None:
        return None
    return max(session.last_active, session.created) + idle_minutes * 60
