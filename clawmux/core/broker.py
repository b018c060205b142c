"""Messages between agents, from the sender's command to the recipient's answer. Decides; touches nothing.

    queued -> injecting -> pending -> acknowledged -> responded
                 |            '-> failed: typed four times, and never acknowledged
                 '-> undeliverable: the recipient has ended          cancelled: taken back before it was typed

One typing at a time goes to a recipient, with all that waits for it, in order. What it costs is counted in tries, and a try
counts only when it was typed: while the recipient cannot read (busy, in a dialog, in copy mode) its messages wait, for as
long as it takes. What its program is known to have taken is not typed again; the recipient is reminded of it.

Inputs are methods that return effects; they never wait and never look at a clock: ``now`` is monotonic seconds. Late and
repeated inputs change nothing, or only what they still can: an acknowledgment after ``failed`` is one all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import MessageState

# The first typing and three more, each when the one before was not acknowledged for so long.
TRIES = 4
TRY_SECONDS = 60.0
# A recipient that could not read is looked at again, unless somebody says first that it can.
LOOK_SECONDS = 2.0
# One that can read again gets so long to acknowledge what it has before it is typed to once more.
GRACE_SECONDS = 15.0
BATCH = 8
"""Messages typed in one go."""

_LIVING = (MessageState.QUEUED, MessageState.INJECTING, MessageState.PENDING)


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    sender: str
    recipient: str
    text: str
    expects_response: bool = False


@dataclass(slots=True)
class Delivery:
    """How far one message has come."""

    message: Message
    order: int
    state: MessageState = MessageState.QUEUED
    tries: int = 0
    due: float | None = None
    """When it is typed again, or given up."""
    is_taken: bool = False
    """The recipient's program is known to have it."""
    reply: str = ""
    reason: str = ""
    """Why it came to nothing."""
    owed: bool = False
    """The sender has not been told yet of what became of it after their command had ended."""

    @property
    def is_living(self) -> bool:
        return self.state in _LIVING


# -- effects --


@dataclass(frozen=True, slots=True)
class Inject:
    """Type these into the recipient's input: answer ``typed``, ``held`` or ``session_ended``."""

    recipient: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remind:
    """Type one line that names these, which the recipient has: answer as for ``Inject``."""

    recipient: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LookFor:
    """The hub ended while this may have been typed; see whether it was: answer ``found``."""

    recipient: str
    id: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Store it, show it, and release who waits for what it has become."""

    id: str


Effect = Inject | Remind | LookFor | Changed


@dataclass(slots=True)
class Lane:
    """The way to one recipient."""

    typing: tuple[str, ...] = ()
    """What is being typed now, or looked for."""
    is_closed: bool = False
    """It is known not to read at the moment."""
    look_at: float | None = None


@dataclass(slots=True)
class Broker:
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    _lanes: dict[str, Lane] = field(default_factory=dict)
    _orders: int = 0

    # -- senders --

    def send(self, message: Message, now: float) -> list[Effect]:
        """A new message. One whose id is known changes nothing: its sender asks again after a broken connection."""
        if message.id in self.deliveries:
            return []
        self._orders += 1
        self.deliveries[message.id] = Delivery(message, self._orders)
        return [Changed(message.id), *self._pump(message.recipient, now)]

    def cancel(self, message_id: str, by: str) -> list[Effect]:
        """Take back what was not typed yet. ``by`` is the sender; empty for the user."""
        delivery = self.get(message_id)
        if by and by != delivery.message.sender:
            raise ClawMuxError("forbidden", f"message {message_id} is not yours to cancel.")
        if delivery.state is MessageState.CANCELLED:
            return []
        if delivery.state is not MessageState.QUEUED:
            raise ClawMuxError("conflict", f"message {message_id} is {delivery.state} and cannot be taken back.")
        return self._become(delivery, MessageState.CANCELLED)

    def owed(self, sender: str) -> list[Delivery]:
        """What the sender should be told with the next answer they get."""
        return [d for d in self._in_order() if d.owed and d.message.sender == sender]

    def told(self, ids: Iterable[str]) -> list[Effect]:
        effects: list[Effect] = []
        for message_id in ids:
            delivery = self.deliveries.get(message_id)
            if delivery is not None and delivery.owed:
                delivery.owed = False
                effects.append(Changed(message_id))
        return effects

    # -- recipients --

    def ack(self, message_id: str, by: str, now: float) -> list[Effect]:
        """The recipient has read it. Said twice it changes nothing; said late it counts."""
        delivery = self._of_recipient(message_id, by)
        if delivery.state in (MessageState.ACKNOWLEDGED, MessageState.RESPONDED):
            return []
        return self._settle(delivery, MessageState.ACKNOWLEDGED, now)

    def reply(self, message_id: str, by: str, text: str, now: float) -> list[Effect]:
        """The recipient's answer, which acknowledges too. The same answer twice changes nothing; another one is refused."""
        delivery = self._of_recipient(message_id, by)
        if delivery.state is MessageState.RESPONDED:
            if text != delivery.reply:
                raise ClawMuxError("conflict", f"message {message_id} has its reply already.", "Send a message of your own.")
            return []
        delivery.reply = text
        return self._settle(delivery, MessageState.RESPONDED, now)

    def delivered(self, message_id: str) -> list[Effect]:
        """The recipient's program has taken it: it shows in its own records or on its screen."""
        delivery = self.deliveries.get(message_id)
        if delivery is None or delivery.is_taken or not delivery.is_living:
            return []
        delivery.is_taken = True
        return [Changed(message_id)]

    def opened(self, session: str, now: float) -> list[Effect]:
        """It can read again."""
        lane = self._lane(session)
        if lane.is_closed:
            lane.is_closed = False
            for delivery in self._to(session, MessageState.PENDING):
                delivery.due = max(delivery.due or now, now + GRACE_SECONDS)
        lane.look_at = None
        return self._pump(session, now)

    def closed(self, session: str) -> list[Effect]:
        """It is busy, in a dialog, in copy mode: nothing is typed, and no try is lost."""
        self._lane(session).is_closed = True
        return []

    def session_ended(self, session: str) -> list[Effect]:
        """It will read nothing any more. What it has sent goes on."""
        self._lanes.pop(session, None)
        effects: list[Effect] = []
        for delivery in self._to(session, *_LIVING):
            effects += self._give_up(delivery, MessageState.UNDELIVERABLE, "The recipient has ended.")
        return effects

    # -- what the typing comes to --

    def typed(self, session: str, is_taken: bool, now: float) -> list[Effect]:
        """What was being typed stands in the recipient's input, submitted; ``is_taken``: and its program has it."""
        effects: list[Effect] = []
        for delivery in self._finish_typing(session):
            delivery.tries += 1
            delivery.due = now + TRY_SECONDS
            delivery.is_taken = delivery.is_taken or is_taken
            effects += self._become(delivery, MessageState.PENDING)
        return [*effects, *self._pump(session, now)]

    def held(self, session: str, now: float) -> list[Effect]:
        """It could not be typed now: not a try."""
        effects: list[Effect] = []
        for delivery in self._finish_typing(session):
            back = MessageState.PENDING if delivery.tries else MessageState.QUEUED
            effects += self._become(delivery, back)
        self._lane(session).look_at = now + LOOK_SECONDS
        return effects

    # -- a restart --

    def restore(self, delivery: Delivery, now: float) -> list[Effect]:
        """A message from before a restart, as it was stored. Tries count, not age: an hour without a hub fails nothing."""
        self._orders = max(self._orders, delivery.order)
        message = delivery.message
        self.deliveries[message.id] = delivery
        if not delivery.is_living:
            return []
        lane = self._lane(message.recipient)
        if delivery.state is MessageState.PENDING:
            delivery.due = now + TRY_SECONDS
        if delivery.state is MessageState.QUEUED:
            lane.look_at = now  # when all of them are back, so that they go in one batch
        if delivery.state is not MessageState.INJECTING:
            return []
        lane.typing = (*lane.typing, message.id)
        return [LookFor(message.recipient, message.id)]

    def found(self, message_id: str, was_typed: bool, now: float) -> list[Effect]:
        """Whether a message that may have been typed before a restart was."""
        delivery = self.deliveries.get(message_id)
        if delivery is None:
            return []
        lane = self._lane(delivery.message.recipient)
        lane.typing = tuple(i for i in lane.typing if i != message_id)
        effects: list[Effect] = []
        if delivery.state is MessageState.INJECTING:
            delivery.tries += was_typed
            delivery.due = now + TRY_SECONDS if delivery.tries else None
            effects = self._become(delivery, MessageState.PENDING if delivery.tries else MessageState.QUEUED)
        return [*effects, *self._pump(delivery.message.recipient, now)]

    # -- time --

    def tick(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for session, lane in list(self._lanes.items()):
            if lane.look_at is not None and now >= lane.look_at:
                lane.look_at = None
            effects += self._pump(session, now)
        return effects

    def deadline(self) -> float | None:
        times = []
        for session, lane in self._lanes.items():
            if lane.typing or lane.is_closed:
                continue
            if lane.look_at is not None:
                times.append(lane.look_at)
            else:
                times += [d.due for d in self._to(session, MessageState.PENDING) if d.due is not None]
        return min(times, default=None)

    # -- reading --

    def get(self, message_id: str) -> Delivery:
        if message_id not in self.deliveries:
            raise ClawMuxError("not_found", f"there is no message {message_id}.", "`clawmux messages` lists them.")
        return self.deliveries[message_id]

    def waiting(self, session: str) -> list[Delivery]:
        """What has not been typed to this session yet, in order."""
        return self._to(session, MessageState.QUEUED, MessageState.INJECTING)

    # -- inside --

    def _in_order(self) -> list[Delivery]:
        return sorted(self.deliveries.values(), key=lambda d: d.order)

    def _to(self, session: str, *states: MessageState) -> list[Delivery]:
        return [d for d in self._in_order() if d.message.recipient == session and d.state in states]

    def _lane(self, session: str) -> Lane:
        return self._lanes.setdefault(session, Lane())

    def _of_recipient(self, message_id: str, by: str) -> Delivery:
        delivery = self.get(message_id)
        if by != delivery.message.recipient:
            raise ClawMuxError("forbidden", f"message {message_id} is not to you.")
        if delivery.state is MessageState.CANCELLED:
            raise ClawMuxError("conflict", f"message {message_id} was taken back by its sender.")
        return delivery

    def _pump(self, session: str, now: float) -> list[Effect]:
        """Type what waits, if the way is free; give up what was typed often enough."""
        lane = self._lane(session)
        if lane.typing or lane.is_closed or lane.look_at is not None:
            return []
        effects: list[Effect] = []
        late = [d for d in self._to(session, MessageState.PENDING) if d.due is not None and now >= d.due]
        for delivery in [d for d in late if d.tries >= TRIES]:
            effects += self._give_up(delivery, MessageState.FAILED, f"It was typed {TRIES} times and never acknowledged.")
        again = {d.message.id for d in late if d.is_living and not d.is_taken}
        waiting = self._to(session, MessageState.QUEUED, MessageState.PENDING)
        anew = [d for d in waiting if d.state is MessageState.QUEUED or d.message.id in again]
        batch = anew[:BATCH] or [d for d in late if d.is_living and d.is_taken][:BATCH]
        if not batch:
            return effects
        lane.typing = tuple(d.message.id for d in batch)
        order = Remind if batch[0].is_taken else Inject
        for delivery in batch:
            effects += self._become(delivery, MessageState.INJECTING)
        return [*effects, order(session, lane.typing)]

    def _finish_typing(self, session: str) -> list[Delivery]:
        """Those of the batch that nothing else has settled meanwhile."""
        lane = self._lane(session)
        ids, lane.typing = lane.typing, ()
        return [self.deliveries[i] for i in ids if self.deliveries[i].state is MessageState.INJECTING]

    def _settle(self, delivery: Delivery, state: MessageState, now: float) -> list[Effect]:
        is_late = delivery.state in (MessageState.FAILED, MessageState.UNDELIVERABLE)
        delivery.due, delivery.is_taken, delivery.reason = None, True, ""
        delivery.owed = is_late
        return [*self._become(delivery, state), *self._pump(delivery.message.recipient, now)]

    def _give_up(self, delivery: Delivery, state: MessageState, reason: str) -> list[Effect]:
        delivery.due, delivery.reason, delivery.owed = None, reason, True
        return self._become(delivery, state)

    def _become(self, delivery: Delivery, state: MessageState) -> list[Effect]:
        if delivery.state is state:
            return []
        delivery.state = state
        return [Changed(delivery.message.id)]
