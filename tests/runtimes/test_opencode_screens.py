"""Screens recorded of the real OpenCode 1.18, and what the manifest's rules say of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawmux.adapters.runtimes.manifest import load_runtimes
from clawmux.adapters.runtimes.screens import read_sign
from clawmux.wire.signs import Sign
from clawmux.wire.words import Activity, Kind, Source

FOLDER = Path(__file__).parent.parent / "data" / "screens" / "opencode"
RULES = load_runtimes(Path("none"))["opencode"].screens

Said = tuple[Activity, Kind, str]
IDLE: Said = (Activity.IDLE, Kind.NONE, "")
INTERRUPTED: Said = (Activity.IDLE, Kind.INTERRUPTED, "")
THINKING: Said = (Activity.THINKING, Kind.NONE, "")
BASH: Said = (Activity.TOOL, Kind.NONE, "bash")


def asks(text: str) -> Said:
    return Activity.NEEDS_YOU, Kind.PERMISSION, text


def tries(text: str, kind: Kind = Kind.API_ERROR) -> Said:
    return Activity.THINKING, kind, text


LONG = (
    'for name in one two three four five six seven eight nine ten; do echo "$name of the very long command that does not fit a '
)
CUT = "Cannot connect to API: The socket connection was closed unexpectedly. For more i… (click to expand)"
# A name that begins with idle- or menu- rests; other rows say what else.
EXPECTED: dict[str, Said | None] = {
    "compacted": IDLE,
    "compacting": (Activity.THINKING, Kind.COMPACTION, ""),
    # It draws an error as it draws what its user says; its events tell.
    "error-400": IDLE,
    "error-401": IDLE,
    "error-403": IDLE,
    "interrupted-thinking": INTERRUPTED,
    "interrupted-tool": INTERRUPTED,
    "permission-allowed": IDLE,
    "permission-always-chosen": asks("touch outside"),
    "permission-always-confirm": asks("Always allow"),
    "permission-back": asks("touch outside"),
    "permission-bash": asks("touch outside"),
    "permission-escaped": IDLE,
    "permission-external": asks("Access external directory /etc"),
    "permission-fullscreen": asks(LONG + 'line of this terminal"; done'),
    "permission-lines": asks("cat <<EOF > x"),
    "permission-long": asks(LONG + 'line of this terminal";'),
    "permission-refused": IDLE,
    "permission-reject-text": IDLE,
    "permission-rejected": IDLE,
    "permission-second": asks("cat /etc/hostname"),
    "permission-small": asks("touch outside"),
    "retry-429": tries("Rate limit reached", Kind.RATE_LIMIT),
    "retry-500": tries("broken"),
    "retry-529": tries("Provider is overloaded", Kind.RATE_LIMIT),
    "retry-cut": tries(CUT),
    # Nothing is drawn yet.
    "starting": None,
    "thinking": THINKING,
    "thinking-draft": THINKING,
    "thinking-escaped-once": THINKING,
    "thinking-later": THINKING,
    "thinking-small": THINKING,
    "tool-output": BASH,
    "tool-queued": BASH,
    "tool-running": BASH,
    "tool-sleep": BASH,
    # Without output there is no turning wheel.
    "tool-small": THINKING,
}
NAMES = sorted(file.stem for file in FOLDER.glob("*.txt"))


def test_every_row_has_its_recorded_screen() -> None:
    assert set(EXPECTED) <= set(NAMES) and len(NAMES) >= 40
    assert all(name.startswith(("idle-", "menu-")) for name in set(NAMES) - set(EXPECTED))


@pytest.mark.parametrize("name", NAMES)
def test_what_a_screen_says(name: str) -> None:
    expected = EXPECTED.get(name, IDLE)
    sign = read_sign(RULES, (FOLDER / f"{name}.txt").read_text())
    assert sign == (Sign(Source.SCREEN, *expected) if expected else None)
