"""Messages between agents: every state with every event, and whole stories."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clawmux.adapters.headers import MOST_TYPED_BYTES
from clawmux.core.broker import (
    BATCH,
    BATCH_CHARACTERS,
    GRACE_SECONDS,
    LOOK_SECONDS,
    OWED_LIMIT,
    QUEUE_LIMIT,
    SETTLED_KEPT,
    TRIES,
    TRY_SECONDS,
    Broker,
)
from clawmux.core.message import (
    ANNOUNCED_BYTES,
    Changed,
    Delivery,
    Effect,
    Inject,
    LookFor,
    Message,
    Reading,
    Remind,
)
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import MessageState

QUEUED, INJECTING, PENDING, ACKNOWLEDGED, RESPONDED, FAILED, UNDELIVERABLE, CANCELLED = MessageState
OPEN, BUSY, CLOSED = Reading
LIVING = {QUEUED, INJECTING, PENDING}
M1 = ("m1",)


def message(message_id: str = "m1", sender: str = "sky", recipient: str = "echo", text: str = "", re: str = "") -> Message:
    return Message(message_id, sender, recipient, text or f"text of {message_id}", re=re)


def sent(*ids: str) -> Broker:
    broker = Broker()
    for message_id in ids or M1:
        broker.send(message(message_id), 0.0)
    return broker


def state(broker: Broker, message_id: str = "m1") -> MessageState:
    return broker.get(message_id).state


def changes(effects: list[Effect]) -> list[tuple[str, MessageState]]:
    return [(e.delivery.message.id, e.delivery.state) for e in effects if isinstance(e, Changed)]


# -- every state with every event --


def injecting() -> Broker:
    return sent()


def queued() -> Broker:
    broker = Broker()
    broker.reading("echo", CLOSED, 0.0)
    broker.send(message(), 0.0)
    return broker


def pending() -> Broker:
    broker = sent()
    broker.typed("echo", M1, False, 0.0)
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
        broker.typed("echo", M1, False, n * TRY_SECONDS)
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


# -- stories --


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


def test_a_recipient_that_cannot_read_costs_no_try() -> None:
    broker = sent()
    for n in range(100):
        now = n * LOOK_SECONDS
        broker.held("echo", M1, now, "in copy mode")
        assert broker.why_held("echo") == "in copy mode"
        assert broker.deadline() == now + LOOK_SECONDS and state(broker) is QUEUED
        assert Inject("echo", M1) in broker.tick(now + LOOK_SECONDS)
    assert broker.get("m1").tries == 0
    broker.typed("echo", M1, False, 500.0)
    assert broker.why_held("echo") == ""


def test_who_can_read_again_is_typed_to_at_once() -> None:
    broker = sent()
    broker.held("echo", M1, 0.0, "permission dialog")
    broker.reading("echo", CLOSED, 0.1, "permission dialog")
    assert broker.deadline() is None and broker.why_held("echo") == "permission dialog"
    assert Inject("echo", M1) in broker.reading("echo", OPEN, 0.5) and broker.why_held("echo") == ""


def test_the_clock_stands_while_the_recipient_does_not_read() -> None:
    broker = pending()
    broker.reading("echo", CLOSED, 10.0)
    assert broker.deadline() is None and broker.tick(3600.0) == []
    assert broker.reading("echo", OPEN, 3600.0) == []
    assert broker.deadline() == 3600.0 + TRY_SECONDS - 10.0


def test_who_comes_back_is_given_time_before_the_next_try() -> None:
    broker = pending()
    broker.reading("echo", CLOSED, TRY_SECONDS - 1)
    assert broker.reading("echo", OPEN, 3600.0) == []
    assert broker.deadline() == 3600.0 + GRACE_SECONDS
    assert Inject("echo", M1) in broker.tick(3600.0 + GRACE_SECONDS)


def test_who_is_busy_every_few_seconds_is_tried_all_the_same() -> None:
    broker = pending()
    seconds_open, now = 0.0, 0.0
    while state(broker) is PENDING:
        broker.reading("echo", OPEN, now)
        broker.tick(now + 5.0)
        broker.reading("echo", BUSY, now + 5.0)
        seconds_open, now = seconds_open + 5.0, now + 10.0
    assert seconds_open <= TRY_SECONDS + GRACE_SECONDS + 5.0


def test_a_busy_recipient_gets_what_is_new_and_nothing_twice() -> None:
    broker = pending()
    broker.reading("echo", BUSY, TRY_SECONDS - 1)
    assert Inject("echo", ("m2",)) in broker.send(message("m2"), 100.0)
    assert broker.typed("echo", ("m2",), False, 101.0) and broker.tick(3600.0) == [] and broker.deadline() is None


def test_several_go_in_one_batch_in_their_order() -> None:
    broker = Broker()
    broker.reading("echo", CLOSED, 0.0)
    ids = tuple(f"m{n}" for n in range(BATCH + 2))
    for message_id in ids:
        broker.send(message(message_id), 0.0)
    assert [d.message.id for d in broker.waiting("echo")] == list(ids)
    assert Inject("echo", ids[:BATCH]) in broker.reading("echo", OPEN, 1.0)
    assert Inject("echo", ids[BATCH:]) in broker.typed("echo", ids[:BATCH], True, 2.0)


def test_what_is_due_again_goes_with_what_is_new_in_their_order() -> None:
    broker = pending()
    broker.reading("echo", CLOSED, 1.0)
    broker.send(message("m2"), 1.0)
    broker.reading("echo", BUSY, 2.0)
    broker.held("echo", ("m2",), 2.0, "draft in the input")
    broker.reading("echo", OPEN, 3.0)
    broker.held("echo", ("m2",), 61.0, "draft in the input")
    assert Inject("echo", ("m1", "m2")) in broker.tick(200.0)


@pytest.mark.parametrize(
    ("texts", "together"),
    [
        (["x" * 500, "y" * 500, "z" * 500, "w"], 3),
        (["x" * 2000, "y"], 1),
        (["é" * (ANNOUNCED_BYTES // 2 + 1), "y" * 1000], 2),
        (["x" * 60_000, "y" * 60_000, "z"], 3),
    ],
)
def test_a_batch_is_no_longer_than_a_program_takes(texts: list[str], together: int) -> None:
    broker = Broker()
    broker.reading("echo", CLOSED, 0.0)
    for n, text in enumerate(texts):
        broker.send(message(f"m{n}", text=text), 0.0)
    typed = [e for e in broker.reading("echo", OPEN, 1.0) if isinstance(e, Inject)]
    assert len(typed[0].ids) == together
    assert sum(len(t) for t in texts[:together] if len(t.encode()) <= ANNOUNCED_BYTES) <= max(BATCH_CHARACTERS, len(texts[0]))


def test_core_and_headers_know_the_same_limit() -> None:
    assert ANNOUNCED_BYTES == MOST_TYPED_BYTES


def test_a_new_message_waits_for_the_one_being_typed() -> None:
    broker = sent("m1")
    assert changes(effects := broker.send(message("m2"), 0.0)) == [("m2", QUEUED)] and len(effects) == 1
    assert Inject("echo", ("m2",)) in broker.typed("echo", M1, True, 1.0)


def test_one_recipient_does_not_hold_up_another() -> None:
    broker = sent("m1")
    assert Inject("nova", ("m2",)) in broker.send(message("m2", recipient="nova"), 0.0)


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


# -- what leaves and comes back --


def test_settled_messages_leave_and_a_late_answer_brings_one_back() -> None:
    broker = acknowledged()
    for n in range(SETTLED_KEPT):
        broker.send(message(f"n{n}", recipient="nova"), 1.0)
        broker.reply(f"n{n}", "nova", "yes", 1.0)
        broker.typed("nova", (f"n{n}",), True, 1.0)
    assert not broker.knows("m1") and broker.knows("n0")
    broker.load(Delivery(message(), state=ACKNOWLEDGED, tries=1))
    broker.reply("m1", "echo", "late", 900.0)
    assert broker.get("m1").reply == "late"
    broker.load(Delivery(message("m9"), state=PENDING))
    assert not broker.knows("m9")


def test_what_a_sender_is_told_has_a_limit() -> None:
    broker = Broker()
    for n in range(OWED_LIMIT + 1):
        broker.send(message(f"m{n}", recipient=f"r{n}"), 0.0)
        effects = broker.session_ended(f"r{n}")
    assert [e.delivery.owed for e in effects if isinstance(e, Changed)] == [True, False]
    assert [d.message.id for d in broker.owed("sky")] == [f"m{n}" for n in range(1, OWED_LIMIT + 1)]


# -- restarts --


@pytest.mark.parametrize(("was_typed", "tries"), [(True, 1), (False, 0)])
def test_after_a_restart_what_may_have_been_typed_is_looked_for(was_typed: bool, tries: int) -> None:
    broker = Broker()
    assert broker.restore(Delivery(message(), 7, INJECTING), 0.0) == [LookFor("echo", "m1")]
    assert changes(broker.send(message("m2"), 0.0)) == [("m2", QUEUED)]
    effects = broker.found("echo", "m1", was_typed, 1.0)
    assert broker.get("m1").tries == tries
    assert Inject("echo", ("m2",) if was_typed else ("m1", "m2")) in effects


def test_what_a_program_has_taken_is_not_looked_for() -> None:
    broker = Broker()
    assert changes(broker.restore(Delivery(message(), 1, INJECTING, 2, True), 0.0)) == [("m1", PENDING)]
    assert Remind("echo", M1) in broker.tick(TRY_SECONDS)


def test_what_turns_up_in_the_records_after_a_restart_is_not_typed_again() -> None:
    broker = Broker()
    broker.restore(Delivery(message(), 1, INJECTING), 0.0)
    broker.reading("echo", CLOSED, 0.0)
    broker.found("echo", "m1", False, 1.0)
    assert changes(broker.delivered("m1", 2.0)) == [("m1", PENDING)]
    assert broker.reading("echo", OPEN, 3.0) == []


def test_an_hour_without_a_hub_fails_nothing() -> None:
    broker = Broker()
    broker.restore(Delivery(message(), 1, PENDING, tries=TRIES), 3600.0)
    assert broker.tick(3600.0) == [] and broker.deadline() == 3600.0 + TRY_SECONDS


def test_after_a_restart_what_waited_goes_in_one_batch() -> None:
    broker = Broker()
    for n in (1, 2):
        assert broker.restore(Delivery(message(f"m{n}"), n), 5.0) == []
    assert broker.deadline() == 5.0
    assert Inject("echo", ("m1", "m2")) in broker.tick(5.0)


def test_what_a_sender_is_owed_survives_a_restart() -> None:
    broker = Broker()
    assert broker.restore(failed().get("m1"), 0.0) == []
    assert [d.message.id for d in broker.owed("sky")] == ["m1"]


def test_a_reply_that_a_command_is_to_print_is_owed_until_it_has() -> None:
    broker = pending()
    assert [e.delivery.owed for e in broker.reply("m1", "echo", "yes", 1.0, is_awaited=True) if isinstance(e, Changed)] == [True]
    assert broker.owed("sky") == [], "nobody else tells it"
    again = Broker()
    assert again.restore(broker.get("m1"), 2.0) == []
    assert [e.delivery.owed for e in again.told("sky", M1) if isinstance(e, Changed)] == [False]
    assert again.told("sky", M1) == [] and again.get("m1").reply == "yes"


def test_a_reply_is_owed_again_to_a_command_that_is_back_for_it() -> None:
    broker = pending()
    assert broker.awaited_again("m1") == [], "there is none yet"
    broker.reply("m1", "echo", "yes", 1.0)
    assert [e.delivery.owed for e in broker.awaited_again("m1") if isinstance(e, Changed)] == [True]
    assert broker.awaited_again("m1") == []


def test_a_reply_is_owed_to_no_sender_that_has_ended() -> None:
    broker = pending()
    broker.reply("m1", "echo", "yes", 1.0, is_awaited=True)
    assert [e.delivery.owed for e in broker.session_ended("sky") if isinstance(e, Changed)] == [False]
