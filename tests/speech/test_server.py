from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawmux.adapters.speech.client import SpeechClient
from clawmux.adapters.speech.server import main, read_arguments, read_token
from clawmux.wire.errors import ERRORS, ClawMuxError
from tests.waiting import until, until_answer

START_SECONDS = 60


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLAWMUX_HOME", str(tmp_path / "h"))
    monkeypatch.delenv("CLAWMUX_MODELS", raising=False)
    return tmp_path


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def start(processes: list[subprocess.Popen[bytes]], *arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "clawmux.adapters.speech.server", *arguments]
    return run(processes, command, stdin)


def run(processes: list[subprocess.Popen[bytes]], command: list[str], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    processes.append(subprocess.Popen(command, stdin=stdin, stderr=subprocess.PIPE))
    return processes[-1]


async def answers(path: Path) -> None:
    async with SpeechClient(path) as client:

        async def ask() -> bool:
            try:
                return bool(await client.health())
            except ClawMuxError:
                return False

        await until_answer(ask, START_SECONDS)


def token(folder: Path, text: str = "0123456789abcdef\n", mode: int = 0o600) -> Path:
    file = folder / "token"
    file.write_text(text)
    file.chmod(mode)
    return file


async def test_serves_a_private_socket_and_ends_at_sigterm(home: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    path = home / "run" / "s"
    process = start(processes, "--socket", str(path))
    await answers(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    second = start(processes, "--socket", str(path))
    _, errors = second.communicate(timeout=START_SECONDS)
    assert second.returncode == ERRORS["conflict"].exit_code
    assert b"serves on" in errors
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert not path.exists()


async def test_a_stale_socket_is_replaced(home: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    path = home / "run" / "s"
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    process = start(processes, "--socket", str(path))
    await answers(path)
    assert process.poll() is None and path.stat().st_mode & 0o777 == 0o600


async def test_ends_with_its_parent(home: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    parent = run(processes, [sys.executable, "-c", "import time; time.sleep(600)"])
    process = start(processes, "--socket", str(home / "run" / "s"), "--parent-pid", str(parent.pid))
    await answers(home / "run" / "s")
    parent.kill()
    parent.wait()
    await until(lambda: process.poll() is not None, 10)
    assert process.returncode == 0


async def test_ends_with_the_pipe_that_is_its_stdin(home: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    process = start(processes, "--socket", str(home / "run" / "s"), stdin=subprocess.PIPE)
    await answers(home / "run" / "s")
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    await until(lambda: process.poll() is not None, 10)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--port", "0"], "--port needs --token-file"),
        (["--socket", "x", "--port", "0"], "--socket and --port"),
        (["--token-file", "x"], "go with --port"),
        (["--quality", "best"], "--quality"),
        (["--port", "many"], "--port"),
        (["--nonsense"], "--nonsense"),
        (["--port", "0", "--token-file", "/nowhere/token"], "/nowhere/token"),
    ],
)
def test_wrong_arguments_are_named(home: Path, arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) in (ERRORS["usage"].exit_code, ERRORS["bad_file"].exit_code)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert text in captured.err


@pytest.mark.parametrize(
    ("text", "mode", "code"),
    [("short\n", 0o600, "bad_file"), ("", 0o600, "bad_file"), ("two words 0123456789", 0o600, "bad_file"),
     ("0123456789abcdef", 0o644, "unsafe_files"), ("0123456789abcdéf", 0o600, "bad_file")],
)  # fmt: skip
def test_weak_tokens_are_refused(tmp_path: Path, text: str, mode: int, code: str) -> None:
    with pytest.raises(ClawMuxError) as raised:
        read_token(token(tmp_path, text, mode))
    assert raised.value.code == code
    assert "0123456789" not in raised.value.text


def test_settings_and_environment_reach_the_engines(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHISPER_URL", "http://box:8000")
    monkeypatch.setenv("CLAWMUX_SPEECH_TOKEN_FILE", str(token(home)))
    options = read_arguments(
        ["--quality", "low", "--port", "0", "--token-file", str(home / "token"), "--parent-pid", str(os.getpid())]
    )
    assert (options.config.quality, options.config.whisper_url, options.config.kokoro_url) == ("low", "http://box:8000", "")
    assert (options.config.remote_token, options.token, options.parent_pid) == ("0123456789abcdef",) * 2 + (os.getpid(),)
    assert options.address.socket is None


@pytest.mark.speech
async def test_words_reach_no_log(
    home: Path, store: object, processes: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAWMUX_MODELS", str(getattr(store, "root", "")))
    process = start(processes, "--socket", str(home / "run" / "s"))
    await answers(home / "run" / "s")
    async with SpeechClient(home / "run" / "s") as client:
        sound = b"".join([chunk async for chunk in client.synthesize("The password is xylophone zebra. Naïve ☃ 漢字.", "af_sky")])
        assert sound
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - started < 10
    assert b"loaded kokoro-int8" in errors
    assert b"xylophone" not in errors.lower()
