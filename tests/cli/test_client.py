"""The agents' client as a process of its own, against a stand-in hub."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from clawmux.cli import client
from clawmux.paths import locate
from clawmux.wire.cli import HOOK_LIMIT_BYTES, TEXT_LIMIT_BYTES, VERBS, Send, Verb, parse, split_body
from clawmux.wire.errors import ERRORS
from tests.stand_ins.cli_hub import Answer, CliHub, Reply, Request, Silence, answered

SCRIPT = Path(client.__file__).with_name("start_client.py")
BARE = [sys.executable, "-I", "-S"]
HI = ["converse", "Hi"]


@pytest.fixture
def socket_file(folder: Path) -> Path:
    return folder / "hub.sock"


def say(
    socket_file: Path, words: list[str] | list[bytes], stdin: bytes = b"", shell: str = '"$@"', **environ: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the client to its end; ``shell`` starts it where its descriptors need arranging."""
    return subprocess.run(
        [*_in_shell(shell), *BARE, str(SCRIPT), *words],
        input=stdin,
        capture_output=True,
        env={"CLAWMUX_SOCKET": str(socket_file), **environ},
        check=False,
        timeout=30,
    )


def begin(socket_file: Path, words: list[str], stdout: int = subprocess.PIPE, shell: str = '"$@"') -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*_in_shell(shell), *BARE, str(SCRIPT), *words],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={"CLAWMUX_SOCKET": str(socket_file)},
        start_new_session=True,
    )


def _in_shell(shell: str) -> list[str]:
    return [] if shell == '"$@"' else ["sh", "-c", shell, "sh"]


def once_then(first: Reply | Silence, then: Reply) -> Answer:
    """Answers the first request with ``first``, all others with ``then``."""
    replies: Iterator[Reply | Silence] = iter([first])
    return lambda request: next(replies, then)


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


# --- help, places, start-up ---


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


# --- hooks ---

PROMPT = b'{"hook_event_name": "UserPromptSubmit", "prompt": "say \\"PermissionRequest\\""}'
PERMISSION = b'{"session_id":"1","hook_event_name":"PermissionRequest","tool_name":"Bash"}'
ALLOWED = b'{"hookSpecificOutput":{}}\n'


@pytest.mark.parametrize("said", [PROMPT, PERMISSION, b"", b"--help", b"nul\0byte \xff"])
def test_a_hook_hands_its_json_on_as_it_is(socket_file: Path, said: bytes) -> None:
    with CliHub(socket_file, lambda request: answered(0, ALLOWED, b"a remark")) as hub:
        done = say(socket_file, ["hook"], stdin=said)
        assert hub.next().words == [b"hook", b"--", said.replace(b"\0", b"")]
    assert (done.returncode, done.stdout, done.stderr) == (0, ALLOWED, b"")


def test_of_a_hook_only_the_beginning_is_sent_and_all_is_read(socket_file: Path) -> None:
    said = PROMPT + b" " * 3_000_000
    with CliHub(socket_file, lambda request: answered()) as hub:
        hook = begin_hook(socket_file)
        assert hook.stdin
        hook.stdin.write(said)  # would raise BrokenPipeError, as in the agent's program
        hook.stdin.close()
        assert hub.next().words[2] == said[:HOOK_LIMIT_BYTES]
        assert hook.wait(timeout=30) == 0


def begin_hook(socket_file: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*BARE, str(SCRIPT), "hook"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"CLAWMUX_SOCKET": str(socket_file)},
    )


@pytest.mark.parametrize("said", [PROMPT, PERMISSION])
@pytest.mark.parametrize("trouble", ["no hub", "refused", "another program"])
def test_a_hook_is_silent_in_trouble(socket_file: Path, said: bytes, trouble: str) -> None:
    replies = {"refused": answered(2, b"out", b"err"), "another program": Reply(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")}
    with CliHub(socket_file, lambda request: replies[trouble]) if trouble in replies else nullcontext():
        done = say(socket_file, ["hook"], stdin=said)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_hook_does_not_hold_its_program_up(socket_file: Path) -> None:
    with CliHub(socket_file, lambda request: Silence()):
        started = time.monotonic()
        done = say(socket_file, ["hook"], stdin=PROMPT)
        took = time.monotonic() - started
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert client.HOOK_SECONDS <= took < client.HOOK_SECONDS + 5


def test_a_permission_request_waits_for_its_answer_over_a_restart(socket_file: Path) -> None:
    released = threading.Event()
    broken = iter([True])

    def answer(request: Request) -> Reply:
        if next(broken, False):
            return Reply(b"")
        released.wait(10)
        return answered(0, ALLOWED)

    with CliHub(socket_file, answer) as hub:
        waiting = begin_hook(socket_file)
        assert waiting.stdin
        waiting.stdin.write(PERMISSION)
        waiting.stdin.close()
        waiting.stdin = None
        first, second = hub.next(), hub.next()
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(client.HOOK_SECONDS + 0.5)
        released.set()
        out, err = waiting.communicate(timeout=30)
    assert (first.id, first.body) == (second.id, second.body)
    assert (waiting.returncode, out, err) == (0, ALLOWED, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_hook_that_is_ended_says_nothing(socket_file: Path, number: int) -> None:
    with CliHub(socket_file, lambda request: Silence()) as hub:
        waiting = begin(socket_file, ["hook"])
        hub.next()
        waiting.send_signal(number)
        out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, out, err) == (0, b"", b"")


ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"XDG_STATE_HOME": "/var/state"},
    {"XDG_STATE_HOME": "relative"},
    {"XDG_STATE_HOME": ""},
    {"CLAWMUX_HOME": "/srv/mux"},
    {"CLAWMUX_HOME": "", "XDG_STATE_HOME": "/var/state"},
    {"CLAWMUX_HOME": "rel/mux"},
]


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("environ", ENVIRONMENTS)
@pytest.mark.parametrize("home", [{"HOME": "/home/ann"}, {"HOME": "", "USERPROFILE": "/home/bob"}, {"HOME": "/home/é"}])
def test_client_and_hub_agree_on_the_socket(environ: dict[str, str], home: dict[str, str], platform: str) -> None:
    environ = {**home, **environ}
    raw = {os.fsencode(name): os.fsencode(value) for name, value in environ.items()}
    assert Path(os.fsdecode(client.socket_path(raw, platform))) == locate(environ, platform).hub_socket


def test_named_socket_comes_first() -> None:
    assert client.socket_path({b"CLAWMUX_SOCKET": b"/a/b.sock", b"CLAWMUX_HOME": b"/c"}) == b"/a/b.sock"


def test_without_home_the_password_file_is_asked() -> None:
    import pwd

    home = pwd.getpwuid(os.getuid()).pw_dir
    assert client.socket_path({}, "linux") == os.fsencode(f"{home}/.local/state/clawmux/run/hub.sock")


def test_it_is_compiled_at_its_first_start_only() -> None:
    for _ in range(2):
        done = subprocess.run(
            [*BARE, "-v", str(SCRIPT), "--help"], env={}, capture_output=True, text=True, check=True, timeout=30
        )
    assert "import 'client'" in done.stderr and "wrote" not in done.stderr


def test_client_imports_the_socket_and_nothing_else(socket_file: Path) -> None:
    source = (
        "import sys\n"
        "before = set(sys.modules)\n"
        f"path = {client.__file__!r}\n"
        "with open(path) as file: code = compile(file.read(), path, 'exec')\n"
        "space = {'__name__': 'client'}; exec(code, space)\n"
        "result = space['main']([b'converse', b'Hi'])\n"
        "print(sorted(set(sys.modules) - before), result)\n"
    )
    with CliHub(socket_file, lambda request: answered()):
        done = subprocess.run(
            [*BARE, "-c", source],
            env={"CLAWMUX_SOCKET": str(socket_file)},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    assert done.stdout == "['_socket'] 0\n", done.stderr


def test_start_up_time_is_shown(socket_file: Path, record_property: Callable[[str, object], None]) -> None:
    """Printed with -s and kept in the report; a bound here would measure the machine's other load."""

    def median_ms(words: list[str]) -> float:
        took = []
        for _ in range(15):
            started = time.perf_counter()
            assert subprocess.run(words, env={"CLAWMUX_SOCKET": str(socket_file)}, check=False).returncode == 0
            took.append((time.perf_counter() - started) * 1000)
        return statistics.median(took)

    with CliHub(socket_file, lambda request: answered()):
        floor, whole = median_ms([*BARE, "-c", "pass"]), median_ms([*BARE, str(SCRIPT), *HI])
    record_property("converse_over_bare_python", round(whole / floor, 2))
    print(f"python -I -S -c pass {floor:.1f} ms, converse {whole:.1f} ms, x{whole / floor:.2f}")


@pytest.fixture
def in_process(socket_file: Path) -> Iterator[None]:
    """For client.main in this process: its environment and, afterwards, our signals."""
    import posix

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    posix.environ[b"CLAWMUX_SOCKET"] = os.fsencode(socket_file)
    yield
    del posix.environ[b"CLAWMUX_SOCKET"]
    for number, handler in before.items():
        signal.signal(number, handler)


class Forbidden:
    """The socket module in a sandbox; a socket of another user fails with EACCES."""

    AF_UNIX, SOCK_STREAM = socket.AF_UNIX, socket.SOCK_STREAM

    class socket:
        def __init__(self, *kind: int) -> None:
            pass

        def connect(self, path: bytes) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        def close(self) -> None:
            pass


class ForbiddenAtOnce:
    """One in which there are no sockets of this kind at all."""

    AF_UNIX, SOCK_STREAM = socket.AF_UNIX, socket.SOCK_STREAM

    class socket:
        def __init__(self, *kind: int) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("module", [Forbidden, ForbiddenAtOnce])
def test_a_sandbox_is_named_and_what_to_do(
    in_process: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], module: type
) -> None:
    monkeypatch.setattr("clawmux.cli.client._socket", module)
    assert client.main([b"status"]) == 3
    told = capfd.readouterr().err
    assert "a sandbox keeps this command from the hub's socket" in told and "require_escalated" in told
