"""The audio floor, joined: speaker and listener do what the conversation decides, and what comes of it goes back there.

Whose turn it is, and whose words they are, is decided in ``core.conversation``.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

from clawmux.core import questions as asked
from clawmux.core.conversation import Conversation
from clawmux.core.marks import is_echo
from clawmux.core.timing import Timed, Timing
from clawmux.hub.joining import Joining
from clawmux.hub.listener import Listener
from clawmux.hub.pages import Page
from clawmux.hub.project_quality import ProjectQuality
from clawmux.hub.projects import Projects
from clawmux.hub.speaker import Speaker
from clawmux.hub.speech import Speech
from clawmux.hub.spoken import CutOff
from clawmux.hub.stream import Utterance

log = logging.getLogger(__name__)


class Floor:
    def __init__(
        self,
        hub: Joining,
        conversation: Conversation,
        speech: Speech,
        projects: Projects,
        quality: ProjectQuality,
        cut_off: CutOff,
        on_words: Callable[[str], None],
    ) -> None:
        """``on_words``: hears of the session that the user has answered."""
        self._hub = hub
        self._conversation = conversation
        self._projects = projects
        self._quality = quality
        self._cut_off = cut_off
        self._on_words = on_words
        self.timing = Timing()
        self.speaker = Speaker(speech.client, speech.ready, self._spoken, self._not_spoken)
        self.listener = Listener(speech.client, speech.ready, self, self._wishes)
        self.speaker.on_started = lambda stream: self._timed(self.timing.sounded(stream, hub.now))
        self.performers: dict[type[Any], Callable[[Any], None]] = {
            asked.Speak: self._speak,
            asked.StopSpeaking: self._stop_speaking,
            asked.Listen: self._listen,
            asked.EndTurn: lambda e: self.listener.drop(e.turn, e.why),
            asked.Words: self._words,
        }

    # -- performing --

    def _speak(self, effect: asked.Speak) -> None:
        request = self._conversation.questions[effect.question_id].request
        page = self._hub.pages.owner
        if page is None:
            return
        session = self._hub.agents.get(request.session_id)
        speed = self._projects.settings_of(session.id).speech_speed
        self.speaker.speak(Utterance(request.id, session.id, request.text, session.voice, speed), page)

    def _stop_speaking(self, effect: asked.StopSpeaking) -> None:
        if effect.why == "interrupted" and (heard := self.speaker.heard(effect.question_id)):
            says, marks, heard_seconds, whole_seconds = heard
            self._cut_off.note(says.id, says.text, marks, heard_seconds, whole_seconds)
        self.speaker.stop(effect.question_id, self._hub.pages.owner, effect.why)

    def _listen(self, effect: asked.Listen) -> None:
        if self._hub.pages.owner is not None:
            self._hub.pages.owner.send({"type": "listening", "session_id": effect.session_id, "auto": effect.auto})

    def _words(self, effect: asked.Words) -> None:
        self._on_words(effect.session_id)
        self._hub.journal.event("user_text", effect.session_id, msg_id=effect.source_id, text=effect.text, via=effect.via)
        if effect.via == "typed":
            self.words_typed(effect.session_id, effect.source_id)

    async def _wishes(self, session_id: str) -> tuple[str, float, str]:
        settings = self._projects.settings_of(session_id)
        quality = await self._quality.of(session_id, settings.speech_quality)
        return settings.speech_language, settings.speech_silence_seconds, quality

    # -- what the speaker tells --

    def _spoken(self, question_id: str) -> None:
        self._hub.perform(self._conversation.spoken(question_id, self._hub.now))

    def _not_spoken(self, question_id: str, reason: str) -> None:
        if question := self._conversation.questions.get(question_id):
            self._hub.journal.event("not_spoken", question.request.session_id, msg_id=question_id, reason=reason)
        self._hub.perform(self._conversation.not_spoken(question_id, self._hub.now))

    # -- what the listener tells --

    def speech_started(self, turn_id: str) -> None:
        self._hub.perform(self._conversation.speech_started(turn_id))

    def turn_closed(self, turn_id: str) -> None:
        if turn := self._conversation.turns.get(turn_id):
            pause_ms = self.listener.pause_ms(turn_id)
            self._timed(self.timing.turn_closed(turn_id, turn.session_id, pause_ms, self._hub.now))
        self._hub.perform(self._conversation.turn_closed(turn_id, self._hub.now))

    def heard(self, turn_id: str, text: str, stt_ms: float) -> None:
        now = self._hub.now
        is_echo_of_agent = bool(text) and self._is_echo(turn_id, text)
        if text and not is_echo_of_agent:
            self._timed(self.timing.heard(turn_id, now))
        else:
            self.timing.empty(turn_id)
        if is_echo_of_agent:
            log.info("turn %s heard the agent's own words; its speech goes on", turn_id)
            settle_echo = lambda: self.listener.settle(turn_id, None, "echo")  # noqa: E731
            self._hub.perform(self._conversation.turn_discarded(turn_id, now), settle_echo)
            return
        review = bool(text) and self.listener.is_reviewed(turn_id)
        settle = lambda: self.listener.settle(turn_id, text or None, "" if text else "nothing_heard", review)  # noqa: E731
        heard = self._conversation.reviewed if review else self._conversation.heard
        self._hub.perform(heard(turn_id, text, now), settle)

    def _is_echo(self, turn_id: str, text: str) -> bool:
        turn = self._conversation.turns.get(turn_id)
        if turn is None or not turn.overhears:
            return False
        heard = self.speaker.heard(self._conversation.floor or "")
        return heard is not None and is_echo(heard[0].text, heard[1], heard[2] * 1000, text)

    def nothing_heard(self, turn_id: str) -> None:
        """For a client that cannot be asked to listen again."""
        self._hub.perform(self._conversation.turn_was_empty(turn_id, self._hub.now))

    def turn_failed(self, turn_id: str, reason: str) -> None:
        turn = self._conversation.turns.get(turn_id)
        if turn is not None and not turn.overhears:
            text = "What you said could not be understood."
            self._hub.journal.event("notice", turn.session_id, level="error", text=text, remedy=reason)
        effects = self._conversation.turn_failed(turn_id, self._hub.now)
        self._hub.perform(effects, lambda: self.listener.settle(turn_id, None, "speech_down"))

    # -- pages --

    def page_came(self, page: Page) -> None:
        """It plays and listens from now on."""
        now = self._hub.now
        self._hub.perform(
            [
                *self._conversation.prefs(page.muted, page.auto, now),
                *self._conversation.page_without_turns(page.turns, now),
                *self._conversation.page_present(now),
            ]
        )

    def page_gone(self) -> None:
        self.speaker.pause()
        self._hub.perform(self._conversation.page_gone(self._hub.now))

    # -- how long it took --

    def words_typed(self, session_id: str, text_id: str) -> None:
        self._timed(self.timing.typed(text_id, session_id, self._hub.now))

    def answer_shown(self, request: asked.Request) -> None:
        self._timed(self.timing.said(request.session_id, request.id, self._hub.now))

    def _timed(self, timed: Timed | None) -> None:
        if timed is not None:
            self._hub.pages.broadcast({"type": "turn_timing", **dataclasses.asdict(timed)})
