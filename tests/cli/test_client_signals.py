"""The agents' client when it is interrupted, and when nobody reads what it prints."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from clawmux.cli import client
from clawmux.wire.cli import Send, parse, split_body
from clawmux.wire.errors import ERRORS
from tests.cli.client_process import HI, begin, once_then, say
from tests.stand_ins.cli_hub import CliHub, Reply, Request, Silence, answered

# --- signals ---


@pytest.mark.parametrize(
    ("number", "words", "code", "cancelled"),
    [
        (signal.SIGINT, HI, 130, None),
        (signal.SIGTERM, HI, 143, None),
        (signal.SIGINT, ["converse", "--resume", "c-17"], 130, "c-17"),
    ],
)
def test_a_signal_cancels_the_converse(
    socket_file: Path, number: int, words: list[str], code: int, cancelled: str | None
) -> None:
    def answer(request: Request) -> Reply | Silence:
        return answered() if request.words[0] == b"cancel-converse" else Silence()

    with CliHub(socket_file, answer) as hub:
        waiting = begin(socket_file, words)
        asked = hub.next()
        waiting.send_signal(number)
        cancel = hub.next()
        out, err = waiting.communicate(timeout=30)
    assert cancel.words == [b"cancel-converse", (cancelled or asked.id).encode()]
    assert (waiting.returncode, out, err) == (code, b"", b"")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("words", [["--wait-ack", "Hi"], ["--wait-response", "--timeout", "60", "--", "-h"]])
def test_a_signal_ends_the_wait_and_not_the_message(socket_file: Path, words: list[str], number: int, code: int) -> None:
    late = ERRORS["timeout"].exit_code
    with CliHub(socket_file, once_then(Silence(), answered(late, b"msg-1\n", b"not yet"))) as hub:
        waiting = begin(socket_file, ["send", "--to", "sky", *words])
        asked = hub.next()
        waiting.send_signal(number)
        again = hub.next()
        out, err = waiting.communicate(timeout=30)
        assert hub.requests.empty()
    before, after = parse(split_body(asked.body)), parse(split_body(again.body))
    assert isinstance(before, Send)
    assert (again.id, after) == (asked.id, replace(before, timeout_seconds=1.0))
    assert (waiting.returncode, out) == (code, b"msg-1\n")
    assert b"no longer waiting" in err and b"not yet" not in err


@pytest.mark.parametrize("words", [[b"--timeout", b"1"], [b"--timeout=1"]])
def test_a_hub_that_hangs_is_not_waited_for_beyond_the_time(
    in_process: None, socket_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: list[bytes]
) -> None:
    monkeypatch.setattr(client, "MESSAGE_SECONDS", 0.2)
    with CliHub(socket_file, lambda request: Silence()):
        assert client.main([b"send", b"--to", b"sky", b"--wait-ack", *words, b"Hi"]) == ERRORS["timeout"].exit_code
    assert "the hub did not answer within 1 s" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ([b"send", b"--wait-ack", b"--to", b"sky", b"Hi"], 120),
        ([b"send", b"--wait-ack", b"--timeout", b"7", b"--timeout=9", b"Hi"], 9),
        ([b"send", b"--wait-ack", b"--", b"--timeout", b"7"], 120),
        ([b"send", b"--wait-ack", b"--timeout", b"nan", b"Hi"], 120),
        ([b"send", b"--wait-ack", b"Hi", b"--timeout"], 120),
        ([b"send", b"--wait-ack", b"--timeout", b"9" * 400, b"Hi"], 86400),
    ],
)
def test_how_long_a_hub_may_take(words: list[bytes], seconds: float) -> None:
    assert client._waiting_seconds(words) == seconds + client.MESSAGE_SECONDS


def test_a_second_signal_does_not_wait_for_the_hub(socket_file: Path) -> None:
    with CliHub(socket_file, lambda request: Silence()) as hub:
        waiting = begin(socket_file, HI)
        hub.next()
        waiting.send_signal(signal.SIGINT)
        hub.next()
        waiting.send_signal(signal.SIGINT)
        waiting.communicate(timeout=0.9)
    assert waiting.returncode == -signal.SIGINT


def test_ignored_interrupt_stays_ignored(socket_file: Path) -> None:
    """A shell without job control starts `command &` so, and Ctrl-C there is not meant for it."""
    released = threading.Event()

    def answer(request: Request) -> Reply | Silence:
        released.wait(10)
        return answered(0, b"yes\n")

    with CliHub(socket_file, answer) as hub:
        waiting = begin(socket_file, HI, shell='trap "" INT; "$@"')
        hub.next()
        os.killpg(waiting.pid, signal.SIGINT)
        released.set()
        out, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, out) == (0, b"yes\n")


# --- stdout that is not there, or slow ---


def test_reader_that_has_gone_is_no_traceback(socket_file: Path) -> None:
    with CliHub(socket_file, lambda request: answered(0, b"yes\n")):
        read_end, write_end = os.pipe()
        os.close(read_end)
        waiting = begin(socket_file, HI, stdout=write_end)
        os.close(write_end)
        _, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, err) == (128 + signal.SIGPIPE, b"")


def test_closed_stdout_does_not_lose_the_words(socket_file: Path) -> None:
    with CliHub(socket_file, lambda request: answered(0, b"delete nothing\n")):
        done = say(socket_file, HI, shell='exec "$@" >&-')
    assert done.returncode == 1
    assert b"delete nothing\n" in done.stderr


def test_nonblocking_pipe_with_a_slow_reader_gets_everything(socket_file: Path) -> None:
    answer = b"0123456789" * 100_000  # more than any pipe holds
    with CliHub(socket_file, lambda request: answered(0, answer)):
        read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, fcntl.F_SETFL, fcntl.fcntl(write_end, fcntl.F_GETFL) | os.O_NONBLOCK)
        waiting = begin(socket_file, HI, stdout=write_end, shell='exec "$@" 2>/dev/null')
        os.close(write_end)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
        with os.fdopen(read_end, "rb") as pipe:
            read = pipe.read()
        waiting.communicate(timeout=30)
    assert (waiting.returncode, len(read)) == (0, len(answer))
    assert read == answer
