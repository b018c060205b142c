"""When the words of a text sound: pieces with silence between, words matched in order."""

from __future__ import annotations

import pytest

from clawmux.core.marks import Mark, Marks, heard_until, is_echo

RATE = 1000


def sound(seconds: float) -> bytes:
    return b"\x01\x00" * round(seconds * RATE)


def silent(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


def words(text: str, marks: list[Mark]) -> list[tuple[str, int]]:
    return [(text[mark.begin : mark.end], mark.start_ms) for mark in marks]


def test_each_piece_is_anchored_where_it_sounds() -> None:
    text = "One two. Three four."
    marks = Marks(text, [("One two.", 0.25), ("Three four.", 0.0)], RATE)
    pcm = sound(1.0)
    assert marks.feed(pcm, False) == [], "its end is not there yet"
    pcm += silent(0.25)
    first = marks.feed(pcm, False)
    assert words(text, first) == [("One", 0), ("two", 500)]
    assert first[-1].end_ms == 1000
    pcm += sound(2.0)
    assert marks.feed(pcm, False) == []
    last = marks.feed(pcm, True)
    assert words(text, last)[0] == ("Three", 1250)
    assert last[-1].end_ms == 3250
    assert marks.feed(pcm, True) == []


def test_short_silences_inside_a_piece_do_not_end_it() -> None:
    marks = Marks("One two. Three.", [("One two.", 0.25), ("Three.", 0.0)], RATE)
    assert marks.feed(sound(0.5) + silent(0.2) + sound(0.5), False) == []


def test_an_engine_without_silences_is_placed_as_a_whole() -> None:
    text = "One. Two."
    marks = Marks(text, [("One.", 0.25), ("Two.", 0.0)], RATE)
    assert words(text, marks.feed(sound(2.0), True)) == [("One", 0), ("Two", 1000)]


def test_what_is_said_otherwise_shares_its_time_and_what_is_not_said_has_none() -> None:
    text = "All 42 tests pass, see [the log](https://example.org/the/log) for more."
    said = "All forty two tests pass, see the log for more."
    found = words(text, Marks(text, [(said, 0.0)], RATE).feed(sound(10.0), True))
    assert [word for word, _ in found] == ["All", "42", "tests", "pass", "see", "the", "log", "for", "more"]
    assert [at for _, at in found] == sorted(at for _, at in found)


def test_long_code_that_is_only_named_gets_no_time() -> None:
    text = "Run:\n```\n" + "alpha beta gamma delta\n" * 60 + "```\nThen wait."
    found = words(text, Marks(text, [("Run:", 0.4), ("Code of sixty lines.", 0.4), ("Then wait.", 0.0)], RATE).feed(b"", True))
    assert [word for word, _ in found] == ["Run", "Then", "wait"]


def test_nothing_to_say() -> None:
    assert Marks("…", [], RATE).feed(sound(0.1), True) == []
    assert heard_until("One two.", [], 500.0) == ""


def test_what_was_heard_ends_with_the_word_that_sounded() -> None:
    text = "One two\n\n**three** four."
    marks = Marks(text, [("One two three four.", 0.0)], RATE).feed(sound(4.0), True)
    assert heard_until(text, marks, 2600.0) == "One two **three"
    assert heard_until(text, marks, 1e9, words=1) == "four"
    assert heard_until(text, marks, 0.0) == ""


TEXT = "The retry loop has no upper bound, so one slow response blocked the whole batch. Shall I fix it, yes or no?"


@pytest.mark.parametrize(
    ("heard", "ms", "wanted"),
    [
        ("has no upper bound", 2500.0, True),
        ("Has no upper bound so one.", 2500.0, True),
        ("has an upper bound", 2500.0, True),
        ("has no upper bound", 9500.0, False),  # not what sounds then
        ("stop, that is not what I meant", 2500.0, False),
        ("no", 9800.0, False),  # an answer
        ("", 2500.0, False),
    ],
)
def test_an_agents_own_words_are_an_echo(heard: str, ms: float, wanted: bool) -> None:
    marks = Marks(TEXT, [(TEXT, 0.0)], RATE).feed(sound(10.0), True)
    assert is_echo(TEXT, marks, ms, heard) is wanted
