"""Where the agents' client finds the hub, what it loads to start, and where it may not reach it."""

from __future__ import annotations

import errno
import os
import socket
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clawmux.cli import client
from clawmux.paths import locate
from tests.cli.client_process import BARE, HI, SCRIPT
from tests.stand_ins.cli_hub import CliHub, answered

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
