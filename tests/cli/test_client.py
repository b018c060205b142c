"""The agents' client as a process of its own, against a stand-in hub: what it asks and passes on, and a hub in trouble."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from clawmux.cli import client
from clawmux.wire.cli import TEXT_LIMIT_BYTES, parse, split_body
from clawmux.wire.errors import ERRORS
from tests.cli.client_process import HI, begin, once_then, say
from tests.stand_ins.cli_hub import CliHub, Reply, Silence, answered

# --- answers ---


@pytest.mark.parametrize("code", [0, *(row.exit_code for row in ERRORS.values())])
def test_exit_code_and_both_streams_are_passed_on_exactly(socket_file: Path, code: int) -> None:
    with CliHub(socket_file, lambda request: answered(code, b"to out\n", b"to err\n\n")):
        done = say(socket_file, HI)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"to out\n", b"to err\n\n")


@pytest.mark.parametrize(
    "stdout",
    [b"", "öffne Å bitte 🎧 שלום\n".encode(), b"\0\xff\n", b"x" * 20_000_000],
    ids=["empty", "utf-8", "bytes", "20 MB"],
)
def test_stdout_is_byte_exact(socket_file: Path, stdout: bytes) -> None:
    with CliHub(socket_file, lambda request: answered(0, stdout)):
        done = say(socket_file, HI)
    assert done.stdout == stdout
    assert (done.returncode, done.stderr) == (0, b"")


def test_request_carries_words_id_and_session(socket_file: Path) -> None:
    with CliHub(socket_file, lambda request: answered()) as hub:
        say(socket_file, ["converse", "Grüße", "--no-listen"], CLAWMUX_SESSION_ID="af_sky", VOICE_HUB_SESSION_ID="old")
        request = hub.next()
        say(socket_file, HI, VOICE_HUB_SESSION_ID="bm_fable")
        older = hub.next()
        say(socket_file, HI, CLAWMUX_SESSION_ID="../../api/stop HTTP/1.1\r\nX: y")
        odd = hub.next()
    assert (request.method, request.path) == ("POST", "/cli/af_sky")
    assert split_body(request.body) == ["converse", "Grüße", "--no-listen"]
    assert re.fullmatch("[0-9a-f]{32}", request.id)
    assert request.headers["content-type"] == "application/x-clawmux-argv"
    assert request.headers["host"] == "clawmux"
    assert (older.path, odd.path) == ("/cli/bm_fable", "/cli/-")
    assert older.id != request.id


def test_argument_that_is_not_utf8_reaches_the_hub_as_it_is(socket_file: Path) -> None:
    with CliHub(socket_file, lambda request: answered()) as hub:
        say(socket_file, [b"converse", b"caf\xe9"], LC_ALL="C.UTF-8")
        assert hub.next().words == [b"converse", b"caf\xe9"]


# --- text from stdin, limits ---


@pytest.mark.parametrize("text", [b"plain", b"--no-listen", b"--goodbye is an option\n", b"- one\n- two", b"nul\0byte"])
def test_dash_reads_stdin_whatever_it_looks_like(socket_file: Path, text: bytes) -> None:
    with CliHub(socket_file, lambda request: answered()) as hub:
        say(socket_file, ["converse", "-", "--goodbye"], stdin=text)
        request = hub.next()
    assert parse(split_body(request.body)) == parse(["converse", "--goodbye", "--", text.decode().replace("\0", "")])


@pytest.mark.parametrize("way", ["argument", "stdin"])
def test_text_of_70_kb_is_refused_before_it_is_sent(socket_file: Path, way: str) -> None:
    text = b"x" * 70_000
    with CliHub(socket_file, lambda request: answered()) as hub:
        done = say(socket_file, [b"converse", b"-" if way == "stdin" else text], stdin=text)
        assert hub.requests.empty()
    assert done.returncode == ERRORS["too_large"].exit_code
    assert str(TEXT_LIMIT_BYTES).encode() in done.stderr


def test_text_at_the_limit_is_sent(socket_file: Path) -> None:
    with CliHub(socket_file, lambda request: answered()) as hub:
        assert say(socket_file, ["converse", "-"], stdin=b"x" * TEXT_LIMIT_BYTES).returncode == 0
        assert len(hub.next().words[-1]) == TEXT_LIMIT_BYTES


def test_closed_stdin_is_a_clear_error(socket_file: Path) -> None:
    with CliHub(socket_file, lambda request: answered()):
        done = say(socket_file, ["converse", "-"], shell='exec "$@" <&-')
    assert done.returncode == 2
    assert b"stdin" in done.stderr


# --- no hub, broken hub ---


@pytest.mark.parametrize("stale", [False, True])
def test_no_hub_names_the_way_to_start_it(socket_file: Path, stale: bool) -> None:
    if stale:
        with CliHub(socket_file, lambda request: answered()):
            pass
    done = say(socket_file, HI)
    assert done.returncode == ERRORS["hub_not_running"].exit_code
    assert b"start it with `clawmux start`" in done.stderr
    assert str(socket_file).encode() in done.stderr
    assert done.stdout == b""


WHOLE = answered(0, b"my own words\n", b"a remark\n").data


@pytest.mark.parametrize(
    "sent", [0, 10, WHOLE.index(b"\r\n\r\n") + 2, WHOLE.index(b"\r\n\r\n") + 4, len(WHOLE) - 5, len(WHOLE) - 1]
)
def test_connection_cut_in_the_answer_asks_again_under_the_same_id(socket_file: Path, sent: int) -> None:
    with CliHub(socket_file, once_then(Reply(WHOLE[:sent]), Reply(WHOLE))) as hub:
        done = say(socket_file, HI)
        first, second = hub.next(), hub.next()
        assert hub.requests.empty()
    assert (done.returncode, done.stdout, done.stderr) == (0, b"my own words\n", b"a remark\n")
    assert first.id == second.id
    assert first.body == second.body


def test_killed_hub_is_asked_again_when_it_is_back(socket_file: Path) -> None:
    """A real process, really killed while the client waits; its socket file stays behind."""
    source = (
        "import socket, sys\n"
        "listener = socket.socket(socket.AF_UNIX); listener.bind(sys.argv[1]); listener.listen()\n"
        "print('up', flush=True)\n"
        "connection = listener.accept()[0]\n"
        "print(connection.recv(65536).split(b'Clawmux-Request: ')[1][:32].decode(), flush=True)\n"
        "connection.recv(1)\n"
    )
    hub = subprocess.Popen([sys.executable, "-c", source, str(socket_file)], stdout=subprocess.PIPE, text=True)
    assert hub.stdout is not None
    with hub, hub.stdout:
        assert hub.stdout.readline() == "up\n"
        waiting = begin(socket_file, HI)
        first_id = hub.stdout.readline().strip()
        hub.kill()
    with CliHub(socket_file, lambda request: answered(0, b"yes\n")) as again:
        out, err = waiting.communicate(timeout=30)
        assert again.next().id == first_id
        assert again.requests.empty()
    assert (waiting.returncode, out, err) == (0, b"yes\n", b"")


@pytest.mark.parametrize("words", [[b"converse", b"Hi"], [b"send", b"--to", b"adam", b"Hi"]])
def test_hub_that_stays_away_is_given_up(
    socket_file: Path, in_process: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: list[bytes]
) -> None:
    monkeypatch.setattr(client, "RETRY_SECONDS", 0.4)
    with CliHub(socket_file, lambda request: Silence()) as hub:

        def end_it() -> None:
            hub.next()
            hub.stop()

        # Signals can be set in the main thread only, so it is the hub's end that comes from another.
        ending = threading.Thread(target=end_it)
        ending.start()
        started = time.monotonic()
        code = client.main(words)
        took = time.monotonic() - started
        ending.join()
    assert code == ERRORS["hub_not_running"].exit_code
    assert 0.2 < took < 10
    assert ("clawmux messages" in capfd.readouterr().err) == (words[0] == b"send"), "it may have been sent"


@pytest.mark.parametrize(
    "words", [["send", "--to", "sky", "Hi"], ["ack", "msg-1"], ["reply", "msg-1", "Hi"], ["report", "tests"]]
)
def test_what_may_be_said_twice_outlasts_a_restart_of_the_hub(socket_file: Path, words: list[str]) -> None:
    with CliHub(socket_file, once_then(Reply(b""), answered(0, b"msg-1\n"))) as hub:
        done = say(socket_file, words)
        first, second = hub.next(), hub.next()
        assert hub.requests.empty()
    assert (done.returncode, done.stdout, done.stderr) == (0, b"msg-1\n", b"")
    assert (first.id, first.body) == (second.id, second.body)


@pytest.mark.parametrize(
    "words", [["status"], ["cancel-converse", "abc"], ["approve", "sky"], ["interrupt", "sky"], ["cancel", "x"]]
)
def test_nothing_else_is_asked_again(socket_file: Path, words: list[str]) -> None:
    with CliHub(socket_file, lambda request: Reply(b"")) as hub:
        done = say(socket_file, words)
        hub.next()
        assert hub.requests.empty()
    assert done.returncode == ERRORS["internal"].exit_code
    assert b"without an answer" in done.stderr


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\noops",
        b"HTTP/1.1 200 OK\r\nClawmux-Exit: none\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nClawmux-Exit: 0\r\nContent-Length: many\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ],
)
def test_answer_of_another_program_is_an_error_not_words(socket_file: Path, reply: bytes) -> None:
    with CliHub(socket_file, lambda request: Reply(reply)):
        done = say(socket_file, HI)
    assert (done.returncode, done.stdout) == (ERRORS["internal"].exit_code, b"")
    assert b"clawmux: the hub" in done.stderr
    assert b"Traceback" not in done.stderr
