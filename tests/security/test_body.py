"""JSON bodies (S18): what is refused, with which words, by table. Sizes and types over a real socket: test_guard_answers.py."""

from __future__ import annotations

import json

import pytest

from clawmux.hub.body import DEPTH, parse_object
from clawmux.wire.errors import ClawMuxError


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "line 1"),
        (b"{", "line 1"),
        (b'{"a": 1,\n "b" 2}', "line 2, column 6"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} {}', "column 10"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8 at byte 7"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        (b"[]", "list"),
        (b'"text"', "text"),
        (b"17", "number"),
        (b"null", "null"),
        (b"true", "boolean"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "number"),
        (b'{"a": "\n"}', "not JSON"),
        (b"[" * 100_000, "nested"),
        (b'{"a":' * 100_000, "nested"),
        (nested(DEPTH + 1).encode(), "nested"),
    ],
)
def test_refused(body: bytes, part: str) -> None:
    with pytest.raises(ClawMuxError) as refused:
        parse_object(body)
    assert refused.value.code == "usage"
    assert part in refused.value.text


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"{}", {}),
        (b'{"a": "\\ud800x"}', {"a": "\ufffdx"}),
        (b'{"\\udc00": ["\\udfff"]}', {"\ufffd": ["\ufffd"]}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        (nested(DEPTH).encode(), json.loads(nested(DEPTH))),
    ],
)
def test_taken(body: bytes, found: object) -> None:
    assert parse_object(body) == found
