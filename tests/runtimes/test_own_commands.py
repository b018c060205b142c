"""Which shell commands are an agent's own and need no leave: whatever a shell would make more of is none of them."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawmux.adapters import runtimes
from clawmux.adapters.runtimes.own_commands import VERBS, asks_for_own, is_own


@pytest.mark.parametrize(
    "command",
    [
        "clawmux status",
        "  clawmux  ack msg-7h2k9m4p0qwx\tmsg-7h2k9m4p0qwy \n",
        "clawmux send --to adam,sky --wait-response 'Which port?'",
        'clawmux reply msg-1 "It\'s 8080; costs \\$5, see \\`ls\\` & \\"more\\" | (all)"',
        "clawmux converse 'two\nlines; rm -rf /'",
        "clawmux converse 'It'\"'\"'s done.'",
        "clawmux send --to=adam --wait-ack --timeout=30 'Ready?'",
        "clawmux converse --resume 0f3a -- '$(id) `id`'",
    ],
)
def test_what_is_an_own_command(command: str) -> None:
    assert is_own(command)


@pytest.mark.parametrize(
    "command",
    [
        "",
        "clawmux",
        "clawmux stop",
        "clawmux approve adam",
        "clawmux hook",
        "clawmux statusx",
        "./clawmux status",
        "clawmux status; id",
        "clawmux status\nid",
        "clawmux status & id",
        "clawmux status && id",
        "clawmux status || id",
        "clawmux status | sh",
        "clawmux status > ~/.bashrc",
        "clawmux send --to adam - < /etc/passwd",
        "clawmux send --to adam - <<< x",
        "clawmux send --to adam $(id)",
        'clawmux send --to adam "$(id)"',
        'clawmux send --to adam "`id`"',
        'clawmux send --to adam "$HOME"',
        "clawmux send --to adam `id`",
        "clawmux send --to adam <(id)",
        "clawmux send --to adam *",
        "clawmux send --to adam {a,b}",
        "clawmux send --to adam ~root",
        "clawmux send --to adam x # y",
        "clawmux send --to adam 'a\\' 'b; id'",
        "clawmux send --to adam 'open",
        'clawmux send --to adam "open',
        "clawmux send --to adam a\\ b",
        "clawmux send --to adam =ls",
        "PATH=. clawmux status",
        "env clawmux status",
        "sudo clawmux status",
        "bash -c 'clawmux status'",
        "clawmux status \r id",
        "clawmux status \u2028 id",
        "clawmux\u00a0status",
        "clаwmux status",
    ],
)
def test_what_is_not(command: str) -> None:
    assert not is_own(command)


@pytest.mark.parametrize("piece", ["a", "'", "''", '"', '""', '\\"', " ", "a ", "a'b'", "\t", "\n", "="])
def test_a_long_text_is_judged_at_once(piece: str) -> None:
    """In the hub's one thread, which all agents share."""
    for begin in ("", "'", '"'):
        command = f"clawmux send {begin}{piece * 60_000};"
        started = time.process_time()
        assert not is_own(command)
        assert time.process_time() - started < 1


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), max_size=4))
def test_whatever_is_quoted_is_a_word(words: list[str]) -> None:
    """A word with a backslash is one that some shells read in another way."""
    assert is_own(f"clawmux converse {shlex.join(words)}") is not any("\\" in word for word in words)


@given(st.text(st.sampled_from("ab '\"\\$`;&|<>(){}*?~#!=\n\t-"), max_size=14))
def test_a_shell_runs_nothing_else_by_it(text: str) -> None:
    command = f"clawmux status {text}"
    if is_own(command):
        # Every word arrives, and nothing is run besides: a shell that has no programs says nothing.
        script = f'PATH=/nonexistent; clawmux() {{ printf "%s\\0" "$@"; }}\n{command}\n'
        ran = subprocess.run(["/bin/sh", "-c", script], capture_output=True, timeout=10, check=False)
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert ran.stdout.decode().split("\0")[:-1] == ["status", *shlex.split(text)]


def test_they_are_those_that_claude_code_is_told() -> None:
    manifest = tomllib.loads((Path(runtimes.__file__).parent / "claude.toml").read_text())
    allowed = manifest["files"]["claude/settings.json"]["permissions"]["allow"]
    assert allowed == [f"Bash(clawmux {verb}:*)" for verb in VERBS]


def body(event: str = "PermissionRequest", tool: object = "Bash", command: object = "clawmux status") -> str:
    return json.dumps({"hook_event_name": event, "tool_name": tool, "tool_input": {"command": command}})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (body(), True),
        (body()[:-1], False),
        (body("PreToolUse"), False),
        (body(tool="Write"), False),
        (body(tool=["Bash"]), False),
        (body(command=["clawmux", "status"]), False),
        (body(command="id"), False),
        ('{"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": "clawmux status"}', False),
        ("[]", False),
        ("", False),
        ("[" * 99999, False),
    ],
)
def test_which_hooks_ask_for_one(said: str, expected: bool) -> None:
    assert asks_for_own(said) is expected
