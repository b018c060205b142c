"""Ways of an agent program's own to hand it a text, beside its input box. The manifest's table ``[channel]`` names one.

A channel delivers a text exactly as it is and leaves alone what somebody has half typed. It knows its program, and nothing of
what is sent or why.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from clawmux.adapters.runtimes.claude_records import Tail
from clawmux.adapters.runtimes.codex_records import Rollout, rollout_of, thread_of
from clawmux.adapters.runtimes.mailbox import Mailbox
from clawmux.adapters.runtimes.opencode_records import known_session
from clawmux.adapters.runtimes.opencode_server import OpenCodeServer
from clawmux.adapters.runtimes.records import Program
from clawmux.adapters.runtimes.running import environment, program_file
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.signs import Sign
from clawmux.wire.words import Activity, Source

QUEUE_SECONDS = 10.0
TAKEN_SECONDS = 12.0
TAKEN_LOOK_SECONDS = 0.25
# Its last few prompts; what was handed over before a hub ended is among them.
LOOK_MESSAGES = 20
LOOK_BYTES = 4 << 20
REMEDY = "Try again when it is ready for text."


class Channel(Protocol):
    async def deliver(self, text: str) -> None:
        """Returns when the program has the text. Raises ``conflict`` when it cannot have it now; then it has nothing of it."""
        ...

    async def has(self, message_id: str) -> bool:
        """Whether the program was given a text with this id lately."""
        ...


@runtime_checkable
class Decides(Protocol):
    """A channel that can answer permission questions, too."""

    async def decide(self, request: str, allow: bool, text: str) -> None:
        """Answer the question of this id in the user's stead. Raises ``conflict`` when it is not open any more."""
        ...


class CodexQueue:
    """``codex queue``: a message for the thread that a running Codex has open, which looks for such every 10 s while it rests.

    Once a turn was stopped by an Escape or has failed, Codex lets its queue stand until its user has begun another; so it is
    used only while the last turn has come to its end."""

    def __init__(self, program: Program) -> None:
        self._program = program

    async def deliver(self, text: str) -> None:
        rollout, environ, file = await asyncio.to_thread(self._facts)
        if rollout is None:
            raise _not_now("Codex has no conversation yet")
        if not await asyncio.to_thread(_rests, rollout):
            raise _not_now("Codex works, or its last turn was stopped")
        process = await asyncio.create_subprocess_exec(
            *(file, "queue", "--thread", thread_of(rollout), f"--message={text}"),
            env=environ,
            cwd=self._program.directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, told = await asyncio.wait_for(process.communicate(), QUEUE_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            told = b"no answer"
        if process.returncode != 0 and not await self.has(text):
            raise _not_now(f"`codex queue` ended with {process.returncode}: {told.decode(errors='replace').strip()[-200:]}")
        for _ in range(round(TAKEN_SECONDS / TAKEN_LOOK_SECONDS)):
            if await asyncio.to_thread(_was_told, rollout, text):
                return
            await asyncio.sleep(TAKEN_LOOK_SECONDS)

    async def has(self, message_id: str) -> bool:
        rollout, environ, _ = await asyncio.to_thread(self._facts)
        return rollout is not None and await asyncio.to_thread(_in_codex, rollout, environ, message_id)

    def _facts(self) -> tuple[Path | None, dict[str, str], str]:
        pid = self._program.pid
        return rollout_of(pid), environment(pid) or dict(self._program.environ), program_file(pid, "codex")


class OpenCodePrompts:
    """The server of an OpenCode takes prompts at any time; one in the middle of a turn goes in at its next step."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._server = OpenCodeServer(program.pid, program.folder)

    async def deliver(self, text: str) -> None:
        session = await asyncio.to_thread(self._session)
        if not session:
            raise _not_now("OpenCode has no conversation yet")
        try:
            await asyncio.to_thread(self._server.post, f"/session/{session}/prompt_async", _prompt(text))
        except ClawMuxError:
            # It may have taken the text and lost its answer.
            if not await self.has(text):
                raise

    async def has(self, message_id: str) -> bool:
        try:
            return await asyncio.to_thread(self._has, message_id)
        except ClawMuxError:
            return False

    async def decide(self, request: str, allow: bool, text: str) -> None:
        answer = {"reply": "once"} if allow else {"reply": "reject", "message": text or "The user said no."}
        open_ones = await asyncio.to_thread(self._server.get, "/permission")
        if not any(isinstance(asked, dict) and asked.get("id") == request for asked in open_ones or ()):
            raise ClawMuxError("conflict", "that question is not open any more.")
        await asyncio.to_thread(self._server.post, f"/permission/{request}/reply", answer)

    def _session(self) -> str:
        return known_session(self._server, self._program.pid, self._program.directory, self._program.folder)

    def _has(self, text: str) -> bool:
        session = self._session()
        told = self._server.get(f"/session/{session}/message?limit={LOOK_MESSAGES}") if session else None
        return any(text in said for message in told or () for said in _texts(message))


CHANNELS: dict[str, Callable[[Program], Channel]] = {
    "codex_queue": CodexQueue,
    "opencode_server": OpenCodePrompts,
    "mailbox": Mailbox,
}


def open_channel(kind: str, program: Program) -> Channel | None:
    """The channel of that kind to this program; None when there is none of that kind."""
    make = CHANNELS.get(kind)
    return make(program) if make else None


def _prompt(text: str) -> dict[str, Any]:
    return {"parts": [{"type": "text", "text": text}]}


def _texts(message: Any) -> list[str]:
    parts = message.get("parts") if isinstance(message, dict) else None
    return [str(part.get("text", "")) for part in parts or () if isinstance(part, dict)]


def _in_codex(rollout: Path, environ: dict[str, str], text: str) -> bool:
    """In what its thread has been told, or waiting to be."""
    if _was_told(rollout, text):
        return True
    text = _as_json(text)
    home = Path(environ.get("CODEX_HOME") or Path(environ.get("HOME", "/")) / ".codex")
    # The number in the name is that of its form; one we do not know has no such table.
    for file in home.glob("queue_*.sqlite"):
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT payload_json FROM queued_items WHERE thread_id = ?", (thread_of(rollout),))
            if any(text in payload for (payload,) in rows):
                return True
    return False


def _was_told(rollout: Path, text: str) -> bool:
    with contextlib.suppress(OSError), rollout.open("rb") as source:
        source.seek(max(0, os.fstat(source.fileno()).st_size - LOOK_BYTES))
        return _as_json(text).encode() in source.read(LOOK_BYTES)
    return False


def _rests(rollout: Path) -> bool:
    reading = Rollout()
    for line in Tail(rollout).lines():
        reading.read(line)
    return reading.sign == Sign(Source.RECORD, Activity.IDLE)


def _as_json(text: str) -> str:
    """As it stands inside of a JSON text."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _not_now(reason: str) -> ClawMuxError:
    return ClawMuxError("conflict", f"nothing was given to the agent: {reason}.", REMEDY)
