"""Messages between agents: what leaves the memory and comes back, and what a restart of the hub changes."""

from __future__ import annotations

import pytest

from clawmux.core.broker import OWED_LIMIT, SETTLED_KEPT, TRIES, TRY_SECONDS, Broker
from clawmux.core.message import Changed, Delivery, Inject, LookFor, Remind
from tests.core.brokers import (
    ACKNOWLEDGED,
    CLOSED,
    INJECTING,
    M1,
    OPEN,
    PENDING,
    QUEUED,
    acknowledged,
    changes,
    failed,
    message,
    pending,
)

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
