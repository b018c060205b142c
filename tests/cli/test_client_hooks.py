"""The hooks of the agents' programs: never in their way, whatever the hub does."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from clawmux.cli import client
from clawmux.wire.cli import HOOK_LIMIT_BYTES
from tests.cli.client_process import BARE, SCRIPT, begin, say
from tests.stand_ins.cli_hub import CliHub, Reply, Request, Silence, answered

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
