"""Messages between agents, joined: the broker's effects become rows, typing, views and answers to who waits.

Whoever is told of a message is told after it is durable. What is typed and when is the broker's to say, how is the typist's.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clawmux.adapters import headers
from clawmux.core.broker import Broker
from clawmux.core.loops import LoopError, Loops
from clawmux.core.message import EVERYBODY, USER, Changed, Delivery, Effect, Message
from clawmux.core.session import Session
from clawmux.hub.joining import Joining
from clawmux.hub.message_answers import MessageAnswers
from clawmux.hub.message_ledger import MessageLedger
from clawmux.hub.message_news import Line, MessageNews
from clawmux.hub.message_reading import MessageReading
from clawmux.hub.message_recipients import admitted, named
from clawmux.hub.message_store import Kept, MessageStore
from clawmux.hub.message_typing import MessageTyping
from clawmux.hub.typist import Typist
from clawmux.hub.waiters import Wait, Waiters
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import MessageState, Stage

_ID_CHARACTERS = "0123456789abcdefghjkmnpqrstvwxyz"
# A command asks again within a minute; more of them in that time are found in the store.
REQUESTS_KEPT = 2000


def new_id() -> str:
    return "msg-" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(12))


def _check_same(sent: Sequence[Kept], to: Sequence[str], text: str) -> None:
    """Whoever uses the id of a request again for something else must not be told that this was sent."""
    known = {EVERYBODY, *(kept.recipient_name for kept in sent), *(kept.message.recipient for kept in sent)}
    if not known.issuperset(to) or any(kept.message.text != text for kept in sent):
        raise ClawMuxError("conflict", "another message was sent with this request id.", "Choose a new one for each message.")


@dataclass(frozen=True, slots=True)
class Sent:
    messages: list[Kept]
    left_out: tuple[str, ...] = ()
    """Of everybody, those who got none, each with the reason."""

    @property
    def note(self) -> str:
        """For the sender; empty when nobody was left out."""
        return f"not sent to {', '.join(self.left_out)}" if self.left_out else ""


class Messages:
    def __init__(self, hub: Joining, typist: Typist, stage_of: Callable[[str], Stage | None]) -> None:
        """``stage_of``: where the open question of a session stands."""
        self._hub = hub
        self._typist = typist
        self.broker = Broker()
        self.loops = Loops()
        self.kept = MessageStore(hub.store)
        self._requests: dict[str, tuple[str, ...]] = {}
        self._waiters = Waiters()
        self._ledger = MessageLedger(hub, self.broker, self._waiters, self.kept)
        self._living = self._ledger.living
        self._news = MessageNews(hub, self.told)
        self.reading = MessageReading(hub, self.broker, typist, self._living, stage_of)
        self.answers = MessageAnswers(
            hub, self.broker, self._waiters, self._news, self._living, self.get, self._answer_as_message
        )
        self.performers: dict[type[Any], Callable[[Any], None]] = {
            Changed: self._ledger.changed,
            Line: self._news.line,
            **MessageTyping(hub, self.broker, typist, self._living, self.kept.get).performers,
        }
        self._ledger.on_changed = self._changed
        self._ledger.on_answer_refused = self.answers.not_stored

    # -- life --

    def restore(self) -> None:
        """Take up what was on its way when the hub ended. The sessions that live are known by now."""
        for kept in self.kept.open():
            self._living[kept.message.id] = kept
        effects = self.reading.restored()
        for kept in list(self._living.values()):
            effects += self.broker.restore(kept.delivery, self._hub.now)
        sides = {side for kept in self._living.values() for side in (kept.message.sender, kept.message.recipient)}
        for session_id in sorted(sides - {session.id for session in self._hub.agents.living} - {USER}):
            effects += self.broker.session_ended(session_id)
        self._hub.perform(effects)
        self.answers.restored()

    def leave(self) -> None:
        """Let go of the commands that wait; they come back when there is a hub again."""
        self._waiters.leave()

    def session_ended(self, session_id: str) -> list[Effect]:
        """What is to be performed for it."""
        self.reading.session_ended(session_id)
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

    async def send(self, sender: str, to: Sequence[str], text: str, *, expects: bool = False, request: str = "") -> Sent:
        """One message to each recipient, durable when this returns. The same request again gives the same messages, and only
        when it says the same. Who of everybody has no room for it gets none, and is named."""
        if before := self._sent_with(sender, request):
            _check_same(before, to, text)
            await self._ledger.perform()
            return Sent(before)
        meant = named(self._hub.agents, sender, to)
        recipients = admitted(meant, self.broker, lambda one: self._guarded(sender, one, text), to_all=EVERYBODY in to)
        sent = [
            self._new(sender, session, text, expects=expects, request=request, hops=hops) for session, hops in recipients.admitted
        ]
        batch = new_id().replace("msg", "all") if EVERYBODY in to else ""
        for kept in sent:
            kept.batch = batch
        self._requests[request] = tuple(kept.message.id for kept in sent)
        while len(self._requests) > REQUESTS_KEPT:
            del self._requests[next(iter(self._requests))]
        effects: list[Effect | Line] = []
        for kept in sent:
            effects += self._admit(kept)
        try:
            await self._ledger.perform(effects)
        except Exception:
            self._requests.pop(request, None)
            raise
        return Sent(sent, recipients.left_out)

    def _sent_with(self, sender: str, request: str) -> list[Kept]:
        if not request:
            return []
        ids = self._requests.get(request, ())
        # One that the disk has refused is nowhere any more, and may be sent again.
        sent = [kept for i in ids if (kept := self._ledger.find(i))] or self.kept.of_request(request)
        if any(kept.message.sender != sender for kept in sent):
            raise ClawMuxError("forbidden", f"the request {request!r} belongs to somebody else.")
        return sent

    def _guarded(self, sender: str, to: Session, text: str) -> int:
        """The hops of a new message. Raises ``too_many`` when agents only keep each other going."""
        try:
            return self.loops.admit(sender, to.id, text, self._hub.now)
        except LoopError as error:
            if error.is_news:
                names = f"{self._news.name_of(sender).capitalize()} and {to.name.capitalize()}"
                self._hub.notice(
                    sender, "warn", f"{names} were stopped: {error.text}", "Say something to either to let them go on."
                )
            raise

    def _new(
        self, sender: str, to: Session, text: str, *, expects: bool = False, re: str = "", request: str = "", hops: int = 0
    ) -> Kept:
        message = Message(new_id(), sender, to.id, text, expects, re, hops)
        own = self._hub.agents.alive(sender)
        # After a clock was set back, too: what is older than one of its sides was said to another of the same id.
        now = max(time.time(), to.created, own.created if own else 0.0)
        return Kept(Delivery(message), self._news.name_of(sender), to.name, now, now, request, is_new=True)

    def _admit(self, kept: Kept) -> list[Effect | Line]:
        message = kept.message
        self._living[message.id] = kept
        effects = self.broker.send(message, self._hub.now)
        return [*effects, Line(message.sender, "out", message.recipient, message.text, message.id, message.re)]

    # -- what recipients and senders say --

    async def ack(self, message_id: str, by: str) -> None:
        self._at_hand(message_id, by)
        await self._ledger.perform([*self.broker.ack(message_id, by, self._hub.now), *self._ledger.unsaved(message_id)])

    async def reply(self, message_id: str, by: str, text: str) -> str:
        """Answer a message. Nobody who waits for the answer: it becomes a message of its own, whose id is returned."""
        kept = self._at_hand(message_id, by)
        message = kept.message
        if message.re:
            raise ClawMuxError("conflict", f"message {message_id} is a reply itself.", "Send a message of your own.")
        sender = self._asker(kept)
        is_awaited = sender is not None and self._waiters.is_reply_awaited(message_id)
        effects: list[Effect | Line] = [*self.broker.reply(message_id, by, text, self._hub.now, is_awaited=is_awaited)]
        answer = None
        if effects and sender is not None and not is_awaited:
            effects += self.reading.answer_comes(sender.id)
            answer = self._new(by, sender, text, re=message_id, hops=self.loops.hops(by, self._hub.now))
            effects += self._admit(answer)
        elif effects:
            # Printed by the command that waits, which is told then; or on the page.
            self._waiters.reply_comes(message_id)
            self.loops.taken(message.sender, self.loops.hops(by, self._hub.now), self._hub.now)
            # Behind the message itself, which may be known as read only by this very answer.
            effects.append(Line(by, "out", message.sender, text, message_id, message_id))
            if not is_awaited:
                effects.append(Line(message.sender, "in", by, text, message_id, message_id))
        try:
            await self._ledger.perform([*effects, *self._ledger.unsaved(message_id)])
        except Exception:
            self._waiters.reply_failed(message_id)
            raise
        return answer.message.id if answer else ""

    def _asker(self, kept: Kept) -> Session | None:
        """The session that has sent it, if that lives: not one that has its name since."""
        sender = self._hub.agents.alive(kept.message.sender)
        return sender if sender is not None and sender.created <= kept.created else None

    def _answer_as_message(self, kept: Kept) -> list[Effect]:
        """The answer that no command was there to print; who gave it has said it once."""
        message, sender = kept.message, self._asker(kept)
        if sender is None:
            return []
        hops = self.loops.hops(message.recipient, self._hub.now)
        answer = self._new(message.recipient, sender, kept.delivery.reply, re=message.id, hops=hops)
        answer.sender_name = kept.recipient_name
        self._living[answer.message.id] = answer
        return self.broker.send(answer.message, self._hub.now)

    async def cancel(self, message_id: str, by: str) -> None:
        """``by``: the sender; empty for the owner."""
        self._at_hand(message_id, by)
        await self._ledger.perform([*self.broker.cancel(message_id, by), *self._ledger.unsaved(message_id)])

    def get(self, message_id: str) -> Kept:
        """As it is now. Raises ``not_found``."""
        return self._ledger.get(message_id)

    async def traced(self, message_id: str) -> dict[str, Any]:
        """The view of a message with every step of its way."""
        self.get(message_id)
        with contextlib.suppress(ClawMuxError):  # on a full disk reading goes on
            await self._ledger.perform()
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
        """What became of them, as far as it is known when the time is over. ``answers`` is to be told what was printed of it.

        Cancelling this (the caller's connection broke) forgets the waiter: a reply then comes as a message.
        """
        self.answers.command_came(ids)
        try:
            return await self._waiters.wait([self.get(message_id).delivery for message_id in ids], mode, seconds)
        except BaseException:
            self.answers.command_went(ids)
            raise

    # -- what a sender has not been told --

    def owed(self, sender: str) -> list[Delivery]:
        return self.broker.owed(sender)

    def told(self, deliveries: Iterable[Delivery]) -> None:
        effects: list[Effect] = []
        for delivery in deliveries:
            effects += self.broker.told(delivery.message.sender, [delivery.message.id])
        if effects:
            self._hub.perform(effects)

    # -- views and news --

    def unread(self, session_id: str) -> list[Kept]:
        """What the session has not acknowledged yet, in order."""
        return [kept for kept in self._living.values() if kept.message.recipient == session_id and kept.delivery.is_living]

    def _changed(self, kept: Kept, before: Delivery) -> None:
        delivery, message = kept.delivery, kept.message
        if before.state in (MessageState.QUEUED, MessageState.INJECTING) and not before.tries:
            self._news.arrived(delivery)
        if delivery.is_taken and not before.is_taken:
            self.loops.taken(message.recipient, message.hops, self._hub.now)
        if delivery.owed and not before.owed:
            self._news.ended(kept)
        self.reading.message_changed(kept)
