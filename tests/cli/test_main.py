"""The command table, its help, and what every command's output and exit code have in common."""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clawmux import __version__
from clawmux.cli.main import AGENT_VERBS, COMMANDS, main
from clawmux.cli.render import Result, Table, as_text, run
from clawmux.wire.cli import VERBS
from clawmux.wire.errors import ERRORS, ClawMuxError

ROOT = Path(__file__).parent.parent.parent
# These parse their own arguments; the others go through clawmux.cli.arguments.
OWNERS = [name for name, command in COMMANDS.items() if not command.module.endswith(("agent_verbs", "speech.server"))]


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, command in COMMANDS.items():
        assert any(line.split()[:1] == [name] and line.endswith(command.help) for line in lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_function(name: str) -> None:
    """Read from the source: importing the speech service here would load its engines."""
    spec = importlib.util.find_spec(COMMANDS[name].module)
    assert spec
    assert spec.origin
    tree = ast.parse(Path(spec.origin).read_text())
    assert COMMANDS[name].function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_verb_of_agents_is_a_command() -> None:
    assert [name for name in VERBS if name not in COMMANDS] == []


@pytest.mark.parametrize("script", ["launcher.sh", "prelude.sh"])
def test_the_launchers_hand_agents_verbs_to_the_fast_client(script: str) -> None:
    """All but those that the owner wants as a table."""
    text = (ROOT / "build" / script).read_text(encoding="utf-8")
    [verbs] = re.findall(r"^ +(converse \| [a-z| -]+)\)$", text, re.MULTILINE)
    fast = [name for name, command in COMMANDS.items() if command.module == AGENT_VERBS]
    assert sorted(verbs.split(" | ")) == sorted(fast)
    assert sorted(VERBS) == sorted([*fast, "status", "messages", "trace"])


@pytest.mark.parametrize("name", OWNERS)
def test_every_command_has_help_that_names_its_arguments(name: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert left.value.code == 0
    assert shown.startswith(f"usage: clawmux {name}")
    for word in COMMANDS[name].arguments.replace("|", " ").replace("[", " ").replace("]", " ").split():
        assert word in shown


@pytest.mark.parametrize("name", OWNERS)
def test_every_command_refuses_an_unknown_option(name: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--sing"]) == ERRORS["usage"].exit_code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"clawmux {name} --help" in shown.err


def test_no_words_is_a_question_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "usage: clawmux COMMAND" in shown.err


@pytest.mark.parametrize(("word", "hint"), [("sttaus", "Did you mean `clawmux status`?"), ("xyzzy", "See `clawmux --help`")])
def test_unknown_command(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"no command {word!r}" in shown.err
    assert hint in shown.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"clawmux {__version__}\n"


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["converse", "--help"]])
def test_start_up_imports_no_command_it_does_not_run(words: list[str]) -> None:
    source = (
        "import sys; sys.path.insert(0, sys.argv[1]); del sys.argv[1]\n"
        "from clawmux.cli.main import main\n"
        "code = main(); sys.stderr.write(' '.join(sys.modules)); sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", source, str(ROOT), *words], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert "clawmux.cli.main" in loaded
    assert not loaded & {
        "asyncio",
        "aiohttp",
        "rich",
        "numpy",
        "argparse",
        "json",
        "socket",
        "http.client",
        "difflib",
        "subprocess",
    }


def test_command_runs_as_a_module(home: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "clawmux", "status"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == ERRORS["hub_not_running"].exit_code
    assert "start it with `clawmux start`" in done.stderr


# --- render ---


def outcome(result: Result | int | BaseException) -> int:
    def command(argv: list[str]) -> Result | int:
        if isinstance(result, BaseException):
            raise result
        return result

    return run("spawn", command, OUTCOME_ARGV)


OUTCOME_ARGV: list[str] = []
WRONG = ClawMuxError("not_found", "there is no agent 'x'.", "See `clawmux status`.")


def test_text_is_on_stdout_and_remarks_are_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(("NAME", "STATE"), (("sky", "ready"), ("bm_fable", "")))
    assert outcome(Result({"id": 1}, text="one", table=table, note="two")) == 0
    shown = capsys.readouterr()
    assert shown.out == "one\nNAME      STATE\nsky       ready\nbm_fable\n"
    assert shown.err == "two\n"


def test_error_is_on_stderr_with_its_remedy_and_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(WRONG) == ERRORS["not_found"].exit_code
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "clawmux: there is no agent 'x'.\nSee `clawmux status`.\n")


@pytest.mark.parametrize(
    ("result", "code", "body"),
    [
        (Result({"id": "ü"}, text="unseen"), 0, {"result": {"id": "ü"}}),
        (WRONG, 12, {"error": {"code": "not_found", "text": WRONG.text, "remedy": WRONG.remedy}}),
        (
            Result(None, error=WRONG),
            12,
            {"result": None, "error": {"code": "not_found", "text": WRONG.text, "remedy": WRONG.remedy}},
        ),
    ],
)
def test_json_is_one_versioned_object(
    result: Result | ClawMuxError, code: int, body: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.OUTCOME_ARGV", ["--json"])
    assert outcome(result) == code
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.count("\n") == 1
    assert json.loads(shown.out) == {"clawmux": 1, "command": "spawn", **body}  # type: ignore[dict-item]


def test_nothing_that_a_terminal_obeys_is_printed_of_what_others_said(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "a\x1b]0;owned\x07b\x1b[2J\x9bc"
    error = ClawMuxError("download_failed", evil, evil)
    assert run("x", lambda _: Result({}, table=Table(("HEAD",), ((evil,),)), note=f"{evil}\n{evil}", error=error), []) == 22
    assert capsys.readouterr() == ("HEAD\nabc\n", "abc\nabc\nclawmux: abc\nabc\n")


def test_a_name_that_is_no_utf8_is_shown_all_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    name = os.fsdecode(b"caf\xe9")
    assert run("x", lambda _: Result({"name": name}, text=name, note=name), []) == 0
    assert capfd.readouterr() == ("caf\\udce9\n", "caf\ufffd\n")
    assert run("x", lambda _: Result({"name": name}), ["--json"]) == 0
    assert json.loads(capfd.readouterr().out)["result"] == {"name": name}


def test_an_exit_code_is_passed_on_and_interrupt_is_130() -> None:
    assert outcome(9) == 9
    assert outcome(KeyboardInterrupt()) == 130


def test_reader_that_has_gone_is_no_traceback(home: Path) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    argv = [sys.executable, "-m", "clawmux", "settings", "list"]
    done = subprocess.run(argv, cwd=ROOT, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")


def test_table_on_a_terminal_keeps_square_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    """rich reads [red] as a colour unless told otherwise; a folder may be called so."""
    monkeypatch.setattr("sys.stdout", sys.__stdout__)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    assert "[red]" in as_text(Table(("FOLDER",), (("/tmp/[red]",),)))


def test_a_narrow_table_cuts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that ends in dots cannot be typed after it."""
    monkeypatch.setattr("sys.stdout", sys.__stdout__)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    row = ("agents.skip_permissions", "https://speech.example/" + "x" * 30, "in a sentence that is too long for the line")
    text = as_text(Table(("NAME", "VALUE", "WHAT IT DOES"), (row,)))
    assert "\u2026" not in text and row[0] in text and text.count("x") == row[1].count("x")


def test_the_bar_of_a_download_has_room_for_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    from clawmux.adapters.models import Progress
    from clawmux.cli import models

    written = io.StringIO()
    monkeypatch.setattr(written, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", written)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with models.shown() as report:
        report(Progress("fetching", "kokoro-int8/kokoro-v1.0.int8.onnx", 103_200_000, 198_700_000))
    assert "fetching kokoro-int8 " in written.getvalue() and "103.2/198.7 MB" in written.getvalue()
