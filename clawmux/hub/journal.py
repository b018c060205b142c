"""The numbered event log: what happened, stored first, then told to every page in the same order.

A unit of work collects its statements and events; ``flush`` writes them as one transaction, and only when they are
durable are the pages and the waiting commands told. Decides nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from clawmux.adapters.store import Statement, Store
from clawmux.wire.errors import ClawMuxError

log = logging.getLogger(__name__)

# What is looked through for a text to speak again, and for words that were said already.
RING_EVENTS = 2000
# A page that missed more than this fetches the history instead; it must fit a page's outbox, with room for what is new.
MISSED_EVENTS = 400


_SAID = frozenset({"assistant_text", "user_text", "agent_message", "session_terminated"})

Act = tuple[Callable[[], None], Callable[[Exception], None] | None]
"""What is done once a unit of work is durable, and what instead when the disk refuses it; None: the same."""


class Journal:
    def __init__(self, store: Store, publish: Callable[[dict[str, Any]], None]) -> None:
        self._store = store
        self._publish = publish
        self._n = store.last_event()
        self._ring: deque[dict[str, Any]] = deque(store.events_after(self._n - RING_EVENTS, RING_EVENTS), RING_EVENTS)
        self._words: dict[str, None] = dict.fromkeys(e["msg_id"] for e in self._ring if e["type"] == "user_text")
        """Ids of the newest that the user has said, oldest first."""
        self._statements: list[Statement] = []
        self._then: list[Act] = []
        self._last: asyncio.Future[None] | None = None
        self.before_said: Callable[[str], None] = lambda session_id: None
        """(session) in which something is about to be said: what led to it is to stand before it."""
        self._untold = 0
        """Units of work whose acts have not run yet."""

    @property
    def next_n(self) -> int:
        return self._n + 1

    def has_words(self, source_id: str) -> bool:
        """Whether this turn's or typed text's words are in the log already."""
        return source_id in self._words

    def words_of(self, source_id: str) -> str:
        return next((e["text"] for e in reversed(self._ring) if e.get("msg_id") == source_id), "")

    # -- collecting --

    def event(self, kind: str, session_id: str | None, **body: Any) -> None:
        """Add an event; pages hear of it when it is durable."""
        if kind in _SAID and session_id is not None:
            self.before_said(session_id)
        self._n += 1
        event = {"type": kind, "n": self._n, "ts": round(time.time(), 3), "session_id": session_id, **body}
        if kind == "user_text":
            self._words[body["msg_id"]] = None
            while len(self._words) > RING_EVENTS:
                del self._words[next(iter(self._words))]
        row = (self._n, session_id, kind, event["ts"], json.dumps(event, ensure_ascii=False))
        self._statements.append(("INSERT INTO events (n, session_id, type, ts, body) VALUES (?, ?, ?, ?, ?)", row))
        self._then.append((lambda: self._tell(event), None))

    def statement(self, sql: str, *values: Any) -> None:
        self._statements.append((sql, values))

    def then(self, act: Callable[[], None], refused: Callable[[Exception], None] | None = None) -> None:
        """Do this once everything collected so far is durable. What must not be done without that gives ``refused``."""
        self._then.append((act, refused))

    def flush(self) -> asyncio.Future[None] | None:
        """Commit what was collected. Acts run in order, also when the disk refuses: live voice goes on."""
        statements, self._statements = self._statements, []
        acts, self._then = self._then, []
        # Without statements of its own it waits for those before: nobody is told of a thing before what led to it.
        future = self._store.write(*statements) if statements else self._last
        if future is None or (not statements and self._untold == 0):
            self._run(acts)
            return None
        self._last = future
        self._untold += 1
        future.add_done_callback(lambda done: self._durable(done, acts))
        return future

    # -- reading --

    def text_of(self, session_id: str, msg_id: str) -> str:
        """The text of an agent's entry. Raises ``not_found``."""
        for event in self._store.events_before(session_id, 0, self._n + 1, RING_EVENTS):
            if event["type"] == "assistant_text" and event["msg_id"] == msg_id:
                return str(event["text"])
        raise ClawMuxError("not_found", f"field 'msg_id': this conversation has no entry {msg_id!r}.")

    def sessions(self) -> list[str]:
        """The stored sessions, as they were written."""
        return [body for (body,) in self._store.rows("SELECT body FROM sessions ORDER BY rowid")]

    def since(self, last: int) -> list[dict[str, Any]] | None:
        """Events after ``last``; None when they are too many or no longer here, or ``last`` is from another life."""
        if last > self._n or (self._ring and last < self._ring[0]["n"] - 1):
            return None
        missed = [event for event in self._ring if event["n"] > last]
        return missed if len(missed) <= MISSED_EVENTS else None

    def _tell(self, event: dict[str, Any]) -> None:
        self._ring.append(event)
        self._publish(event)

    def _durable(self, done: asyncio.Future[None], acts: list[Act]) -> None:
        error = None if done.cancelled() else done.exception()
        if error:
            log.error("the store refused a write: %s", error)
        self._untold -= 1
        self._run(acts, error)

    @staticmethod
    def _run(acts: list[Act], error: BaseException | None = None) -> None:
        for act, refused in acts:
            try:
                if isinstance(error, Exception) and refused is not None:
                    refused(error)
                else:
                    act()
            except Exception:
                log.exception("an act after a commit failed")
