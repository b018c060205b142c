"""The words of /ws: the same in the hub, in the page's protocol.js and in the document."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from clawmux.wire.browser import DURABLE_TO_PAGE, MOMENTARY_TO_PAGE, TO_HUB

ROOT = Path(__file__).parents[2]
# An entry of a table in protocol.js: `mic_close: ["turn", "why"],`
ENTRY = re.compile(r"^  (\w+): \[([^\]]*)\],$", re.MULTILINE)


def table(name: str) -> dict[str, set[str]]:
    """What protocol.js says: word -> the fields that must be there."""
    script = (ROOT / "static" / "protocol.js").read_text(encoding="utf-8")
    (body,) = re.findall(rf"^export const {name} = Object\.freeze\(\{{\n(.*?)^\}}\);$", script, re.MULTILINE | re.DOTALL)
    found = {word: set(re.findall(r'"(\w+)"', fields)) for word, fields in ENTRY.findall(body)}
    assert len(found) == body.count("\n"), "every line of the table was read"
    return found


def test_the_hub_says_what_the_page_knows() -> None:
    assert set(table("FROM_HUB")) == set(DURABLE_TO_PAGE) | set(MOMENTARY_TO_PAGE)


def test_the_page_says_what_the_hub_knows() -> None:
    assert set(table("FROM_PAGE")) == set(TO_HUB)


def test_the_page_sends_fields_that_the_hub_takes() -> None:
    for word, fields in table("FROM_PAGE").items():
        declared = dataclasses.fields(TO_HUB[word])
        needed = {f.name for f in declared if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING}
        assert needed <= fields <= {f.name for f in declared}, word


def test_numbered_events_are_those_that_the_page_wants_a_number_for() -> None:
    assert {word for word, fields in table("FROM_HUB").items() if "n" in fields} == set(DURABLE_TO_PAGE)


def test_no_word_is_of_the_moment_and_kept() -> None:
    assert not set(DURABLE_TO_PAGE) & set(MOMENTARY_TO_PAGE)


def test_every_word_has_its_place_in_the_document() -> None:
    document = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    missing = [word for word in (*TO_HUB, *DURABLE_TO_PAGE, *MOMENTARY_TO_PAGE) if f"`{word}`" not in document]
    assert missing == []
