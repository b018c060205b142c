"""Fields in the texts of a manifest: {name} is filled in for each session; {json:name} gives the value as a quoted JSON text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Content = str | Mapping[str, Any]
"""Text with {fields}; a table is written as JSON."""

_FIELD = re.compile(r"\{(json:)?([a-z_]+)\}")
FACT_FIELDS = ("session_id", "name", "voice", "directory", "folder", "socket", "interpreter", "package_root")
FIELD_NAMES = frozenset([*FACT_FIELDS, "launcher", "shell", "home", "instructions", "secret", "port"])

# What stands in a command line is seen by everybody on the machine.
_NOT_IN = {
    "instructions": frozenset({"instructions", "secret"}),
    "notes": frozenset({"instructions", "secret"}),
    "program": frozenset({"secret"}),
    "arguments": frozenset({"secret"}),
    "skip_permissions_arguments": frozenset({"secret"}),
}
WITH_FIELDS = frozenset(
    ["program", "arguments", "skip_permissions_arguments", "environment", "root_environment", "files", "instructions", "notes"]
)
"""Keys of a manifest whose texts have fields."""


def filled(content: Content, fields: Mapping[str, str], indent: int | None = None) -> str:
    if isinstance(content, str):
        return _FIELD.sub(lambda found: json.dumps(fields[found[2]]) if found[1] else fields[found[2]], content)
    return json.dumps(_filled_values(content, fields), indent=indent, ensure_ascii=False) + ("\n" if indent else "")


def _filled_values(value: Any, fields: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return filled(value, fields)
    if isinstance(value, Mapping):
        return {key: _filled_values(inner, fields) for key, inner in value.items()}
    return [_filled_values(inner, fields) for inner in value] if isinstance(value, list) else value


def misspelt(texts: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """(key, field, those allowed there) of each that could not be filled in; ``texts``: contents by key of the manifest."""
    for key, value in texts.items():
        allowed = FIELD_NAMES - _NOT_IN.get(key, frozenset())
        for found in _FIELD.finditer(json.dumps(value, default=dict)):
            if found[2] not in allowed:
                yield key, found[0], sorted(allowed)
