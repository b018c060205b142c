"""Screen rules: which one counts, where it looks, and what it takes for the detail."""

from __future__ import annotations

import pytest

from clawmux.adapters.runtimes.screens import DETAIL_CHARS, ScreenRule, read_sign
from clawmux.wire.signs import Sign
from clawmux.wire.words import Activity, Kind, Source

PERMISSION = ScreenRule(
    r"(?P<detail>\S[^\n]*(?:\n[^\n]*)*?)\n[│ ]*Do you want to", Activity.NEEDS_YOU, Kind.PERMISSION, "a permission", lines=6
)
RUNNING = ScreenRule(r"^● (?P<detail>\w+)\($", Activity.TOOL)
BUSY = ScreenRule("esc to interrupt", Activity.THINKING, lines=2)
IDLE = ScreenRule("^❯", Activity.IDLE, lines=2)
RULES = [PERMISSION, RUNNING, BUSY, IDLE]


def says(activity: Activity, kind: Kind = Kind.NONE, detail: str = "") -> Sign:
    return Sign(Source.SCREEN, activity, kind, detail)


@pytest.mark.parametrize(
    ("screen", "sign"),
    [
        ("", None),
        ("nothing that is known", None),
        ("❯ \n", says(Activity.IDLE)),
        ("❯ \n\n\n   \n", says(Activity.IDLE)),
        ("❯ \n  esc to interrupt", says(Activity.THINKING)),
        ("esc to interrupt\na\nb\nc", None),
        ("● Bash(\nesc to interrupt", says(Activity.TOOL, detail="Bash")),
        (
            "│ Bash command │\n│   touch   here │\n│ Do you want to proceed?",
            says(Activity.NEEDS_YOU, Kind.PERMISSION, "Bash command touch here"),
        ),
    ],
)
def test_the_first_rule_that_matches_counts(screen: str, sign: Sign | None) -> None:
    assert read_sign(RULES, screen) == sign


def test_without_the_group_the_rule_names_the_detail() -> None:
    rule = ScreenRule("Sign in", Activity.NEEDS_YOU, Kind.LOGIN, "Sign in at the terminal.")
    assert read_sign([rule], "Sign in with X") == says(Activity.NEEDS_YOU, Kind.LOGIN, "Sign in at the terminal.")


def test_a_detail_is_one_short_line() -> None:
    rule = ScreenRule("(?P<detail>(?s:.)+)", Activity.TOOL)
    sign = read_sign([rule], "many words\n" * 1000)
    assert sign is not None and len(sign.detail) == DETAIL_CHARS and "\n" not in sign.detail
