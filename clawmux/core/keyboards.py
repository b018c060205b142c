"""Who types into which agent's terminal from a page. Decides; touches nothing.

One page at a time has an agent's keyboard: it takes it, also from another, and gives it back; who leaves it untouched for
long loses it, because messages to the agent wait meanwhile. ``now`` is monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# Longer than anybody thinks between two keys; short enough that an agent is not cut off for a forgotten page.
IDLE_SECONDS = 300.0


@dataclass(slots=True)
class _Held:
    client: str
    touched: float


@dataclass(slots=True)
class Keyboards:
    _held: dict[str, _Held] = field(default_factory=dict)
    """By session."""

    def take(self, session_id: str, client: str, now: float) -> str | None:
        """This page types from now on. Answers who has lost it by that."""
        before = self._held.get(session_id)
        self._held[session_id] = _Held(client, now)
        return before.client if before is not None and before.client != client else None

    def touch(self, session_id: str, client: str, now: float) -> bool:
        """Whether this page may type, which it does now."""
        held = self._held.get(session_id)
        if held is None or held.client != client:
            return False
        held.touched = now
        return True

    def give_back(self, session_id: str, client: str) -> bool:
        """Whether it was this page's to give."""
        if self.holder(session_id) != client:
            return False
        del self._held[session_id]
        return True

    def holder(self, session_id: str) -> str | None:
        held = self._held.get(session_id)
        return held.client if held is not None else None

    def forgotten(self, now: float) -> list[tuple[str, str]]:
        """(session, client) of those untouched for too long; theirs no more."""
        late = [(session_id, held.client) for session_id, held in self._held.items() if now - held.touched >= IDLE_SECONDS]
        for session_id, _ in late:
            del self._held[session_id]
        return late

    def deadline(self) -> float | None:
        """When the next one is forgotten."""
        return min((held.touched + IDLE_SECONDS for held in self._held.values()), default=None)
