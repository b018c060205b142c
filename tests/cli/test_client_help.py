"""What the agents' client says of itself, which needs no hub."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clawmux.cli import client
from clawmux.wire.cli import TEXT_LIMIT_BYTES, VERBS, Verb
from clawmux.wire.errors import ERRORS
from tests.cli.client_process import say
from tests.stand_ins.cli_hub import CliHub, answered


@pytest.mark.parametrize("words", [["--help"], [], ["help"], *([name, "--help"] for name in VERBS), ["send", "x", "-h"]])
def test_help_needs_no_hub(socket_file: Path, words: list[str]) -> None:
    done = say(socket_file, words)
    verb = words[0] if words and words[0] in VERBS else ""
    assert (done.returncode, done.stdout, done.stderr) == (0, client.help_text(verb.encode()), b"")
    assert done.stdout.startswith(f"usage: clawmux {verb or 'VERB'}".encode())


def test_help_lists_every_verb() -> None:
    listed = re.findall(r"^  ([a-z-]+(?:, [a-z-]+)*)", client.help_text(b"").decode(), re.MULTILINE)
    assert sorted(name for line in listed for name in line.split(", ")) == sorted(VERBS)


@pytest.mark.parametrize(("name", "verb"), VERBS.items())
def test_help_tells_every_argument_option_and_code(name: str, verb: Verb) -> None:
    text = client.help_text(name.encode()).decode()
    usage, _, explained = text.partition("\n\n")
    assert all(takes in usage or takes.strip("[]") in usage for takes in verb.takes if takes != "JSON")
    for option, row in verb.options.items():
        line = f"{option} {row.value.partition('[')[0]}".strip()
        assert line in usage and f"  {line}" in explained
    assert set(re.findall(r"--[a-z-]+", usage)) == set(verb.options)
    codes = [int(code) for code in re.findall(r"(?:[:·]|\n ) +(\d+)(?= [a-z]|\n|$)", text[text.index("exit codes:") :])]
    known = {0, 130, *(row.exit_code for row in ERRORS.values())}
    assert codes == sorted(set(codes)) and set(codes) <= known
    if name != "hook":
        assert {0, ERRORS["usage"].exit_code, ERRORS["hub_not_running"].exit_code} <= set(codes)
    takes_text = any("TEXT" in takes for takes in verb.takes)
    assert (name.encode() in client.WITH_TEXT) == takes_text == ("stdin" in text and name != "hook")


def test_help_tells_what_converse_and_send_can_end_with() -> None:
    ends = {
        "converse": "no_page nothing_heard muted cancelled speech_down still_listening not_found too_large",
        "send": "cancelled too_large too_many timeout unknown_recipient message_failed undeliverable",
    }
    for name, codes in ends.items():
        text = client.help_text(name.encode()).decode()
        assert [code for code in codes.split() if not re.search(rf"\b{ERRORS[code].exit_code} ", text)] == []
        assert str(TEXT_LIMIT_BYTES) in text


def test_help_after_two_dashes_is_text(socket_file: Path) -> None:
    with CliHub(socket_file, lambda request: answered()) as hub:
        say(socket_file, ["converse", "--", "--help"])
        assert hub.next().words == [b"converse", b"--", b"--help"]
