"""One agent session: starting, ready, active, dead. Decides; touches nothing.

``dead`` is final. Activity is told with the evidence it came from and its age is the reader's to judge;
what is not known is ``unknown``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from clawmux.wire.words import Activity, SessionState, Stage

# state -> the states it may become. An illegal move is refused and changes nothing.
MOVES: dict[SessionState, frozenset[SessionState]] = {
    SessionState.STARTING: frozenset({SessionState.READY, SessionState.ACTIVE, SessionState.DEAD}),
    SessionState.READY: frozenset({SessionState.ACTIVE, SessionState.DEAD}),
    SessionState.ACTIVE: frozenset({SessionState.READY, SessionState.DEAD}),
    SessionState.DEAD: frozenset(),
}

_ACTIVITY_OF_STAGE: dict[Stage, Activity] = {
    Stage.QUEUED: Activity.WAITING,
    Stage.SPEAKING: Activity.SPEAKING,
    Stage.LISTENING: Activity.LISTENING,
    Stage.WAITING: Activity.NEEDS_YOU,
    Stage.TRANSCRIBING: Activity.LISTENING,
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


def activity(session: Session, stage: Stage | None) -> Activity:
    """What the agent does, from the one evidence there is yet: its own converse calls."""
    if session.state is SessionState.DEAD:
        return Activity.UNKNOWN
    return Activity.UNKNOWN if stage is None else _ACTIVITY_OF_STAGE.get(stage, Activity.UNKNOWN)


def idle_deadline(session: Session, stage: Stage | None, idle_minutes: float) -> float | None:
    """Unix second at which inactivity ends the session; none while it asks something, or when idle_minutes is 0."""
    if idle_minutes <= 0 or session.state is SessionState.DEAD or stage is not None:
        return None
    return max(session.last_active, session.created) + idle_minutes * 60
