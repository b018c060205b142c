"""The agents' client as a process of its own, for the tests that start it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from clawmux.cli import client
from tests.stand_ins.cli_hub import Answer, Reply, Silence

SCRIPT = Path(client.__file__).with_name("start_client.py")
BARE = [sys.executable, "-I", "-S"]
HI = ["converse", "Hi"]


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
