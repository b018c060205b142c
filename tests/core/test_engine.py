"""The speech services' life: every situation with every event. Time is an argument."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clawmux.core.engine import (
    CRASHES_IN_A_ROW,
    LOADING_SECONDS,
    PAUSE_AFTER_CRASHES_SECONDS,
    USEFUL_SECONDS,
    Effect,
    Engine,
    Fetch,
    Keep,
    Look,
    Notify,
    PutBack,
    StartService,
    StopFetch,
    StopService,
    SwitchTo,
)
from clawmux.wire.words import SpeechState, Tier

OFF, STARTING, READY, MISSING, DOWNLOADING, FAILED = SpeechState
A, B, C = Tier.TINY, Tier.LOW, Tier.MEDIUM
"""A serves at first, B is wanted, C is a third."""
Step = Callable[[Engine], list[Effect]]


def ready(number: int, is_whole: bool = True) -> Step:
    return lambda engine: engine.reported(number, READY, "", is_whole, 1.0)


def says(number: int, state: SpeechState, reason: str = "no memory") -> Step:
    return lambda engine: engine.reported(number, state, reason, True, 1.0)


def exits(number: int) -> Step:
    return lambda engine: engine.exited(number, "Killed.", 1.0)


def want(tier: Tier) -> Step:
    return lambda engine: engine.want(tier, 1.0)


def looked(tier: Tier, is_installed: bool = True, holds_two: bool = True) -> Step:
    return lambda engine: engine.looked(tier, is_installed, holds_two, 1.0)


def serves(number: int) -> Step:
    return lambda engine: engine.served(number)


# Service 1 is the first, of tier A; 2 the second.
AT_WORK = (want(A), ready(1), serves(1))
SITUATIONS: dict[str, tuple[Step, ...]] = {
    "off": (),
    "starting": (want(A),),
    "no models": (want(A), says(1, MISSING, "no files")),
    "ready": AT_WORK,
    "given up": (want(A), exits(1), exits(2), exits(3)),
    "looking": (*AT_WORK, want(B)),
    "fetching": (*AT_WORK, want(B), looked(B, is_installed=False)),
    "beside": (*AT_WORK, want(B), looked(B)),
    "switched": (*AT_WORK, want(B), looked(B), ready(2)),
    "proven": (*AT_WORK, want(B), looked(B), ready(2), serves(2)),
    "draining": (*AT_WORK, want(B), looked(B, holds_two=False)),
    "instead": (*AT_WORK, want(B), looked(B, holds_two=False), exits(1)),
}
EVENTS: dict[str, Step] = {
    "want A": want(A),
    "want B": want(B),
    "want C": want(C),
    "B fits beside": looked(B),
    "B fits alone": looked(B, holds_two=False),
    "B is missing": looked(B, is_installed=False),
    "C fits beside": looked(C),
    "B fetched": lambda engine: engine.fetched(B, 1.0),
    "B not fetched": lambda engine: engine.fetch_failed(B, "No network.", 1.0),
    "1 ready": ready(1),
    "1 loading": says(1, STARTING, ""),
    "1 ready with less": ready(1, is_whole=False),
    "1 has no models": says(1, MISSING),
    "1 failed": says(1, FAILED),
    "1 serves": serves(1),
    "1 exits": exits(1),
    "2 ready": ready(2),
    "2 loading": says(2, STARTING, ""),
    "2 ready with less": ready(2, is_whole=False),
    "2 has no models": says(2, MISSING),
    "2 failed": says(2, FAILED),
    "2 serves": serves(2),
    "2 exits": exits(2),
    "soon": lambda engine: engine.tick(1.5),
    "later": lambda engine: engine.tick(1.0 + PAUSE_AFTER_CRASHES_SECONDS),
    "much later": lambda engine: engine.tick(1.0 + LOADING_SECONDS),
    "stop": lambda engine: engine.stop(),
}

STOPPED: list[Effect] = [Notify(OFF, "", None, None)]
GIVES_WAY = StopService(1)
AT_A, AT_B = Notify(READY, "", A, A), Notify(READY, "", B, B)
BACK = PutBack(A, B, "No memory.")
KILLED = PutBack(A, B, "Killed.")
LESS = PutBack(A, B, "It failed without saying why.")
# situation -> event -> what is done about it; what does not stand here changes nothing.
DECIDED: dict[str, dict[str, list[Effect]]] = {
    "off": {
        "want A": [StartService(1, A), Notify(STARTING, "", None, A)],
        "want B": [StartService(1, B), Notify(STARTING, "", None, B)],
        "want C": [StartService(1, C), Notify(STARTING, "", None, C)],
    },
    "starting": {
        "want B": [Look(B), Notify(STARTING, "", None, B)],
        "want C": [Look(C), Notify(STARTING, "", None, C)],
        "1 ready": [SwitchTo(1), Keep(A), AT_A],
        "1 ready with less": [SwitchTo(1), Fetch(A), AT_A],
        "1 has no models": [Fetch(A), Notify(MISSING, "no memory", None, A)],
        "1 failed": [Notify(FAILED, "no memory", None, A)],
        "1 serves": [Keep(A)],
        "1 exits": [StartService(2, A)],
        "stop": STOPPED,
    },
    "no models": {
        "want B": [Look(B), StopFetch(), Notify(MISSING, "no files", None, B)],
        "want C": [Look(C), StopFetch(), Notify(MISSING, "no files", None, C)],
        "1 ready": [SwitchTo(1), Keep(A), AT_A],
        "1 ready with less": [SwitchTo(1), AT_A],
        "1 loading": [Notify(STARTING, "", None, A)],
        "1 has no models": [Notify(MISSING, "no memory", None, A)],
        "1 failed": [Notify(FAILED, "no memory", None, A)],
        "1 serves": [Keep(A)],
        "1 exits": [StartService(2, A), Notify(STARTING, "", None, A)],
        "stop": STOPPED,
    },
    "ready": {
        "want B": [Look(B), Notify(READY, "", A, B)],
        "want C": [Look(C), Notify(READY, "", A, C)],
        "1 ready with less": [Fetch(A)],
        "1 loading": [Notify(STARTING, "", None, A)],
        "1 has no models": [Fetch(A), Notify(MISSING, "no memory", None, A)],
        "1 failed": [Notify(FAILED, "no memory", None, A)],
        "1 exits": [StartService(2, A), Notify(STARTING, "", None, A)],
        "stop": STOPPED,
    },
    "given up": {
        "want B": [StartService(4, B), Notify(STARTING, "", None, B)],
        "want C": [StartService(4, C), Notify(STARTING, "", None, C)],
        "later": [StartService(4, A), Notify(STARTING, "", None, A)],
        "much later": [StartService(4, A), Notify(STARTING, "", None, A)],
        "stop": STOPPED,
    },
    "looking": {
        "want A": [AT_A],
        "want C": [Look(C), Notify(READY, "", A, C)],
        "B fits beside": [StartService(2, B)],
        "B fits alone": [GIVES_WAY, Notify(STARTING, "", None, B)],
        "B is missing": [Fetch(B)],
        "B fetched": [Look(B)],
        "B not fetched": [PutBack(A, B, "No network."), AT_A],
        "1 loading": [Notify(STARTING, "", None, B)],
        "1 has no models": [Notify(MISSING, "no memory", None, B)],
        "1 failed": [Notify(FAILED, "no memory", None, B)],
        "1 exits": [StartService(2, A), Notify(STARTING, "", None, B)],
        "stop": STOPPED,
    },
    "fetching": {
        "want A": [StopFetch(), AT_A],
        "want C": [Look(C), StopFetch(), Notify(READY, "", A, C)],
        "B fits beside": [StartService(2, B)],
        "B fits alone": [GIVES_WAY, Notify(STARTING, "", None, B)],
        "B fetched": [Look(B)],
        "B not fetched": [PutBack(A, B, "No network."), AT_A],
        "1 loading": [Notify(STARTING, "", None, B)],
        "1 has no models": [Notify(MISSING, "no memory", None, B)],
        "1 failed": [Notify(FAILED, "no memory", None, B)],
        "1 exits": [StartService(2, A), Notify(STARTING, "", None, B)],
        "stop": STOPPED,
    },
    "beside": {
        "want A": [StopService(2), AT_A],
        "want C": [Look(C), StopService(2), Notify(READY, "", A, C)],
        "B fetched": [Look(B)],
        "B not fetched": [PutBack(A, B, "No network."), StopService(2), AT_A],
        "1 loading": [Notify(STARTING, "", None, B)],
        "1 has no models": [Notify(MISSING, "no memory", None, B)],
        "1 failed": [Notify(FAILED, "no memory", None, B)],
        "1 exits": [Notify(STARTING, "", None, B)],
        "2 ready": [SwitchTo(2), GIVES_WAY, AT_B],
        "2 ready with less": [StopService(2), LESS, AT_A],
        "2 has no models": [StopService(2), BACK, AT_A],
        "2 failed": [StopService(2), BACK, AT_A],
        "2 exits": [KILLED, AT_A],
        "much later": [StopService(2), PutBack(A, B, "It was not ready after 180 s."), AT_A],
        "stop": STOPPED,
    },
    "switched": {
        "want A": [Look(A), Notify(READY, "", B, A)],
        "want C": [Look(C), Notify(READY, "", B, C)],
        "2 ready with less": [StopService(2), LESS, Notify(STARTING, "", None, A)],
        "2 loading": [Notify(STARTING, "", None, B)],
        "2 has no models": [StopService(2), BACK, Notify(STARTING, "", None, A)],
        "2 failed": [StopService(2), BACK, Notify(STARTING, "", None, A)],
        "2 serves": [Keep(B)],
        "2 exits": [KILLED, StartService(3, A), Notify(STARTING, "", None, A)],
        "later": [Keep(B)],
        "much later": [Keep(B)],
        "stop": STOPPED,
    },
    "proven": {
        "want A": [Look(A), Notify(READY, "", B, A)],
        "want C": [Look(C), Notify(READY, "", B, C)],
        "2 ready with less": [Fetch(B)],
        "2 loading": [Notify(STARTING, "", None, B)],
        "2 has no models": [Fetch(B), Notify(MISSING, "no memory", None, B)],
        "2 failed": [Notify(FAILED, "no memory", None, B)],
        "2 exits": [StartService(3, B), Notify(STARTING, "", None, B)],
        "stop": STOPPED,
    },
    "draining": {
        "want A": [Notify(STARTING, "", None, A)],
        "want C": [Look(C), Notify(STARTING, "", None, C)],
        "B fits beside": [StartService(2, A)],
        "B is missing": [StartService(2, A), Fetch(B)],
        "B fetched": [Look(B)],
        "B not fetched": [PutBack(A, B, "No network."), Notify(STARTING, "", None, A)],
        "1 exits": [StartService(2, B)],
        "stop": STOPPED,
    },
    "instead": {
        "want A": [Look(A), Notify(STARTING, "", None, A)],
        "want C": [Look(C), Notify(STARTING, "", None, C)],
        "2 ready": [SwitchTo(2), AT_B],
        "2 ready with less": [StopService(2), LESS, Notify(STARTING, "", None, A)],
        "2 has no models": [StopService(2), BACK, Notify(STARTING, "", None, A)],
        "2 failed": [StopService(2), BACK, Notify(STARTING, "", None, A)],
        "2 serves": [Keep(B)],
        "2 exits": [KILLED, StartService(3, A), Notify(STARTING, "", None, A)],
        "much later": [StopService(2), PutBack(A, B, "It was not ready after 180 s."), Notify(STARTING, "", None, A)],
        "stop": STOPPED,
    },
}  # fmt: skip


def reached(situation: str) -> Engine:
    engine = Engine()
    for step in SITUATIONS[situation]:
        step(engine)
    return engine


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_situation_answers_every_event(situation: str, event: str) -> None:
    engine = reached(situation)
    assert EVENTS[event](engine) == DECIDED[situation].get(event, [])


def test_the_table_names_situations_and_events_that_there_are() -> None:
    assert set(DECIDED) == set(SITUATIONS)
    assert {event for row in DECIDED.values() for event in row} <= set(EVENTS)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_unknown_services_and_stopped_engines_change_nothing(situation: str) -> None:
    engine = reached(situation)
    for event in (ready(9), says(9, FAILED), serves(9), exits(9)):
        assert event(engine) == []
    engine.stop()
    assert engine.deadline() is None
    for name, event in EVENTS.items():
        if not name.startswith("want"):
            assert event(engine) == []


# -- crashes --


def test_a_useful_service_that_dies_is_started_again_for_ever() -> None:
    engine, now = reached("starting"), 0.0
    for number in range(1, 21):
        engine.reported(number, READY, "", True, now)
        now += USEFUL_SECONDS
        assert engine.exited(number, "killed", now) == [StartService(number + 1, A), Notify(STARTING, "", None, A)]
    assert engine.crashes == 1


def test_one_that_is_ready_and_dies_at_once_is_not_useful() -> None:
    engine = reached("starting")
    for number in range(1, CRASHES_IN_A_ROW + 1):
        engine.reported(number, READY, "", True, 0.0)
        effects = engine.exited(number, "killed", USEFUL_SECONDS - 0.1)
    assert effects == [Notify(FAILED, "killed", None, A)]


def test_one_that_served_somebody_is_started_again_however_soon_it_dies() -> None:
    """Or three kills in a row, a few seconds apart, would leave the user without a voice for half a minute."""
    engine = reached("starting")
    for number in range(1, 21):
        engine.reported(number, READY, "", True, 0.0)
        engine.served(number)
        assert StartService(number + 1, A) in engine.exited(number, "killed", USEFUL_SECONDS - 0.1)


def test_after_crashes_in_a_row_it_is_left_alone_for_a_while_and_tried_again() -> None:
    engine = reached("starting")
    for number in range(1, CRASHES_IN_A_ROW):
        assert engine.exited(number, "killed", 10.0) == [StartService(number + 1, A)]
        assert engine.deadline() is None
    assert engine.exited(CRASHES_IN_A_ROW, "killed", 10.0) == [Notify(FAILED, "killed", None, A)]
    assert engine.deadline() == 10.0 + PAUSE_AFTER_CRASHES_SECONDS
    assert engine.tick(9.9 + PAUSE_AFTER_CRASHES_SECONDS) == []
    assert StartService(CRASHES_IN_A_ROW + 1, A) in engine.tick(10.0 + PAUSE_AFTER_CRASHES_SECONDS)
    assert engine.deadline() is None
    assert engine.exited(CRASHES_IN_A_ROW + 1, "killed", 50.0) == [Notify(FAILED, "killed", None, A)], "it rests again"


def test_one_that_said_it_failed_may_recover() -> None:
    """It is alive and says so itself: a model that was put right meanwhile makes it ready."""
    engine = reached("starting")
    engine.reported(1, FAILED, "cannot load", True, 0.0)
    assert AT_A in engine.reported(1, READY, "", True, 5.0)


def test_the_same_report_twice_is_told_once() -> None:
    engine = reached("starting")
    assert AT_A in engine.reported(1, READY, "", True, 1.0)
    assert engine.reported(1, READY, "", True, 3.0) == []
    assert engine.reported(1, READY, "on the processor", True, 5.0) == [Notify(READY, "on the processor", A, A)]


# -- changes --


def test_a_new_one_that_is_useful_for_a_while_is_what_is_gone_back_to() -> None:
    engine = reached("switched")
    assert engine.deadline() == 1.0 + USEFUL_SECONDS
    assert engine.tick(1.0 + USEFUL_SECONDS) == [Keep(B)]
    assert engine.good is B and engine.deadline() is None


def test_one_that_proved_itself_is_not_put_back_when_it_dies_again_and_again() -> None:
    engine = reached("proven")
    engine.exited(1, "done", 2.0)
    for number in range(2, 2 + CRASHES_IN_A_ROW + 1):
        effects = engine.exited(number, "killed", 2.0)
        assert not [effect for effect in effects if isinstance(effect, PutBack)]
    assert engine.state is FAILED


def test_after_a_restart_of_the_hub_what_served_is_started_first_and_the_change_goes_on() -> None:
    engine = Engine(good=A)
    assert engine.want(B, 0.0) == [Look(B), StartService(1, A), Notify(STARTING, "", None, B)]
    assert engine.looked(B, True, True, 0.0) == [StartService(2, B)]
    assert engine.reported(1, READY, "", True, 0.0) == [SwitchTo(1), Notify(READY, "", A, B)]
    assert engine.exited(2, "Killed.", 1.0) == [PutBack(A, B, "Killed."), AT_A]


def test_a_third_service_waits_until_there_is_room() -> None:
    engine = reached("beside")
    engine.want(C, 1.0)
    assert engine.looked(C, True, True, 1.0) == [], "A serves and B is ending"
    assert engine.exited(2, "ended", 1.0) == [StartService(3, C)]


def test_who_changes_his_mind_while_the_old_one_ends_gets_the_old_tier_again() -> None:
    engine = reached("draining")
    engine.want(A, 1.0)
    assert engine.exited(1, "ended", 1.0) == [StartService(2, A)]
    assert engine.reported(2, READY, "", True, 1.0) == [SwitchTo(2), AT_A]


def test_files_that_are_missing_after_they_were_fetched_end_the_change() -> None:
    engine = reached("fetching")
    engine.fetched(B, 1.0)
    put_back = PutBack(A, B, "Its models are not there although they were fetched.")
    assert engine.looked(B, False, True, 1.0) == [put_back, AT_A]


def test_a_change_that_failed_may_be_tried_again() -> None:
    engine = reached("beside")
    engine.exited(2, "Killed.", 1.0)
    assert engine.failure == "Killed."
    assert engine.want(B, 2.0) == [Look(B), Notify(READY, "", A, B)]
    assert engine.failure == ""
