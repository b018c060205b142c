"""The conversation core while the user talks: into an agent's speech, for review, or not at all."""

from __future__ import annotations

from clawmux.core.questions import Answer, Deliver, EndTurn, Listen, Request, StopSpeaking, Words
from clawmux.wire.words import Stage
from tests.core.conversations import ADAM, SKY, ask, essential, stage_of, with_page


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
