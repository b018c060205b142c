"""``clawmux doctor`` as people and scripts run it: exit codes, the envelope, progress, and that it changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clawmux import hardware
from clawmux.doctor.examination import CHECKS
from clawmux.finding import Verdict
from clawmux.paths import Paths, locate, make_private
from tests.doctor.conftest import ROOT, AddProgram

ENGINES = {"ctranslate2", "faster_whisper", "kokoro_onnx", "onnxruntime", "numpy", "av"}

CLOSED = "http://127.0.0.1:1"


def doctor(*arguments: str, seconds: float = 120.0, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *python, "-m", "clawmux", "doctor", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def result_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    told = json.loads(done.stdout)
    assert set(told) == {"clawmux", "command", "result"} and (told["clawmux"], told["command"]) == (1, "doctor")
    found: dict[str, Any] = told["result"]
    return found


@pytest.fixture
def well(home: Path, program: AddProgram, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A home in which everything is in order: an agent program, our folders, speech on other servers of which one answers."""
    program("claude", 'echo "2.1.0 (Claude Code)"')
    paths = locate({"HOME": str(home)})
    for folder in (paths.config, paths.data, paths.state, paths.run):
        make_private(folder)
    paths.token_file.write_text("t" * 43)
    paths.token_file.chmod(0o600)
    paths.config_file.write_text("[hub]\nport = 0\n")
    # The models of whoever runs this do not belong to the picture.
    monkeypatch.setenv("CLAWMUX_MODELS", str(home / "models"))
    return paths


def break_token(paths: Paths) -> None:
    paths.token_file.chmod(0o644)


def test_the_envelope_holds_machine_advice_and_findings(well: Paths) -> None:
    done = doctor("--json")
    found = result_of(done)
    assert set(found) == {"hardware", "recommendation", "findings"}
    assert hardware.to_json(hardware.from_json(found["hardware"])) == found["hardware"]
    assert found["recommendation"]["mode"] in ("thin", "split", "local") and found["recommendation"]["reasons"]
    assert {frozenset(row) for row in found["findings"]} == {frozenset({"group", "verdict", "what", "detail", "remedy"})}
    verdicts = {row["verdict"] for row in found["findings"]}
    assert verdicts <= set(Verdict)
    assert done.returncode == (2 if "fail" in verdicts else 1 if "warn" in verdicts else 0)


def test_every_group_has_its_findings(well: Paths) -> None:
    groups = [row["group"] for row in result_of(doctor("--json"))["findings"]]
    assert set(groups) == {check.group for check in CHECKS}


def test_what_is_broken_is_exit_code_2_and_says_what_to_do(well: Paths) -> None:
    break_token(well)
    done = doctor()
    assert done.returncode == 2
    assert f"FAILED   private files: {well.token_file} has mode 644" in done.stdout
    assert f"           Run: chmod 600 {well.token_file}\n" in done.stdout


def test_a_broken_config_is_a_finding_and_no_end(well: Paths) -> None:
    well.config_file.write_text("[hub\n")
    done = doctor()
    assert done.returncode == 2
    assert "FAILED   settings: " in done.stdout and "ok       Python: " in done.stdout


def test_a_pipe_gets_plain_text(well: Paths) -> None:
    done = doctor()
    assert "\x1b" not in done.stdout and done.stdout.startswith("ClawMux ")
    assert "Not tried: typing, speech round trip." in done.stdout


def test_a_terminal_gets_colours(well: Paths) -> None:
    manager, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "clawmux", "doctor"],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
    )
    os.close(terminal)
    shown = b""
    while piece := read(manager):
        shown += piece
    process.wait(60)
    assert b"\x1b[" in shown and "╭─".encode() in shown and b"Claude Code" in shown


def read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so when the other end of a terminal is closed
        return b""


def test_slow_checks_are_told_on_stderr_only(well: Paths, program: AddProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    program("tmux", "sleep 1.5; echo tmux 3.4")
    done = doctor("--json")
    assert "Still looking at: " in done.stderr and "tmux" in done.stderr
    assert result_of(done)["hardware"]


def test_no_engine_is_loaded_and_no_framework_for_a_pipe(well: Paths) -> None:
    done = doctor("--json", python=("-X", "importtime"))
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "clawmux.doctor.examination" in loaded
    assert not loaded & (ENGINES | {"rich", "aiohttp", "psutil", "pynvml"})


def listing(folder: Path) -> dict[str, tuple[object, ...]]:
    """Every name with its kind, mode, time of change, and a hash of what it holds."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (facts.st_mode, facts.st_mtime_ns, content)
    return found


@pytest.mark.parametrize("state", ["well", "broken", "empty"])
def test_it_changes_nothing(home: Path, well: Paths, state: str) -> None:
    """With --deep, a stale socket, a broken model and a wrong mode: all stay as they are."""
    if state == "empty":
        for path in (well.token_file, well.config_file):
            path.unlink()
    if state == "broken":
        break_token(well)
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(well.hub_socket))
        model = home / "models" / "ready" / "voices" / "voices-v1.0.bin"
        model.parent.mkdir(parents=True)
        with model.open("wb") as out:
            out.truncate(28_214_398)
    before = listing(home)
    done = doctor("--deep", "--json")
    assert listing(home) == before
    typing = next(row for row in result_of(done)["findings"] if row["what"] == "typing")
    assert typing["verdict"] == "ok"
    assert ("SHA-256 is wrong" in done.stdout) == (state == "broken")


def test_an_interruption_leaves_nothing(home: Path, well: Paths, program: AddProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a speech service is being waited for that never comes."""
    well.config_file.write_text(f"[speech]\nwhisper_url = '{CLOSED}'\nkokoro_url = '{CLOSED}'\n[hub]\nport = 0\n")
    (home / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(home / "tmp"))
    monkeypatch.setenv("CLAWMUX_LAUNCHER", str(program("launcher", f"echo $$ > {home}/pid; exec sleep 60")))
    argv = [sys.executable, "-m", "clawmux", "doctor", "--deep"]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "speech round trip" not in process.stderr.readline():
        assert process.poll() is None
    assert list((home / "tmp").iterdir())
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    process.stderr.close()
    assert list((home / "tmp").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((home / "pid").read_text()), 0)


def test_help_names_the_exit_codes() -> None:
    shown = " ".join(doctor("--help").stdout.split())
    assert "0: all is well; 1: there are warnings; 2: something is broken" in shown and "clawmux doctor --deep" in shown
