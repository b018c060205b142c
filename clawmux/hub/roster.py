"""The sessions that this hub knows, living and ended, and their rows in the store. Starts and ends nothing itself."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from clawmux.core.session import Session, with_question
from clawmux.hub.journal import Journal
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import SessionState, Stage

log = logging.getLogger(__name__)


class Roster:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._sessions: dict[str, Session] = {}
        self._stages: dict[str, Stage | None] = {}
        self.on_changed: Callable[[Session], None] = lambda session: None
        self.on_ended: Callable[[Session], None] = lambda session: None

    # -- reading --

    @property
    def living(self) -> list[Session]:
        return [s for s in self._sessions.values() if s.state is not SessionState.DEAD]

    def stored(self) -> list[Session]:
        """As the store has them; a row that cannot be read is left as it is, and must not keep the hub from starting."""
        return [session for session in map(_decoded, self._journal.sessions()) if session]

    def ended(self) -> list[Session]:
        """What is still known of sessions that have ended; an id that was given again belongs to its new session."""
        known = {session.id: session for session in self.stored()} | self._sessions  # the store is a moment behind
        return [session for session in known.values() if session.state is SessionState.DEAD]

    def panes(self) -> dict[int, str]:
        """Process id of each pane -> session id, for telling who calls."""
        return {s.pid: s.id for s in self.living if s.pid}

    def alive(self, session_id: str) -> Session | None:
        session = self._sessions.get(session_id)
        return session if session is not None and session.state is not SessionState.DEAD else None

    def get(self, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None or session.state is SessionState.DEAD:
            known = ", ".join(s.name for s in self.living) or "none"
            raise ClawMuxError("not_found", f"there is no session {session_id!r}.", f"Living sessions: {known}.")
        return session

    def find(self, name_or_id: str) -> Session:
        """By id, friendly name or voice; exact, never by pattern."""
        for session in self.living:
            if name_or_id in (session.id, session.name):
                return session
        return self.get(name_or_id)

    def find_ever(self, name_or_id: str) -> Session:
        """Living or ended: its conversation can be read in both cases."""
        sessions = [*self.living, *self.ended()]
        return next((s for s in sessions if name_or_id in (s.id, s.name)), None) or self.get(name_or_id)

    # -- changes --

    def contacted(self, session_id: str) -> None:
        """The agent called: it is up, and alive."""
        if (session := self._sessions.get(session_id)) and session.state is not SessionState.DEAD:
            self._put(session.moved(SessionState.READY).seen(time.time()))

    def came_up(self, session_id: str) -> None:
        """Its program is there: a hook of it says so."""
        if (session := self.alive(session_id)) and session.state is SessionState.STARTING:
            self._put(session.moved(SessionState.READY).seen(time.time()))

    def reported(self, session_id: str, text: str) -> None:
        """What it says that it works on; stored."""
        self._put(replace(self.get(session_id), report=text, reported=round(time.time(), 1)))
        self._journal.flush()

    def question_changed(self, session_id: str, stage: Stage | None) -> None:
        self._stages[session_id] = stage
        if (session := self._sessions.get(session_id)) and session.state is not SessionState.DEAD:
            self._put(with_question(session, stage).seen(time.time()), changed=True)

    def _put(self, session: Session, changed: bool = False) -> None:
        before = self._sessions.get(session.id)
        self._sessions[session.id] = session
        if before == session and not changed:
            return
        self._journal.statement(
            "INSERT INTO sessions (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            session.id,
            json.dumps(dataclasses.asdict(session)),
        )
        self.on_changed(session)

    def _end(self, session: Session, reason: str) -> None:
        if session.state is SessionState.DEAD:
            return
        dead = session.moved(SessionState.DEAD, reason)
        self._stages.pop(session.id, None)
        self._put(dead)
        self._journal.event("session_terminated", session.id, reason=reason, name=session.name)
        self.on_ended(dead)


def describe(session: Session) -> dict[str, Any]:
    """The fields of a session that pages and scripts see; the runtime adds the question."""
    return {
        "id": session.id,
        "name": session.name,
        "voice": session.voice,
        "runtime": session.runtime,
        "dir": session.directory,
        "state": session.state.value,
        "created": session.created,
        "last_active": session.last_active,
        "first_n": session.first_n,
        "reason": session.reason,
    }


def _decoded(body: str) -> Session | None:
    try:
        fields = json.loads(body)
        return Session(**{**fields, "state": SessionState(fields["state"])})
    except (TypeError, ValueError, KeyError):
        log.exception("a stored session cannot be read; left as it is")
        return None
