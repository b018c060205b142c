"""The joining: hands every input to a core, performs the effects it returns, arms one timer. Decides nothing itself.

``perform`` is synchronous: an effect is enqueued, stored or started as a task, and every task's end comes back here as
an input of a core. What is shown or answered is durable first (``journal``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from clawmux.adapters.store import Store
from clawmux.adapters.tmux import Tmux
from clawmux.core import questions as asked
from clawmux.core.conversation import Conversation
from clawmux.core.engine import PutBack
from clawmux.core.session import Session
from clawmux.core.state import Doing
from clawmux.hub.agents import Agents
from clawmux.hub.floor import Floor
from clawmux.hub.journal import Journal
from clawmux.hub.messages import Messages
from clawmux.hub.notifier import Notifier
from clawmux.hub.pages import Pages
from clawmux.hub.project_quality import ProjectQuality
from clawmux.hub.projects import Projects
from clawmux.hub.push import Push
from clawmux.hub.questions import Questions
from clawmux.hub.roster import describe
from clawmux.hub.speech import Speech
from clawmux.hub.spoken import CutOff
from clawmux.hub.states import States
from clawmux.hub.subscriptions import Subscriptions
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
        self.tmux = tmux
        self.pages = Pages()
        self.journal = Journal(store, self.pages.broadcast)
        self.conversation = Conversation(settings.speech_answer_minutes * 60)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.on_settings: Callable[[], None] = lambda: None
        """Called when settings have changed."""
        self.agents = Agents(paths, lambda: self.settings, self.journal, tmux)
        self.projects = Projects(lambda: self.settings, self.agents, self.notice)
        self.terminals = Terminals(self.agents, tmux, lambda: self.now)
        self.typist = Typist(self.agents, tmux, paths, self.terminals.is_taken)
        self.messages = Messages(self, self.typist, self.stage_of)
        self.user_words = UserWords(self, self.typist, self._words_typed)
        self.states = States(self, tmux, paths)
        self.speech = Speech(
            paths,
            lambda: self.settings,
            self.perform,
            lambda: self.pages.broadcast(self.speech.view()),
            lambda e: self.notice(None, "error", f"Models: {e.text}", e.remedy),
            self._tier_put_back,
        )
        quality = ProjectQuality(self.speech.machine, self.speech.engine, lambda: self.settings, self.notice)
        cut_off, person_spoke = CutOff(), self.messages.loops.person_spoke
        self.floor = Floor(self, self.conversation, self.speech, self.projects, quality, cut_off, person_spoke)
        self.speaker, self.listener = self.floor.speaker, self.floor.listener
        self.questions = Questions(self, self.conversation, cut_off, self.floor.answer_shown, self._stage_changed)
        subscriptions = Subscriptions(paths.data / "push.json")
        self.notifier = Notifier(self, self.conversation, subscriptions, Push(paths.data / "push_key.pem"))
        self._performers: dict[type[Any], Callable[[Any], None]] = {
            **self.floor.performers,
            **self.questions.performers,
            **self.speech.performers,
            **self.user_words.performers,
            **self.messages.performers,
        }
        self._join()

    def _join(self) -> None:
        """Who hears of what."""
        self.pages.on_owner_came = self.floor.page_came
        self.pages.on_owner_gone = self.floor.page_gone
        self.agents.on_changed = self._session_changed
        self.agents.on_ended = self._session_ended
        self.agents.on_panes = self.states.panes_seen
        self.agents.on_unseen = self.states.panes_unseen
        self.states.on_changed = self._state_changed
        self.states.on_taken = self.messages.taken
        self.tmux.on_lost = self.agents.tmux_lost

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
        self.states.restore()
        await self.agents.adopt()
        self.notifier.start()
        self.questions.restore()
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
        self.questions.leave()

    async def stop(self) -> None:
        """End our own tasks and the speech child; agents live on in tmux."""
        if self._timer is not None:
            self._timer.cancel()
        await self.listener.stop()
        await self.terminals.stop()
        await self.notifier.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.speech.stop()

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

    def _words_typed(self, words: asked.Deliver) -> None:
        """An agent that has asked nothing has got them."""
        self.messages.loops.person_spoke(words.session_id)
        if words.via == "typed":
            self.floor.words_typed(words.session_id, words.source_id)

    # -- notices --

    def notice(self, session_id: str | None, level: str, text: str, remedy: str = "") -> None:
        self.journal.event("notice", session_id, level=level, text=text, remedy=remedy)
        self.perform([])

    # -- sessions --

    def _session_changed(self, session: Session) -> None:
        self.messages.reading.session_changed(session.id)
        self.show_session(session)

    def _state_changed(self, session_id: str, doing: Doing, in_mode: bool) -> None:
        self.messages.reading.state_changed(session_id, doing, in_mode)
        self.notifier.doing_changed(session_id, doing)

    def show_session(self, session: Session) -> None:
        view = self.session_view(session)
        message = {"type": "session_status", "session_id": session.id, "status": session.state.value, "session": view}
        self.journal.then(lambda: self.pages.broadcast(message))

    def _session_ended(self, session: Session) -> None:
        ended = (self.conversation.end_session(session.id, self.now), self.messages.session_ended(session.id))
        for effect in itertools.chain(*ended):
            self._performers[type(effect)](effect)
        self.states.ended(session)
        self.notifier.session_ended(session.id)
        self.floor.timing.session_ended(session.id)
        self.journal.then(lambda: self.pages.broadcast(self.session_list()))
        self._arm()

    def _stage_changed(self, session_id: str, stage: Stage | None) -> None:
        self.states.stage(session_id, stage)
        self.agents.question_changed(session_id, stage)
        self.notifier.questions_changed(session_id)

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
