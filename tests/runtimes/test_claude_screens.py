"""Screens recorded of the real Claude Code, its newest version and an older one, and what the manifest's rules say of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawmux.adapters.runtimes.manifest import load_runtimes
from clawmux.adapters.runtimes.screens import read_sign
from clawmux.wire.signs import Sign
from clawmux.wire.words import Activity, Kind, Source

FOLDER = Path(__file__).parent.parent / "data" / "screens" / "claude"
RULES = load_runtimes(Path("none"))["claude"].screens

IDLE = (Activity.IDLE, Kind.NONE, "")
INTERRUPTED = (Activity.IDLE, Kind.INTERRUPTED, "")
THINKING = (Activity.THINKING, Kind.NONE, "")
BASH = (Activity.TOOL, Kind.NONE, "Bash")
MENU = (Activity.NEEDS_YOU, Kind.QUESTION, "A menu is open at its terminal.")


def fails(text: str) -> tuple[Activity, Kind, str]:
    return Activity.IDLE, Kind.API_ERROR, text


def retries(text: str, kind: Kind = Kind.API_ERROR) -> tuple[Activity, Kind, str]:
    return Activity.THINKING, kind, text


def asks(kind: Kind, text: str) -> tuple[Activity, Kind, str]:
    return Activity.NEEDS_YOU, kind, text


# The file's name without its version -> what both versions' screens say; or with it, where they differ.
EXPECTED: dict[str, tuple[Activity, Kind, str] | None] = {
    "api-key": MENU,
    "auto-mode-unchecked-2.1.330": asks(Kind.QUESTION, "Auto mode can't check actions in this session"),
    "background-done": IDLE,
    "background-shell": IDLE,
    "bypass-warning": MENU,
    "compacted": IDLE,
    "compacting": (Activity.THINKING, Kind.COMPACTION, ""),
    "error-400": fails("API Error: 400 Bad thing"),
    "error-401": asks(Kind.LOGIN, "Please run /login · API Error: 401 nobody"),
    "error-401-retrying-2.1.330": retries("401 nobody"),
    "error-401-retrying-2.1.197": retries("API error"),
    "error-429": asks(Kind.RATE_LIMIT, "API Error: Request rejected (429) · You are limited"),
    "error-429-retrying-2.1.330": retries("429 Limited", Kind.RATE_LIMIT),
    "error-429-retrying-2.1.197": retries("API error"),
    "error-500": fails(
        "API Error: 500 broken. This is a server-side issue, usually temporary — try again in a moment. If it persists, check "
        "your inference gateway (127.0.0.1:1234)."
    ),
    "error-500-retrying-2.1.330": retries("500 Internal"),
    "error-500-retrying-2.1.197": retries("API error"),
    "error-529-retrying-2.1.330": retries("529 Overloaded"),
    "error-529-retrying-2.1.197": retries("API error"),
    "error-credit": asks(Kind.LOGIN, "Credit balance too low · Add funds: https://platform.claude.com/settings/billing"),
    "error-not-logged-in": asks(Kind.LOGIN, "Not logged in · Please run /login"),
    "idle-accept-edits-2.1.330": IDLE,
    "idle-accept-edits-2.1.197": INTERRUPTED,
    "idle-after-turn": IDLE,
    "idle-draft": IDLE,
    "idle-end": IDLE,
    "idle-fresh": IDLE,
    "idle-help": IDLE,
    "idle-manual": IDLE,
    "idle-not-logged-in": IDLE,
    "idle-plan-mode-2.1.330": IDLE,
    "idle-plan-mode-2.1.197": INTERRUPTED,
    "idle-shell-mode": IDLE,
    "idle-slash-menu": IDLE,
    "idle-words-in-talk": IDLE,
    # Nothing tells of it but the old prompt, which is in the box again.
    "interrupted-thinking": IDLE,
    "interrupted-tool": INTERRUPTED,
    "menu-config": MENU,
    "menu-model": MENU,
    "menu-permissions": MENU,
    "menu-resume": MENU,
    "menu-rewind": MENU,
    "narrow-idle": IDLE,
    "narrow-auto-mode-unchecked-2.1.330": asks(Kind.QUESTION, "Auto mode can't check actions in this session"),
    "narrow-permission-2.1.330": asks(Kind.PERMISSION, "touch here"),
    "narrow-permission-2.1.197": asks(Kind.PERMISSION, "touch here Run a command of the test"),
    "narrow-thinking": THINKING,
    "onboarding": MENU,
    "permission-auto-mode-2.1.330": asks(Kind.PERMISSION, "curl -s http://127.0.0.1:9/0 | sh"),
    "permission-bash-2.1.330": asks(Kind.PERMISSION, "touch here"),
    "permission-bash-2.1.197": asks(Kind.PERMISSION, "touch here Run a command of the test"),
    "permission-edit": asks(Kind.PERMISSION, "Do you want to make this edit to old.txt?"),
    "permission-webfetch": asks(
        Kind.PERMISSION, 'url: "http://127.0.0.1:1234/x", prompt: "what" Claude wants to fetch content from 127.0.0.1'
    ),
    "permission-write": asks(Kind.PERMISSION, "Do you want to create new.txt?"),
    "question": asks(Kind.QUESTION, "Which colour?"),
    "thinking": THINKING,
    "thinking-draft": THINKING,
    "thinking-queued": THINKING,
    "thinking-todos": THINKING,
    "tool-bash": BASH,
    "tool-bash-output": BASH,
    "tool-bash-queued": BASH,
    "tool-bash-streaming": BASH,
    # A view over the conversation, whatever goes on behind it.
    "transcript-view": None,
    "trust": asks(Kind.TRUST, "Do you trust the files in this folder?"),
}
NAMES = sorted(file.stem for file in FOLDER.glob("*.txt"))


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_screen_says_what_the_agent_does(name: str) -> None:
    expected = EXPECTED[name] if name in EXPECTED else EXPECTED[name.rpartition("-")[0]]
    sign = read_sign(RULES, (FOLDER / f"{name}.txt").read_text())
    assert sign == (Sign(Source.SCREEN, *expected) if expected else None)


def test_every_expectation_has_its_screen() -> None:
    assert len(NAMES) >= 80
    assert {name for name in EXPECTED if name not in NAMES} == {name.rpartition("-")[0] for name in NAMES if name not in EXPECTED}


@pytest.mark.parametrize("name", NAMES)
def test_talk_about_a_screen_is_no_screen(name: str) -> None:
    """What the agent says stands indented above its box; a whole screen of another state in there changes nothing."""
    quoted = "\n".join(f"  {line}"[:150] for line in (FOLDER / f"{name}.txt").read_text().split("\n"))
    box = (FOLDER / "idle-after-turn-2.1.330.txt").read_text().rstrip()
    above, _, below = box.rpartition("✻ Crunched")
    assert below
    sign = read_sign(RULES, f"{above}● It looked like this:\n\n{quoted}\n\n✻ Crunched{below}")
    assert sign == Sign(Source.SCREEN, *IDLE)
