"""Text as it is searched, and the piece that is shown around what was found."""

from __future__ import annotations

import pytest

from clawmux.wire.search import AFTER_CHARACTERS, BEFORE_CHARACTERS, deeds, excerpt, plain, searched

LONG = " ".join(f"word{number}" for number in range(400))

EXCERPTS = {
    "in the middle": ("The **retry** loop\nhas no bound.", "RETRY  loop", ("The ", "retry loop", " has no bound.")),
    "a letter that folds to two": ("Die große Straße endet", "STRASSE", ("Die große ", "Straße", " endet")),
    "after letters that fold to two": ("ßßß İ find me", "find", ("ßßß İ ", "find", " me")),
    "not there": ("Nothing of it", "absent", ("", "", "Nothing of it")),
    "no words": ("Some text", "**", ("", "", "Some text")),
    "no text": (None, "word", ("", "", "")),
}


@pytest.mark.parametrize("name", EXCERPTS)
def test_an_excerpt_shows_the_words_as_they_are_written(name: str) -> None:
    text, words, expected = EXCERPTS[name]
    assert excerpt(text, words) == expected


@pytest.mark.parametrize("text", [LONG, LONG.replace(" ", ""), LONG.replace(" ", "\n")])
def test_an_excerpt_of_a_long_text_is_short(text: str) -> None:
    before, hit, after = excerpt(text, "word200")
    assert hit == "word200"
    assert before.startswith("…") and len(before) <= BEFORE_CHARACTERS + 1
    assert after.endswith("…") and len(after) <= AFTER_CHARACTERS + 1
    assert len(excerpt(text, "absent")[2]) <= BEFORE_CHARACTERS + AFTER_CHARACTERS + 1


def test_text_is_searched_as_a_reader_sees_it() -> None:
    assert plain("## The *retry*\n `loop`") == "## The retry loop"
    assert searched("ÄRGER\t~~is~~  Known") == "ärger is known"
    assert searched(7) == ""


def test_the_words_of_what_an_agent_did() -> None:
    items = '[{"tool": "Bash", "detail": "make", "ok": true}, {"tool": "Read"}, 7, {"detail": "x"}]'
    assert deeds(items) == "Bash make, Read, x"
    assert deeds("broken") == deeds(None) == deeds('{"a": 1}') == ""
