"""JSON objects to messages and back: what is taken, what is refused by which name, and that nothing else ever happens."""

from __future__ import annotations

import dataclasses
import json
import typing
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawmux.wire import browser, calls
from clawmux.wire.codec import clean_text, decode, decode_as, encode, load_object, table
from clawmux.wire.errors import ClawMuxError


@dataclass(frozen=True, slots=True)
class Everything:
    """One field of each kind that the codec knows."""

    TYPE: ClassVar[str] = "everything"
    text: str
    whole: int
    number: float
    switch: bool
    word: Literal["hold", "tap", 2]
    table: dict[str, Any] = field(default_factory=dict)
    row: list[Any] = field(default_factory=list)
    maybe: int | None = None


GOOD: dict[str, Any] = {"text": "t", "whole": 1, "number": 1.5, "switch": True, "word": "tap"}
KNOWN = table(Everything)
ALL_MESSAGES = {**browser.TO_HUB, **calls.CLI_TO_HUB}

NOT_OBJECTS = [
    ("", "not valid JSON"),
    ("{", "not valid JSON"),
    ('{"type": "ping"', "not valid JSON"),
    ("{'type': 'ping'}", "not valid JSON"),
    ('{"type": "ping"} {}', "character 17"),
    ("[]", "a list"),
    ('"ping"', "a text"),
    ("null", "null"),
    ("7", "a whole number"),
    ("true", "true or false"),
    ('{"ms": NaN}', "NaN"),
    ('{"ms": -Infinity}', "-Infinity"),
    (b'{"type": "\xff"}', "UTF-8"),
    ('{"ms": ' + "9" * 5000 + "}", "a number that is too long"),
    ("[" * 100_000, "nested"),
    ('{"a":' * 100_000, "nested"),
]


@pytest.mark.parametrize(("text", "says"), NOT_OBJECTS, ids=[str(says) + f" {i}" for i, (_, says) in enumerate(NOT_OBJECTS)])
def test_what_is_no_object_is_refused(text: str | bytes, says: str) -> None:
    with pytest.raises(ClawMuxError) as refused:
        load_object(text)
    assert refused.value.code == "usage" and says in refused.value.text


WRONG: list[tuple[str, Any, str]] = [
    ("text", 7, "must be a text, not a whole number"),
    ("text", None, "must be a text, not null"),
    ("text", ["a"], "not a list"),
    ("whole", 1.5, "must be a whole number, not a number"),
    ("whole", True, "must be a whole number, not true or false"),
    ("whole", "1", "not a text"),
    ("number", True, "must be a number"),
    ("number", "1.5", "must be a number"),
    ("number", float("nan"), "finite"),
    ("number", float("inf"), "finite"),
    ("number", 10**400, "finite"),
    ("switch", 1, "must be true or false"),
    ("switch", "yes", "must be true or false"),
    ("word", "shout", "expected one of hold, tap, 2"),
    ("word", ["hold"], "expected one of"),
    ("word", True, "expected one of"),
    ("word", 2.0, "expected one of"),
    ("table", [], "must be an object"),
    ("row", {}, "must be a list"),
    ("maybe", "1", "must be a whole number"),
]


@pytest.mark.parametrize(("name", "value", "says"), WRONG, ids=[f"{name}={str(value)[:12]}" for name, value, _ in WRONG])
def test_a_wrong_value_is_refused_by_the_name_of_its_field(name: str, value: Any, says: str) -> None:
    with pytest.raises(ClawMuxError) as refused:
        decode(KNOWN, {"type": "everything", **GOOD, name: value})
    assert refused.value.code == "usage"
    assert f"field {name!r}" in refused.value.text and says in refused.value.text


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_field_is_named(name: str) -> None:
    with pytest.raises(ClawMuxError, match=f"field {name!r} is missing"):
        decode_as(Everything, {k: v for k, v in GOOD.items() if k != name}, "it")


def test_unknown_words_are_named_and_the_known_ones_listed() -> None:
    with pytest.raises(ClawMuxError) as no_type:
        decode(KNOWN, GOOD)
    assert "type None" in no_type.value.text and "everything" in no_type.value.remedy
    with pytest.raises(ClawMuxError) as no_field:
        decode(KNOWN, {"type": "everything", **GOOD, "volume": 11})
    assert "'volume'" in no_field.value.text and "whole" in no_field.value.remedy


@pytest.mark.parametrize(
    "body",
    [{"type": "x" * 100_000}, {"type": "everything", "y" * 100_000: 1}, {**GOOD, "type": "everything", "word": "z" * 100_000}],
)
def test_a_refusal_does_not_repeat_all_that_it_refuses(body: dict[str, Any]) -> None:
    with pytest.raises(ClawMuxError) as refused:
        decode(KNOWN, body)
    assert len(refused.value.text) < 300


@pytest.mark.parametrize(
    ("name", "value", "taken"), [("number", 2, 2.0), ("maybe", None, None), ("word", 2, 2), ("text", "a\0b", "ab")]
)
def test_a_value_is_taken_as_its_type(name: str, value: Any, taken: Any) -> None:
    got = getattr(decode(KNOWN, {"type": "everything", **GOOD, name: value}), name)
    assert got == taken and type(got) is type(taken)


def test_texts_lose_what_nothing_can_carry() -> None:
    assert clean_text("a\ud800b\0c😀") == "a?bc😀"


@pytest.mark.parametrize("cls", ALL_MESSAGES.values(), ids=lambda cls: cls.TYPE)
def test_every_message_survives_its_own_encoding(cls: type[Any]) -> None:
    examples: dict[Any, Any] = {str: "t", int: 3, float: 2.5, bool: True}
    hints = typing.get_type_hints(cls)
    required = {
        f.name: examples[hints[f.name]] if hints[f.name] in examples else typing.get_args(hints[f.name])[0]
        for f in dataclasses.fields(cls)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    message = cls(**required)
    assert decode(ALL_MESSAGES, json.loads(json.dumps(encode(message)))) == message


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(10**300, 10**400) | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = sorted({f.name for cls in ALL_MESSAGES.values() for f in dataclasses.fields(cls)})


@given(st.sampled_from(sorted(ALL_MESSAGES)), st.dictionaries(st.sampled_from(names), anything, max_size=8))
def test_any_object_is_a_message_or_a_refusal(word: str, body: dict[str, Any]) -> None:
    try:
        message = decode(ALL_MESSAGES, {**body, "type": word})
    except ClawMuxError as refused:
        assert refused.code == "usage" and f"'{word}'" in refused.text
    else:
        assert type(message) is ALL_MESSAGES[word]


@given(st.text(st.characters(codec=None)) | st.binary())
def test_any_text_is_an_object_or_a_refusal(text: str | bytes) -> None:
    try:
        assert isinstance(load_object(text), dict)
    except ClawMuxError as refused:
        assert refused.code == "usage"
