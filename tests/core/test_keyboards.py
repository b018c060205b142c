"""Who types into an agent's terminal: every step of a table, and that nobody is left with a keyboard that he forgot."""

from __future__ import annotations

import pytest

from clawmux.core.keyboards import IDLE_SECONDS, Keyboards

# (step, page, what it answers, who has sky's keyboard after it)
STEPS = [
    [("touch", "desk", False, None)],
    [("give_back", "desk", False, None)],
    [("take", "desk", None, "desk"), ("touch", "desk", True, "desk"), ("touch", "phone", False, "desk")],
    [("take", "desk", None, "desk"), ("take", "desk", None, "desk"), ("give_back", "desk", True, None)],
    [("take", "desk", None, "desk"), ("take", "phone", "desk", "phone"), ("touch", "desk", False, "phone")],
    [("take", "desk", None, "desk"), ("take", "phone", "desk", "phone"), ("give_back", "desk", False, "phone")],
    [("take", "desk", None, "desk"), ("give_back", "desk", True, None), ("touch", "desk", False, None)],
]


@pytest.mark.parametrize("steps", STEPS)
def test_one_page_at_a_time(steps: list[tuple[str, str, object, str | None]]) -> None:
    keyboards = Keyboards()
    for step, page, answer, holder in steps:
        arguments = ("sky", page) if step == "give_back" else ("sky", page, 1.0)
        assert getattr(keyboards, step)(*arguments) == answer
        assert keyboards.holder("sky") == holder
        assert keyboards.holder("nova") is None


def test_what_is_left_untouched_goes_back() -> None:
    keyboards = Keyboards()
    assert keyboards.deadline() is None
    keyboards.take("sky", "desk", 10.0)
    keyboards.take("nova", "phone", 20.0)
    keyboards.touch("sky", "desk", 30.0)
    assert keyboards.deadline() == 20.0 + IDLE_SECONDS
    assert keyboards.forgotten(20.0 + IDLE_SECONDS - 0.1) == []
    assert keyboards.forgotten(20.0 + IDLE_SECONDS) == [("nova", "phone")]
    assert keyboards.forgotten(20.0 + IDLE_SECONDS) == []
    assert keyboards.holder("sky") == "desk"
    assert keyboards.forgotten(30.0 + IDLE_SECONDS) == [("sky", "desk")]
