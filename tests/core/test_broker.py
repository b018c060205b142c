"""Messages between agents: every state with every event, whole stories, and thousands of chance histories."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from clawmux.core.broker import (
    BATCH,
    GRACE_SECONDS,
    LOOK_SECONDS,
    TRIES,
    TRY_SECONDS,
    Broker,
    Changed,
    Delivery,
    Effect,
    Inject,
    LookFor,
    Message,
    Remind,
)
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import MessageState

QUEUED, INJECTING, PENDING, ACKNOWLEDGED, RESPONDED, FAILED, UNDELIVERABLE, CANCELLED = MessageState
LIVING = {QUEUED, INJECTING, PENDING}


def message(message_id: str = "m1", sender: str = "sky", recipient: str = "echo") -> Message:
    return Message(message_id, sender, recipient, f"text of {message_id}")


def sent(*ids: str) -> Broker:
    broker = Broker()
    for message_id in ids or ("m1",):
        broker.send(message(message_id), 0.0)
    return broker


def state(broker: Broker, message_id: str = "m1") -> MessageState:
    return broker.get(message_id).state


# -- every state with every event --


def injecting() -> Broker:
    return sent()


def queued() -> Broker:
    broker = Broker()
    broker.closed("echo")
    broker.send(message(), 0.0)
    return broker


def pending() -> Broker:
    broker = sent()
    broker.typed("echo", False, 0.0)
    return broker


def acknowledged() -> Broker:
    broker = pending()
    broker.ack("m1", "echo", 1.0)
    return broker


def responded() -> Broker:
    broker = pending()
    broker.reply("m1", "echo", "yes", 1.0)
    return broker


def failed() -> Broker:
    broker = pending()
    for n in range(1, TRIES):
        broker.tick(n * TRY_SECONDS)
        broker.typed("echo", False, n * TRY_SECONDS)
    broker.tick(TRIES * TRY_SECONDS)
    return broker


def undeliverable() -> Broker:
    broker = pending()
    broker.session_ended("echo")
    return broker


def cancelled() -> Broker:
    broker = queued()
    broker.cancel("m1", "sky")
    return broker


SITUATIONS: dict[MessageState, Callable[[], Broker]] = {
    QUEUED: queued,
    INJECTING: injecting,
    PENDING: pending,
    ACKNOWLEDGED: acknowledged,
    RESPONDED: responded,
    FAILED: failed,
    UNDELIVERABLE: undeliverable,
    CANCELLED: cancelled,
}
Event = Callable[[Broker], list[Effect]]
EVENTS: dict[str, Event] = {
    "send": lambda b: b.send(message(), 30.0),
    "cancel": lambda b: b.cancel("m1", "sky"),
    "ack": lambda b: b.ack("m1", "echo", 30.0),
    "reply": lambda b: b.reply("m1", "echo", "yes", 30.0),
    "another reply": lambda b: b.reply("m1", "echo", "no", 30.0),
    "delivered": lambda b: b.delivered("m1"),
    "typed": lambda b: b.typed("echo", False, 30.0),
    "held": lambda b: b.held("echo", 30.0),
    "found": lambda b: b.found("m1", True, 30.0),
    "not found": lambda b: b.found("m1", False, 30.0),
    "opened": lambda b: b.opened("echo", 30.0),
    "closed": lambda b: b.closed("echo"),
    "ended": lambda b: b.session_ended("echo"),
    "a minute": lambda b: b.tick(500.0),
}
REFUSED = "refused"
SAME = "same"
# What each event makes of each state; what is not named leaves it as it is.
BECOMES: dict[tuple[MessageState, str], MessageState | str] = {
    (QUEUED, "cancel"): CANCELLED,
    (QUEUED, "opened"): INJECTING,
    **{(s, "ack"): ACKNOWLEDGED for s in (QUEUED, INJECTING, PENDING, FAILED, UNDELIVERABLE)},
    **{
        (s, word): RESPONDED
        for s in (QUEUED, INJECTING, PENDING, ACKNOWLEDGED, FAILED, UNDELIVERABLE)
        for word in ("reply", "another reply")
    },
    **{(s, "ended"): UNDELIVERABLE for s in LIVING},
    **{(s, "cancel"): REFUSED for s in (INJECTING, PENDING, ACKNOWLEDGED, RESPONDED, FAILED, UNDELIVERABLE)},
    **{(CANCELLED, word): REFUSED for word in ("ack", "reply", "another reply")},
    (RESPONDED, "another reply"): REFUSED,
    (INJECTING, "typed"): PENDING,
    (INJECTING, "held"): QUEUED,
    (INJECTING, "found"): PENDING,
    # Free again, and the way is free too: it is typed at once.
    (INJECTING, "not found"): INJECTING,
    (PENDING, "a minute"): INJECTING,
}


@pytest.mark.parametrize("word", EVENTS)
@pytest.mark.parametrize("before", SITUATIONS)
def test_every_event_in_every_state(before: MessageState, word: str) -> None:
    broker = SITUATIONS[before]()
    assert state(broker) is before
    wanted = BECOMES.get((before, word), SAME)
    if wanted is REFUSED:
        with pytest.raises(ClawMuxError):
            EVENTS[word](broker)
        assert state(broker) is before
        return
    effects = EVENTS[word](broker)
    assert state(broker) is (before if wanted is SAME else wanted)
    is_shown = Changed("m1") in effects
    assert is_shown or state(broker) is before


# -- stories --


def test_it_is_stored_before_it_is_typed() -> None:
    assert Broker().send(message(), 0.0) == [Changed("m1"), Changed("m1"), Inject("echo", ("m1",))]


def test_it_is_typed_four_times_and_then_its_sender_is_told_once() -> None:
    broker = pending()
    for n in range(1, TRIES):
        assert broker.deadline() == n * TRY_SECONDS
        assert broker.tick(n * TRY_SECONDS - 1) == []
        assert Inject("echo", ("m1",)) in broker.tick(n * TRY_SECONDS)
        broker.typed("echo", False, n * TRY_SECONDS)
    assert broker.tick(TRIES * TRY_SECONDS) == [Changed("m1")]
    assert state(broker) is FAILED and "4 times" in broker.get("m1").reason
    assert [d.message.id for d in broker.owed("sky")] == ["m1"]
    assert broker.told(["m1"]) == [Changed("m1")]
    assert broker.owed("sky") == [] and broker.told(["m1"]) == []
    assert broker.deadline() is None


def test_what_was_taken_is_not_typed_again_but_reminded_of() -> None:
    broker = pending()
    broker.delivered("m1")
    assert broker.tick(TRY_SECONDS) == [Changed("m1"), Remind("echo", ("m1",))]


def test_what_was_taken_and_what_was_not_do_not_go_in_one_batch() -> None:
    broker = sent("m1")
    broker.typed("echo", True, 0.0)
    broker.send(message("m2"), 0.0)
    broker.typed("echo", False, 0.0)
    assert Inject("echo", ("m2",)) in broker.tick(TRY_SECONDS)
    assert Remind("echo", ("m1",)) in broker.typed("echo", False, TRY_SECONDS)


def test_a_recipient_that_cannot_read_costs_no_try() -> None:
    broker = sent()
    for n in range(100):
        now = n * LOOK_SECONDS
        broker.held("echo", now)
        assert broker.deadline() == now + LOOK_SECONDS and state(broker) is QUEUED
        assert Inject("echo", ("m1",)) in broker.tick(now + LOOK_SECONDS)
    assert broker.get("m1").tries == 0


def test_a_busy_recipient_is_left_alone_and_then_given_time() -> None:
    broker = pending()
    broker.closed("echo")
    assert broker.deadline() is None and broker.tick(3600.0) == []
    assert broker.opened("echo", 3600.0) == []
    assert broker.deadline() == 3600.0 + GRACE_SECONDS


def test_several_go_in_one_batch_in_their_order() -> None:
    broker = Broker()
    broker.closed("echo")
    ids = [f"m{n}" for n in range(BATCH + 2)]
    for message_id in ids:
        broker.send(message(message_id), 0.0)
    assert Inject("echo", tuple(ids[:BATCH])) in broker.opened("echo", 1.0)
    assert Inject("echo", tuple(ids[BATCH:])) in broker.typed("echo", True, 2.0)


def test_a_new_message_waits_for_the_one_being_typed() -> None:
    broker = sent("m1")
    assert broker.send(message("m2"), 0.0) == [Changed("m2")]
    assert Inject("echo", ("m2",)) in broker.typed("echo", True, 1.0)


def test_one_recipient_does_not_hold_up_another() -> None:
    broker = sent("m1")
    assert Inject("nova", ("m2",)) in broker.send(message("m2", recipient="nova"), 0.0)


def test_an_answer_while_it_is_being_typed_again_stands() -> None:
    broker = pending()
    broker.tick(TRY_SECONDS)
    broker.reply("m1", "echo", "yes", TRY_SECONDS)
    broker.typed("echo", True, TRY_SECONDS + 1)
    assert state(broker) is RESPONDED and broker.deadline() is None


@pytest.mark.parametrize("end", [failed, undeliverable])
def test_a_late_answer_counts_and_its_sender_is_told(end: Callable[[], Broker]) -> None:
    broker = end()
    broker.told(["m1"])
    broker.reply("m1", "echo", "here I am", 900.0)
    assert state(broker) is RESPONDED and [d.reply for d in broker.owed("sky")] == ["here I am"]


def test_only_the_recipient_answers_and_only_the_sender_takes_back() -> None:
    broker = queued()
    steps: list[Callable[[], object]] = [
        lambda: broker.ack("m1", "sky", 0.0),
        lambda: broker.reply("m1", "nova", "x", 0.0),
        lambda: broker.cancel("m1", "echo"),
    ]
    for step in steps:
        with pytest.raises(ClawMuxError) as refused:
            step()
        assert refused.value.code == "forbidden" and state(broker) is QUEUED
    broker.cancel("m1", "")
    assert state(broker) is CANCELLED


def test_an_unknown_message_is_named() -> None:
    with pytest.raises(ClawMuxError, match="nosuch") as refused:
        Broker().ack("nosuch", "echo", 0.0)
    assert refused.value.code == "not_found"


@pytest.mark.parametrize(("was_typed", "tries"), [(True, 1), (False, 0)])
def test_after_a_restart_what_may_have_been_typed_is_looked_for(was_typed: bool, tries: int) -> None:
    broker = Broker()
    assert broker.restore(Delivery(message(), 7, INJECTING), 0.0) == [LookFor("echo", "m1")]
    assert broker.send(message("m2"), 0.0) == [Changed("m2")]
    effects = broker.found("m1", was_typed, 1.0)
    assert broker.get("m1").tries == tries
    assert Inject("echo", ("m2",) if was_typed else ("m1", "m2")) in effects


def test_an_hour_without_a_hub_fails_nothing() -> None:
    broker = Broker()
    broker.restore(Delivery(message(), 1, PENDING, tries=TRIES, due=5.0), 3600.0)
    assert broker.tick(3600.0) == [] and broker.deadline() == 3600.0 + TRY_SECONDS


def test_after_a_restart_what_waited_goes_in_one_batch() -> None:
    broker = Broker()
    for n in (1, 2):
        assert broker.restore(Delivery(message(f"m{n}"), n), 5.0) == []
    assert broker.deadline() == 5.0
    assert Inject("echo", ("m1", "m2")) in broker.tick(5.0)


# -- chance histories --


class Histories(RuleBasedStateMachine):
    """Agents that send, read, answer, end and come back, and a hub that is restarted, in any order."""

    agents = ("sky", "echo", "nova")

    def __init__(self) -> None:
        super().__init__()
        self.broker = Broker()
        self.now = 0.0
        self.count = 0
        self.typing: dict[str, tuple[str, ...]] = {}
        self.typed_times: dict[str, int] = {}
        self.taken: set[str] = set()
        self.replies: dict[str, str] = {}

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Inject | Remind):
                assert effect.recipient not in self.typing, "two typings at once"
                self.typing[effect.recipient] = effect.ids
                orders = [self.broker.get(i).order for i in effect.ids]
                assert orders == sorted(orders)
                if isinstance(effect, Inject):
                    assert not self.taken & set(effect.ids), "typed again although it was taken"
            elif isinstance(effect, LookFor):
                self.take(self.broker.found(effect.id, effect.id in self.taken, self.now))

    @rule(sender=st.sampled_from(agents), recipient=st.sampled_from(agents))
    def send(self, sender: str, recipient: str) -> None:
        self.count += 1
        self.take(self.broker.send(message(f"m{self.count}", sender, recipient), self.now))

    @rule(recipient=st.sampled_from(agents), is_taken=st.booleans())
    def typed(self, recipient: str, is_taken: bool) -> None:
        ids = self.typing.pop(recipient, ())
        for message_id in ids:
            self.typed_times[message_id] = self.typed_times.get(message_id, 0) + 1
            if is_taken:
                self.taken.add(message_id)
        if ids:
            self.take(self.broker.typed(recipient, is_taken, self.now))

    @rule(recipient=st.sampled_from(agents))
    def held(self, recipient: str) -> None:
        if self.typing.pop(recipient, ()):
            self.take(self.broker.held(recipient, self.now))

    @rule(agent=st.sampled_from(agents), opens=st.booleans())
    def reads(self, agent: str, opens: bool) -> None:
        self.take(self.broker.opened(agent, self.now) if opens else self.broker.closed(agent))

    @rule(number=st.integers(1, 30), text=st.sampled_from(["", "yes", "no"]))
    def answers(self, number: int, text: str) -> None:
        delivery = self.broker.deliveries.get(f"m{number}")
        if delivery is None:
            return
        try:
            if text:
                self.take(self.broker.reply(f"m{number}", delivery.message.recipient, text, self.now))
                assert self.replies.setdefault(f"m{number}", text) == text, "answered twice"
            else:
                self.take(self.broker.ack(f"m{number}", delivery.message.recipient, self.now))
        except ClawMuxError as refused:
            assert refused.code == "conflict"

    @rule(number=st.integers(1, 30))
    def takes_back(self, number: int) -> None:
        delivery = self.broker.deliveries.get(f"m{number}")
        if delivery is not None and delivery.state is QUEUED:
            self.take(self.broker.cancel(f"m{number}", delivery.message.sender))

    @rule(agent=st.sampled_from(agents))
    def ends(self, agent: str) -> None:
        self.typing.pop(agent, None)
        self.take(self.broker.session_ended(agent))

    @rule(seconds=st.sampled_from([1.0, LOOK_SECONDS, GRACE_SECONDS, TRY_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.broker.tick(self.now))

    @rule()
    def the_hub_is_restarted(self) -> None:
        kept, self.broker, self.typing = self.broker, Broker(), {}
        for delivery in kept.deliveries.values():
            self.take(self.broker.restore(delivery, self.now))

    @invariant()
    def nothing_is_typed_too_often(self) -> None:
        assert all(self.broker.get(i).tries <= TRIES for i in self.broker.deliveries)

    @invariant()
    def nothing_living_is_forgotten(self) -> None:
        """Whatever is neither settled nor held has a time at which something happens."""
        for delivery in self.broker.deliveries.values():
            lane = self.broker._lanes.get(delivery.message.recipient)
            if delivery.is_living and lane is not None and not lane.is_closed and not lane.typing:
                assert self.broker.deadline() is not None

    @invariant()
    def a_reply_stays(self) -> None:
        assert all(self.broker.get(i).reply == text for i, text in self.replies.items())


Histories.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestHistories = Histories.TestCase
