"""Messages between agents, from the sender's command to the recipient's answer. Decides; touches nothing.

    queued -> injecting -> pending -> acknowledged -> responded
                 |            '-> failed: typed four times, and never acknowledged
                 '-> undeliverable: the recipient has ended          cancelled: taken back before it was typed

One typing at a time goes to a recipient, with all that waits for it, in order. What it costs is counted in tries, and a try
counts only when it was typed: while the recipient cannot read (busy, in a dialog, in copy mode) its messages wait, for as
long as it takes. What its program is known to have taken is not typed again; the recipient is reminded of it.

Inputs are methods that return effects; they never wait and never look at a clock: ``now`` is monotonic seconds. Late and
repeated inputs change nothing, or only what they still can: an acknowledgment after ``failed`` is one all the same.

No input looks through all messages: the living ones stand in the lanes of their recipients, the settled ones leave, but
for the newest. Whoever keeps them gives an older one back with ``load`` before it is acknowledged or answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from clawmux.core.alarms import Alarms
from clawmux.core.lane import GRACE_SECONDS, TRY_SECONDS, Lane
from clawmux.core.message import Changed, Delivery, Effect, Inject, LookFor, Message, Reading, Remind
from clawmux.core.settled import OWED_LIMIT, SETTLED_KEPT, Settled
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import MessageState

__all__ = ["GRACE_SECONDS", "OWED_LIMIT", "SETTLED_KEPT", "TRY_SECONDS", "Broker"]

# The first typing and three more.
TRIES = 4
# A recipient that could not be typed to is looked at again, unless somebody says first that it reads.
LOOK_SECONDS = 2.0
BATCH = 8
"""Messages typed in one go."""
BATCH_CHARACTERS = 1800
"""What they may come to: programs get slow with more in their input."""
QUEUE_LIMIT = 500
"""Living messages to one recipient."""
_ENDED = "The recipient has ended."


@dataclass(slots=True)
class Broker:
    _living: dict[str, Delivery] = field(default_factory=dict)
    _settled: Settled = field(default_factory=Settled)
    _lanes: dict[str, Lane] = field(default_factory=dict)
    _alarms: Alarms = field(default_factory=Alarms)
    """When to look at which lane."""
    _orders: int = 0

    # -- senders --

    def send(self, message: Message, now: float) -> list[Effect]:
        """A new message. One whose id is known changes nothing: its sender asks again after a broken connection."""
        if message.id in self._living or self._settled.get(message.id) is not None:
            return []
        lane = self._lane(message.recipient, now)
        # An answer always comes through: there are no more of them than its recipient has asked for.
        if not message.re and self.is_full(message.recipient):
            raise ClawMuxError(
                "too_many",
                f"{QUEUE_LIMIT} messages wait for this recipient already; nothing was sent.",
                "Send it when the recipient has acknowledged some of them.",
            )
        delivery = self._admit(Delivery(message), lane)
        effects = self._pump(message.recipient, lane, now)
        # Stored once, as what it has become: one commit lies between the command and the typing.
        return [Changed(delivery), *effects] if self._living.get(message.id) is delivery else effects

    def is_full(self, recipient: str) -> bool:
        """Whether ``send`` would refuse a message to it."""
        lane = self._lanes.get(recipient)
        return lane is not None and len(lane.queued) + len(lane.pending) >= QUEUE_LIMIT

    def forget(self, message_id: str) -> None:
        """A new message could not be stored, so it was never sent. What was to be typed with it is answered with ``held``."""
        delivery = self._living.get(message_id)
        if delivery is not None:
            self._leave(delivery)

    def cancel(self, message_id: str, by: str) -> list[Effect]:
        """Take back what was not typed yet. ``by`` is the sender; empty for the owner."""
        delivery = self.get(message_id)
        if by and by != delivery.message.sender:
            raise ClawMuxError("forbidden", f"message {message_id} is not yours to cancel.")
        if delivery.state is MessageState.CANCELLED:
            return []
        if delivery.state is not MessageState.QUEUED:
            raise ClawMuxError("conflict", f"message {message_id} is {delivery.state} and cannot be taken back.")
        return self._settle(replace(delivery, state=MessageState.CANCELLED))

    def owed(self, sender: str) -> list[Delivery]:
        """What the sender should be told with the next answer they get. A reply is not told so, but printed or sent."""
        return [d for d in self._settled.owed(sender) if d.state is not MessageState.RESPONDED]

    def told(self, sender: str, ids: Iterable[str]) -> list[Effect]:
        """They were told of these."""
        wanted = set(ids)
        owed = [d for d in self._settled.owed(sender) if d.message.id in wanted]
        return [effect for delivery in owed for effect in self._settle(replace(delivery, owed=False))]

    # -- recipients --

    def ack(self, message_id: str, by: str, now: float) -> list[Effect]:
        """The recipient has read it. Said twice it changes nothing; said late it counts."""
        delivery = self._of_recipient(message_id, by)
        if delivery.state in (MessageState.ACKNOWLEDGED, MessageState.RESPONDED):
            return []
        # A sender who was told of a failure is told that it was none.
        is_news = not delivery.is_living and not delivery.owed
        done = replace(delivery, state=MessageState.ACKNOWLEDGED, is_taken=True, reason="", owed=is_news)
        return [*self._settle(done), *self._look_again(by, now)]

    def reply(self, message_id: str, by: str, text: str, now: float, *, is_awaited: bool = False) -> list[Effect]:
        """The recipient's answer, which acknowledges too. The same answer twice changes nothing; another one is refused.

        ``is_awaited``: a command stands there to print it, and it is owed to the sender until that is ``told``."""
        delivery = self._of_recipient(message_id, by)
        if delivery.state is MessageState.RESPONDED:
            if text != delivery.reply:
                raise ClawMuxError("conflict", f"message {message_id} has its reply already.", "Send a message of your own.")
            return []
        done = replace(delivery, state=MessageState.RESPONDED, is_taken=True, reason="", reply=text, owed=is_awaited)
        return [*self._settle(done), *self._look_again(by, now)]

    def awaited_again(self, message_id: str) -> list[Effect]:
        """A command is back that prints the reply, which was to reach its sender in another way."""
        delivery = self.get(message_id)
        if delivery.state is not MessageState.RESPONDED or delivery.owed:
            return []
        return self._settle(replace(delivery, owed=True))

    def delivered(self, message_id: str, now: float) -> list[Effect]:
        """The recipient's program has taken it: it shows in its own records or on its screen."""
        delivery = self._living.get(message_id)
        if delivery is None or delivery.is_taken:
            return []
        recipient = delivery.message.recipient
        lane = self._lane(recipient, now)
        if delivery.state is MessageState.QUEUED:  # typed before a restart, and not found after it
            effects = self._was_typed(delivery, lane, True, now)
        elif delivery.message.re:
            effects = self._settle(replace(delivery, state=MessageState.ACKNOWLEDGED, is_taken=True))
        else:
            effects = self._put(replace(delivery, is_taken=True))
            if message_id in lane.pending:
                lane.was_typed(message_id, now)  # a full time to acknowledge it, before the first reminder
        return [*effects, *self._pump(recipient, lane, now)]

    def reading(self, session: str, reading: Reading, now: float, why: str = "") -> list[Effect]:
        """Whether it reads from now on; ``why`` says for people what keeps it from doing so."""
        lane = self._lane(session, now)
        if lane.reading is not reading:
            lane.turn(reading, now)
        if reading is not Reading.OPEN:
            lane.why = why
        return self._pump(session, lane, now)

    def session_ended(self, session: str) -> list[Effect]:
        """It will read nothing any more, and ask for nothing. What it has sent goes on."""
        effects: list[Effect] = []
        lane = self._lanes.pop(session, None)
        self._alarms.set(session, None)
        if lane is not None:
            ids = sorted({*lane.queued, *lane.pending}, key=lambda i: self._living[i].order)
            for delivery in [self._living[i] for i in ids]:
                effects += self._give_up(delivery, MessageState.UNDELIVERABLE, _ENDED)
        return [*effects, *self.told(session, [d.message.id for d in self._settled.owed(session)])]

    # -- what the typing comes to --

    def typed(self, session: str, ids: tuple[str, ...], is_taken: bool, now: float) -> list[Effect]:
        """These stand in the recipient's input, submitted; ``is_taken``: and its program has them."""
        lane = self._lanes.get(session)
        if lane is None or not ids or lane.typing != ids:
            return []
        lane.typing, lane.why = (), ""
        effects: list[Effect] = []
        for delivery in self._injecting(ids):
            effects += self._was_typed(delivery, lane, is_taken, now)
        return [*effects, *self._pump(session, lane, now)]

    def held(self, session: str, ids: tuple[str, ...], now: float, why: str) -> list[Effect]:
        """These could not be typed now: not a try. ``why`` is for people."""
        lane = self._lanes.get(session)
        if lane is None or not ids or lane.typing != ids:
            return []
        lane.typing, lane.why, lane.look_at = (), why, now + LOOK_SECONDS
        effects: list[Effect] = []
        for delivery in self._injecting(ids):
            if delivery.message.id in lane.pending:
                effects += self._put(replace(delivery, state=MessageState.PENDING))
            elif delivery.is_taken:  # its program knows better
                effects += self._was_typed(delivery, lane, True, now)
            else:
                effects += self._put(replace(delivery, state=MessageState.QUEUED))
        self._alarms.set(session, lane.wake())
        return effects

    # -- a restart --

    def restore(self, delivery: Delivery, now: float) -> list[Effect]:
        """A message from before a restart, as it was stored; in the order in which they were sent.

        Tries count, not age: an hour without a hub fails nothing.
        """
        message_id, recipient = delivery.message.id, delivery.message.recipient
        if message_id in self._living or self._settled.get(message_id) is not None:
            return []
        if not delivery.is_living:
            self._settled.keep(delivery)
            return []
        lane = self._lane(recipient, now)
        delivery = self._admit(delivery, lane)
        effects: list[Effect] = []
        if delivery.state is MessageState.QUEUED:
            lane.look_at = now  # when all of them are back, so that they go in one batch
        elif delivery.state is MessageState.INJECTING and not delivery.is_taken:
            lane.typing = (*lane.typing, message_id)
            effects = [LookFor(recipient, message_id)]
        else:
            lane.was_typed(message_id, now)
            if delivery.state is MessageState.INJECTING:  # reminded, perhaps: it has the message in any case
                effects = self._put(replace(delivery, state=MessageState.PENDING, tries=max(delivery.tries, 1)))
        self._alarms.set(recipient, lane.wake())
        return effects

    def found(self, session: str, message_id: str, was_typed: bool, now: float) -> list[Effect]:
        """Whether a message that may have been typed before a restart was."""
        lane = self._lanes.get(session)
        if lane is None or message_id not in lane.typing:
            return []
        lane.typing = tuple(i for i in lane.typing if i != message_id)
        effects: list[Effect] = []
        for delivery in self._injecting((message_id,)):
            if was_typed or delivery.is_taken:
                effects += self._was_typed(delivery, lane, delivery.is_taken, now)
            elif delivery.tries:
                lane.was_typed(message_id, now)
                effects += self._put(replace(delivery, state=MessageState.PENDING))
            else:
                effects += self._put(replace(delivery, state=MessageState.QUEUED))
        return [*effects, *self._pump(session, lane, now)]

    def load(self, delivery: Delivery) -> None:
        """A settled message that had left, back from the store: a late answer to it has come."""
        if not delivery.is_living and delivery.message.id not in self._living:
            self._settled.load(delivery)

    # -- time --

    def tick(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        while (session := self._alarms.ring(now)) is not None:
            effects += self._pump(session, self._lanes[session], now)
        return effects

    def deadline(self) -> float | None:
        return self._alarms.next()

    # -- reading --

    def get(self, message_id: str) -> Delivery:
        """A living message, or one of the newest settled. Raises ``not_found``."""
        delivery = self._living.get(message_id) or self._settled.get(message_id)
        if delivery is None:
            raise ClawMuxError("not_found", f"there is no message {message_id}.", "`clawmux messages` lists them.")
        return delivery

    def knows(self, message_id: str) -> bool:
        """Whether ``get`` has it; if not, it can only be a settled one in the store."""
        return message_id in self._living or self._settled.get(message_id) is not None

    def waiting(self, session: str) -> list[Delivery]:
        """What has not been typed to this session yet, in order."""
        lane = self._lanes.get(session)
        return [self._living[i] for i in lane.queued] if lane else []

    def why_held(self, session: str) -> str:
        """Why nothing is typed to it at the moment; empty when nothing keeps it from reading."""
        lane = self._lanes.get(session)
        return lane.why if lane else ""

    # -- inside --

    def _lane(self, session: str, now: float) -> Lane:
        lane = self._lanes.get(session)
        if lane is None:
            lane = self._lanes[session] = Lane(now)
        return lane

    def _admit(self, delivery: Delivery, lane: Lane) -> Delivery:
        self._orders += 1
        delivery = replace(delivery, order=self._orders)
        self._living[delivery.message.id] = delivery
        lane.queued[delivery.message.id] = None
        return delivery

    def _of_recipient(self, message_id: str, by: str) -> Delivery:
        delivery = self.get(message_id)
        if by != delivery.message.recipient:
            raise ClawMuxError("forbidden", f"message {message_id} is not to you.")
        if delivery.state is MessageState.CANCELLED:
            raise ClawMuxError("conflict", f"message {message_id} was taken back by its sender.")
        return delivery

    def _injecting(self, ids: tuple[str, ...]) -> list[Delivery]:
        """Those that nothing else has settled meanwhile."""
        return [d for i in ids if (d := self._living.get(i)) is not None and d.state is MessageState.INJECTING]

    def _look_again(self, session: str, now: float) -> list[Effect]:
        lane = self._lanes.get(session)
        return self._pump(session, lane, now) if lane is not None else []

    def _pump(self, session: str, lane: Lane, now: float) -> list[Effect]:
        """Type what waits, if the way is free; give up what was typed often enough."""
        effects: list[Effect] = []
        if lane.is_free(now):
            late = [self._living[i] for i in lane.late(now)]
            for delivery in late:
                if delivery.tries >= TRIES:
                    reason = f"It was never acknowledged, in {TRIES} tries."
                    effects += self._give_up(delivery, MessageState.FAILED, reason)
            again = [d for d in late if d.tries < TRIES]
            batch = self._batch(lane, [d for d in again if not d.is_taken]) or sorted(again[:BATCH], key=lambda d: d.order)
            lane.typing = tuple(d.message.id for d in batch)
            for delivery in batch:
                effects += self._put(replace(delivery, state=MessageState.INJECTING))
            if batch:
                order = Remind if batch[0].is_taken else Inject
                effects.append(order(session, lane.typing))
        self._alarms.set(session, lane.wake())
        return effects

    def _batch(self, lane: Lane, again: list[Delivery]) -> list[Delivery]:
        """What is typed in one go: the eldest of what is due again and what is new, as much as fits."""
        new = [self._living[i] for i, _ in zip(lane.queued, range(BATCH), strict=False)]
        batch: list[Delivery] = []
        characters = 0
        for delivery in sorted([*again, *new], key=lambda d: d.order)[:BATCH]:
            characters += delivery.message.typed_characters
            if batch and characters > BATCH_CHARACTERS:
                break
            batch.append(delivery)
        return batch

    def _was_typed(self, delivery: Delivery, lane: Lane, is_taken: bool, now: float) -> list[Effect]:
        is_taken = is_taken or delivery.is_taken
        delivery = replace(delivery, tries=delivery.tries + 1, is_taken=is_taken, state=MessageState.PENDING)
        if is_taken and delivery.message.re:
            return self._settle(replace(delivery, state=MessageState.ACKNOWLEDGED))
        lane.was_typed(delivery.message.id, now)
        return self._put(delivery)

    def _put(self, delivery: Delivery) -> list[Effect]:
        self._living[delivery.message.id] = delivery
        return [Changed(delivery)]

    def _give_up(self, delivery: Delivery, state: MessageState, reason: str) -> list[Effect]:
        return self._settle(replace(delivery, state=state, reason=reason, owed=True))

    def _settle(self, delivery: Delivery) -> list[Effect]:
        """It is living no more. Being typed just now, it stands among those until that is through."""
        self._leave(delivery)
        dropped = self._settled.keep(delivery)
        return [Changed(d) for d in (delivery, dropped) if d is not None]

    def _leave(self, delivery: Delivery) -> None:
        message = delivery.message
        if self._living.pop(message.id, None) is not None and (lane := self._lanes.get(message.recipient)) is not None:
            lane.drop(message.id)
            self._alarms.set(message.recipient, lane.wake())
