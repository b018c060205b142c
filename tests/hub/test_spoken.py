"""What agents are told who were cut off, and how marks reach a page."""

from __future__ import annotations

from clawmux.core.marks import Mark
from clawmux.hub.spoken import CutOff, marks_of, to_wire

MARKS = [Mark(0, 500, 0, 3), Mark(500, 1000, 4, 7), Mark(1000, 1500, 8, 13)]


def test_the_note_goes_with_the_answer_once() -> None:
    cut_off = CutOff()
    cut_off.note("q1", "One two three", MARKS, 0.9, 9.84)
    told = "stop\n(The user interrupted you after 0.9 s of 9.8 s, at: “… One two”)"
    assert cut_off.told("q1", "stop") == told
    assert cut_off.told("q1", "stop") == "stop"
    assert cut_off.told("q2", "") == ""


def test_who_stops_the_last_word_has_heard_it_all() -> None:
    cut_off = CutOff()
    cut_off.note("q1", "One two three", MARKS, 1.2, 1.5)
    assert cut_off.told("q1", "yes") == "yes"


def test_without_words_heard_only_the_time_is_told() -> None:
    cut_off = CutOff()
    cut_off.note("q1", "One two three", [], 0.2, 5.0)
    assert cut_off.told("q1", "") == "(The user interrupted you after 0.2 s of 5.0 s)"


def test_notes_of_questions_without_an_answer_do_not_pile_up() -> None:
    cut_off = CutOff()
    for number in range(300):
        cut_off.note(f"q{number}", "One", [], 0.0, 5.0)
    assert cut_off.told("q0", "x") == "x"
    assert cut_off.told("q299", "x") != "x"


def test_a_page_counts_in_utf_16() -> None:
    text = "🎉 Done now"
    (mark, _) = marks_of(text, "af_sky").feed(bytes(48000), True)
    assert text[mark.begin : mark.end] == "Done"
    assert to_wire(text, [mark])[0][2:] == [3, 7]
    assert to_wire("One two", MARKS[:1]) == [[0, 500, 0, 3]]


def test_a_voice_that_is_unknown_is_marked_too() -> None:
    assert marks_of("Hello.", "nobody").feed(bytes(48000), True)
