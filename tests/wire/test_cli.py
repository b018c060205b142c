"""The words of an agent: what they mean, and what is said about words that mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawmux.wire.cli import (
    TEXT_LIMIT_BYTES,
    CancelConverse,
    Converse,
    Help,
    Request,
    Status,
    clean,
    error_text,
    parse,
    split_body,
)
from clawmux.wire.errors import ClawMuxError

UNDERSTOOD: list[tuple[list[str], Request]] = [
    (["converse", "Hello"], Converse("Hello")),
    (["converse", "Hello", "--no-listen"], Converse("Hello", listen=False)),
    (["converse", "--no-listen", "--goodbye", "Bye"], Converse("Bye", listen=False, goodbye=True)),
    (["converse", "Hello", "--timeout", "90"], Converse("Hello", timeout_seconds=90.0)),
    (["converse", "Hello", "--timeout=1.5"], Converse("Hello", timeout_seconds=1.5)),
    (["converse", "Hello", "--timeout", "86400"], Converse("Hello", timeout_seconds=86400.0)),
    (["converse", "--resume", "3d12-ab_C"], Converse("", resume="3d12-ab_C")),
    (["converse", "--resume=x", "--timeout", "5"], Converse("", resume="x", timeout_seconds=5.0)),
    (["converse", "--", "--no-listen"], Converse("--no-listen")),
    (["converse", "--goodbye", "--", "-h"], Converse("-h", goodbye=True)),
    (["converse", "- one\n- two"], Converse("- one\n- two")),
    (["converse", "--- a title ---"], Converse("--- a title ---")),
    (["converse", "-5 degrees"], Converse("-5 degrees")),
    (["converse", "  Grüße 🎧\r\n"], Converse("Grüße 🎧")),
    (["converse", "x" * TEXT_LIMIT_BYTES], Converse("x" * TEXT_LIMIT_BYTES)),
    (["status"], Status()),
    (["cancel-converse", "abc"], CancelConverse("abc")),
    ([], Help("")),
    (["--help"], Help("")),
    (["converse", "--help"], Help("converse")),
    (["converse", "Hello", "-h"], Help("converse")),
]


@pytest.mark.parametrize(("argv", "request_"), UNDERSTOOD)
def test_words_that_are_understood(argv: list[str], request_: Request) -> None:
    assert parse(argv) == request_


REFUSED: list[tuple[list[str], str, str]] = [
    (["speak", "Hello"], "usage", "no command 'speak'; expected converse, status, cancel-converse"),
    (["converse"], "usage", "converse: TEXT is missing"),
    (["converse", ""], "usage", "converse: TEXT is empty; expected 1 to 65536 bytes"),
    (["converse", " \n\x00\x1b[0m"], "usage", "converse: TEXT is empty"),
    (["converse", "Hello", "world"], "usage", "expected one TEXT, got a second one: 'world'"),
    (["converse", "Hello", "--loud"], "usage", "no option --loud; expected --no-listen, --goodbye, --timeout, --resume"),
    (["converse", "Hello", "-n"], "usage", "no option -n"),
    (["converse", "Hello", "--no-listen=yes"], "usage", "--no-listen takes no value"),
    (["converse", "Hello", "--timeout"], "usage", "--timeout '' is not a number of seconds from 1 to 86400"),
    (["converse", "Hello", "--timeout", "0.9"], "usage", "--timeout '0.9'"),
    (["converse", "Hello", "--timeout", "86401"], "usage", "--timeout '86401'"),
    (["converse", "Hello", "--timeout", "nan"], "usage", "--timeout 'nan'"),
    (["converse", "Hello", "--timeout", "soon"], "usage", "--timeout 'soon'"),
    (["converse", "--resume", ""], "usage", "--resume '' is not an id"),
    (["converse", "--resume", "a/b"], "usage", "--resume 'a/b' is not an id"),
    (["converse", "--resume", "x" * 65], "usage", "is not an id"),
    (["converse", "Hello", "--resume", "x"], "usage", "--resume only waits"),
    (["converse", "--no-listen", "--resume", "x"], "usage", "--resume only waits"),
    (["status", "sky"], "usage", "status: unexpected argument 'sky'"),
    (["status", "--all"], "usage", "status: there is no option --all; expected no option"),
    (["cancel-converse"], "usage", "ID is missing"),
    (["cancel-converse", "a b"], "usage", "ID 'a b' is not an id"),
    (
        ["converse", "x" * (TEXT_LIMIT_BYTES + 1)],
        "too_large",
        f"is {TEXT_LIMIT_BYTES + 1} bytes; the limit is {TEXT_LIMIT_BYTES}",
    ),
    (["converse", "ü" * (TEXT_LIMIT_BYTES // 2 + 1)], "too_large", f"the limit is {TEXT_LIMIT_BYTES}"),
]


@pytest.mark.parametrize(("argv", "code", "text"), REFUSED)
def test_words_that_are_refused_say_what_was_expected(argv: list[str], code: str, text: str) -> None:
    with pytest.raises(ClawMuxError) as caught:
        parse(argv)
    assert caught.value.code == code
    assert text in caught.value.text
    assert len(caught.value.text) < 300


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\x00b", "ab"),
        ("red \x1b[31mwords\x1b[0m", "red words"),
        ("title \x1b]0;evil\x07 end", "title  end"),
        ("half \ud83d of a pair", "half \ufffd of a pair"),
        ("tab\tand\nline", "tab\tand\nline"),
        ("bell\x07 back\x08space \x9b31m", "bell backspace 31m"),
        ("\r\nline\rover\r\n", "lineover"),
        ("שלום مرحبا 👩‍👧", "שלום مرحبا 👩‍👧"),
    ],
)
def test_cleaning(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text())
def test_cleaned_text_is_whole_utf8_without_controls_and_stays_as_it_is(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode("utf-8")
    assert not any(ord(character) < 32 and character not in "\n\t" for character in cleaned)
    assert clean(cleaned) == cleaned


@given(st.lists(st.text()))
def test_any_words_give_a_request_or_a_clear_error(argv: list[str]) -> None:
    try:
        parse(["converse", *argv])
    except ClawMuxError as error:
        assert error.code in ("usage", "too_large")
        assert error.text


def test_body_is_split_at_nul_and_read_as_utf8() -> None:
    assert split_body(b"converse\0caf\xe9 \xc3\xa9\0--no-listen") == ["converse", "caf\ufffd é", "--no-listen"]


def test_error_text_is_one_line_and_its_remedy() -> None:
    assert error_text(ClawMuxError("usage", "wrong.", "Do this.")) == "clawmux: wrong.\nDo this.\n"
    assert error_text(ClawMuxError("usage", "wrong.")) == "clawmux: wrong.\n"
