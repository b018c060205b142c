"""The conversation core: inputs in, effects out. No clock, no loop."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from clawmux.core.conversation import PAGE_GRACE_SECONDS, RESTART_GRACE_SECONDS, Conversation
from clawmux.core.questions import (
    Answer,
    Changed,
    Deliver,
    Effect,
    EndTurn,
    Listen,
    Request,
    Show,
    Speak,
    StopSpeaking,
    Words,
)
from clawmux.wire.words import Stage

SKY, ADAM = "af_sky", "am_adam"


def with_page() -> Conversation:
    conversation = Conversation()
    conversation.page_present(0.0)
    return conversation


def ask(conversation: Conversation, id: str = "q1", session: str = SKY, now: float = 0.0, **facts: bool) -> list[Effect]:
    return essential(conversation.request(Request(id, session, f"text of {id}", **facts), now))


def stage_of(conversation: Conversation, id: str) -> str:
    return conversation.questions[id].stage.value


def essential(effects: list[Effect]) -> list[Effect]:
    """Without the notes that something changed."""
    return [e for e in effects if not isinstance(e, Changed)]


def test_a_question_is_shown_spoken_listened_for_and_answered() -> None:
    c = with_page()
    assert ask(c) == [Show("q1"), Speak("q1")]
    assert essential(c.spoken("q1", 1.0)) == [Listen("q1", SKY, auto=True)]
    assert essential(c.turn_opened("t1", SKY, 2.0, listen_seconds=60.0)) == []
    assert stage_of(c, "q1") == "listening"
    assert essential(c.turn_closed("t1", 3.0)) == []
    assert stage_of(c, "q1") == "transcribing"
    assert essential(c.heard("t1", "go ahead", 4.0)) == [Words(SKY, "go ahead", "voice", "t1"), Answer("q1", "ok", "go ahead")]
    assert not c.questions and c.floor is None


def test_no_listen_is_answered_when_it_was_heard() -> None:
    c = with_page()
    ask(c, listen=False)
    assert essential(c.spoken("q1", 1.0)) == [Answer("q1", "ok", "")]


def test_three_agents_are_spoken_one_after_another_in_order() -> None:
    c = with_page()
    assert ask(c, "q1", SKY) == [Show("q1"), Speak("q1")]
    assert ask(c, "q2", ADAM, listen=False) == [Show("q2")]
    assert ask(c, "q3", "am_echo", listen=False) == [Show("q3")]
    c.spoken("q1", 1.0)
    c.turn_opened("t1", SKY, 2.0)
    assert essential(c.turn_closed("t1", 3.0)) == [Speak("q2")], "the floor is free while words are made out"
    assert essential(c.heard("t1", "yes", 3.5)) == [Words(SKY, "yes", "voice", "t1"), Answer("q1", "ok", "yes")]
    assert essential(c.spoken("q2", 4.0)) == [Answer("q2", "ok", ""), Speak("q3")]


def test_in_manual_mode_a_waiting_question_leaves_the_floor_to_others() -> None:
    c = with_page()
    c.prefs(muted=False, auto=False, now=0.0)
    ask(c)
    ask(c, "q2", ADAM)
    assert essential(c.spoken("q1", 1.0)) == [Listen("q1", SKY, auto=False), Speak("q2")]
    assert c.questions["q1"].stage is Stage.WAITING
    assert essential(c.turn_opened("t1", SKY, 2.0)) == [StopSpeaking("q2", "interrupted")]
    assert c.questions["q2"].stage is Stage.WAITING, "the user has heard of it and answers when they like"


def test_a_muted_page_answers_muted() -> None:
    c = with_page()
    c.prefs(muted=True, auto=True, now=0.0)
    ask(c)
    assert essential(c.spoken("q1", 1.0)) == [Answer("q1", "muted", "")]


def test_without_a_page_the_agent_is_told_soon() -> None:
    c = Conversation()
    assert ask(c) == []
    assert c.deadline() == PAGE_GRACE_SECONDS
    assert essential(c.tick(PAGE_GRACE_SECONDS)) == [Answer("q1", "no_page", "")]


def test_a_page_that_comes_in_time_gets_the_question() -> None:
    c = Conversation()
    ask(c)
    assert essential(c.page_present(3.0)) == [Show("q1"), Speak("q1")]
    assert essential(c.tick(PAGE_GRACE_SECONDS)) == []


def test_a_page_that_goes_and_returns_hears_the_rest() -> None:
    c = with_page()
    ask(c)
    assert essential(c.page_gone(1.0)) == []
    assert essential(c.page_present(20.0)) == [Speak("q1")]


def test_a_page_reloaded_while_listening_listens_again() -> None:
    c = with_page()
    ask(c)
    c.spoken("q1", 1.0)
    c.turn_opened("t1", SKY, 2.0)
    c.page_gone(3.0)
    effects = [*c.page_without_turns([], 4.0), *c.page_present(4.0)]
    assert essential(effects) == [EndTurn("t1", "lost"), Listen("q1", SKY, auto=True)]


def test_a_page_back_with_its_recording_goes_on_with_the_same_turn() -> None:
    c = with_page()
    ask(c)
    c.spoken("q1", 1.0)
    c.turn_opened("t1", SKY, 2.0)
    c.page_gone(3.0)
    assert essential([*c.page_without_turns(["t1"], 4.0), *c.page_present(4.0), *c.turn_opened("t1", SKY, 4.1)]) == []
    assert essential(c.heard("t1", "still here", 5.0))[-1] == Answer("q1", "ok", "still here")


def test_the_same_request_again_changes_nothing_and_is_spoken_once() -> None:
    c = with_page()
    ask(c)
    c.detach("q1", 1.0)
    assert ask(c, now=2.0) == []
    assert essential(c.tick(60.0)) == []


def test_a_command_that_does_not_come_back_is_cancelled() -> None:
    c = with_page()
    ask(c)
    c.detach("q1", 1.0)
    assert essential(c.tick(11.0)) == [StopSpeaking("q1", "cancelled"), Answer("q1", "cancelled", "")]


def test_a_parked_question_waits_without_its_command() -> None:
    c = with_page()
    ask(c)
    c.spoken("q1", 1.0)
    c.park("q1")
    c.detach("q1", 2.0)
    assert essential(c.tick(50.0)) == []
    c.turn_opened("t1", SKY, 60.0)
    assert essential(c.heard("t1", "later", 61.0))[-1] == Answer("q1", "ok", "later")


def test_restored_questions_are_taken_up_where_they_stood() -> None:
    c = Conversation()
    c.restore(Request("q1", SKY, "spoken already"), spoken=True, shown=True, parked=False, now=0.0)
    c.restore(Request("q2", ADAM, "not yet"), spoken=False, shown=True, parked=False, now=0.0)
    assert essential(c.page_present(1.0)) == [Listen("q1", SKY, auto=True)]
    c.attach("q1")
    assert essential(c.tick(RESTART_GRACE_SECONDS)) == [Answer("q2", "cancelled", "")]


def test_typed_words_answer_and_silence_the_voice() -> None:
    c = with_page()
    ask(c)
    assert essential(c.typed(SKY, "stop", "x1", 1.0)) == [
        StopSpeaking("q1", "interrupted"),
        Words(SKY, "stop", "typed", "x1"),
        Answer("q1", "ok", "stop"),
    ]


def test_words_without_a_question_go_to_the_agent() -> None:
    c = with_page()
    assert essential(c.typed(SKY, "hello", "x1", 1.0)) == [Deliver(SKY, "hello", "typed", "x1")]
    c.turn_opened("t1", SKY, 2.0)
    assert essential(c.heard("t1", "hello", 3.0)) == [Deliver(SKY, "hello", "voice", "t1")]


def test_words_for_a_question_that_was_answered_meanwhile_go_to_the_agent() -> None:
    c = with_page()
    ask(c)
    c.spoken("q1", 1.0)
    c.turn_opened("t1", SKY, 2.0)
    c.turn_closed("t1", 3.0)
    c.typed(SKY, "typed first", "x1", 3.5)
    assert essential(c.heard("t1", "spoken later", 4.0)) == [Deliver(SKY, "spoken later", "voice", "t1")]


def test_speech_that_cannot_be_made_leaves_the_question_open_for_an_answer() -> None:
    c = with_page()
    ask(c)
    assert essential(c.not_spoken("q1", 1.0)) == [Listen("q1", SKY, auto=True)]


def test_speech_that_cannot_be_made_ends_a_statement_with_an_error() -> None:
    c = with_page()
    ask(c, listen=False)
    assert essential(c.not_spoken("q1", 1.0)) == [Answer("q1", "speech_down", "")]


def test_words_that_cannot_be_made_out_end_the_question_with_an_error() -> None:
    c = with_page()
    ask(c)
    c.spoken("q1", 1.0)
    c.turn_opened("t1", SKY, 2.0)
    assert essential(c.turn_failed("t1", 3.0)) == [Answer("q1", "speech_down", "")]


def test_an_automatic_microphone_that_hears_nothing_closes_and_the_question_stays() -> None:
    c = with_page()
    ask(c)
    c.spoken("q1", 1.0)
    c.turn_opened("t1", SKY, 2.0, listen_seconds=60.0)
    assert essential(c.tick(62.0)) == [EndTurn("t1", "timeout")]
    assert c.questions["q1"].stage is Stage.WAITING


def test_an_agent_whose_project_wants_no_open_microphone_waits_for_a_tap() -> None:
    """Whatever the page's switch says; and a switch that is off is not overruled."""
    c = with_page()
    c.request(Request("q1", SKY, "hm", auto=False), 0.0)
    assert essential(c.spoken("q1", 1.0)) == [Listen("q1", SKY, auto=False)]
    c.request(Request("q2", ADAM, "and you?"), 1.0)
    assert essential(c.spoken("q2", 2.0)) == [Listen("q2", ADAM, auto=True)]
    c = with_page()
    c.prefs(False, False, 0.0)
    c.request(Request("q3", SKY, "hm"), 0.0)
    assert essential(c.spoken("q3", 1.0)) == [Listen("q3", SKY, auto=False)]


def test_a_microphone_in_which_somebody_speaks_stays_open() -> None:
    c = with_page()
    ask(c)
    c.spoken("q1", 1.0)
    c.turn_opened("t1", SKY, 2.0, listen_seconds=60.0)
    c.speech_started("t1")
    assert essential(c.tick(100.0)) == []


def test_barge_in_stops_the_voice_and_its_question_is_answered() -> None:
    c = with_page()
    ask(c)
    assert essential(c.turn_opened("t1", SKY, 0.5)) == [StopSpeaking("q1", "interrupted")]
    assert essential(c.heard("t1", "enough", 2.0))[-1] == Answer("q1", "ok", "enough")


def test_interrupting_the_voice_starts_listening() -> None:
    c = with_page()
    ask(c)
    assert essential(c.interrupt("q1", 0.5)) == [StopSpeaking("q1", "interrupted"), Listen("q1", SKY, auto=True)]


def test_ending_a_session_cancels_its_questions_and_frees_the_floor() -> None:
    c = with_page()
    ask(c, "q1", SKY)
    ask(c, "q2", ADAM)
    assert essential(c.end_session(SKY, 1.0)) == [StopSpeaking("q1", "cancelled"), Answer("q1", "cancelled", ""), Speak("q2")]


def test_no_answer_in_time_is_told() -> None:
    c = with_page()
    c.request(Request("q1", SKY, "hm", timeout_seconds=8.0), 0.0)
    c.spoken("q1", 1.0)
    c.turn_opened("t1", SKY, 2.0, listen_seconds=60.0)
    assert c.deadline() == 8.0
    assert essential(c.tick(8.0)) == [EndTurn("t1", "timeout"), Answer("q1", "nothing_heard", "")]


def test_a_replay_is_spoken_and_answers_nobody() -> None:
    c = with_page()
    assert essential(c.request(Request("q0~7", SKY, "again", listen=False, fleeting=True), 0.0)) == [Speak("q0~7")]
    assert essential(c.spoken("q0~7", 1.0)) == []


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


def test_an_agent_that_ends_with_several_questions_has_none_of_them_spoken() -> None:
    c = with_page()
    ask(c, "q1")
    ask(c, "q2")
    ended = essential(c.end_session(SKY, 1.0))
    assert [e for e in ended if not isinstance(e, StopSpeaking)] == [Answer("q1", "cancelled", ""), Answer("q2", "cancelled", "")]
    assert c.floor is None


def test_an_agent_that_ends_while_the_user_talks_to_it_speaks_no_more() -> None:
    c = with_page()
    ask(c, "q1")
    c.turn_opened("t1", SKY, 1.0)
    ask(c, "q2")
    assert not [e for e in c.end_session(SKY, 2.0) if isinstance(e, Speak)]


def test_several_that_run_out_of_time_at_once_all_end() -> None:
    c = with_page()
    ask(c, "q1")
    ask(c, "q2", ADAM)
    ask(c, "q3", "am_echo")
    late = essential(c.tick(c.answer_seconds))
    assert not [e for e in late if isinstance(e, Speak | Listen)]
    assert [e.question_id for e in late if isinstance(e, Answer)] == ["q1", "q2", "q3"]


def test_a_muted_page_ends_the_next_while_both_run_out_of_time() -> None:
    c = with_page()
    ask(c, "q1")
    ask(c, "q2", ADAM)
    c.questions["q2"].spoken = True  # before a restart
    c.prefs(muted=True, auto=True, now=1.0)
    assert [e.question_id for e in c.tick(c.answer_seconds) if isinstance(e, Answer)] == ["q1", "q2"]


def test_typed_words_answer_the_question_that_the_open_microphone_was_for() -> None:
    c = with_page()
    ask(c, "q1")
    ask(c, "q2")
    c.spoken("q1", 1.0)
    c.turn_opened("t1", SKY, 2.0)
    assert Answer("q1", "ok", "one") in c.typed(SKY, "one", "x1", 3.0)
    assert list(c.questions) == ["q2"]


def test_words_to_be_reviewed_leave_the_question_to_be_answered_by_what_is_sent() -> None:
    c = with_page()
    ask(c)
    c.spoken("q1", 1.0)
    c.turn_opened("t1", SKY, 2.0)
    c.turn_closed("t1", 3.0)
    assert essential(c.reviewed("t1", "go a head", 4.0)) == []
    assert stage_of(c, "q1") == "waiting"
    assert c.floor is None
    assert Answer("q1", "ok", "go ahead") in c.typed(SKY, "go ahead", "x1", 5.0)


def test_who_talks_into_an_agents_speech_interrupts_it_with_words_only() -> None:
    c = with_page()
    ask(c)
    c.turn_overhears("t1", SKY)
    assert c.speech_started("t1") == []
    assert essential(c.turn_closed("t1", 1.0)) == []
    assert essential(c.heard("t1", "", 2.0)) == []
    assert stage_of(c, "q1") == "speaking", "it goes on"
    c.turn_overhears("t2", SKY)
    c.turn_closed("t2", 3.0)
    assert essential(c.heard("t2", "stop that", 4.0)) == [
        StopSpeaking("q1", "interrupted"),
        Words(SKY, "stop that", "voice", "t2"),
        Answer("q1", "ok", "stop that"),
    ]
    assert not c.questions and c.floor is None


def test_what_wants_no_answer_can_be_talked_into_too() -> None:
    c = with_page()
    ask(c, listen=False)
    c.turn_overhears("t1", SKY)
    effects = essential(c.heard("t1", "stop that", 4.0))
    assert effects == [StopSpeaking("q1", "interrupted"), Answer("q1", "ok", ""), Deliver(SKY, "stop that", "voice", "t1")]


def test_talking_into_one_agents_speech_answers_no_other_agent() -> None:
    c = with_page()
    ask(c, "q1", SKY)
    ask(c, "q2", ADAM)
    c.turn_overhears("t1", ADAM)
    assert essential(c.heard("t1", "blue", 1.0)) == [Words(ADAM, "blue", "voice", "t1"), Answer("q2", "ok", "blue")]
    assert stage_of(c, "q1") == "speaking"


def test_reviewed_words_interrupt_and_the_question_waits_for_what_is_sent() -> None:
    c = with_page()
    ask(c)
    c.turn_overhears("t1", SKY)
    assert essential(c.reviewed("t1", "stop that", 1.0)) == [StopSpeaking("q1", "interrupted")]
    assert stage_of(c, "q1") == "waiting"
    assert c.floor is None
