"""What agents are taught is true: the commands are understood, the exit codes mean what they say, and nothing asks for leave."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from clawmux.cli import client
from clawmux.wire.cli import VERBS, Help, parse
from clawmux.wire.errors import ERRORS

RUNTIMES = Path(__file__).parents[2] / "clawmux" / "adapters" / "runtimes"
TEXT = (RUNTIMES / "instructions.md").read_text(encoding="utf-8")
# For the user alone, or said by programs.
NOT_FOR_AGENTS = {"approve", "deny", "interrupt", "hook", "cancel-converse"}
# An agent that reads its own stderr needs no list for these: wrong words, wrong id, too long a text.
PLAIN = {"usage", "forbidden", "not_found", "conflict", "too_large"}


def commands() -> list[str]:
    """Every command in an indented line or in backquotes."""
    lines = re.findall(r"^    (clawmux .+?)(?: <<.*)?$", TEXT, re.MULTILINE)
    return lines + [words for words in re.findall(r"`(clawmux [^`]+)`", TEXT) if "..." not in words]


@pytest.mark.parametrize("line", commands())
def test_every_command_is_understood(line: str) -> None:
    words = shlex.split(line)[1:]
    texts = {"converse": ["Hi"]}.get(words[0], []) if words == words[:1] else []
    assert not isinstance(parse([*words, *texts]), Help)


def test_what_agents_need_is_taught() -> None:
    taught = {line.split()[1] for line in commands()} | {verb for verb in VERBS if f"`clawmux {verb} " in TEXT}
    assert taught == set(VERBS) - NOT_FOR_AGENTS - {"messages", "trace", "cancel"}
    assert len(TEXT.split()) < 750, "it stands in front of everything that an agent thinks about"


def test_every_exit_code_that_asks_for_something_is_explained() -> None:
    explained = {
        int(code) for code in re.findall(r"(?:^- |or |\. )(\d+)(?=:| or)", TEXT[TEXT.index("# Exit codes") :], re.MULTILINE)
    }
    of_help = set()
    for verb in (b"converse", b"send", b"reply", b"ack"):
        of_help |= {int(code) for code in re.findall(r"(?:[:·]|\n ) +(\d+)(?= [a-z])", client.help_text(verb).decode())}
    named = {row.exit_code: code for code, row in ERRORS.items()}
    assert explained <= set(named)
    assert {named[code] for code in of_help - {0, 130}} - {named[code] for code in explained} == PLAIN


def test_talking_is_never_a_question_of_permission() -> None:
    settings = tomllib.loads((RUNTIMES / "claude.toml").read_text(encoding="utf-8"))["files"]["claude/settings.json"]
    allowed = {f"Bash(clawmux {verb}:*)" for verb in set(VERBS) - NOT_FOR_AGENTS}
    assert set(settings["permissions"]["allow"]) == allowed
