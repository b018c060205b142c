"""The joining: hands every input to a core, performs the effects it returns, arms one timer. Decides nothing itself.

``perform`` is synchronous: an effect is enqueued, stored or started as a task, and every task's end comes back here as
an input of a core. What is shown or answered is durable first (``journal``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from clawmux.adapters.store import Store
from clawmux.adapters.tmux import Tmux
from clawmux.core import questions as asked
from clawmux.core.conversation import Conversation
from clawmux.core.engine import PutBack
from clawmux.core.marks import is_echo
from clawmux.core.session import Session
from clawmux.core.timing import Timed, Timing
from clawmux.hub.agents import Agents
from clawmux.hub.journal import Journal
from clawmux.hub.listener import Listener
from clawmux.hub.messages import Messages
from clawmux.hub.pages import Page, Pages
from clawmux.hub.project_quality import ProjectQuality
from clawmux.hub.projects import Projects
from clawmux.hub.roster import describe
from clawmux.hub.speaker import Speaker, Utterance
from clawmux.hub.speech import Speech
from clawmux.hub.spoken import CutOff
from clawmux.hub.states import States
from clawmux.hub.terminals import Terminals
from clawmux.hub.typist import Typist
from clawmux.hub.user_words import UserWords
from clawmux.paths import Paths
from clawmux.settings import DECLARATIONS, Settings, save
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Stage

log = logging.getLogger(__name__)

_NEEDS_YOU = (Stage.LISTENING, Stage.WAITING)


class Runtime:
    def __init__(self, settings: Settings, paths: Paths, store: Store, tmux: Tmux) -> None:
        self.settings = settings
        self.paths = paths
        self.started = time.time()
        self.store = store
        self.pages = Pages()
        self.journal = Journal(store, self.pages.broadcast)
        self.conversation = Conversation(settings.speech_answer_minutes * 60)
        self.timing = Timing()
        self.agents = Agents(paths, lambda: self.settings, self.journal, tmux)
        self.projects = Projects(lambda: self.settings, self.agents, self.notice)
        self.tmux = tmux
        self.terminals = Terminals(self.agents, tmux, lambda: self.now)
        self.typist = Typist(self.agents, tmux, paths, self.terminals.is_taken)
        self.messages = Messages(self, self.typist, self.stage_of)
        self.user_words = UserWords(self, self.typist, self.messages.loops.person_spoke)
        self.states = States(self, tmux, paths)
        self.speech = Speech(
            paths,
            lambda: self.settings,
            self.perform,
            lambda: self.pages.broadcast(self.speech.view()),
            lambda e: self.notice(None, "error", f"Models: {e.text}", e.remedy),
            self._tier_put_back,
        )
        self.project_quality = ProjectQuality(self.speech.machine, self.speech.engine, lambda: self.settings, self.notice)
        self.speaker = Speaker(self.speech.client, self.speech.ready, self._spoken, self._not_spoken)
        self.cut_off = CutOff()
        self.listener = Listener(
            self.speech.client,
            self.speech.ready,
            self,
            self._wishes,
        )
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._answers: dict[str, list[asyncio.Future[tuple[str, str]]]] = {}
        self._askers: dict[str, str] = {}
        """Question -> session, from its beginning until its answer is stored."""
        self.on_settings: Callable[[], None] = lambda: None
        """Called when settings have changed."""
        self.speaker.on_started = lambda stream: self._timed(self.timing.sounded(stream, self.now))
        self.pages.on_owner_came = self._owner_came
        self.pages.on_owner_gone = self._owner_gone
        self.agents.on_changed = self._session_changed
        self.agents.on_ended = self._session_ended
        self.agents.on_panes = self.states.panes_seen
        self.agents.on_unseen = self.states.panes_unseen
        self.states.on_changed = self.messages.reading.state_changed
        self.states.on_taken = self.messages.taken
        tmux.on_lost = self.agents.tmux_lost
        self._performers: dict[type[Any], Callable[[Any], None]] = {
            asked.Show: self._show,
            asked.Speak: self._speak,
            asked.StopSpeaking: self._stop_speaking,
            asked.Listen: self._listen,
            asked.EndTurn: lambda e: self.listener.drop(e.turn, e.why),
            asked.Words: self._words,
            asked.Answer: self._answer,
            asked.Changed: self._changed,
            **self.speech.performers,
            **self.user_words.performers,
            **self.messages.performers,
        }

    # -- the loop --

    @property
    def now(self) -> float:
        return self._loop.time()

    def perform(self, effects: Iterable[object], *then: Callable[[], None]) -> None:
        """Carry out effects in order; ``then`` runs when what they stored is durable."""
        for effect in effects:
            self._performers[type(effect)](effect)
        for act in then:
            self.journal.then(act)
        self.journal.flush()
        self._arm()

    def _arm(self) -> None:
        deadlines = (self.conversation.deadline(), self.speech.engine.deadline(), self.messages.broker.deadline())
        times = [t for t in deadlines if t is not None]
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(max(min(times), self.now + 0.001), self._tick) if times else None

    def _tick(self) -> None:
        now = self.now
        self.perform([*self.conversation.tick(now), *self.speech.engine.tick(now), *self.messages.broker.tick(now)])

    def start_task(self, work: Any, name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("task %s failed", task.get_name(), exc_info=error)

    # -- life --

    async def start(self) -> None:
        """Take up what the store and tmux hold, and start the speech service."""
        await self.agents.adopt()
        self._restore_questions()
        self.messages.restore()
        if self.store.quarantined:
            self.notice(None, "error", f"The store was broken; it was put aside as {self.store.quarantined}.")
        self.start_task(self.agents.watch(), "watch agents")
        self.start_task(self.states.watch(), "watch states")
        self.speech.start()

    def leave(self) -> None:
        """Let go of pages and waiting commands; both come back by themselves when there is a hub again."""
        self.speech.leave()
        self.messages.leave()
        self.states.permissions.leave()
        self.states.leave()
        for page in self.pages:
            page.close()
        for waiting in self._answers.values():
            for future in waiting:
                future.cancel()

    async def stop(self) -> None:
        """End our own tasks and the speech child; agents live on in tmux."""
        if self._timer is not None:
            self._timer.cancel()
        await self.listener.stop()
        await self.terminals.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.speech.stop()

    def _restore_questions(self) -> None:
        rows = self.store.rows(
            "SELECT request, stage, shown, spoken, parked FROM questions WHERE code IS NULL ORDER BY created, rowid"
        )
        for body, _stage, shown, spoken, parked in rows:
            try:
                request = asked.Request(**json.loads(body))
            except (TypeError, ValueError):
                log.exception("a stored question cannot be read; left as it is")
                continue
            self._askers[request.id] = request.session_id
            self.conversation.restore(request, spoken=bool(spoken), shown=bool(shown), parked=bool(parked), now=self.now)
            if request.session_id not in {s.id for s in self.agents.living}:
                self.perform(self.conversation.cancel(request.id, self.now))
            else:
                self.states.stage(request.session_id, Stage.QUEUED)
                self.agents.question_changed(request.session_id, Stage.QUEUED)
        self.perform([])

    def change_settings(self, values: dict[str, Any]) -> None:
        """Take over values that were checked and saved; what needs a new start of the hub waits for it."""
        live = {name: value for name, value in values.items() if DECLARATIONS[name].live}
        self.settings = dataclasses.replace(self.settings, **live)
        self.conversation.answer_seconds = self.settings.speech_answer_minutes * 60
        self.speech.settings_changed()
        self.on_settings()

    def _tier_put_back(self, effect: PutBack) -> None:
        """What failed is wanted no more, after a restart either."""
        text = f"Speech stays at quality {effect.tier}: {effect.failed} could not be used. {effect.reason}"
        self.settings = dataclasses.replace(self.settings, speech_quality=effect.tier.value)
        try:
            save(self.paths.config_file, "speech.quality", effect.tier.value)
        except (ClawMuxError, OSError) as error:
            log.error("speech.quality could not be put back: %s", error)
        self.journal.event("notice", None, level="error", text=text, remedy="`clawmux tier` shows what fits this machine.")

    # -- converse calls --

    def answered(self, question_id: str) -> tuple[str, str, str] | None:
        """(session, code, text) of a question that has its answer."""
        rows = self.store.rows("SELECT session_id, code, answer FROM questions WHERE id = ? AND code IS NOT NULL", (question_id,))
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

    def asker(self, question_id: str) -> str | None:
        """The session of a question that is open, or whose answer is not stored yet."""
        return self._askers.get(question_id)

    def await_answer(self, question_id: str) -> asyncio.Future[tuple[str, str]]:
        future: asyncio.Future[tuple[str, str]] = self._loop.create_future()
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
        request = self.conversation.questions[effect.question_id].request
        self._timed(self.timing.said(request.session_id, request.id, self.now))
        self.journal.event("assistant_text", request.session_id, msg_id=request.id, text=request.text, question=request.listen)
        if request.listen:
            message = {"type": "attention", "session_id": request.session_id, "kind": "question", "text": request.text}
            self.journal.then(lambda: self.pages.broadcast(message))

    def _speak(self, effect: asked.Speak) -> None:
        request = self.conversation.questions[effect.question_id].request
        page = self.pages.owner
        if page is None:
            return
        session = self.agents.get(request.session_id)
        speed = self.projects.settings_of(session.id).speech_speed
        self.speaker.speak(Utterance(request.id, session.id, request.text, session.voice, speed), page)

    async def _wishes(self, session_id: str) -> tuple[str, float, str]:
        settings = self.projects.settings_of(session_id)
        quality = await self.project_quality.of(session_id, settings.speech_quality)
        return settings.speech_language, settings.speech_silence_seconds, quality

    def _listen(self, effect: asked.Listen) -> None:
        if self.pages.owner is not None:
            self.pages.owner.send({"type": "listening", "session_id": effect.session_id, "auto": effect.auto})

    def _words(self, effect: asked.Words) -> None:
        self.messages.loops.person_spoke(effect.session_id)
        self.journal.event("user_text", effect.session_id, msg_id=effect.source_id, text=effect.text, via=effect.via)

    def _stop_speaking(self, effect: asked.StopSpeaking) -> None:
        if effect.why == "interrupted" and (heard := self.speaker.heard(effect.question_id)):
            says, marks, heard_seconds, whole_seconds = heard
            self.cut_off.note(says.id, says.text, marks, heard_seconds, whole_seconds)
        self.speaker.stop(effect.question_id, self.pages.owner, effect.why)

    def _answer(self, effect: asked.Answer) -> None:
        if effect.code == "ok":
            effect = dataclasses.replace(effect, text=self.cut_off.told(effect.question_id, effect.text))
        self.journal.statement(
            "UPDATE questions SET stage = 'done', code = ?, answer = ?, ended = ? WHERE id = ?",
            effect.code, effect.text, time.time(), effect.question_id,
        )  # fmt: skip
        self.journal.then(lambda: self._release(effect))

    def _release(self, effect: asked.Answer) -> None:
        self._askers.pop(effect.question_id, None)
        for future in self._answers.pop(effect.question_id, []):
            if not future.done():
                future.set_result((effect.code, effect.text))

    def _changed(self, effect: asked.Changed) -> None:
        question = self.conversation.questions.get(effect.question_id)
        if question is not None and not question.request.fleeting:
            self._store_question(question)
        stage = self.stage_of(effect.session_id)
        self.states.stage(effect.session_id, stage)
        self.agents.question_changed(effect.session_id, stage)
        if question is None:
            self.pages.broadcast({"type": "attention_clear", "session_id": effect.session_id})

    def _store_question(self, question: asked.Question) -> None:
        request = question.request
        self._askers[request.id] = request.session_id
        self.journal.statement(
            "INSERT INTO questions (id, session_id, request, msg_id, created, stage, shown, spoken, parked)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET stage = excluded.stage, shown = excluded.shown, spoken = excluded.spoken,"
            " parked = excluded.parked",
            request.id, request.session_id, json.dumps(dataclasses.asdict(request)), request.id, time.time(),
            question.stage.value, question.shown, question.spoken, question.parked,
        )  # fmt: skip

    # -- notices --

    def notice(self, session_id: str | None, level: str, text: str, remedy: str = "") -> None:
        self.journal.event("notice", session_id, level=level, text=text, remedy=remedy)
        self.perform([])

    # -- speech --

    def _spoken(self, question_id: str) -> None:
        self.perform(self.conversation.spoken(question_id, self.now))

    def _not_spoken(self, question_id: str, reason: str) -> None:
        if question := self.conversation.questions.get(question_id):
            self.journal.event("not_spoken", question.request.session_id, msg_id=question_id, reason=reason)
        self.perform(self.conversation.not_spoken(question_id, self.now))

    # -- turns (what the listener tells) --

    def speech_started(self, turn_id: str) -> None:
        self.perform(self.conversation.speech_started(turn_id))

    def _timed(self, timed: Timed | None) -> None:
        if timed is not None:
            self.pages.broadcast({"type": "turn_timing", **dataclasses.asdict(timed)})

    def turn_closed(self, turn_id: str) -> None:
        if turn := self.conversation.turns.get(turn_id):
            pause_ms = self.listener.pause_ms(turn_id)
            self._timed(self.timing.turn_closed(turn_id, turn.session_id, pause_ms, self.now))
        self.perform(self.conversation.turn_closed(turn_id, self.now))

    def heard(self, turn_id: str, text: str, stt_ms: float) -> None:
        is_echo_of_agent = bool(text) and self._is_echo(turn_id, text)
        if text and not is_echo_of_agent:
            self._timed(self.timing.heard(turn_id, self.now))
        else:
            self.timing.empty(turn_id)
        if is_echo_of_agent:
            log.info("turn %s heard the agent's own words; its speech goes on", turn_id)
            self.perform(self.conversation.turn_discarded(turn_id, self.now), lambda: self.listener.settle(turn_id, None, "echo"))
            return
        review = bool(text) and self.listener.is_reviewed(turn_id)
        settle = lambda: self.listener.settle(turn_id, text or None, "" if text else "nothing_heard", review)  # noqa: E731
        heard = self.conversation.reviewed if review else self.conversation.heard
        self.perform(heard(turn_id, text, self.now), settle)

    def _is_echo(self, turn_id: str, text: str) -> bool:
        turn = self.conversation.turns.get(turn_id)
        if turn is None or not turn.overhears:
            return False
        heard = self.speaker.heard(self.conversation.floor or "")
        return heard is not None and is_echo(heard[0].text, heard[1], heard[2] * 1000, text)

    def nothing_heard(self, turn_id: str) -> None:
        """For a client that cannot be asked to listen again."""
        self.perform(self.conversation.turn_was_empty(turn_id, self.now))

    def turn_failed(self, turn_id: str, reason: str) -> None:
        turn = self.conversation.turns.get(turn_id)
        if turn is not None and not turn.overhears:
            self.journal.event(
                "notice", turn.session_id, level="error", text="What you said could not be understood.", remedy=reason
            )
        self.perform(self.conversation.turn_failed(turn_id, self.now), lambda: self.listener.settle(turn_id, None, "speech_down"))

    # -- pages --

    def _owner_came(self, page: Page) -> None:
        self.perform(
            [
                *self.conversation.prefs(page.muted, page.auto, self.now),
                *self.conversation.page_without_turns(page.turns, self.now),
                *self.conversation.page_present(self.now),
            ]
        )

    def _owner_gone(self) -> None:
        self.speaker.pause()
        self.perform(self.conversation.page_gone(self.now))

    # -- sessions --

    def _session_changed(self, session: Session) -> None:
        self.messages.reading.session_changed(session.id)
        self.show_session(session)

    def show_session(self, session: Session) -> None:
        view = self.session_view(session)
        message = {"type": "session_status", "session_id": session.id, "status": session.state.value, "session": view}
        self.journal.then(lambda: self.pages.broadcast(message))

    def _session_ended(self, session: Session) -> None:
        ended = (self.conversation.end_session(session.id, self.now), self.messages.session_ended(session.id))
        for effect in itertools.chain(*ended):
            self._performers[type(effect)](effect)
        self.states.ended(session)
        self.timing.session_ended(session.id)
        self.journal.then(lambda: self.pages.broadcast(self.session_list()))
        self._arm()

    def stage_of(self, session_id: str) -> Stage | None:
        """Where its open question stands."""
        question = self.conversation.current(session_id)
        return question.stage if question else None

    def session_view(self, session: Session) -> dict[str, Any]:
        question = self.conversation.current(session.id)
        stage = question.stage if question else None
        return {
            **describe(session),
            **self.states.view(session),
            "needs_you": bool(question and question.request.listen and stage in _NEEDS_YOU),
            "accepts_text": self.typist.can_type(session),
            "question": {"id": question.request.id, "text": question.request.text, "stage": question.stage.value}
            if question
            else None,
            "messages": self.messages.reading.counts(session.id),
        }

    def session_list(self) -> dict[str, Any]:
        return {"type": "session_list", "sessions": [self.session_view(s) for s in self.agents.living]}
