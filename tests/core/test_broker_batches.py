"""Messages between agents: when a recipient can be typed to, and what goes together."""

from __future__ import annotations

import pytest

from clawmux.adapters.headers import MOST_TYPED_BYTES
from clawmux.core.broker import BATCH, BATCH_CHARACTERS, GRACE_SECONDS, LOOK_SECONDS, TRY_SECONDS, Broker
from clawmux.core.message import ANNOUNCED_BYTES, Inject
from tests.core.brokers import BUSY, CLOSED, M1, OPEN, PENDING, QUEUED, changes, message, pending, sent, state


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
