"""Messages between agents, joined: the broker's effects become rows, typing, views and answers to who waits.

Whoever is told of a message is told after it is durable. What is typed and when is the broker's to say, how is the typist's.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from clawmux.adapters import headers
from clawmux.core.broker import Broker
from clawmux.core.loops import LoopError, Loops
from clawmux.core.message import USER, Changed, Delivery, Effect, Message
from clawmux.core.reading import Known, reading_of
from clawmux.core.session import Session
from clawmux.core.state import Doing
from clawmux.hub.joining import Joining
from clawmux.hub.message_store import Kept, MessageStore, keep
from clawmux.hub.message_typing import MessageTyping
from clawmux.hub.typist import Typist
from clawmux.hub.waiters import Wait, Waiters
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import MessageState, Stage

_ID_CHARACTERS = "0123456789abcdefghjkmnpqrstvwxyz"
# A command asks again within a minute; more of them in that time are found in the store.
REQUESTS_KEPT = 2000
# After a write that the disk has refused.
SAVE_AGAIN_SECONDS = 2.0


def new_id() -> str:
    return "msg-" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(12))


class Messages:
    def __init__(self, hub: Joining, typist: Typist, stage_of: Callable[[str], Stage | None]) -> None:
        """``stage_of``: where the open question of a session stands."""
        self._hub = hub
        self._typist = typist
        self._stage_of = stage_of
        self.broker = Broker()
        self.loops = Loops()
        self.kept = MessageStore(hub.store)
        self._living: dict[str, Kept] = {}
        """Those that go on, and those that the disk has not taken yet."""
        self._requests: dict[str, tuple[str, ...]] = {}
        self._waiters = Waiters()
        self._doing: dict[str, tuple[Doing, bool]] = {}
        self._to_look_at: set[str] = set()
        self._to_count: set[str] = set()
        self._counted: dict[str, dict[str, int]] = {}
        """The counts of each session as they were last shown."""
        self.performers: dict[type[Any], Callable[[Any], None]] = {
            Changed: self._changed,
            **MessageTyping(hub, self.broker, typist, self._living).performers,
        }

    # -- life --

    def restore(self) -> None:
        """Take up what was on its way when the hub ended. The sessions that live are known by now."""
        effects: list[Effect] = []
        recipients: dict[str, None] = {}
        for kept in self.kept.open():
            self._living[kept.message.id] = kept
            recipients[kept.message.recipient] = None
        for recipient in recipients:
            effects += self._read_again(recipient)
        for kept in list(self._living.values()):
            effects += self.broker.restore(kept.delivery, self._hub.now)
        living = {session.id for session in self._hub.agents.living}
        for session_id in {k.message.recipient for k in self._living.values()} - living:
            effects += self.broker.session_ended(session_id)
        for sender in {k.message.sender for k in self._living.values()} - living - {USER}:
            effects += self.broker.session_ended(sender)
        self._hub.perform(effects)

    def leave(self) -> None:
        """Let go of the commands that wait; they come back when there is a hub again."""
        self._waiters.leave()

    def session_changed(self, session_id: str) -> None:
        """Something about it is new: whether it reads now is looked at once what happens now is through."""
        self._soon()
        self._to_look_at.add(session_id)

    def state_changed(self, session_id: str, doing: Doing, in_mode: bool) -> None:
        """What it does, by all evidence."""
        self._doing[session_id] = (doing, in_mode)
        self.session_changed(session_id)

    def session_ended(self, session_id: str) -> list[Effect]:
        """What is to be performed for it."""
        self._doing.pop(session_id, None)
        self._counted.pop(session_id, None)
        self._typist.forget(session_id)
        self.loops.session_ended(session_id)
        return self.broker.session_ended(session_id)

    def taken(self, session_id: str, text: str) -> None:
        """Its program has this text as a prompt: so much of it as are messages has arrived."""
        effects: list[Effect] = []
        for message_id in headers.ids_in(text):
            kept = self._living.get(message_id)
            if kept is not None and kept.message.recipient == session_id:
                effects += self.broker.delivered(message_id, self._hub.now)
        if effects:
            self._hub.perform(effects)

    # -- sending --

    async def send(self, sender: str, to: Sequence[str], text: str, *, expects: bool = False, request: str = "") -> list[Kept]:
        """One message to each recipient, durable when this returns. The same request again gives the same messages."""
        if before := self._sent_with(sender, request):
            await self._durable()
            return before
        recipients = self._resolved(sender, to)
        sent = [
            self._new(sender, session, text, expects=expects, request=request, hops=self._guarded(sender, session, text))
            for session in recipients
        ]
        self._requests[request] = tuple(kept.message.id for kept in sent)
        while len(self._requests) > REQUESTS_KEPT:
            del self._requests[next(iter(self._requests))]
        effects: list[Effect] = []
        for kept in sent:
            effects += self._admit(kept)
        try:
            await self._perform(effects)
        except Exception:
            self._requests.pop(request, None)
            raise
        return sent

    def _sent_with(self, sender: str, request: str) -> list[Kept]:
        if not request:
            return []
        ids = self._requests.get(request)
        sent = [self.get(i) for i in ids] if ids else self.kept.of_request(request)
        if any(kept.message.sender != sender for kept in sent):
            raise ClawMuxError("forbidden", f"the request {request!r} belongs to somebody else.")
        return sent

    def _resolved(self, sender: str, to: Sequence[str]) -> list[Session]:
        """The sessions that are meant, each once. Raises before anything is sent."""
        living = self._hub.agents.living
        found: dict[str, Session] = {}
        for name in to:
            if name == "all":
                found.update({session.id: session for session in living if session.id != sender})
                continue
            session = next((s for s in living if name in (s.id, s.name)), None)
            if session is None:
                known = ", ".join(s.name for s in living if s.id != sender) or "none"
                raise ClawMuxError("unknown_recipient", f"--to: there is no agent {name!r:.80}.", f"Living agents: {known}.")
            if session.id == sender:
                raise ClawMuxError("usage", "--to: this message is to its own sender.", "Name another agent.")
            found[session.id] = session
        if not found:
            raise ClawMuxError("unknown_recipient", "--to: no other agent lives.", "`clawmux status --all` lists them.")
        for session in found.values():
            if self.broker.is_full(session.id):
                raise ClawMuxError(
                    "too_many",
                    f"--to: too many messages wait for {session.name} already; nothing was sent.",
                    "Send it when some of them are acknowledged.",
                )
        return list(found.values())

    def _guarded(self, sender: str, to: Session, text: str) -> int:
        """The hops of a new message. Raises ``too_many`` when agents only keep each other going."""
        try:
            return self.loops.admit(sender, to.id, text, self._hub.now)
        except LoopError as error:
            if error.is_news:
                names = f"{self.name_of(sender).capitalize()} and {to.name.capitalize()}"
                self._hub.notice(
                    sender, "warn", f"{names} were stopped: {error.text}", "Say something to either to let them go on."
                )
            raise

    def _new(
        self, sender: str, to: Session, text: str, *, expects: bool = False, re: str = "", request: str = "", hops: int = 0
    ) -> Kept:
        message = Message(new_id(), sender, to.id, text, expects, re, hops)
        now = time.time()
        return Kept(Delivery(message), self.name_of(sender), to.name, now, now, request)

    def _admit(self, kept: Kept) -> list[Effect]:
        message = kept.message
        self._living[message.id] = kept
        effects = self.broker.send(message, self._hub.now)
        self._tell_conversation(message.sender, "out", message.recipient, message.text, message.id, message.re)
        return effects

    # -- what recipients and senders say --

    async def ack(self, message_id: str, by: str) -> None:
        self._at_hand(message_id, by)
        await self._perform(self.broker.ack(message_id, by, self._hub.now))

    async def reply(self, message_id: str, by: str, text: str) -> str:
        """Answer a message. Nobody who waits for the answer: it becomes a message of its own, whose id is returned."""
        kept = self._at_hand(message_id, by)
        message = kept.message
        if message.re:
            raise ClawMuxError("conflict", f"message {message_id} is a reply itself.", "Send a message of your own.")
        effects = self.broker.reply(message_id, by, text, self._hub.now)
        sender = next((s for s in self._hub.agents.living if s.id == message.sender and s.created <= kept.created), None)
        answer = None
        if effects and sender is not None and not self._waiters.is_reply_awaited(message_id):
            answer = self._new(by, sender, text, re=message_id, hops=self.loops.hops(by, self._hub.now))
            effects += self._admit(answer)
        elif effects:
            self.loops.taken(message.sender, self.loops.hops(by, self._hub.now), self._hub.now)
            self._tell_conversation(by, "out", message.sender, text, message_id, message_id)
            self._tell_conversation(message.sender, "in", by, text, message_id, message_id)
        await self._perform(effects)
        return answer.message.id if answer else ""

    async def cancel(self, message_id: str, by: str) -> None:
        """``by``: the sender; empty for the owner."""
        self._at_hand(message_id, by)
        await self._perform(self.broker.cancel(message_id, by))

    def get(self, message_id: str) -> Kept:
        """As it is now. Raises ``not_found``."""
        kept = self._living.get(message_id) or self.kept.get(message_id)
        if kept is None:
            raise ClawMuxError("not_found", f"there is no message {message_id!r:.80}.", "`clawmux messages` lists them.")
        return kept

    def traced(self, message_id: str) -> dict[str, Any]:
        """The view of a message with every step of its way."""
        kept = self.get(message_id)
        return {**kept.view(), "steps": self.kept.steps(message_id)}

    def seen_by(self, message_id: str, session_id: str) -> Kept:
        """The same, for one of its two sides. An id that was given again does not open what was said to its first session."""
        kept = self.get(message_id)
        session = self._hub.agents.get(session_id)
        if session_id not in (kept.message.sender, kept.message.recipient) or kept.created < session.created:
            raise ClawMuxError("forbidden", f"message {message_id} is neither to you nor from you.")
        return kept

    def _at_hand(self, message_id: str, by: str) -> Kept:
        """Make sure that the broker knows it, be it long ago."""
        kept = self.seen_by(message_id, by) if by and by != USER else self.get(message_id)
        self.broker.load(kept.delivery)
        return kept

    # -- waiting --

    async def wait(self, ids: Sequence[str], mode: Wait, seconds: float) -> dict[str, Delivery]:
        """What became of them, as far as it is known when the time is over.

        Cancelling this (the caller's connection broke) forgets the waiter: a reply then comes as a message.
        """
        done = await self._waiters.wait([self.get(message_id).delivery for message_id in ids], mode, seconds)
        self.told(done.values())
        return done

    # -- what a sender has not been told --

    def owed(self, sender: str) -> list[Delivery]:
        return self.broker.owed(sender)

    def told(self, deliveries: Iterable[Delivery]) -> None:
        effects: list[Effect] = []
        for delivery in deliveries:
            effects += self.broker.told(delivery.message.sender, [delivery.message.id])
        if effects:
            self._hub.perform(effects)

    # -- views --

    def name_of(self, side: str) -> str:
        session = next((s for s in self._hub.agents.living if s.id == side), None)
        return session.name if session else side

    def counts(self, session_id: str) -> dict[str, int]:
        """For the session's own view."""
        return {"waiting": len(self.broker.waiting(session_id)), "failed": len(self.broker.owed(session_id))}

    def unread(self, session_id: str) -> list[Kept]:
        """What the session has not acknowledged yet, in order."""
        return [kept for kept in self._living.values() if kept.message.recipient == session_id and kept.delivery.is_living]

    # -- performing --

    def _changed(self, effect: Changed) -> None:
        delivery = effect.delivery
        message = delivery.message
        kept = self._living.get(message.id)
        if kept is None:  # one that was settled already
            kept = self._living[message.id] = self.get(message.id)
        is_new, before, kept.delivery = not kept.stored, kept.delivery, delivery
        kept.held = self.broker.why_held(message.recipient) if delivery.state is MessageState.QUEUED else ""
        if not keep(self._hub.journal, kept, time.time()):
            return
        if before.state in (MessageState.QUEUED, MessageState.INJECTING) and not before.tries:
            self._tell_arrival(delivery)
        if delivery.is_taken and not before.is_taken:
            self.loops.taken(message.recipient, message.hops, self._hub.now)
        if delivery.owed and not before.owed:
            self._tell_failure(kept)
        self._soon()
        self._to_count |= {message.sender, message.recipient}
        view = kept.view()
        self._hub.journal.then(lambda: self._settled(kept, delivery, view), lambda error: self._not_saved(kept, is_new))

    def _settled(self, kept: Kept, delivery: Delivery, view: dict[str, Any]) -> None:
        """It is durable: show it, and release who waits for it."""
        self._hub.pages.broadcast({"type": "message", "message": view})
        self._waiters.release(delivery)
        if kept.is_saved and kept.delivery is delivery and not delivery.is_living:
            self._living.pop(delivery.message.id, None)

    def _not_saved(self, kept: Kept, is_new: bool) -> None:
        kept.is_saved = False
        if is_new:
            self.broker.forget(kept.message.id)
            self._living.pop(kept.message.id, None)
            # Should the disk have taken what came after it.
            self._hub.journal.statement("DELETE FROM messages WHERE id = ?", kept.message.id)
        else:
            asyncio.get_running_loop().call_later(SAVE_AGAIN_SECONDS, self._save_again, kept)

    def _save_again(self, kept: Kept) -> None:
        if not kept.is_saved:
            self._changed(Changed(kept.delivery))
            self._hub.perform([])

    def _tell_arrival(self, delivery: Delivery) -> None:
        """Once it was typed, or read without that, it belongs into its recipient's conversation."""
        message = delivery.message
        if delivery.tries or delivery.state in (MessageState.ACKNOWLEDGED, MessageState.RESPONDED):
            self._tell_conversation(message.recipient, "in", message.sender, message.text, message.id, message.re)

    def _tell_conversation(self, session_id: str, direction: str, peer: str, text: str, message_id: str, re: str) -> None:
        if session_id != USER:
            self._hub.journal.event(
                "agent_message", session_id, msg_id=message_id, direction=direction, peer=peer,
                peer_name=self.name_of(peer), text=text, re=re,
            )  # fmt: skip

    def _tell_failure(self, kept: Kept) -> None:
        delivery, message = kept.delivery, kept.message
        if delivery.state not in (MessageState.FAILED, MessageState.UNDELIVERABLE):
            return
        sender, recipient = kept.sender_name.capitalize(), kept.recipient_name.capitalize()
        whose = "Your message" if message.sender == USER else f"{sender}'s message"
        self._hub.journal.event(
            "notice", None if message.sender == USER else message.sender, level="warn",
            text=f"{whose} to {recipient} did not arrive. {delivery.reason}", remedy=f"See `clawmux trace {message.id}`.",
        )  # fmt: skip
        if message.sender == USER:
            self._hub.journal.then(lambda: self.told([delivery]))

    # -- reading --

    def _soon(self) -> None:
        if not self._to_look_at and not self._to_count:
            asyncio.get_running_loop().call_soon(self._look_at_all)

    def _look_at_all(self) -> None:
        sessions, self._to_look_at = self._to_look_at, set()
        effects: list[Effect] = []
        for session_id in sessions:
            effects += self._read_again(session_id)
        self._hub.perform(effects)
        counting, self._to_count = self._to_count, set()
        for session in self._hub.agents.living:
            if session.id in counting and self._counted.get(session.id) != (counts := self.counts(session.id)):
                self._counted[session.id] = counts
                self._hub.show_session(session)

    def _read_again(self, session_id: str) -> list[Effect]:
        """Tell the broker whether it reads now, and the waiting messages why not."""
        session = next((s for s in self._hub.agents.living if s.id == session_id), None)
        if session is None:
            return []
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
        )
        reading, why = reading_of(known)
        effects = self.broker.reading(session_id, reading, self._hub.now, why)
        waiting = [d for d in self.broker.waiting(session_id) if d.state is MessageState.QUEUED]
        return [*effects, *(Changed(d) for d in waiting if self._living[d.message.id].held != why)]

    # -- durability --

    async def _perform(self, effects: Iterable[Effect]) -> None:
        """Perform, and return when what was stored is durable. Raises what the disk said."""
        self._hub.perform(effects)
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(error: Exception | None) -> None:
            if stored.done():
                return  # the caller has gone
            if error is None:
                stored.set_result(None)
            else:
                stored.set_exception(error)

        self._hub.journal.then(lambda: settle(None), settle)
        self._hub.perform([])
        await stored

    async def _durable(self) -> None:
        await self._perform([])
