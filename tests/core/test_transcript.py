"""A conversation as a text to keep."""

from __future__ import annotations

from typing import Any

import pytest

from clawmux.core.transcript import heading, passage

TS = 1_790_000_000.0
WHEN = "2026-09-21 14:13"


def test_the_heading_is_one_line_each() -> None:
    assert heading("sky", "/home/ann/a\nb", "claude") == "# sky\n\nclaude in /home/ann/a b. Times are UTC.\n\n"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"type": "user_text", "text": "Why?\n"}, f"## You, {WHEN}\n\nWhy?\n\n"),
        ({"type": "assistant_text", "text": "**So**.\n\n```py\nx\n```"}, f"## sky, {WHEN}\n\n**So**.\n\n```py\nx\n```\n\n"),
        ({"type": "agent_message", "direction": "out", "peer": "am_adam", "peer_name": "adam", "text": "One?\nTwo?"},
         f"> **sky → adam**, {WHEN}: One?\n> Two?\n\n"),
        ({"type": "agent_message", "direction": "in", "peer": "user", "peer_name": "user", "text": "Go"},
         f"> **You → sky**, {WHEN}: Go\n\n"),
        ({"type": "work", "items": [{"tool": "Bash", "detail": "make\nall", "ok": False}, {"tool": "Plan", "ok": True}]},
         f"*sky worked, {WHEN}*\n\n- make all (failed)\n- Plan\n\n"),
        ({"type": "work", "items": []}, ""),
        ({"type": "notice", "text": "Reloaded."}, "*Reloaded.*\n\n"),
        ({"type": "session_terminated", "reason": "You ended it."}, f"*Ended, {WHEN}. You ended it.*\n\n"),
        ({"type": "not_spoken", "msg_id": "m1", "reason": "off"}, ""),
        ({"type": "later_sort"}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_each_entry_is_a_passage(entry: dict[str, Any], expected: str) -> None:
    assert passage({"ts": TS, **entry}, "sky") == expected


def test_an_entry_that_lacks_its_fields_is_told_as_far_as_it_goes() -> None:
    assert passage({"type": "user_text"}, "sky") == "## You, \n\n\n\n"
