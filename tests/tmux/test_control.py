"""Reading what a control client prints, and writing words that tmux reads back as they were."""

from __future__ import annotations

import pytest

from clawmux.adapters.control import Blocks, quote


def blocks(text: str) -> list[tuple[bool, list[bytes]]]:
    reader = Blocks()
    return [block for line in text.encode().split(b"\n") if (block := reader.receive_line(line))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%begin 1 2 1\na\nb\n%end 1 2 1", [(False, [b"a", b"b"])]),
        ("%begin 1 2 1\n%end 1 2 1", [(False, [])]),
        ("%begin 1 2 1\nno such\n%error 1 2 1", [(True, [b"no such"])]),
        ("%sessions-changed\n%begin 1 2 1\nx\n%end 1 2 1\n%exit", [(False, [b"x"])]),
        ("%begin 1 2 1\n%end 1 3 1\n%begin 9 9 9\n%end 1 2 1", [(False, [b"%end 1 3 1", b"%begin 9 9 9"])]),
        ("%end 1 2 1\n%begin 1 2 1\n", []),
    ],
)
def test_blocks(text: str, expected: list[tuple[bool, list[bytes]]]) -> None:
    assert blocks(text) == expected


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("", b'""'),
        ("plain é", '"plain é"'.encode()),
        ('a"b', b'"a\\042b"'),
        ("$HOME\\ ~ #{pid}", b'"\\044HOME\\134 \\176 \\043{pid}"'),
        ("a\nb\x00", b'"a\\012b\\000"'),
        ("\udcff\udc80", b'"\\377\x80"'),
    ],
)
def test_quote(word: str, line: bytes) -> None:
    assert quote(word) == line
