"""Converse calls, and who holds the audio floor. Decides; touches nothing.

Every question an agent asks is a job with an id. It goes

    queued -> speaking -> listening | waiting -> transcribing -> done

and ends with exactly one Answer. The floor is what can be heard: one speaking question, or one turn of the user.
A question that waits for the user without an open microphone does not hold the floor, so other agents may speak.

Inputs are methods that return effects; they never wait and never look at a clock: ``now`` is monotonic seconds.
Late or repeated inputs (a second ``spoken``, words for an answered question) change nothing or become free words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from clawmux.core.questions import (
    Answer,
    Changed,
    Deliver,
    Effect,
    EndTurn,
    Listen,
    Page,
    Question,
    Request,
    Show,
    Speak,
    StopSpeaking,
    Turn,
    Words,
)
from clawmux.wire.words import Stage

# How long a question asked with no page anywhere waits for one: a page that is just reloading is back within it.
PAGE_GRACE_SECONDS = 10.0
# A command that lost its connection re-attaches within a second; after a restart of the hub it may need longer.
DETACHED_GRACE_SECONDS = 10.0
RESTART_GRACE_SECONDS = 60.0
# A page asked to open its microphone that neither does so nor says why.
OPEN_MICROPHONE_SECONDS = 10.0


@dataclass(slots=True)
class Conversation:
    """The questions of all sessions and the floor between them."""

    answer_seconds: float = 3600.0
    questions: dict[str, Question] = field(default_factory=dict)
    turns: dict[str, Turn] = field(default_factory=dict)
    page: Page = field(default_factory=Page)
    floor: str | None = None
    """Id of the question or of the turn that can be heard now."""
    floor_by: float | None = None
    """When the floor's microphone must have done something."""
    _orders: int = 0

    # -- agents --

    def request(self, request: Request, now: float) -> list[Effect]:
        """A new question. One whose id is known already changes nothing: the caller is re-attaching."""
        if request.id in self.questions:
            return self.attach(request.id)
        self._orders += 1
        limit = request.timeout_seconds or self.answer_seconds
        question = Question(request, self._orders, answer_by=now + limit)
        if not self.page.present:
            question.page_by = now + PAGE_GRACE_SECONDS
        self.questions[request.id] = question
        return [*self._show(question), self._changed(question), *self._pass_floor(now)]

    def restore(self, request: Request, *, spoken: bool, shown: bool, parked: bool, now: float) -> None:
        """A question from before a restart, to be taken up where it stood. Emits nothing."""
        self._orders += 1
        limit = request.timeout_seconds or self.answer_seconds
        question = Question(request, self._orders, answer_by=now + limit, spoken=spoken, shown=shown, parked=parked)
        question.attached_by = None if parked else now + RESTART_GRACE_SECONDS
        question.page_by = None if shown else now + RESTART_GRACE_SECONDS
        self.questions[request.id] = question

    def attach(self, question_id: str) -> list[Effect]:
        """Its command is here (again)."""
        if question := self.questions.get(question_id):
            question.attached_by, question.parked = None, False
        return []

    def detach(self, question_id: str, now: float) -> list[Effect]:
        """Its command's connection broke; it may come back."""
        question = self.questions.get(question_id)
        if question and not question.parked:
            question.attached_by = now + DETACHED_GRACE_SECONDS
        return []

    def park(self, question_id: str) -> list[Effect]:
        """Its command must end now because of the runtime's limit; the question stays open."""
        if question := self.questions.get(question_id):
            question.parked, question.attached_by = True, None
            return [self._changed(question)]
        return []

    def cancel(self, question_id: str, now: float) -> list[Effect]:
        """Ctrl-C of the command, or dismissed on the page."""
        question = self.questions.get(question_id)
        return self._finish(question, "cancelled", "", now) if question else []

    def dismiss(self, session_id: str, now: float) -> list[Effect]:
        question = self.open_question(session_id)
        return self.cancel(question.request.id, now) if question else []

    def end_session(self, session_id: str, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for turn in [t for t in self.turns.values() if t.session_id == session_id]:
            effects += self.turn_discarded(turn.id, now)
            effects.append(EndTurn(turn.id, "cancelled"))
        for question in [q for q in self.questions.values() if q.request.session_id == session_id]:
            effects += self.cancel(question.request.id, now)
        return self._of_the_living(effects)

    # -- speaking --

    def spoken(self, question_id: str, now: float) -> list[Effect]:
        """Its stream was played to the end, or was interrupted by the user."""
        question = self.questions.get(question_id)
        if question is None or question.stage is not Stage.SPEAKING:
            return []
        question.spoken = True
        return self._after_speaking(question, now)

    def not_spoken(self, question_id: str, now: float) -> list[Effect]:
        """It could not be made into sound. The text was shown, so a question stays open for an answer."""
        question = self.questions.get(question_id)
        if question is None or question.stage is not Stage.SPEAKING:
            return []
        question.spoken = True
        if not question.request.listen:
            return self._finish(question, "speech_down", "", now)
        return self._after_speaking(question, now)

    def interrupt(self, question_id: str, now: float) -> list[Effect]:
        """The user heard enough."""
        question = self.questions.get(question_id)
        if question is None or question.stage is not Stage.SPEAKING:
            return []
        return [StopSpeaking(question_id, "interrupted"), *self.spoken(question_id, now)]

    # -- listening --

    def turn_opened(self, turn_id: str, session_id: str, now: float, listen_seconds: float | None = None) -> list[Effect]:
        """The microphone is open for this session. The same turn announced again changes nothing.

        One that opened by itself has ``listen_seconds``: it closes again when nobody speaks for so long.
        """
        if turn_id in self.turns:
            return []
        question = self._answered_now(session_id)
        effects = self._take_floor(turn_id, now)
        if question and question.stage is not Stage.LISTENING:
            question.spoken = True
            effects += self._move(question, Stage.LISTENING)
        self.turns[turn_id] = Turn(turn_id, session_id, question.request.id if question else None)
        self.floor_by = None if listen_seconds is None else now + listen_seconds
        return effects

    def turn_overhears(self, turn_id: str, session_id: str) -> list[Effect]:
        """The microphone is open beside an agent that speaks. What it hears interrupts only when it has words."""
        self.turns.setdefault(turn_id, Turn(turn_id, session_id, None, overhears=True))
        return []

    def speech_started(self, turn_id: str) -> list[Effect]:
        """The user talks: the microphone is not closed for silence from here on."""
        if self.floor == turn_id:
            self.floor_by = None
        return []

    def turn_closed(self, turn_id: str, now: float) -> list[Effect]:
        """The turn is complete; its words are being made out. The floor is free for the next agent."""
        turn = self.turns.get(turn_id)
        if turn is None or turn.closed:
            return []
        self.turns[turn_id] = replace(turn, closed=True)
        question = self.questions.get(turn.question_id or "")
        effects = self._move(question, Stage.TRANSCRIBING) if question else []
        return [*effects, *self._release_floor(turn_id, now)]

    def turn_discarded(self, turn_id: str, now: float) -> list[Effect]:
        """Nothing comes of this turn; its question waits for the user to answer another way."""
        turn = self.turns.pop(turn_id, None)
        if turn is None:
            return []
        question = self.questions.get(turn.question_id or "")
        effects = self._move(question, Stage.WAITING) if question else []
        return [*effects, *self._release_floor(turn_id, now)]

    def heard(self, turn_id: str, text: str, now: float) -> list[Effect]:
        """The turn's words. No words: as if the turn had not been."""
        turn = self.turns.get(turn_id)
        if turn is None:
            return []
        if not text:
            return self.turn_discarded(turn_id, now)
        del self.turns[turn_id]
        question_id = turn.question_id
        if turn.overhears and (question := self._answered_now(turn.session_id)):
            question_id = question.request.id
        return [
            *self._interrupt_by(turn, now),
            *self._words(Words(turn.session_id, text, "voice", turn_id), question_id, now),
            *self._release_floor(turn_id, now),
        ]

    def reviewed(self, turn_id: str, text: str, now: float) -> list[Effect]:
        """The turn's words went back to the user, who will send them: until then the question waits."""
        turn = self.turns.get(turn_id)
        effects = self._interrupt_by(turn, now) if turn else []
        return [*effects, *self.turn_discarded(turn_id, now)]

    def turn_failed(self, turn_id: str, now: float) -> list[Effect]:
        """The user spoke, but the words could not be made out by any engine."""
        return self._end_with_turn(turn_id, "speech_down", now)

    def turn_was_empty(self, turn_id: str, now: float) -> list[Effect]:
        """No words, from a client that listens only once."""
        return self._end_with_turn(turn_id, "nothing_heard", now)

    def typed(self, session_id: str, text: str, text_id: str, now: float) -> list[Effect]:
        """Typed words answer the session's open question, else go to the agent."""
        question = self._answered_now(session_id)
        effects: list[Effect] = []
        for turn in [t for t in self.turns.values() if t.session_id == session_id and not t.closed]:
            effects += [EndTurn(turn.id, "cancelled"), *self.turn_discarded(turn.id, now)]
        return [*effects, *self._words(Words(session_id, text, "typed", text_id), question.request.id if question else None, now)]

    # -- page --

    def page_present(self, now: float) -> list[Effect]:
        """A page plays and records from now on."""
        self.page.present = True
        effects: list[Effect] = []
        for question in self._in_order():
            question.page_by = None
            effects += self._show(question)
        return [*effects, *self._pass_floor(now)]

    def page_gone(self, now: float) -> list[Effect]:
        """Nobody can hear. What was being said or listened for is taken up again when a page returns."""
        self.page.present = False
        question = self.questions.get(self.floor or "")
        if question is None:
            return []
        self.floor, self.floor_by = None, None
        return self._move(question, Stage.QUEUED)

    def page_without_turns(self, kept: Iterable[str], now: float) -> list[Effect]:
        """A page has come that holds only these recordings: listen again for the others."""
        effects: list[Effect] = []
        held = set(kept)
        for turn in [t for t in self.turns.values() if not t.closed and t.id not in held]:
            del self.turns[turn.id]
            if self.floor == turn.id:
                self.floor = None
            effects.append(EndTurn(turn.id, "lost"))
            if question := self.questions.get(turn.question_id or ""):
                effects += self._move(question, Stage.QUEUED)
        return [*effects, *self._pass_floor(now)]

    def prefs(self, muted: bool, auto: bool, now: float) -> list[Effect]:
        """The page's switches; auto switched off closes a microphone that opened by itself and heard nothing yet."""
        self.page.muted, self.page.auto = muted, auto
        question = self.questions.get(self.floor or "")
        if question and question.stage is Stage.LISTENING and (muted or not auto):
            return [*self._move(question, Stage.WAITING), *self._release_floor(question.request.id, now)]
        return []

    def reached(self, question_id: str) -> list[Effect]:
        """A notification of it has come to the user: it waits for the answer, also without a page."""
        if question := self.questions.get(question_id):
            question.page_by = None
        return []

    # -- time --

    def tick(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for question in self._in_order():
            if question.stage is Stage.DONE:
                continue  # the floor came to it from one before, and that was its end
            if question.page_by is not None and now >= question.page_by:
                effects += self._finish(question, "no_page", "", now)
            elif question.attached_by is not None and now >= question.attached_by:
                effects += self._finish(question, "cancelled", "", now)
            elif now >= question.answer_by and question.stage is not Stage.TRANSCRIBING:
                effects += self._time_out(question, now)
        if self.floor is not None and self.floor_by is not None and now >= self.floor_by:
            effects += self._close_idle_microphone(self.floor, now)
        return self._of_the_living(effects)

    def deadline(self) -> float | None:
        times = [self.floor_by]
        for question in self.questions.values():
            answer_by = None if question.stage is Stage.TRANSCRIBING else question.answer_by
            times += [question.page_by, question.attached_by, answer_by]
        return min((t for t in times if t is not None), default=None)

    # -- reading --

    def open_question(self, session_id: str) -> Question | None:
        """The oldest question of a session that wants an answer."""
        wanting = (q for q in self._in_order() if q.request.session_id == session_id and q.request.listen)
        return next(wanting, None)

    def current(self, session_id: str) -> Question | None:
        """The session's oldest question of any kind, for showing."""
        return next((q for q in self._in_order() if q.request.session_id == session_id and not q.request.fleeting), None)

    # -- inside --

    def _in_order(self) -> list[Question]:
        return sorted(self.questions.values(), key=lambda q: q.order)

    def _of_the_living(self, effects: list[Effect]) -> list[Effect]:
        """Without turning to questions that ended in the same breath: the floor passes on while several end at once."""
        return [e for e in effects if not isinstance(e, Speak | Listen) or e.question_id in self.questions]

    def _changed(self, question: Question) -> Changed:
        return Changed(question.request.session_id, question.request.id)

    def _show(self, question: Question) -> list[Effect]:
        if question.shown or question.request.fleeting or not self.page.present:
            return []
        question.shown = True
        return [Show(question.request.id), self._changed(question)]

    def _move(self, question: Question, stage: Stage) -> list[Effect]:
        if question.stage is stage:
            return []
        question.stage = stage
        return [self._changed(question)]

    def _pass_floor(self, now: float) -> list[Effect]:
        """Give a free floor to the question that has waited longest."""
        if self.floor is not None or not self.page.present:
            return []
        question = next((q for q in self._in_order() if q.stage is Stage.QUEUED), None)
        if question is None:
            return []
        if question.spoken:
            return self._after_speaking(question, now)
        self.floor, self.floor_by = question.request.id, None
        return [*self._move(question, Stage.SPEAKING), Speak(question.request.id)]

    def _after_speaking(self, question: Question, now: float) -> list[Effect]:
        request = question.request
        if not request.listen:
            return self._finish(question, "ok", "", now)
        if self.page.muted:
            return self._finish(question, "muted", "", now)
        auto = self.page.auto and request.auto
        listen = Listen(request.id, request.session_id, auto)
        if not auto:
            return [*self._move(question, Stage.WAITING), listen, *self._release_floor(request.id, now)]
        self.floor, self.floor_by = request.id, now + OPEN_MICROPHONE_SECONDS
        return [*self._move(question, Stage.LISTENING), listen]

    def _answered_now(self, session_id: str) -> Question | None:
        """The question that words to this session answer: the one being heard, else the oldest open one."""
        turn = self.turns.get(self.floor or "")
        heard = self.questions.get((turn.question_id if turn else self.floor) or "")
        if heard and heard.request.session_id == session_id and heard.request.listen:
            return heard
        return self.open_question(session_id)

    def _take_floor(self, turn_id: str, now: float) -> list[Effect]:
        """The user takes the floor: what is heard stops, an earlier microphone closes."""
        before, self.floor = self.floor, turn_id
        if before in self.turns:
            return [EndTurn(before, "cancelled"), *self.turn_discarded(before, now)]
        question = self.questions.get(before or "")
        if question is None:
            return []
        effects: list[Effect] = []
        if question.stage is Stage.SPEAKING:
            question.spoken = True
            effects.append(StopSpeaking(question.request.id, "interrupted"))
        if not question.request.listen:
            return [*effects, *self._finish(question, "ok", "", now)]
        return [*effects, *self._move(question, Stage.WAITING)]

    def _interrupt_by(self, turn: Turn, now: float) -> list[Effect]:
        """Somebody talked into what this session says, and was understood."""
        heard = self.questions.get(self.floor or "")
        if not turn.overhears or heard is None or heard.request.session_id != turn.session_id:
            return []
        return self._take_floor(turn.id, now) if heard.stage is Stage.SPEAKING else []

    def _close_idle_microphone(self, holder: str, now: float) -> list[Effect]:
        """Nobody spoke into a microphone that opened by itself, or the page did not open it: the question stays open."""
        if holder in self.turns:
            return [EndTurn(holder, "timeout"), *self.turn_discarded(holder, now)]
        question = self.questions.get(holder)
        moved = self._move(question, Stage.WAITING) if question else []
        return [*moved, *self._release_floor(holder, now)]

    def _end_with_turn(self, turn_id: str, code: str, now: float) -> list[Effect]:
        turn = self.turns.pop(turn_id, None)
        if turn is None:
            return []
        question = self.questions.get(turn.question_id or "")
        effects = self._finish(question, code, "", now) if question else []
        return [*effects, *self._release_floor(turn_id, now)]

    def _words(self, words: Words, question_id: str | None, now: float) -> list[Effect]:
        """They answer that question if it is still open, else they go to the agent."""
        question = self.questions.get(question_id or "")
        if question is None:
            return [Deliver(words.session_id, words.text, words.via, words.source_id)]
        effects: list[Effect] = []
        if question.stage is Stage.SPEAKING:
            effects.append(StopSpeaking(question.request.id, "interrupted"))
        return [*effects, words, *self._finish(question, "ok", words.text, now)]

    def _time_out(self, question: Question, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if question.stage is Stage.SPEAKING:
            effects.append(StopSpeaking(question.request.id, "timeout"))
        for turn in [t for t in self.turns.values() if t.question_id == question.request.id]:
            effects += [EndTurn(turn.id, "timeout"), *self.turn_discarded(turn.id, now)]
        return [*effects, *self._finish(question, "nothing_heard" if self.page.present else "no_page", "", now)]

    def _finish(self, question: Question, code: str, text: str, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if code == "cancelled" and question.stage is Stage.SPEAKING:
            effects.append(StopSpeaking(question.request.id, "cancelled"))
        question.stage = Stage.DONE
        del self.questions[question.request.id]
        if not question.request.fleeting:
            effects.append(Answer(question.request.id, code, text))
        effects.append(self._changed(question))
        if code == "cancelled":
            for turn in [t for t in self.turns.values() if t.question_id == question.request.id and not t.closed]:
                effects += [EndTurn(turn.id, "cancelled"), *self.turn_discarded(turn.id, now)]
        return [*effects, *self._release_floor(question.request.id, now)]

    def _release_floor(self, holder: str, now: float) -> list[Effect]:
        if self.floor == holder:
            self.floor, self.floor_by = None, None
        return self._pass_floor(now)
