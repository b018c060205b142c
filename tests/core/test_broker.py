"""Messages between agents: every state with every event, and whole stories of one that is typed, tried again and answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clawmux.core.broker import LOOK_SECONDS, QUEUE_LIMIT, TRIES, TRY_SECONDS, Broker
from clawmux.core.message import Changed, Delivery, Effect, Inject, Remind
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import MessageState
from tests.core.brokers import (
    ACKNOWLEDGED,
    BUSY,
    CANCELLED,
    CLOSED,
    FAILED,
    INJECTING,
    LIVING,
    M1,
    OPEN,
    PENDING,
    QUEUED,
    RESPONDED,
    SITUATIONS,
    UNDELIVERABLE,
    changes,
    failed,
    message,
    pending,
    queued,
    sent,
    state,
    undeliverable,
)

Event = Callable[[Broker], list[Effect]]
EVENTS: dict[str, Event] = {
    "send": lambda b: b.send(message(), 30.0),
    "cancel": lambda b: b.cancel("m1", "sky"),
    "ack": lambda b: b.ack("m1", "echo", 30.0),
    "reply": lambda b: b.reply("m1", "echo", "yes", 30.0),
    "another reply": lambda b: b.reply("m1", "echo", "no", 30.0),
    "delivered": lambda b: b.delivered("m1", 30.0),
    "typed": lambda b: b.typed("echo", M1, False, 30.0),
    "typed before": lambda b: b.typed("echo", ("m0",), False, 30.0),
    "held": lambda b: b.held("echo", M1, 30.0, "in copy mode"),
    "held before": lambda b: b.held("echo", ("m0",), 30.0, "in copy mode"),
    "found": lambda b: b.found("echo", "m1", True, 30.0),
    "not found": lambda b: b.found("echo", "m1", False, 30.0),
    "open": lambda b: b.reading("echo", OPEN, 30.0),
    "busy": lambda b: b.reading("echo", BUSY, 30.0),
    "closed": lambda b: b.reading("echo", CLOSED, 30.0),
    "ended": lambda b: b.session_ended("echo"),
    "sender ended": lambda b: b.session_ended("sky"),
    "restored": lambda b: b.restore(Delivery(message()), 30.0),
    "a minute": lambda b: b.tick(500.0),
}
REFUSED = "refused"
SAME = "same"
# What each event makes of each state; what is not named leaves it as it is.
BECOMES: dict[tuple[MessageState, str], MessageState | str] = {
    (QUEUED, "cancel"): CANCELLED,
    (QUEUED, "open"): INJECTING,
    (QUEUED, "busy"): INJECTING,
    (QUEUED, "delivered"): PENDING,
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
    is_shown = ("m1", state(broker)) in changes(effects)
    assert is_shown or state(broker) is before


def test_it_is_stored_once_before_it_is_typed() -> None:
    effects = Broker().send(message(), 0.0)
    assert changes(effects) == [("m1", INJECTING)] and effects[1:] == [Inject("echo", M1)]


def test_it_is_typed_four_times_and_then_its_sender_is_told_once() -> None:
    broker = pending()
    for n in range(1, TRIES):
        assert broker.deadline() == n * TRY_SECONDS
        assert broker.tick(n * TRY_SECONDS - 1) == []
        assert Inject("echo", M1) in broker.tick(n * TRY_SECONDS)
        broker.typed("echo", M1, False, n * TRY_SECONDS)
    assert changes(broker.tick(TRIES * TRY_SECONDS)) == [("m1", FAILED)]
    assert "4 tries" in broker.get("m1").reason
    assert [d.message.id for d in broker.owed("sky")] == ["m1"]
    assert [e.delivery.owed for e in broker.told("sky", M1) if isinstance(e, Changed)] == [False]
    assert broker.owed("sky") == [] and broker.told("sky", M1) == []
    assert broker.deadline() is None


def test_what_was_taken_is_not_typed_again_but_reminded_of() -> None:
    broker = pending()
    broker.delivered("m1", 5.0)
    effects = broker.tick(5.0 + TRY_SECONDS)
    assert changes(effects) == [("m1", INJECTING)] and effects[1:] == [Remind("echo", M1)]


def test_reminders_stand_in_the_order_of_the_messages() -> None:
    broker = sent("m1")
    broker.typed("echo", M1, False, 0.0)
    broker.send(message("m2"), 1.0)
    broker.typed("echo", ("m2",), True, 1.0)
    broker.delivered("m1", 2.0)
    assert Remind("echo", ("m1", "m2")) in broker.tick(2.0 + TRY_SECONDS)


def test_a_reminder_that_could_not_be_typed_is_none() -> None:
    broker = pending()
    broker.delivered("m1", 0.0)
    broker.tick(TRY_SECONDS)
    broker.held("echo", M1, TRY_SECONDS, "in copy mode")
    assert state(broker) is PENDING and broker.get("m1").tries == 1
    assert Remind("echo", M1) in broker.tick(TRY_SECONDS + LOOK_SECONDS)


def test_what_was_taken_while_it_was_being_typed_counts_as_typed() -> None:
    broker = sent()
    broker.delivered("m1", 1.0)
    broker.held("echo", M1, 2.0, "no sign of it")
    assert state(broker) is PENDING and broker.get("m1").tries == 1


def test_what_was_taken_and_what_was_not_do_not_go_in_one_batch() -> None:
    broker = sent("m1")
    broker.typed("echo", M1, True, 0.0)
    broker.send(message("m2"), 0.0)
    broker.typed("echo", ("m2",), False, 0.0)
    assert Inject("echo", ("m2",)) in broker.tick(TRY_SECONDS)
    assert Remind("echo", M1) in broker.typed("echo", ("m2",), False, TRY_SECONDS)


def test_an_answer_is_done_when_it_was_taken() -> None:
    broker = Broker()
    broker.send(message(re="m0"), 0.0)
    assert changes(broker.typed("echo", M1, True, 1.0)) == [("m1", ACKNOWLEDGED)]
    broker.send(message("m2", re="m0"), 2.0)
    assert changes(broker.typed("echo", ("m2",), False, 2.0)) == [("m2", PENDING)]
    assert changes(broker.delivered("m2", 3.0)) == [("m2", ACKNOWLEDGED)]
    broker.send(message("m3", re="m0"), 4.0)
    assert changes(broker.delivered("m3", 4.0)) == [("m3", ACKNOWLEDGED)]
    assert broker.typed("echo", ("m3",), True, 5.0) == [] and broker.deadline() is None


def test_an_answer_while_it_is_being_typed_again_stands() -> None:
    broker = pending()
    broker.tick(TRY_SECONDS)
    broker.reply("m1", "echo", "yes", TRY_SECONDS)
    broker.typed("echo", M1, True, TRY_SECONDS + 1)
    assert state(broker) is RESPONDED and broker.deadline() is None


@pytest.mark.parametrize("end", [failed, undeliverable])
def test_who_was_told_of_a_failure_is_told_of_a_late_acknowledgment(end: Callable[[], Broker]) -> None:
    broker = end()
    broker.told("sky", M1)
    broker.ack("m1", "echo", 900.0)
    assert [(d.state, d.reason) for d in broker.owed("sky")] == [(ACKNOWLEDGED, "")]
    broker.reply("m1", "echo", "here I am", 901.0)
    assert broker.owed("sky") == [] and broker.get("m1").reply == "here I am"


def test_who_was_not_told_of_a_failure_is_spared_both() -> None:
    broker = failed()
    broker.ack("m1", "echo", 900.0)
    assert broker.owed("sky") == []


def test_an_ended_sender_is_owed_nothing() -> None:
    broker = failed()
    assert [e.delivery.owed for e in broker.session_ended("sky") if isinstance(e, Changed)] == [False]
    assert broker.owed("sky") == []


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
    assert Broker().delivered("nosuch", 0.0) == Broker().found("echo", "nosuch", True, 0.0) == []


def test_a_recipient_that_answers_nothing_is_not_buried() -> None:
    broker = Broker()
    broker.reading("echo", CLOSED, 0.0)
    for n in range(QUEUE_LIMIT):
        broker.send(message(f"m{n}"), 0.0)
    with pytest.raises(ClawMuxError, match=str(QUEUE_LIMIT)) as refused:
        broker.send(message("one more"), 0.0)
    assert refused.value.code == "too_many" and not broker.knows("one more")
    broker.send(message("answer", re="x1"), 0.0)
    broker.cancel("m0", "sky")
    broker.cancel("m1", "sky")
    broker.send(message("one more"), 0.0)
    assert len(broker.waiting("echo")) == QUEUE_LIMIT


def test_a_typing_of_an_ended_session_says_nothing_of_the_next_with_its_name() -> None:
    broker = sent("m1")
    broker.session_ended("echo")
    broker.send(message("m2"), 1.0)
    assert broker.typed("echo", M1, True, 2.0) == [] and broker.held("echo", M1, 2.0, "dead") == []
    assert state(broker, "m1") is UNDELIVERABLE and state(broker, "m2") is INJECTING
