"""The questions that agents ask, joined: their rows in the store, their entries on the pages, and who waits for their answers.

What becomes of a question is decided in ``core.conversation``; who waits is told when the answer is durable.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from clawmux.core import questions as asked
from clawmux.core.conversation import Conversation
from clawmux.hub.joining import Joining
from clawmux.hub.spoken import CutOff
from clawmux.wire.words import Stage

log = logging.getLogger(__name__)


class Questions:
    def __init__(
        self,
        hub: Joining,
        conversation: Conversation,
        cut_off: CutOff,
        on_shown: Callable[[asked.Request], None],
        on_stage: Callable[[str, Stage | None], None],
    ) -> None:
        """``on_stage``: hears of a session where its open question stands now."""
        self._hub = hub
        self._conversation = conversation
        self._cut_off = cut_off
        self._on_shown = on_shown
        self._on_stage = on_stage
        self._answers: dict[str, list[asyncio.Future[tuple[str, str]]]] = {}
        self._askers: dict[str, str] = {}
        """Question -> session, from its beginning until its answer is stored."""
        self.performers: dict[type[Any], Callable[[Any], None]] = {
            asked.Show: self._show,
            asked.Answer: self._answer,
            asked.Changed: self._changed,
        }

    # -- life --

    def restore(self) -> None:
        """Take up what was open when the hub ended. The sessions that live are known by now."""
        living = {session.id for session in self._hub.agents.living}
        rows = self._hub.store.rows(
            "SELECT request, stage, shown, spoken, parked FROM questions WHERE code IS NULL ORDER BY created, rowid"
        )
        for body, _stage, shown, spoken, parked in rows:
            try:
                request = asked.Request(**json.loads(body))
            except (TypeError, ValueError):
                log.exception("a stored question cannot be read; left as it is")
                continue
            self._askers[request.id] = request.session_id
            now = self._hub.now
            self._conversation.restore(request, spoken=bool(spoken), shown=bool(shown), parked=bool(parked), now=now)
            if request.session_id in living:
                self._on_stage(request.session_id, Stage.QUEUED)
            else:
                self._hub.perform(self._conversation.cancel(request.id, now))
        self._hub.perform([])

    def leave(self) -> None:
        """Let go of the commands that wait; they come back when there is a hub again."""
        for waiting in self._answers.values():
            for future in waiting:
                future.cancel()

    # -- who waits --

    def answered(self, question_id: str) -> tuple[str, str, str] | None:
        """(session, code, text) of a question that has its answer."""
        rows = self._hub.store.rows(
            "SELECT session_id, code, answer FROM questions WHERE id = ? AND code IS NOT NULL", (question_id,)
        )
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

    def asker(self, question_id: str) -> str | None:
        """The session of a question that is open, or whose answer is not stored yet."""
        return self._askers.get(question_id)

    def await_answer(self, question_id: str) -> asyncio.Future[tuple[str, str]]:
        """For (code, text)."""
        future: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()
        self._answers.setdefault(question_id, []).append(future)
        return future

    def forget_waiter(self, question_id: str, future: asyncio.Future[tuple[str, str]]) -> bool:
        """True when nobody waits for this question any more."""
        waiting = self._answers.get(question_id, [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._answers.pop(question_id, None)
        return not waiting

    # -- performing --

    def _show(self, effect: asked.Show) -> None:
        request = self._conversation.questions[effect.question_id].request
        self._on_shown(request)
        journal, pages = self._hub.journal, self._hub.pages
        journal.event("assistant_text", request.session_id, msg_id=request.id, text=request.text, question=request.listen)
        if request.listen:
            message = {"type": "attention", "session_id": request.session_id, "kind": "question", "text": request.text}
            journal.then(lambda: pages.broadcast(message))

    def _answer(self, effect: asked.Answer) -> None:
        if effect.code == "ok":
            effect = dataclasses.replace(effect, text=self._cut_off.told(effect.question_id, effect.text))
        self._hub.journal.statement(
            "UPDATE questions SET stage = 'done', code = ?, answer = ?, ended = ? WHERE id = ?",
            effect.code, effect.text, time.time(), effect.question_id,
        )  # fmt: skip
        self._hub.journal.then(lambda: self._release(effect))

    def _release(self, effect: asked.Answer) -> None:
        self._askers.pop(effect.question_id, None)
        for future in self._answers.pop(effect.question_id, []):
            if not future.done():
                future.set_result((effect.code, effect.text))

    def _changed(self, effect: asked.Changed) -> None:
        question = self._conversation.questions.get(effect.question_id)
        if question is not None and not question.request.fleeting:
            self._store(question)
        open_one = self._conversation.current(effect.session_id)
        self._on_stage(effect.session_id, open_one.stage if open_one else None)
        if question is None:
            self._hub.pages.broadcast({"type": "attention_clear", "session_id": effect.session_id})

    def _store(self, question: asked.Question) -> None:
        request = question.request
        self._askers[request.id] = request.session_id
        self._hub.journal.statement(
            "INSERT INTO questions (id, session_id, request, msg_id, created, stage, shown, spoken, parked)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET stage = excluded.stage, shown = excluded.shown, spoken = excluded.spoken,"
            " parked = excluded.parked",
            request.id, request.session_id, json.dumps(dataclasses.asdict(request)), request.id, time.time(),
            question.stage.value, question.shown, question.spoken, question.parked,
        )  # fmt: skip
