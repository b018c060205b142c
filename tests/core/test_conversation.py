"""The conversation core: inputs in, effects out. No clock, no loop."""

from __future__ import annotations

from clawmux.core.conversation import PAGE_GRACE_SECONDS, RESTART_GRACE_SECONDS, Conversation
from clawmux.core.questions import Answer, Deliver, EndTurn, Listen, Request, Show, Speak, StopSpeaking, Words
from clawmux.wire.words import Stage
from tests.core.conversations import ADAM, SKY, ask, essential, stage_of, with_page


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
