"""The channel for programs that read a file: every text becomes a line of JSON at the end of ``mailbox`` in the session's folder.

The program reads on from where it was, whenever it likes; it empties the file when it starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path

from clawmux.adapters import headers
from clawmux.adapters.runtimes.records import Program
from clawmux.wire.errors import ClawMuxError

NAME = "mailbox"
# What was handed over before a hub ended is at its end.
LOOK_BYTES = 1 << 20


class Mailbox:
    def __init__(self, program: Program) -> None:
        self._file = program.folder / NAME

    async def deliver(self, text: str) -> None:
        await asyncio.to_thread(_append, self._file, headers.sanitise(text))

    async def has(self, message_id: str) -> bool:
        return await asyncio.to_thread(_has, self._file, message_id)


def _append(file: Path, text: str) -> None:
    try:
        # Made by the program: where there is none, nobody would read it.
        box = os.open(file, os.O_WRONLY | os.O_APPEND)
        try:
            # In one write, so that its reader never gets half of it and the next one.
            os.write(box, json.dumps(text).encode() + b"\n")
        finally:
            os.close(box)
    except OSError as error:
        raise ClawMuxError("conflict", f"its mailbox takes nothing: {error.strerror}.", "Look at it: clawmux attach") from None


def _has(file: Path, message_id: str) -> bool:
    with contextlib.suppress(OSError), file.open("rb") as source:
        source.seek(max(0, os.fstat(source.fileno()).st_size - LOOK_BYTES))
        lines = source.read(LOOK_BYTES).split(b"\n")
        return any(message_id in headers.ids_in(_text(line)) for line in lines)
    return False


def _text(line: bytes) -> str:
    with contextlib.suppress(ValueError):
        return str(json.loads(line))
    return ""
