"""The speech service's life: every state with every event, and when it is given up, by time as an argument."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clawmux.core.engine import (
    CRASHES_IN_A_ROW,
    PAUSE_AFTER_CRASHES_SECONDS,
    USEFUL_SECONDS,
    Effect,
    Engine,
    Notify,
    StartService,
)
from clawmux.wire.words import SpeechState

OFF, STARTING, READY, MISSING, DOWNLOADING, FAILED = SpeechState
STARTED: list[Effect] = [StartService(), Notify(STARTING, "")]


def reached(state: SpeechState) -> Engine:
    """An engine that came to this state by what happens to one."""
    engine = Engine()
    if state is not OFF:
        engine.want(0.0)
    if state is FAILED:
        for _ in range(CRASHES_IN_A_ROW):
            engine.exited("broken", 0.0)
    elif state not in (OFF, STARTING):
        engine.reported(state, "", 0.0)
    assert engine.state is state
    return engine


Event = Callable[[Engine], list[Effect]]
EVENTS: dict[str, Event] = {
    "want": lambda engine: engine.want(1.0),
    "ready": lambda engine: engine.reported(READY, "", 1.0),
    "loading": lambda engine: engine.reported(STARTING, "", 1.0),
    "no models": lambda engine: engine.reported(MISSING, "no files", 1.0),
    "says failed": lambda engine: engine.reported(FAILED, "no memory", 1.0),
    "serves": lambda engine: engine.served(),
    "exits": lambda engine: engine.exited("killed", 1.0),
    "stop": lambda engine: engine.stop(),
    "early tick": lambda engine: engine.tick(1.0),
    "late tick": lambda engine: engine.tick(PAUSE_AFTER_CRASHES_SECONDS + 1.0),
}

# state -> event -> what is done about it; what does not stand here changes nothing.
DECIDED: dict[SpeechState, dict[str, list[Effect]]] = {
    OFF: {"want": STARTED},
    STARTING: {
        "ready": [Notify(READY, "")],
        "no models": [Notify(MISSING, "no files")],
        "says failed": [Notify(FAILED, "no memory")],
        "exits": [StartService()],
        "stop": [Notify(OFF, "")],
    },
    READY: {
        "loading": [Notify(STARTING, "")],
        "no models": [Notify(MISSING, "no files")],
        "says failed": [Notify(FAILED, "no memory")],
        "exits": STARTED,
        "stop": [Notify(OFF, "")],
    },
    MISSING: {
        "ready": [Notify(READY, "")],
        "loading": [Notify(STARTING, "")],
        "no models": [Notify(MISSING, "no files")],
        "says failed": [Notify(FAILED, "no memory")],
        "exits": STARTED,
        "stop": [Notify(OFF, "")],
    },
    FAILED: {
        "exits": [Notify(FAILED, "killed")],
        "stop": [Notify(OFF, "")],
        "late tick": STARTED,
    },
}  # fmt: skip


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", DECIDED)
def test_every_state_answers_every_event(state: SpeechState, event: str) -> None:
    engine = reached(state)
    effects = EVENTS[event](engine)
    assert effects == DECIDED[state].get(event, [])
    told = [effect.state for effect in effects if isinstance(effect, Notify)]
    assert engine.state is (told[-1] if told else state)


def test_every_state_that_an_engine_can_have_is_decided() -> None:
    """``downloading`` is the hub's own word for a missing model that is on its way."""
    assert set(DECIDED) == set(SpeechState) - {DOWNLOADING}


def test_the_same_report_twice_is_told_once() -> None:
    engine = reached(STARTING)
    assert engine.reported(READY, "", 1.0) == [Notify(READY, "")]
    assert engine.reported(READY, "", 3.0) == []
    assert engine.reported(READY, "on the processor", 5.0) == [Notify(READY, "on the processor")]


def test_a_useful_child_that_dies_is_started_again_for_ever() -> None:
    engine, now = reached(STARTING), 0.0
    for _ in range(20):
        engine.reported(READY, "", now)
        now += USEFUL_SECONDS
        assert engine.exited("killed", now) == STARTED
    assert engine.crashes == 1


def test_a_child_that_is_ready_and_dies_at_once_is_not_useful() -> None:
    engine = reached(STARTING)
    for _ in range(CRASHES_IN_A_ROW - 1):
        engine.reported(READY, "", 0.0)
        engine.exited("killed", USEFUL_SECONDS - 0.1)
    engine.reported(READY, "", 0.0)
    assert engine.exited("killed", USEFUL_SECONDS - 0.1) == [Notify(FAILED, "killed")]


def test_a_child_that_served_somebody_is_started_again_however_soon_it_dies() -> None:
    """Or three kills in a row, a few seconds apart, would leave the user without a voice for half a minute."""
    engine = reached(READY)
    for _ in range(20):
        engine.served()
        assert engine.exited("killed", USEFUL_SECONDS - 0.1) == STARTED
        engine.reported(READY, "", 0.0)


def test_after_crashes_in_a_row_it_is_left_alone_for_a_while_and_tried_again() -> None:
    engine = reached(STARTING)
    for _ in range(CRASHES_IN_A_ROW - 1):
        assert engine.exited("killed", 10.0) == [StartService()]
        assert engine.deadline() is None
    assert engine.exited("killed", 10.0) == [Notify(FAILED, "killed")]
    assert engine.deadline() == 10.0 + PAUSE_AFTER_CRASHES_SECONDS
    assert engine.tick(9.9 + PAUSE_AFTER_CRASHES_SECONDS) == []
    assert engine.tick(10.0 + PAUSE_AFTER_CRASHES_SECONDS) == STARTED
    assert engine.deadline() is None
    assert engine.exited("killed", 50.0) == [Notify(FAILED, "killed")], "one more crash and it rests again"


def test_a_stopped_engine_is_not_started_by_what_was_due() -> None:
    engine = reached(FAILED)
    engine.stop()
    assert engine.tick(1000.0) == [] and engine.deadline() is None
    assert engine.exited("ended", 1000.0) == []


def test_a_child_that_said_it_failed_may_recover() -> None:
    """It is alive and says so itself: a model that was put right meanwhile makes it ready."""
    engine = reached(STARTING)
    engine.reported(FAILED, "cannot load", 0.0)
    assert engine.reported(READY, "", 5.0) == [Notify(READY, "")]
