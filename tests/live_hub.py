"""A real hub process for tests: its own home, port 0, private tmux; started, killed and started again on the same port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

from clawmux import paths as places
from clawmux.wire.errors import ClawMuxError
from tests.waiting import until_answer

ROOT = Path(__file__).parent.parent
CLIENT = ROOT / "clawmux" / "cli" / "client.py"
# An agent that does nothing: converse calls come from the test, under its session.
QUIET = 'title = "Quiet"\nprogram = "sleep"\narguments = ["86400"]\nready = ".*"\n'
READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str


class LiveHub:
    """``speech``: "real" (the engines and the tiny set), "stand-in" (tones and fixed words), "none" (no service)."""

    module = "clawmux"
    """What is run; a stand-in that changes the world around it calls its main in turn."""

    def __init__(self, speech: str = "real", port: int = 0, environ: Mapping[str, str] | None = None, **settings: str) -> None:
        # Unix sockets have short names: pytest's temporary folders are too deep.
        self.home = Path(tempfile.mkdtemp(prefix="cm"))
        self.paths = places.locate({"CLAWMUX_HOME": str(self.home), "CLAWMUX_MODELS": os.environ.get("CLAWMUX_MODELS", "")})
        self.port = port
        self.settings = settings
        self.speech = speech
        self.url = ""
        self.process: asyncio.subprocess.Process | None = None
        self.environ = {**self._environ(), **(environ or {})}
        for folder in (self.paths.config, self.paths.data, self.paths.state, self.paths.run):
            places.make_private(folder)
        self.paths.user_runtimes.mkdir()
        (self.paths.user_runtimes / "quiet.toml").write_text(QUIET)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await end_tmux(self.paths.tmux_socket)
        shutil.rmtree(self.home, ignore_errors=True)

    # -- life --

    async def start(self) -> None:
        """Returns when it serves. Raises what it said when it does not."""
        read_end, write_end = os.pipe()
        options = ["--foreground", "--ready-fd", str(write_end), "--port", str(self.port)]
        argv = [sys.executable, "-m", self.module, "start", *options]
        with (self.home / "output").open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                *argv,
                env=self.environ,
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(write_end,),
            )
        os.close(write_end)
        told = await asyncio.wait_for(asyncio.to_thread(_read_all, read_end), READY_SECONDS)
        facts = json.loads(told) if told else {}
        if "url" not in facts:
            raise AssertionError(f"the hub did not start: {facts or (self.home / 'output').read_text()[-2000:]}")
        self.url = facts["url"].replace("clawmux.localhost", "127.0.0.1")
        self.port = int(self.url.rpartition(":")[2])

    async def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), 15)

    # -- asking --

    @property
    def token(self) -> str:
        return self.paths.token_file.read_text().strip()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """REST over the unix socket, as the owner. Raises the error it answers."""
        connector = aiohttp.UnixConnector(str(self.paths.hub_socket))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://clawmux{path}", json=body) as response,
        ):
            answer = await response.json()
        if isinstance(answer, dict) and answer.get("type") == "error":
            raise ClawMuxError(answer["code"], answer["text"], answer["remedy"])
        return answer

    async def spawn(self, runtime: str = "quiet", **order: str) -> str:
        """A new session; its id."""
        session: dict[str, Any] = await self.call("POST", "/api/sessions", {"runtime": runtime, "dir": str(self.home), **order})
        return str(session["id"])

    async def speech_is(self, state: str, seconds: float = 60.0) -> None:
        async def check() -> bool:
            return bool((await self.call("GET", "/api/health"))["speech"]["state"] == state)

        await until_answer(check, seconds)

    def speech_pid(self) -> int:
        """Process id of the speech child, when there is one."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children") if self.process else Path()
        for pid in children.read_text().split():
            with contextlib.suppress(FileNotFoundError):
                if b"--parent-pid" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return int(pid)
        return 0

    async def client(self, session_id: str, *words: str, stdin: bytes | None = None) -> asyncio.subprocess.Process:
        """A command of the agents' client, as that session runs it; without one, as the owner does."""
        return await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(CLIENT), *words,
            env={**self.environ, **({"CLAWMUX_SESSION_ID": session_id} if session_id else {})},
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def run(self, session_id: str, *words: str, stdin: bytes | None = None, seconds: float = 60.0) -> Said:
        """The same, to its end."""
        process = await self.client(session_id, *words, stdin=stdin)
        return await said(process, stdin, seconds)

    def _environ(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "CLAWMUX_MODELS") if name in os.environ}
        environ = {**kept, "CLAWMUX_HOME": str(self.home), "PYTHONPATH": str(ROOT), "CLAWMUX_MODELS_DOWNLOAD": "false"}
        for name, value in self.settings.items():
            environ[f"CLAWMUX_{name.upper()}"] = value
        if self.speech != "real":
            environ["CLAWMUX_LAUNCHER"] = str(self._launcher())
        return environ

    def _launcher(self) -> Path:
        """``clawmux`` with the stand-in, or nothing, in place of the speech service."""
        service = f"exec {sys.executable} -m tests.stand_ins.speech_service" if self.speech == "stand-in" else "exit 1"
        launcher = self.home / "launcher"
        script = f'#!/bin/sh\nif [ "$1" = speech ]; then shift; {service} "$@"; fi\nexec {sys.executable} -m clawmux "$@"\n'
        launcher.write_text(script)
        launcher.chmod(0o700)
        return launcher


async def end_tmux(socket: Path) -> None:
    """End the agents' server, when there is one."""
    with contextlib.suppress(FileNotFoundError):
        process = await asyncio.create_subprocess_exec(
            "tmux", "-S", str(socket), "kill-server", stderr=asyncio.subprocess.DEVNULL
        )
        await process.wait()


async def said(process: asyncio.subprocess.Process, stdin: bytes | None = None, seconds: float = 60.0) -> Said:
    """What a started command comes to."""
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin), seconds)
    except TimeoutError:
        process.kill()
        raise AssertionError(f"a command did not end within {seconds:g} s") from None
    assert process.returncode is not None
    return Said(process.returncode, out.decode(), err.decode())


def _read_all(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read()
