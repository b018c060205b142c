"""Whether each agent reads what is typed to it, told to the broker whenever something about it is new. Decides nothing.

What happens is looked at once the event loop is through with it: one look for many changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from clawmux.core.broker import Broker
from clawmux.core.message import Changed, Effect, Reading
from clawmux.core.reading import Known, reading_of
from clawmux.core.state import Doing
from clawmux.hub.joining import Joining
from clawmux.hub.message_store import Kept
from clawmux.hub.typist import Typist
from clawmux.wire.words import MessageState, Stage

# A command that waited for a reply when the hub ended is back by then; before, its reply would be typed as well.
RETURN_SECONDS = 3.0


class MessageReading:
    def __init__(
        self, hub: Joining, broker: Broker, typist: Typist, living: Mapping[str, Kept], stage_of: Callable[[str], Stage | None]
    ) -> None:
        self._hub = hub
        self._broker = broker
        self._typist = typist
        self._living = living
        self._stage_of = stage_of
        self._doing: dict[str, tuple[Doing, bool]] = {}
        self._has_just_started = False
        self._returning: set[str] = set()
        self._to_read: set[str] = set()
        self._to_count: set[str] = set()
        self._counted: dict[str, dict[str, int]] = {}
        """The counts of each session as they were last shown."""

    # -- what is new --

    def session_changed(self, session_id: str) -> None:
        self._soon()
        self._to_read.add(session_id)

    def state_changed(self, session_id: str, doing: Doing, in_mode: bool) -> None:
        """What it does, by all evidence, and whether somebody scrolls in its pane."""
        self._doing[session_id] = (doing, in_mode)
        self.session_changed(session_id)

    def message_changed(self, kept: Kept) -> None:
        self._soon()
        self._to_count |= {kept.message.sender, kept.message.recipient}

    def session_ended(self, session_id: str) -> None:
        self._doing.pop(session_id, None)
        self._counted.pop(session_id, None)

    def restored(self) -> list[Effect]:
        """After a start of the hub, before any message is taken up again."""
        messages = [kept.message for kept in self._living.values()]
        # The second is who an answer goes to that has come between two ends of a hub.
        self._returning = {m.sender for m in messages if m.expects_response} | {m.recipient for m in messages if m.re}
        self._has_just_started = True
        asyncio.get_running_loop().call_later(RETURN_SECONDS, self._returned)
        sides = {side for kept in self._living.values() for side in (kept.message.sender, kept.message.recipient)}
        return [effect for session_id in sorted(sides) for effect in self._read(session_id)]

    def answer_comes(self, session_id: str) -> list[Effect]:
        """Before an answer that no command waits for yet is sent to it: what was acknowledged when the hub ended is not in
        ``living`` any more."""
        if not self._has_just_started:
            return []
        self._returning.add(session_id)
        return self._read(session_id)

    # -- looking --

    def counts(self, session_id: str) -> dict[str, int]:
        """For the session's own view: messages that wait to be typed to it, and its own that failed."""
        return {"waiting": len(self._broker.waiting(session_id)), "failed": len(self._broker.owed(session_id))}

    def _returned(self) -> None:
        self._has_just_started = False
        returned, self._returning = self._returning, set()
        for session_id in returned:
            self.session_changed(session_id)

    def _soon(self) -> None:
        if not self._to_read and not self._to_count:
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        to_read, self._to_read = self._to_read, set()
        to_count, self._to_count = self._to_count, set()
        self._hub.perform([effect for session_id in to_read for effect in self._read(session_id)])
        for session_id in to_count:
            session = self._hub.agents.alive(session_id)
            if session is not None and self._counted.get(session_id) != (counts := self.counts(session_id)):
                self._counted[session_id] = counts
                self._hub.show_session(session)

    def _read(self, session_id: str) -> list[Effect]:
        """Tell the broker whether it reads now, and the waiting messages why not."""
        reading, why = self._reading(session_id)
        effects = self._broker.reading(session_id, reading, self._hub.now, why) if reading is not None else []
        waiting = [d for d in self._broker.waiting(session_id) if d.state is MessageState.QUEUED]
        why = self._broker.why_held(session_id)
        return [*effects, *(Changed(d) for d in waiting if self._living[d.message.id].held != why)]

    def _reading(self, session_id: str) -> tuple[Reading | None, str]:
        session = self._hub.agents.alive(session_id)
        if session is None:
            return None, ""
        if session_id in self._returning:
            return Reading.CLOSED, "may be waiting for a reply"
        doing, in_mode = self._doing.get(session_id, (None, False))
        runtime = self._hub.agents.runtime_of(session)
        has_channel = self._typist.has_channel(session)
        known = Known(
            session.state,
            self._stage_of(session_id),
            doing,
            in_mode=in_mode and not has_channel,
            can_type=self._typist.can_type(session),
            mid_turn=has_channel or runtime is None or runtime.input is None or runtime.input.mid_turn,
            always=runtime is not None and runtime.channel is not None and runtime.channel.always,
        )
        return reading_of(known)
