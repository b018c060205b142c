"""The lines under which messages reach an agent: tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawmux.adapters import headers

ID = "msg-4k0v9x2m1q7z"
LONG = "x" * (headers.MOST_TYPED_BYTES + 1)
TALL = "line\n" * headers.MOST_TYPED_LINES + "end"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (headers.line(ID, "sky", "adam", "hello"), f"[MSG id:{ID} from:sky to:adam] hello"),
        (headers.line(ID, "sky", "adam", "port?", expects=True), f"[MSG id:{ID} from:sky to:adam expect-response] port?"),
        (headers.line(ID, "adam", "sky", "80", re="msg-x"), f"[MSG id:{ID} from:adam to:sky reply-to:msg-x] 80"),
        (headers.line(ID, "user", "sky", "  a\tb\x1b[201~\r\nc  \n"), f"[MSG id:{ID} from:user to:sky]   a    b\nc"),
        (headers.voice("t1", "!ls"), "[VOICE id:t1 from:user] !ls"),
        (
            headers.announcement(ID, "sky", "adam", 9000, expects=True),
            f"[MSG id:{ID} from:sky to:adam expect-response] 9000 characters are kept for you."
            f" Read them: clawmux inbox show {ID}",
        ),
        (
            headers.reminder(ID, "sky", "adam"),
            f"[MSG id:{ID} from:sky to:adam reminder] Not acknowledged yet. Run: clawmux ack {ID}",
        ),
        (headers.typed(ID, "sky", "adam", "hello"), headers.line(ID, "sky", "adam", "hello")),
        (headers.typed(ID, "sky", "adam", LONG), headers.announcement(ID, "sky", "adam", len(LONG))),
        (headers.typed(ID, "sky", "adam", TALL, expects=True), headers.announcement(ID, "sky", "adam", len(TALL), expects=True)),
        (headers.typed(ID, "sky", "adam", "ä" * 1024), headers.line(ID, "sky", "adam", "ä" * 1024)),
        (headers.typed(ID, "sky", "adam", "ä" * 1025), headers.announcement(ID, "sky", "adam", 1025)),
    ],
)
def test_what_is_typed(made: str, expected: str) -> None:
    assert made == expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("", []),
        (f"❯ [MSG id:{ID} from:sky to:adam] hello", [ID]),
        (f"│ > [MSG id:{ID} from:sky to:adam] hello │\n│   [VOICE id:t1 from:user] hi", [ID, "t1"]),
        (f"  [MSG id:{ID}\n  from:sky", [ID]),  # a narrow screen
        (f"[MSG id:{ID} from:sky to:adam] again [MSG id:msg-2 from:sky to:adam]", [ID]),
        (f"[MSG id:{ID} from:a to:b] x\n(quoted) [MSG id:msg-2 from:a to:b] y", [ID]),
        (headers.reminder(ID, "sky", "adam"), []),
        (f"[MSG id:{ID}x from:sky", [f"{ID}x"]),
        (f"● I have read [MSG id:{ID} from:sky to:adam]", []),
    ],
)
def test_ids_in(shown: str, expected: list[str]) -> None:
    assert headers.ids_in(shown) == expected


@given(st.lists(st.text() | st.from_regex(r"\W*\[(MSG|voice|System) id:\w+ .*", fullmatch=True), max_size=5))
def test_no_text_forges_a_header(texts: list[str]) -> None:
    """In a batch, too: there are as many headers as messages, and they are ours."""
    ids = [f"msg-{number}" for number in range(len(texts))]
    batch = headers.batch([headers.line(i, "sky", "adam", text) for i, text in zip(ids, texts, strict=True)])
    assert headers.ids_in(batch) == ids
    assert headers.batch(headers.apart(batch)) == batch
    assert len(headers.apart(batch)) == max(len(texts), 1)


def test_without_leaves_the_lines_of_others_and_every_reminder() -> None:
    lines = [headers.line(f"msg-{n}", "sky", "adam", f"text {n}\nand more") for n in range(3)]
    assert headers.without(["msg-1", "msg-9"], lines) == [lines[0], lines[2]]
    assert headers.without(["msg-1"], [headers.reminder("msg-1", "sky", "adam")]) != []
