from __future__ import annotations

import pytest

from clawmux.adapters.speech import sentences
from clawmux.adapters.speech.sentences import FIRST_LIMIT, LIMIT, join_short, split_pieces, split_sentences


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith met J. Doe. They left.", ["Dr. Smith met J. Doe.", "They left."]),
        ("It is e.g. this, i.e. that. Good.", ["It is e.g. this, i.e. that.", "Good."]),
        ("At 5 p.m. He left. At 5 p.m. she came.", ["At 5 p.m.", "He left.", "At 5 p.m. she came."]),
        ("Pi is 3.14. Version 2.0 is out.", ["Pi is 3.14.", "Version 2.0 is out."]),
        ('"Really?" he asked. "Yes." He went.', ['"Really?" he asked.', '"Yes."', "He went."]),
        ("Wait... what? Yes... No.", ["Wait... what?", "Yes...", "No."]),
        ("Hmm… well. Ok", ["Hmm… well.", "Ok"]),
        ("So do I. You too.", ["So do I.", "You too."]),
        ("See etc. and so on. And etc. Then more.", ["See etc. and so on.", "And etc.", "Then more."]),
        ("(It works.) It does.", ["(It works.)", "It does."]),
        ("What?! No!!! Yes.", ["What?!", "No!!!", "Yes."]),
        ("你好。世界！再见", ["你好。", "世界！", "再见"]),
        ("नमस्ते। दुनिया।", ["नमस्ते।", "दुनिया।"]),
        ("no mark", ["no mark"]),
        ("... !!! ...", []),
        ("", []),
    ],
)
def test_split_sentences(line: str, expected: list[str]) -> None:
    assert split_sentences(line) == expected


def test_short_sentences_are_joined() -> None:
    assert join_short(["OK.", "The server runs on the usual port now.", "Good.", "Yes."]) == [
        "OK. The server runs on the usual port now. Good. Yes."
    ]


LONG = (
    "The change touches the parser, the store and the page, and because the three of them share one codec it was "
    "enough to change that, which is why the patch is small although the list of files, as you will see on the page, is long."
)


def test_a_long_first_sentence_is_cut_at_a_clause_so_that_it_is_heard_soon() -> None:
    pieces = split_pieces(LONG)
    assert len(pieces[0].text) <= FIRST_LIMIT
    assert pieces[0].text[-1] == ","
    assert pieces[0].pause_seconds == sentences.CLAUSE_PAUSE_SECONDS
    assert " ".join(piece.text for piece in pieces) == LONG


@pytest.mark.parametrize("text", [LONG * 5, "word " * 400, "x" * 2000, "，".join(["很长的句子"] * 200), LONG + "\n" + LONG])
def test_no_piece_is_too_long_and_nothing_is_lost(text: str) -> None:
    pieces = split_pieces(text)
    assert max(len(piece.text) for piece in pieces) <= LIMIT
    assert "".join("".join(piece.text.split()) for piece in pieces) == "".join(text.split())


def test_pauses_tell_clauses_sentences_and_paragraphs_apart() -> None:
    first, second = "This is the first sentence here.", "This is the second sentence here."
    pieces = split_pieces(f"{first} {second}\nThis one is a paragraph of its own.")
    assert [piece.pause_seconds for piece in pieces] == [
        sentences.SENTENCE_PAUSE_SECONDS,
        sentences.PARAGRAPH_PAUSE_SECONDS,
        0.0,
    ]


def test_nothing_makes_no_pieces() -> None:
    assert split_pieces("") == split_pieces("\n \n...\n") == []
