"""Decode JSON objects into frozen dataclasses and back, with errors that name the field.

A message class carries its word in ``TYPE``. Field types may be ``str``, ``int``, ``float``, ``bool``, ``X | None``,
``Literal[...]``, ``dict[str, Any]`` and ``list[Any]``; deeper shapes are checked where they are used.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from typing import Any, ClassVar, Protocol, TypeVar

from clawmux.wire.errors import ClawMuxError


class Message(Protocol):
    TYPE: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


M = TypeVar("M")


def load_object(text: str | bytes, what: str = "message") -> dict[str, Any]:
    """The JSON object in ``text``; raises ``usage`` for anything else."""
    try:
        value = json.loads(text, parse_constant=lambda name: _refuse_constant(what, name))
    except UnicodeDecodeError:
        raise ClawMuxError("usage", f"{what} is not valid UTF-8.") from None
    except json.JSONDecodeError as error:
        raise ClawMuxError("usage", f"{what} is not valid JSON: {error.msg} at character {error.pos}.") from None
    except RecursionError:
        raise ClawMuxError("usage", f"{what} is nested too deeply.") from None
    except ValueError:
        # Python's guard against numbers of thousands of digits.
        raise ClawMuxError("usage", f"{what} holds a number that is too long.") from None
    if not isinstance(value, dict):
        raise ClawMuxError("usage", f"{what} must be a JSON object, not {_kind(value)}.")
    return value


def decode(classes: dict[str, type[M]], value: dict[str, Any], what: str = "message") -> M:
    """The message that ``value`` describes. Unknown types, unknown fields and wrong types are refused by name."""
    word = value.get("type")
    if not isinstance(word, str) or word not in classes:
        raise ClawMuxError("usage", f"{what}: type {_short(word)} is unknown.", f"Known types: {', '.join(sorted(classes))}.")
    return decode_as(classes[word], {k: v for k, v in value.items() if k != "type"}, f"{what} {word!r}")


def decode_as(cls: type[M], value: dict[str, Any], what: str) -> M:
    """One dataclass from its fields."""
    rules = _rules(typing.cast(Any, cls))
    if unknown := [name for name in value if name not in rules]:
        raise ClawMuxError("usage", f"{what}: field {_short(unknown[0])} is unknown.", f"Known fields: {', '.join(rules)}.")
    arguments: dict[str, Any] = {}
    for name, (hint, required) in rules.items():
        if name in value:
            arguments[name] = _checked(value[name], hint, f"{what}: field {name!r}")
        elif required:
            raise ClawMuxError("usage", f"{what}: field {name!r} is missing.")
    return cls(**arguments)


def encode(message: Message) -> dict[str, Any]:
    """The JSON object of a message; fields that are None are left out."""
    body = {f.name: getattr(message, f.name) for f in dataclasses.fields(message)}
    return {"type": message.TYPE, **{k: v for k, v in body.items() if v is not None}}


def table(*classes: type[Any]) -> dict[str, type[Any]]:
    """Messages by their word."""
    return {cls.TYPE: cls for cls in classes}


@functools.cache
def _rules(cls: Any) -> dict[str, tuple[Any, bool]]:
    hints = typing.get_type_hints(cls)
    return {
        f.name: (hints[f.name], f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING)
        for f in dataclasses.fields(cls)
    }


def _checked(value: Any, hint: Any, where: str) -> Any:
    if typing.get_origin(hint) is typing.Literal:
        allowed = typing.get_args(hint)
        if not any(value == word and type(value) is type(word) for word in allowed):
            raise ClawMuxError("usage", f"{where} is {_short(value)}; expected one of {', '.join(map(str, allowed))}.")
        return value
    if isinstance(hint, types.UnionType):
        options = typing.get_args(hint)
        if value is None and type(None) in options:
            return None
        return _checked(value, next(o for o in options if o is not type(None)), where)
    wanted = typing.get_origin(hint) or hint
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = _as_float(value)
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ClawMuxError("usage", f"{where} must be {_NAMES.get(wanted, wanted.__name__)}, not {_kind(value)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ClawMuxError("usage", f"{where} must be a finite number.")
    return clean_text(value) if isinstance(value, str) else value


def _as_float(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def clean_text(text: str) -> str:
    """Without lone surrogates and NUL, which neither UTF-8 nor SQLite nor tmux can carry."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


_NAMES: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


def _short(value: Any) -> str:
    """As it stands in an error: enough to recognise it."""
    return repr(value[:40] if isinstance(value, str) else value)[:80]


def _refuse_constant(what: str, name: str) -> Any:
    raise ClawMuxError("usage", f"{what} is not valid JSON: {name} is no number there.")


def _kind(value: Any) -> str:
    return "null" if value is None else _NAMES.get(type(value), type(value).__name__)
