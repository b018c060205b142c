"""The speech service as a child process of the hub: starts it, asks how it is, notices its end. Decides nothing.

The child is this same program (``clawmux speech``) on a unix socket. Its native engines may crash or be killed; the hub
sees an exit, and ``core.engine`` decides what follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from clawmux.paths import run_self
from clawmux.wire.errors import ERRORS, ClawMuxError
from clawmux.wire.words import SpeechState, Tier

log = logging.getLogger(__name__)

LOADING_POLL_SECONDS = 0.1
STEADY_POLL_SECONDS = 2.0
TERM_SECONDS = 3.0
# Its loop answers within milliseconds also while its engines work, so one that is silent for this long hangs. Loading a
# large module on a busy machine may hold it up for some seconds.
HANGS_AFTER_SECONDS = 20.0
# One question takes no longer; when it seems to, it was we who stood still.
QUESTION_SECONDS = 6.0
# Words of the service's /health -> ours.
_STATES = {
    "ready": SpeechState.READY,
    "loading": SpeechState.STARTING,
    "missing_models": SpeechState.MISSING_MODELS,
    "failed": SpeechState.FAILED,
}


class Health(Protocol):
    async def health(self) -> dict[str, Any]: ...


class SpeechChild:
    def __init__(
        self,
        socket: Path,
        log_file: Path,
        client: Health,
        on_report: Callable[[SpeechState, dict[str, Any]], None],
        on_exit: Callable[[str], None],
        tier: Tier,
        hangs_after_seconds: float = HANGS_AFTER_SECONDS,
    ) -> None:
        self._hangs_after_seconds = hangs_after_seconds
        self._socket = socket
        self._log_file = log_file
        self._client = client
        self._on_report = on_report
        self._on_exit = on_exit
        self._tier = tier
        self._task: asyncio.Task[None] | None = None
        self._is_ending = False
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Its process; 0 before it is there."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._live(), name="speech child")

    def terminate(self) -> None:
        """Ask the child to end, without waiting for it."""
        self._is_ending = True
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()

    def end(self) -> None:
        """Ask the child to end, and see to it that it does; ``on_exit`` tells when."""
        self.terminate()
        asyncio.get_running_loop().call_later(TERM_SECONDS, self._kill)

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def stop(self) -> None:
        """End the child and wait for it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _live(self) -> None:
        self._socket.unlink(missing_ok=True)
        try:
            process = await self._spawn()
        except OSError as error:
            self._on_exit(f"The speech service could not be started: {error}.")
            return
        self._process = process
        if self._is_ending:
            process.terminate()  # it was asked before it was there
        watching = asyncio.create_task(self._watch(process), name="speech health")
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            await _end(process)
            raise
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            self._socket.unlink(missing_ok=True)
        self._on_exit(_how_it_ended(status))

    async def _spawn(self) -> asyncio.subprocess.Process:
        options = ["--socket", str(self._socket), "--quality", self._tier.value, "--parent-pid", str(os.getpid())]
        command = [*run_self(), "speech", *options]
        descriptor = os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=descriptor, stderr=descriptor
            )
        finally:
            os.close(descriptor)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Ask for its health: often while it loads, now and then afterwards. One that hangs is killed: those who wait for it
        are told, and the next one serves them."""
        pause, silent = LOADING_POLL_SECONDS, 0.0
        while silent < self._hangs_after_seconds:
            began = time.monotonic()
            await asyncio.sleep(pause)
            try:
                told = await self._client.health()
            except ClawMuxError:
                silent += min(time.monotonic() - began, QUESTION_SECONDS)
                continue
            silent = 0.0
            state = _STATES.get(str(told.get("state")), SpeechState.FAILED)
            self._on_report(state, told)
            pause = STEADY_POLL_SECONDS if state is SpeechState.READY else LOADING_POLL_SECONDS * 5
        log.warning("the speech service does not answer; killing it")
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(TERM_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"The speech service was ended by signal {-status}."
    if status == ERRORS["missing_program"].exit_code:
        return "This installation has no speech engines; text works. Run install.sh again with --mode local for them."
    return f"The speech service ended with exit status {status}."
