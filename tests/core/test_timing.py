"""How long the parts of a turn took."""

from __future__ import annotations

from clawmux.core.timing import Timed, Timing


def test_a_turn_from_the_last_word_to_the_first_sound() -> None:
    timing = Timing()
    assert timing.turn_closed("t1", "sky", 520.4, 10.0) == Timed("sky", "t1", 520)
    assert timing.said("sky", "q0", 10.1) is None, "said before it had the words"
    assert timing.heard("t1", 10.27) == Timed("sky", "t1", 520, 270)
    assert timing.sounded("q1", 10.5) is None
    assert timing.said("adam", "q9", 10.6) is None
    assert timing.said("sky", "q1", 11.01) == Timed("sky", "t1", 520, 270, 740)
    assert timing.said("sky", "q2", 11.1) is None, "the second thing it says is no answer to the turn"
    assert timing.sounded("q2", 11.2) is None
    assert timing.sounded("q1", 11.34) == Timed("sky", "t1", 520, 270, 740, 330)
    assert timing.sounded("q1", 12.0) is None, "it sounded before"
    assert timing.newest() == [Timed("sky", "t1", 520, 270, 740, 330)]


def test_typed_words_are_a_turn_that_was_heard_at_once() -> None:
    timing = Timing()
    assert timing.typed("x1", "sky", 10.0) == Timed("sky", "x1", 0, 0)
    assert timing.said("sky", "q1", 11.5) == Timed("sky", "x1", 0, 0, 1500)
    assert timing.sounded("q1", 11.75) == Timed("sky", "x1", 0, 0, 1500, 250)


def test_a_new_turn_takes_the_place_of_the_one_before_and_an_empty_one_leaves_none() -> None:
    timing = Timing()
    timing.turn_closed("t1", "sky", 0, 1.0)
    timing.turn_closed("t2", "sky", -5, 2.0)
    assert timing.heard("t1", 3.0) is None
    assert timing.heard("t2", 3.0) == Timed("sky", "t2", 0, 1000)
    assert timing.heard("t2", 4.0) is None
    timing.empty("t1")
    assert timing.newest()
    timing.empty("t2")
    assert timing.newest() == []
    timing.turn_closed("t3", "sky", 0, 1.0)
    timing.session_ended("sky")
    assert timing.newest() == []
