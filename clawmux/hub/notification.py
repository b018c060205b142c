"""What a notification says, and how long and how urgently it is worth sending. Pure."""

from __future__ import annotations

from typing import Any

from clawmux.core.attention import Attention
from clawmux.wire.text import cut, in_one_line, undisguised
from clawmux.wire.words import Need

TEST_KIND = "test"
# Longer than a notification shows anywhere, and with all else well below what a push message holds.
WORDS_CHARACTERS = 300
NAME_CHARACTERS = 60

_TITLES = {
    Need.QUESTION.value: "{name} asks",
    Need.PERMISSION.value: "{name} needs your permission",
    Need.DONE.value: "{name} is done",
    Need.ERROR.value: "{name} cannot go on",
    TEST_KIND: "ClawMux can reach you here",
}
_BODIES = {
    Need.QUESTION.value: "It waits for your answer.",
    Need.PERMISSION.value: "It waits until you allow or deny it.",
    Need.DONE.value: "It rests now.",
    Need.ERROR.value: "It waits for you.",
    TEST_KIND: "This is what it looks like when an agent needs you.",
}
# For so long the push service keeps it for a device that is off: a question may wait for hours, a test is of now.
TTL_SECONDS = {
    Need.QUESTION.value: 4 * 3600,
    Need.PERMISSION.value: 4 * 3600,
    Need.DONE.value: 3600,
    Need.ERROR.value: 4 * 3600,
    TEST_KIND: 60,
}
# "high" wakes a phone up (RFC 8030 5.3): only where somebody is waited for.
URGENCY = {
    Need.QUESTION.value: "high",
    Need.PERMISSION.value: "high",
    Need.DONE.value: "normal",
    Need.ERROR.value: "normal",
    TEST_KIND: "high",
}


def view(attention: Attention, name: str, kind: str = "") -> dict[str, Any]:
    """As devices show it. ``words`` are the agent's own, for those that may show them in place of ``body``."""
    kind = kind or attention.kind.value
    name = cut(undisguised(in_one_line(name)), NAME_CHARACTERS)
    return {
        "id": attention.id,
        "session_id": attention.session_id,
        "kind": kind,
        "agent": name,
        "title": _TITLES[kind].format(name=name[:1].upper() + name[1:]),
        "body": _BODIES[kind],
        "words": cut(undisguised(in_one_line(attention.text)), WORDS_CHARACTERS),
    }
