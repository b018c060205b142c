"""What the conversation core keeps whatever happens to it: every input in every stage, and random stories."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from clawmux.core.conversation import Conversation
from clawmux.core.questions import Answer, Effect, Request, Speak, StopSpeaking
from clawmux.wire.words import Stage
from tests.core.conversations import ADAM, SKY, ask, with_page

INPUTS: dict[str, Callable[[Conversation, str, float], list[Effect]]] = {
    "spoken": lambda c, q, now: c.spoken(q, now),
    "not_spoken": lambda c, q, now: c.not_spoken(q, now),
    "interrupt": lambda c, q, now: c.interrupt(q, now),
    "turn_opened": lambda c, q, now: c.turn_opened("t" + q, SKY if q == "q1" else ADAM, now, listen_seconds=60.0),
    "turn_closed": lambda c, q, now: c.turn_closed("t" + q, now),
    "turn_discarded": lambda c, q, now: c.turn_discarded("t" + q, now),
    "turn_failed": lambda c, q, now: c.turn_failed("t" + q, now),
    "turn_was_empty": lambda c, q, now: c.turn_was_empty("t" + q, now),
    "heard": lambda c, q, now: c.heard("t" + q, "words", now),
    "heard_nothing": lambda c, q, now: c.heard("t" + q, "", now),
    "typed": lambda c, q, now: c.typed(SKY, "typed", "x", now),
    "cancel": lambda c, q, now: c.cancel(q, now),
    "attach": lambda c, q, now: c.attach(q),
    "detach": lambda c, q, now: c.detach(q, now),
    "park": lambda c, q, now: c.park(q),
    "page_gone": lambda c, q, now: c.page_gone(now),
    "page_present": lambda c, q, now: c.page_present(now),
    "page_without_turns": lambda c, q, now: c.page_without_turns([], now),
    "muted": lambda c, q, now: c.prefs(True, True, now),
    "manual": lambda c, q, now: c.prefs(False, False, now),
    "auto": lambda c, q, now: c.prefs(False, True, now),
    "end_session": lambda c, q, now: c.end_session(SKY, now),
    "tick": lambda c, q, now: c.tick(now),
}


def in_stage(stage: Stage) -> Conversation:
    """A conversation whose q1 stands in this stage."""
    c = with_page()
    if stage is Stage.QUEUED:
        ask(c, "q0", ADAM)
    ask(c)
    if stage in (Stage.LISTENING, Stage.WAITING, Stage.TRANSCRIBING):
        c.prefs(False, stage is not Stage.WAITING, 0.0)
        c.spoken("q1", 1.0)
    if stage is Stage.TRANSCRIBING:
        c.turn_opened("tq1", SKY, 1.5)
        c.turn_closed("tq1", 2.0)
    if stage is Stage.DONE:
        c.cancel("q1", 1.0)
    return c


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("name", INPUTS)
def test_every_input_in_every_stage_keeps_the_promises(stage: Stage, name: str) -> None:
    c = in_stage(stage)
    assert ("q1" in c.questions) is (stage is not Stage.DONE)
    answers = [e for e in INPUTS[name](c, "q1", 5.0) if isinstance(e, Answer) and e.question_id == "q1"]
    assert len(answers) <= (stage is not Stage.DONE)
    check(c)


@pytest.mark.parametrize("seed", range(200))
def test_whatever_happens_every_question_gets_one_answer_and_the_floor_has_one_holder(seed: int) -> None:
    """Random inputs in random order, then time passes."""
    choose = random.Random(seed)
    c = Conversation(answer_seconds=30.0)
    now, speaking, asked = 0.0, set[str](), set[str]()
    answers: list[str] = []
    for step in range(60):
        now += choose.random() * 2
        if choose.random() < 0.2:
            id = f"q{step}"
            asked.add(id)
            effects = c.request(Request(id, choose.choice([SKY, ADAM]), "?", listen=choose.random() < 0.8), now)
        else:
            known = choose.choice([*c.questions, "q1", "q2"])
            effects = INPUTS[choose.choice(list(INPUTS))](c, known, now)
        speaking = follow(effects, speaking, answers)
        assert len(speaking) <= 1
        check(c)
    for _ in range(200):
        now += 5.0
        for turn in list(c.turns):
            follow(c.turn_failed(turn, now), speaking, answers)
        follow(c.tick(now), speaking, answers)
    assert sorted(answers) == sorted(asked)
    assert not c.questions and not c.turns


def follow(effects: list[Effect], speaking: set[str], answers: list[str]) -> set[str]:
    """The questions that can be heard after these effects."""
    for effect in effects:
        if isinstance(effect, Speak):
            speaking = {effect.question_id}
        elif isinstance(effect, StopSpeaking):
            speaking = speaking - {effect.question_id}
        elif isinstance(effect, Answer):
            answers.append(effect.question_id)
            speaking = speaking - {effect.question_id}
    return speaking


def check(c: Conversation) -> None:
    """What must always hold."""
    holders = [q.request.id for q in c.questions.values() if q.stage is Stage.SPEAKING]
    assert len(holders) <= 1
    assert not holders or c.floor == holders[0]
    assert c.floor is None or c.floor in c.questions or c.floor in c.turns
    assert all(q.stage is not Stage.DONE for q in c.questions.values())
    live = [t for t in c.turns.values() if not t.closed]
    assert len(live) <= 1 and (not live or c.floor == live[0].id)
