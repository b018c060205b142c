"""The permissions that agents ask for by a hook that waits: each is answered once, by the owner, while it stands.

The same question stands at the agent's terminal, and whoever answers first has answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from clawmux.wire.errors import ClawMuxError
from clawmux.wire.signs import Sign

# Without the id of the question that is meant, one this new may not be the one that was seen before the answer was given.
UNSEEN_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class Decision:
    allow: bool
    text: str = ""


@dataclass(slots=True, eq=False)
class Question:
    """One call of a hook that waits."""

    session_id: str
    sign: Sign
    """As the hook has told it; ``request`` is the question's id."""
    asked: float
    """Monotonic seconds."""
    answer: asyncio.Future[Decision | None] = field(repr=False)
    """None: it stands no more, and nobody here has answered it."""

    @property
    def request(self) -> str:
        return self.sign.request

    @property
    def tool(self) -> str:
        return self.sign.detail.partition(": ")[0]

    @property
    def text(self) -> str:
        return self.sign.detail.partition(": ")[2] or self.sign.detail


class Permissions:
    def __init__(self) -> None:
        self._open: dict[str, list[Question]] = {}
        """Session -> its questions, the oldest first; the terminal shows them one after the other as well."""
        self.on_closed: Callable[[Question, Decision | None], None] = lambda question, decision: None

    def open(self, session_id: str, sign: Sign, now: float) -> Question:
        """A hook asks, or asks again after its connection broke."""
        self.close(session_id, sign.request)
        question = Question(session_id, sign, now, asyncio.get_running_loop().create_future())
        self._open.setdefault(session_id, []).append(question)
        return question

    def current(self, session_id: str) -> Question | None:
        return next(iter(self._open.get(session_id, [])), None)

    def decide(self, session_id: str, name: str, request: str, decision: Decision, now: float) -> Question:
        """Answer the question ``request``; empty: the one that stands. Raises ``conflict`` when it stands no more."""
        standing = self._open.get(session_id, [])
        question = next((q for q in standing if request in ("", q.request)), None)
        if question is None:
            text = "that question stands no more" if request else "it asks for no permission that can be given from here"
            raise ClawMuxError("conflict", f"{name}: {text}.", f"`clawmux status {name}` shows what it does now.")
        check_seen(name, request, question.asked, now)
        self._close(question, decision)
        return question

    def close(self, session_id: str, request: str = "") -> None:
        """That question, or all of the session, stand no more."""
        for question in list(self._open.get(session_id, [])):
            if request in ("", question.request):
                self._close(question, None)

    def leave(self) -> None:
        """Break off the hooks that wait: they ask again when there is a hub again."""
        for question in [q for standing in self._open.values() for q in standing]:
            question.answer.cancel()

    def drop(self, question: Question) -> None:
        """Its hook has gone."""
        if question in self._open.get(question.session_id, []):
            self._close(question, None)

    def _close(self, question: Question, decision: Decision | None) -> None:
        standing = self._open[question.session_id]
        standing.remove(question)
        if not standing:
            del self._open[question.session_id]
        if not question.answer.done():
            question.answer.set_result(decision)
        self.on_closed(question, decision)


def check_seen(name: str, request: str, asked: float, now: float) -> None:
    """Raises ``conflict`` for an answer that may be meant for the question before: it names none, and this one is new."""
    if not request and now - asked < UNSEEN_SECONDS:
        raise ClawMuxError("conflict", f"{name} has only just asked this.", f"Look at it first: clawmux status {name}")
