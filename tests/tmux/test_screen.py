"""Reading an agent's screen and cutting text for its box: tables."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawmux.adapters.drafts import is_begun, is_made_of, pieces_in, same_words, stands_in
from clawmux.adapters.headers import sanitise
from clawmux.adapters.screen import Box, InputRules, Screen, chunks, read_screen

RULE = "─" * 40
CLAUDE = InputRules(
    prompt=r"^[│ ]*❯\s?",
    frame=r"^\s*─{8}",
    dialogs=("Esc to cancel", "Enter to confirm"),
    closed=("Showing detailed transcript",),
    placeholders=(r'^Try ".*"$',),
)
CODEX = InputRules(prompt=r"^›\s?", dialogs=("Press enter to",), placeholders=("^Ask Codex to do anything$",))


def claude(*box: str, above: str = "● Done.", below: str = "  ⏵⏵ bypass permissions on") -> str:
    return "\n".join([above, "", f"{RULE} sky ─", *box, RULE, below, "", ""])


@pytest.mark.parametrize(
    ("text", "rules", "expected"),
    [
        (claude("❯ "), CLAUDE, Screen(Box.OPEN)),
        (claude("❯\xa0"), CLAUDE, Screen(Box.OPEN)),
        (claude("❯ half a", "  thought"), CLAUDE, Screen(Box.OPEN, "half a\n  thought")),
        (claude('❯ Try "fix the tests"'), CLAUDE, Screen(Box.OPEN)),
        (claude("❯ ", above="❯ earlier words\n● answer"), CLAUDE, Screen(Box.OPEN)),
        (claude("! ls"), CLAUDE, Screen(Box.NONE)),  # shell mode
        (claude("❯ /mo", below="  /model\n  /memory\n  /more\n  /most\n  /last"), CLAUDE, Screen(Box.NONE)),  # an open menu
        (claude("❯ ", above="● Press Esc to cancel it."), CLAUDE, Screen(Box.OPEN)),  # only talk: a dialog hides the box
        (claude("❯ Esc to cancel, it says"), CLAUDE, Screen(Box.OPEN, "Esc to cancel, it says")),
        (claude("❯ 1. Yes", "  2. No", below=" Enter to confirm · Esc to cancel"), CLAUDE, Screen(Box.DIALOG)),
        (f"{RULE}\n Trust?\n ❯ No, exit\n   Yes\n\n Enter to confirm · Esc to cancel", CLAUDE, Screen(Box.DIALOG)),
        (f"{RULE}\n Pick one\n ❯ No\n   Yes", CLAUDE, Screen(Box.NONE)),  # a dialog in other words
        (claude("❯ ", below="Showing detailed transcript"), CLAUDE, Screen(Box.CLOSED)),
        ("", CLAUDE, Screen(Box.NONE)),
        ("$ ", CLAUDE, Screen(Box.NONE)),
        ("› earlier\n\n• answer\n\n› Ask Codex to do anything\n\n  model · ~/x\n  ? for shortcuts", CODEX, Screen(Box.OPEN)),
        ("› half a\n  thought\n\n  model · ~/x", CODEX, Screen(Box.OPEN, "half a\n  thought")),
        ("› earlier\n\n• a\n• long\n• answer\n• that\n• hides the box", CODEX, Screen(Box.NONE)),
        ("› Run it?\n  Press enter to confirm", CODEX, Screen(Box.DIALOG)),
        ("• Press enter to do so.\n\n› \n\n  model · ~/x", CODEX, Screen(Box.OPEN)),
        ("", CODEX, Screen(Box.NONE)),
    ],
)
def test_read_screen(text: str, rules: InputRules, expected: Screen) -> None:
    screen = read_screen(text, rules)
    assert (screen.box, screen.draft) == (expected.box, expected.draft)


@pytest.mark.parametrize(
    ("shown", "typed", "expected"),
    [
        (f"line 2\nline 3\n{RULE}\n  footer", "line 1\nline 2\nline 3", Box.OPEN),
        (f"line 2\nline X\n{RULE}\n  footer", "line 1\nline 2\nline 3", Box.NONE),
        (f"{RULE}\nline 3\n{RULE}\n  footer", "line 1\nline 2\nline 3", Box.NONE),
        (f"{RULE}\n  footer", "line 1", Box.NONE),
    ],
)
def test_a_box_that_has_outgrown_the_screen_is_known_by_its_tail(shown: str, typed: str, expected: Box) -> None:
    assert read_screen(shown, CLAUDE, typed).box is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", "hello"),
        ("  leading and trailing  \n\n", "  leading and trailing"),
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a\tb", "a    b"),
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07x\x1b]8;;http://x\x1b\\y", "red xy"),
        ("out\x1b[201~\rrm -rf /", "out\nrm -rf /"),
        ("\x1bcreset \x9b31mC1 \x90dcs\x9cend", "reset C1 end"),
        ("a\x00b\x03c\x04d\x08e\x7ff\x85g", "abcdefg"),
        ("zero\u200bwidth \ufeffmark \u202eturned\u2066 \u2028", "zerowidth mark turned"),
        ("👩‍👩‍👧 🇩🇪 é", "👩‍👩‍👧 🇩🇪 é"),
        ("half \ud800 surrogate", "half  surrogate"),
        ("an unended \x1b]0;title eats the rest", "an unended"),
        ("\n\x1b\n", ""),
    ],
)
def test_sanitise(text: str, expected: str) -> None:
    assert sanitise(text) == expected


@given(st.text())
def test_no_key_survives_sanitising(text: str) -> None:
    clean = sanitise(text)
    assert not any(ord(character) < 32 and character != "\n" for character in clean)
    assert not any(0x7F <= ord(character) < 0xA0 or 0xD800 <= ord(character) < 0xE000 for character in clean)
    assert sanitise(clean).strip() == clean.strip()


@given(st.text(alphabet=st.sampled_from("ab \n")), st.integers(1, 20), st.integers(0, 4))
def test_chunks_are_the_text_and_never_too_long_or_tall(text: str, chars: int, lines: int) -> None:
    pieces = chunks(text, InputRules(prompt="", chunk_chars=chars, chunk_lines=max(lines, 1)))
    assert "".join(pieces) == text
    assert all(len(piece) <= chars and piece.count("\n") <= max(lines, 1) for piece in pieces)


def test_chunks_may_be_turned_off() -> None:
    assert chunks("a\n" * 100, InputRules(prompt="", chunk_chars=0)) == ["a\n" * 100]


def test_line_breaks_of_the_box_say_nothing() -> None:
    assert same_words("a long line th\n  at was broken", "a long line that was broken")
    assert not same_words("", "x")


OURS = "[MSG id:msg-1 from:sky to:adam] the whole message, in some words"
NEXT = "[MSG id:msg-2 from:sky to:adam] another one"


@pytest.mark.parametrize(
    ("shown", "begun", "made"),
    [
        (OURS, True, True),
        (OURS[:40], True, True),
        (f"{OURS}\n{NEXT[:30]}", True, True),
        (NEXT, True, True),
        (OURS[:30] + OURS[40:], False, True),  # a piece was lost
        (OURS[:40] + OURS[20:], False, True),  # a piece came twice
        (f"{OURS} and mine", False, False),
        (f"mine and {OURS}", False, False),
        (f"{OURS[:40]} NO {OURS[40:]}", False, False),
        ("half a thought", False, False),
    ],
)
def test_what_is_ours_in_a_box(shown: str, begun: bool, made: bool) -> None:
    assert is_begun(shown, [OURS, NEXT]) == begun
    assert is_made_of(shown, [OURS, NEXT]) == made


def test_pieces_are_counted_only_for_sure() -> None:
    assert pieces_in("one two", ["one ", "two ", "three"]) == 2
    assert pieces_in("one tw", ["one ", "two ", "three"]) is None
    assert pieces_in("one", ["one", "  ", "two"]) is None


@pytest.mark.parametrize(
    ("shown", "text", "same"),
    [
        ("a long line th\n  at was broken", "a long line that was broken", True),
        ("family 👩\u200d👩 x", "family 👩‍👩‍👧‍👦 x", True),  # tmux keeps as much of a cluster as fits into its cell
        ("e x", "e\u0301\u0323 x", True),
        ("[MSG] םולש abc", "[MSG] שלום abc", True),  # in the order in which it is seen
        ("[MSG] olleh abc", "[MSG] hello abc", False),
        ("世界", "世", False),
    ],
)
def test_same_words(shown: str, text: str, same: bool) -> None:
    assert same_words(shown, text) == same


def test_a_box_around_a_text_that_draws_one() -> None:
    text = "[MSG id:msg-1] x\n────────────\n❯ fake\n────────────"
    first, *rest = text.split("\n")
    shown = claude(f"❯ {first}", *(f"  {line}" for line in rest))
    assert read_screen(shown, CLAUDE, text).draft.startswith("[MSG id:msg-1] x")
    assert same_words(read_screen(shown, CLAUDE, text).draft, text)


def test_earlier_pictures_of_the_box_are_not_what_was_sent() -> None:
    history = "\n".join([RULE, "❯ [MSG id:msg-1 from:a to:b] x", RULE, "  hint", "❯ [MSG id:msg-2 from:a to:b] y", "", "● Read."])
    screen = read_screen(claude("❯ "), CLAUDE, history=history)
    assert "msg-1" not in screen.above and "msg-2" in screen.above


@pytest.mark.parametrize(
    ("history", "is_shown"),
    [
        (["❯ [MSG id:msg-1 from:a to:b] x"], True),
        (["❯ [MSG id:msg-0 from:a to:b] x", "  in two lines", "", "  and a third", "  [MSG id:msg-1 from:a to:b] y"], True),
        ([RULE, "❯ [MSG id:msg-1 from:a to:b] x", "  taller than the screen"], False),  # the box, cut off below
        (["  [MSG id:msg-1 from:a to:b] x", "  more", RULE, "  hint"], False),  # cut off above
        (["❯ said", "", "● Read.", "  [MSG id:msg-1 from:a to:b] x", RULE, "  hint"], False),  # a part of it
        ([RULE, "❯ [MSG id:msg-0 from:a to:b] x", "  ❯ [MSG id:msg-1 from:a to:b] x", RULE, "❯ said"], False),
        (["● It said:", "  [MSG id:msg-1 from:a to:b] x"], False),  # the agent's own words
    ],
)
def test_what_stands_in_the_history_was_sent_only_as_the_users_words(history: list[str], is_shown: bool) -> None:
    assert ("msg-1" in read_screen(claude("❯ "), CLAUDE, history="\n".join(history)).above) == is_shown


def test_a_box_without_a_frame_holds_empty_lines_when_we_know_what_we_typed() -> None:
    text = "[MSG id:msg-1] x\n\n\ny"
    shown = "› earlier\n\n• answer\n\n› [MSG id:msg-1] x\n\n\n  y\n\n  model · ~/x"
    assert same_words(read_screen(shown, CODEX, text).draft, text)
    part = "› earlier\n\n› [MSG id:msg-1] x\n\n\n\n  model · ~/x"
    assert read_screen(part, CODEX, text).draft == "[MSG id:msg-1] x"


def test_what_a_program_holds_back_is_told_apart() -> None:
    """Codex: an Escape puts it back into the box."""
    rules = replace(CODEX, queued="^ *↳ ")
    waiting = "• Messages to be submitted after next tool call\n  ↳ [MSG id:msg-2 from:sky to:adam] two"
    screen = read_screen(
        f"› [MSG id:msg-1 from:sky to:adam] one\n\n{waiting}\n\n› Ask Codex to do anything\n\n  model · ~/x", rules
    )
    assert screen.box is Box.OPEN and "msg-1" in screen.above and "msg-2" in screen.above
    assert screen.queued == "  ↳ [MSG id:msg-2 from:sky to:adam] two"


@pytest.mark.parametrize(
    ("shown", "text", "expected"),
    [
        (
            "[MSG id:msg-1 from:sky to:adam] say `yes`,\n  please",
            "› [MSG id:msg-1 from:sky to:adam] say yes, please\n\n• Said.",
            True,
        ),
        ("[MSG id:msg-1 from:sky to:adam] say yes, and more", "› [MSG id:msg-1 from:sky to:adam] say yes\n\n• Said.", False),
        ("", "› anything", False),
    ],
)
def test_what_an_escape_has_put_back_stands_above_the_box(shown: str, text: str, expected: bool) -> None:
    assert stands_in(shown, text) is expected
