"""Screens recorded of the real Codex 0.169: what the manifest's rules say of them, and whether they may be typed into."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawmux.adapters.runtimes.manifest import load_runtimes
from clawmux.adapters.runtimes.screens import read_sign
from clawmux.adapters.screen import Box, read_screen
from clawmux.wire.signs import Sign
from clawmux.wire.words import Activity, Kind, Source

FOLDER = Path(__file__).parent.parent / "data" / "screens" / "codex"
CODEX = load_runtimes(Path("none"))["codex"]

Said = tuple[Activity, Kind, str]
IDLE: Said = (Activity.IDLE, Kind.NONE, "")
INTERRUPTED: Said = (Activity.IDLE, Kind.INTERRUPTED, "")
THINKING: Said = (Activity.THINKING, Kind.NONE, "")
MENU: Said = (Activity.NEEDS_YOU, Kind.QUESTION, "A menu or question is open at its terminal.")


def fails(text: str) -> Said:
    return Activity.IDLE, Kind.API_ERROR, text


def asks(kind: Kind, text: str) -> Said:
    return Activity.NEEDS_YOU, kind, text


LONG = (
    'for name in one two three four five six seven eight nine ten; do echo "$name of the very long command that does not fit a '
    'line of this terminal"; done; echo done'
)
PATCH = "Would you like to make the following edits? Description: Apply proposed file edits Destination: /opt/new.txt"
STATUS = "unexpected status {}, url: http://127.0.0.1:1234/v1/responses"
EXPECTED: dict[str, Said] = {
    "activity": THINKING,
    "backtrack": MENU,
    "compacted": IDLE,
    "compacting": (Activity.THINKING, Kind.COMPACTION, ""),
    "error-400": fails('{"error": {"message": "Bad thing", "type": "bad", "code": "bad", "param": null}}'),
    "error-401": asks(Kind.LOGIN, STATUS.format("401 Unauthorized: Bad key")),
    "error-403": asks(Kind.LOGIN, STATUS.format("403 Forbidden: No access")),
    "error-429": asks(Kind.RATE_LIMIT, "exceeded retry limit, last status: 429 Too Many Requests"),
    "error-500": fails("We’re currently experiencing high demand, which may cause temporary errors."),
    "error-context": fails(
        "Codex ran out of room in the model's context window. Start a new thread or clear earlier history before retrying."
    ),
    "error-cut": fails("stream disconnected before completion: Transport error: network error: error decoding response body"),
    "error-usage": asks(Kind.RATE_LIMIT, "You’ve hit your usage limit. Try again later."),
    "hooks-review": MENU,
    "idle-after-compaction": IDLE,
    "idle-after-output": IDLE,
    "idle-after-tool": IDLE,
    "idle-after-turn": IDLE,
    "idle-after-yield": IDLE,
    "idle-at-menu": IDLE,
    "idle-draft": IDLE,
    "idle-end": IDLE,
    "idle-fresh": IDLE,
    "idle-help": IDLE,
    "idle-hooked": IDLE,
    "idle-manual": IDLE,
    "idle-plan": IDLE,
    "idle-shell-mode": IDLE,
    "idle-slash-menu": IDLE,
    "idle-small": IDLE,
    "idle-small-after-tool": IDLE,
    "idle-status": IDLE,
    "idle-thought-draft": IDLE,
    "idle-words-in-talk": IDLE,
    "interrupted-thinking": INTERRUPTED,
    "interrupted-tool": INTERRUPTED,
    "login": asks(Kind.LOGIN, "Sign in at its terminal."),
    "menu-model": MENU,
    "menu-permissions": MENU,
    "permission-allowed": IDLE,
    "permission-command": asks(Kind.PERMISSION, "touch outside"),
    "permission-hook": asks(Kind.PERMISSION, "It asks for leave to run something."),
    "permission-hook-escaped": INTERRUPTED,
    "permission-lines": asks(Kind.PERMISSION, "cat <<EOF > x one two EOF cat x"),
    "permission-long": asks(Kind.PERMISSION, LONG),
    "permission-patch": asks(Kind.PERMISSION, PATCH),
    "permission-refused": INTERRUPTED,
    "permission-refused-small": INTERRUPTED,
    "permission-small": asks(Kind.PERMISSION, "touch outside"),
    "resume-picker": MENU,
    "thinking": THINKING,
    "thinking-draft": THINKING,
    "thinking-longer": THINKING,
    "thinking-small": THINKING,
    # A command runs, which Codex draws as it draws its thinking; its hooks tell.
    "tool-after-yield": THINKING,
    "tool-draft": THINKING,
    "tool-output": THINKING,
    "tool-queued": THINKING,
    "tool-running": THINKING,
    "tool-sleep": THINKING,
    # It has left a command running, and rests.
    "tool-yielded": IDLE,
    "transcript": IDLE,
    "transcript-find": MENU,
    "warnings": MENU,
}


def test_every_recorded_screen_has_its_row() -> None:
    assert {file.stem for file in FOLDER.glob("*.txt")} == set(EXPECTED)
    assert len(EXPECTED) >= 40


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_screen_says(name: str) -> None:
    assert read_sign(CODEX.screens, (FOLDER / f"{name}.txt").read_text()) == Sign(Source.SCREEN, *EXPECTED[name])


@pytest.mark.parametrize("name", EXPECTED)
def test_only_an_open_box_is_typed_into(name: str) -> None:
    """While its hook waits the box stands there, and takes what is said for after the question."""
    assert CODEX.input is not None
    screen = read_screen((FOLDER / f"{name}.txt").read_text(), CODEX.input)
    has_box = EXPECTED[name][0] is not Activity.NEEDS_YOU or name.startswith("error-") or name == "permission-hook"
    expected = Box.NONE if name == "idle-shell-mode" else Box.OPEN if has_box else Box.DIALOG
    assert screen.box is expected, screen
    drafts = {"idle-draft": "half a thought", "tool-draft": "half a thought", "thinking-draft": "next thought"}
    drafts |= {"idle-thought-draft": "next thought", "idle-at-menu": "@", "idle-slash-menu": "/"}
    assert screen.draft == (drafts.get(name, "") if expected is Box.OPEN else "")
