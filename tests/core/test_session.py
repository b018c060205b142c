"""The life of a session by tables: every state with every move, every stage of a question, every reason to end it."""

from __future__ import annotations

import dataclasses

import pytest

from clawmux.core.session import Session, activity, idle_deadline, with_question
from clawmux.wire.words import Activity, SessionState, Stage

STARTING, READY, ACTIVE, DEAD = SessionState
MINUTES = 30.0


def session(state: SessionState = READY, last_active: float = 1000.0) -> Session:
    return Session("af_sky", "sky", "af_sky", "demo", "/", created=500.0, first_n=1, state=state, last_active=last_active)


MOVES = {
    (STARTING, STARTING): False,
    (STARTING, READY): True,
    (STARTING, ACTIVE): True,
    (STARTING, DEAD): True,
    (READY, STARTING): False,
    (READY, READY): False,
    (READY, ACTIVE): True,
    (READY, DEAD): True,
    (ACTIVE, STARTING): False,
    (ACTIVE, READY): True,
    (ACTIVE, ACTIVE): False,
    (ACTIVE, DEAD): True,
    (DEAD, STARTING): False,
    (DEAD, READY): False,
    (DEAD, ACTIVE): False,
    (DEAD, DEAD): False,
}


def test_every_move_is_decided() -> None:
    assert set(MOVES) == {(before, after) for before in SessionState for after in SessionState}


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_a_move_is_made_or_changes_nothing(before: SessionState, after: SessionState) -> None:
    was = dataclasses.replace(session(before), reason="why it waits")
    moved = was.moved(after, "new reason")
    if MOVES[before, after]:
        assert moved == dataclasses.replace(was, state=after, reason="new reason")
    else:
        assert moved == was


# (state, stage of its question) -> (state afterwards, what the agent does)
QUESTIONS = {
    (STARTING, None): (STARTING, Activity.UNKNOWN),
    (STARTING, Stage.QUEUED): (ACTIVE, Activity.WAITING),
    (STARTING, Stage.SPEAKING): (ACTIVE, Activity.SPEAKING),
    (STARTING, Stage.LISTENING): (ACTIVE, Activity.LISTENING),
    (STARTING, Stage.WAITING): (ACTIVE, Activity.NEEDS_YOU),
    (STARTING, Stage.TRANSCRIBING): (ACTIVE, Activity.LISTENING),
    (STARTING, Stage.DONE): (ACTIVE, Activity.UNKNOWN),
    (READY, None): (READY, Activity.UNKNOWN),
    (READY, Stage.QUEUED): (ACTIVE, Activity.WAITING),
    (READY, Stage.SPEAKING): (ACTIVE, Activity.SPEAKING),
    (READY, Stage.LISTENING): (ACTIVE, Activity.LISTENING),
    (READY, Stage.WAITING): (ACTIVE, Activity.NEEDS_YOU),
    (READY, Stage.TRANSCRIBING): (ACTIVE, Activity.LISTENING),
    (READY, Stage.DONE): (ACTIVE, Activity.UNKNOWN),
    (ACTIVE, None): (READY, Activity.UNKNOWN),
    (ACTIVE, Stage.QUEUED): (ACTIVE, Activity.WAITING),
    (ACTIVE, Stage.SPEAKING): (ACTIVE, Activity.SPEAKING),
    (ACTIVE, Stage.LISTENING): (ACTIVE, Activity.LISTENING),
    (ACTIVE, Stage.WAITING): (ACTIVE, Activity.NEEDS_YOU),
    (ACTIVE, Stage.TRANSCRIBING): (ACTIVE, Activity.LISTENING),
    (ACTIVE, Stage.DONE): (ACTIVE, Activity.UNKNOWN),
    (DEAD, None): (DEAD, Activity.UNKNOWN),
    (DEAD, Stage.QUEUED): (DEAD, Activity.UNKNOWN),
    (DEAD, Stage.SPEAKING): (DEAD, Activity.UNKNOWN),
    (DEAD, Stage.LISTENING): (DEAD, Activity.UNKNOWN),
    (DEAD, Stage.WAITING): (DEAD, Activity.UNKNOWN),
    (DEAD, Stage.TRANSCRIBING): (DEAD, Activity.UNKNOWN),
    (DEAD, Stage.DONE): (DEAD, Activity.UNKNOWN),
}


def test_every_state_with_every_stage_is_decided() -> None:
    assert set(QUESTIONS) == {(state, stage) for state in SessionState for stage in (None, *Stage)}


@pytest.mark.parametrize(("state", "stage"), QUESTIONS)
def test_a_question_makes_the_session_active_and_its_end_makes_it_ready(state: SessionState, stage: Stage | None) -> None:
    after = with_question(session(state), stage)
    assert (after.state, activity(after, stage)) == QUESTIONS[state, stage]


@pytest.mark.parametrize(
    ("who", "stage", "minutes", "deadline"),
    [
        (session(READY), None, MINUTES, 1000.0 + 1800),
        (session(STARTING), None, MINUTES, 1000.0 + 1800),
        (session(ACTIVE), None, MINUTES, 1000.0 + 1800),
        (session(READY, last_active=0.0), None, MINUTES, 500.0 + 1800),
        (session(READY), None, 0.5, 1000.0 + 30),
        (session(READY), None, 0.0, None),
        (session(READY), None, -1.0, None),
        (session(DEAD), None, MINUTES, None),
        (session(ACTIVE), Stage.WAITING, MINUTES, None),
        (session(ACTIVE), Stage.QUEUED, MINUTES, None),
    ],
)
def test_idleness_ends_a_session_unless_it_asks(
    who: Session, stage: Stage | None, minutes: float, deadline: float | None
) -> None:
    assert idle_deadline(who, stage, minutes) == deadline


def test_signs_of_life_only_go_forward() -> None:
    assert session().seen(2000.0).last_active == 2000.0
    assert session().seen(10.0).last_active == 1000.0, "the clock was set back"
