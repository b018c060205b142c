"""Messages between agents: thousands of chance histories, with a store and programs that keep account of what they got.

The long form: ``CLAWMUX_TEST_LONG=1 python -m pytest tests/core/test_broker_histories.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clawmux.core.broker import GRACE_SECONDS, LOOK_SECONDS, TRIES, TRY_SECONDS, Broker
from clawmux.core.message import Changed, Delivery, Effect, Inject, LookFor, Message, Reading, Remind
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import MessageState
from tests.long_form import IS_LONG

QUEUED, INJECTING, PENDING, ACKNOWLEDGED, RESPONDED, FAILED, UNDELIVERABLE, CANCELLED = MessageState
OPEN, BUSY, CLOSED = Reading
AGENTS = ("sky", "echo", "nova")
KEPT = 3
"""Settled messages at hand: few, so that late answers need the store."""

agents = st.sampled_from(AGENTS)
numbers = st.integers(1, 25)


@pytest.fixture(autouse=True)
def few_settled_messages_at_hand() -> Iterator[None]:
    with patch("clawmux.core.settled.SETTLED_KEPT", KEPT):
        yield


class Histories(RuleBasedStateMachine):
    """Agents that send, read, answer, end and come back, and a hub that is restarted, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.broker = Broker()
        self.now = 0.0
        self.store: dict[str, Delivery] = {}
        """What was committed."""
        self.reached: dict[tuple[str, MessageState], int] = {}
        self.typing: dict[str, Inject | Remind] = {}
        self.submitted: set[str] = set()
        """What stands in a program's own history, whether the hub knows it or not."""
        self.known_taken: set[str] = set()
        self.readings = dict.fromkeys(AGENTS, OPEN)
        self.open_seconds = dict.fromkeys(AGENTS, 0.0)
        self.last_try: dict[str, float] = {}
        """Message -> seconds for which its recipient could read, at its last typing."""
        self.told: list[tuple[str, MessageState]] = []
        self.replies: dict[str, str] = {}

    # -- what the hub does with effects --

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Changed):
                self.stored(effect.delivery)
            elif isinstance(effect, LookFor):
                self.take(self.broker.found(effect.recipient, effect.id, effect.id in self.submitted, self.now))
            else:
                self.begin_typing(effect)

    def stored(self, delivery: Delivery) -> None:
        message_id = delivery.message.id
        before = self.store.get(message_id)
        assert before != delivery, "stored without a change"
        if before is None or before.state is not delivery.state:
            self.reached[message_id, delivery.state] = self.reached.get((message_id, delivery.state), 0) + 1
        if delivery.state is FAILED:
            assert delivery.tries == TRIES and delivery.reason
        self.store[message_id] = delivery

    def begin_typing(self, effect: Inject | Remind) -> None:
        recipient = effect.recipient
        assert recipient not in self.typing, "two typings at once"
        assert self.readings[recipient] is not CLOSED
        for message_id in effect.ids:
            delivery = self.store[message_id]
            assert delivery.state is INJECTING, "typed before it was stored"
            assert delivery.message.recipient == recipient
            assert isinstance(effect, Remind) is (message_id in self.known_taken), "typed again although it was taken"
            if delivery.tries:
                assert self.readings[recipient] is OPEN
                assert self.open_seconds[recipient] - self.last_try[message_id] >= TRY_SECONDS - 0.01
        orders = [self.store[i].order for i in effect.ids]
        assert orders == sorted(orders)
        self.typing[recipient] = effect

    # -- senders --

    @rule(sender=agents, recipient=agents, size=st.sampled_from([10, 900, 3000]), answers=st.booleans())
    def send(self, sender: str, recipient: str, size: int, answers: bool) -> None:
        message_id = f"m{len(self.store) + 1}"
        message = Message(message_id, sender, recipient, "x" * size, re="m0" if answers else "")
        self.take(self.broker.send(message, self.now))
        assert self.store[message_id].state in (QUEUED, INJECTING)
        assert self.broker.send(message, self.now) == []

    @rule(number=numbers)
    def takes_back(self, number: int) -> None:
        delivery = self.loaded(number)
        if delivery is None:
            return
        try:
            self.take(self.broker.cancel(delivery.message.id, delivery.message.sender))
        except ClawMuxError as refused:
            assert refused.code == "conflict" and delivery.state not in (QUEUED, CANCELLED)

    @rule(agent=agents)
    def is_told(self, agent: str) -> None:
        owed = self.broker.owed(agent)
        self.told += [(d.message.id, d.state) for d in owed]
        self.take(self.broker.told(agent, [d.message.id for d in owed]))
        assert self.broker.owed(agent) == []

    # -- recipients --

    @rule(number=numbers, text=st.sampled_from(["", "yes", "no"]), is_awaited=st.booleans())
    def answers(self, number: int, text: str, is_awaited: bool) -> None:
        delivery = self.loaded(number)
        if delivery is None:
            return
        message = delivery.message
        try:
            if text:
                self.take(self.broker.reply(message.id, message.recipient, text, self.now, is_awaited=is_awaited))
                assert self.replies.setdefault(message.id, text) == text, "answered twice"
            else:
                self.take(self.broker.ack(message.id, message.recipient, self.now))
        except ClawMuxError as refused:
            assert refused.code == "conflict"
        else:
            assert self.store[message.id].state in (ACKNOWLEDGED, RESPONDED)

    @rule(number=numbers, is_back=st.booleans())
    def prints(self, number: int, is_back: bool) -> None:
        """The command that waits for the reply, which has come back for it, perhaps."""
        delivery = self.loaded(number)
        if delivery is None or delivery.state is not RESPONDED:
            return
        message = delivery.message
        if is_back:
            self.take(self.broker.awaited_again(message.id))
            assert self.store[message.id].owed
        self.take(self.broker.told(message.sender, [message.id]))
        assert not self.store[message.id].owed

    @rule(number=numbers)
    def shows_in_the_records(self, number: int) -> None:
        message_id = f"m{number}"
        if message_id in self.submitted - self.known_taken:
            self.known_taken.add(message_id)
            recipient = self.store[message_id].message.recipient
            self.last_try[message_id] = self.open_seconds[recipient]
            self.take(self.broker.delivered(message_id, self.now))

    @rule(agent=agents, reading=st.sampled_from(Reading))
    def reads(self, agent: str, reading: Reading) -> None:
        self.readings[agent] = reading
        self.take(self.broker.reading(agent, reading, self.now, "because"))

    @rule(agent=agents)
    def ends(self, agent: str) -> None:
        """Another with the same name begins at once; it reads."""
        self.typing.pop(agent, None)
        self.readings[agent] = OPEN
        self.take(self.broker.session_ended(agent))
        assert all(not d.is_living for d in self.store.values() if d.message.recipient == agent)
        assert self.broker.owed(agent) == []

    # -- typing --

    @rule(recipient=agents, is_taken=st.booleans())
    def typed(self, recipient: str, is_taken: bool) -> None:
        effect = self.typing.pop(recipient, None)
        if effect is None:
            return
        for message_id in effect.ids:
            self.last_try[message_id] = self.open_seconds[recipient]
        if isinstance(effect, Inject):
            self.submitted |= set(effect.ids)
        if is_taken:
            self.known_taken |= set(effect.ids)
        self.take(self.broker.typed(recipient, effect.ids, is_taken, self.now))

    @rule(recipient=agents, reached_it=st.booleans())
    def held(self, recipient: str, reached_it: bool) -> None:
        """Not typed, as far as the typist knows; a record may tell otherwise while it is still at it."""
        effect = self.typing.get(recipient)
        if effect is None:
            return
        if reached_it and isinstance(effect, Inject):
            self.submitted |= set(effect.ids)
            self.known_taken |= set(effect.ids)
            for message_id in effect.ids:
                self.last_try[message_id] = self.open_seconds[recipient]
                self.take(self.broker.delivered(message_id, self.now))
        del self.typing[recipient]
        self.take(self.broker.held(recipient, effect.ids, self.now, "because"))

    @rule(agent=agents, ids=st.lists(numbers, max_size=3), is_taken=st.booleans())
    def late_words_of_typings(self, agent: str, ids: list[int], is_taken: bool) -> None:
        late = tuple(f"m{n}" for n in ids)
        if agent in self.typing and self.typing[agent].ids == late:
            return
        before = dict(self.store)
        self.take(self.broker.typed(agent, late, is_taken, self.now))
        self.take(self.broker.held(agent, late, self.now, "because"))
        for message_id in late:
            if agent not in self.typing:
                self.take(self.broker.found(agent, message_id, is_taken, self.now))
            self.take(self.broker.restore(Delivery(Message(message_id, agent, agent, ""), state=ACKNOWLEDGED), self.now)
                      if message_id in self.store and self.broker.knows(message_id) else [])  # fmt: skip
        assert self.store == before

    # -- time and restarts --

    @rule(seconds=st.sampled_from([0.1, LOOK_SECONDS, GRACE_SECONDS, TRY_SECONDS, 10 * TRY_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        for agent in AGENTS:
            self.open_seconds[agent] += seconds if self.readings[agent] is OPEN else 0.0
        self.take(self.broker.tick(self.now))
        deadline = self.broker.deadline()
        assert deadline is None or deadline > self.now

    @precondition(lambda self: self.store)
    @rule(typed_meanwhile=st.sets(agents))
    def the_hub_is_restarted(self, typed_meanwhile: set[str]) -> None:
        """It ends at any point of a typing, and takes up what was committed."""
        for recipient, effect in self.typing.items():
            if recipient in typed_meanwhile and isinstance(effect, Inject):
                self.submitted |= set(effect.ids)
        self.typing, self.broker = {}, Broker()
        self.readings = dict.fromkeys(AGENTS, OPEN)
        self.last_try = {i: self.open_seconds[d.message.recipient] for i, d in self.store.items()}
        effects: list[Effect] = []
        for delivery in [d for d in self.store.values() if d.is_living or d.owed]:
            effects += self.broker.restore(delivery, self.now)
        self.take(effects)

    # -- what must always hold --

    def loaded(self, number: int) -> Delivery | None:
        """A message that was sent, as the hub has it at hand."""
        delivery = self.store.get(f"m{number}")
        if delivery is not None and not self.broker.knows(delivery.message.id):
            assert not delivery.is_living, "lost"
            self.broker.load(delivery)
        return delivery

    @invariant()
    def store_and_broker_agree(self) -> None:
        for message_id, delivery in self.store.items():
            assert self.broker.knows(message_id) or not delivery.is_living, "lost"
            if self.broker.knows(message_id):
                known = self.broker.get(message_id)
                assert (known.state, known.tries, known.reply, known.owed) == (
                    delivery.state, delivery.tries, delivery.reply, delivery.owed,
                )  # fmt: skip

    @invariant()
    def each_end_is_reached_once(self) -> None:
        ends = (ACKNOWLEDGED, RESPONDED, FAILED, UNDELIVERABLE, CANCELLED)
        assert all(times == 1 for (_, state), times in self.reached.items() if state in ends)
        assert len(self.told) == len(set(self.told)), "told twice"

    @invariant()
    def nothing_is_typed_too_often(self) -> None:
        assert all(d.tries <= TRIES for d in self.store.values())

    @invariant()
    def nothing_living_is_forgotten(self) -> None:
        """What is to be typed is being typed, or waits for a time or for its recipient to read."""
        for delivery in self.store.values():
            recipient = delivery.message.recipient
            if delivery.is_living and self.readings[recipient] is OPEN and recipient not in self.typing:
                assert self.broker.deadline() is not None

    @invariant()
    def a_reply_stays(self) -> None:
        assert all(self.store[i].reply == text for i, text in self.replies.items())

    def teardown(self) -> None:
        """Read at last, and never acknowledged, everything comes to an end, and every sender learns of it."""
        for agent in AGENTS:
            self.reads(agent, OPEN)
        for _ in range(len(self.store) * (TRIES + 1) * 2):
            for agent in AGENTS:
                self.typed(agent, False)
            if (deadline := self.broker.deadline()) is not None:
                self.time_passes(max(deadline - self.now, 0.0))
        assert not [d for d in self.store.values() if d.is_living]
        for agent in AGENTS:
            self.is_told(agent)
        self.each_end_is_reached_once()


Histories.TestCase.settings = settings(
    max_examples=3000 if IS_LONG else 150,
    stateful_step_count=80 if IS_LONG else 50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestHistories = Histories.TestCase
