"""The life of a session by tables: every state with every move, every stage of a question, every reason to end it."""

from __future__ import annotations

import dataclasses

import pytest

from clawmux.core.session import Session, idle_deadline, with_question
from clawmux.wire.words import SessionState, Stage

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


# (state, stage of its question) -> state afterwards
QUESTIONS = {
    (STARTING, None): STARTING,
    (STARTING, Stage.QUEUED): ACTIVE,
    (STARTING, Stage.SPEAKING): ACTIVE,
    (STARTING, Stage.LISTENING): ACTIVE,
    (STARTING, Stage.WAITING): ACTIVE,
    (STARTING, Stage.TRANSCRIBING): ACTIVE,
    (STARTING, Stage.DONE): ACTIVE,
    (READY, None): READY,
    (READY, Stage.QUEUED): ACTIVE,
    (READY, Stage.SPEAKING): ACTIVE,
    (READY, Stage.LISTENING): ACTIVE,
    (READY, Stage.WAITING): ACTIVE,
    (READY, Stage.TRANSCRIBING): ACTIVE,
    (READY, Stage.DONE): ACTIVE,
    (ACTIVE, None): READY,
    (ACTIVE, Stage.QUEUED): ACTIVE,
    (ACTIVE, Stage.SPEAKING): ACTIVE,
    (ACTIVE, Stage.LISTENING): ACTIVE,
    (ACTIVE, Stage.WAITING): ACTIVE,
    (ACTIVE, Stage.TRANSCRIBING): ACTIVE,
    (ACTIVE, Stage.DONE): ACTIVE,
    (DEAD, None): DEAD,
    (DEAD, Stage.QUEUED): DEAD,
    (DEAD, Stage.SPEAKING): DEAD,
    (DEAD, Stage.LISTENING): DEAD,
    (DEAD, Stage.WAITING): DEAD,
    (DEAD, Stage.TRANSCRIBING): DEAD,
    (DEAD, Stage.DONE): DEAD,
}


def test_every_state_with_every_stage_is_decided() -> None:
    assert set(QUESTIONS) == {(state, stage) for state in SessionState for stage in (None, *Stage)}


@pytest.mark.parametrize(("state", "stage"), QUESTIONS)
def test_a_question_makes_the_session_active_and_its_end_makes_it_ready(state: SessionState, stage: Stage | None) -> None:
    after = with_question(session(state), stage)
    assert after.state is QUESTIONS[state, stage]


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
