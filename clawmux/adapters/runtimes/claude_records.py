"""What Claude Code writes about itself: ``sessions/<pid>.json`` (its state) and the transcript (what it has been told).

Both are its own affair and undocumented, so everything here is read with doubt: what is not understood says nothing.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clawmux.wire.signs import Observation, Place, Sign, Taken
from clawmux.wire.words import Activity, Kind, Source

# A look reads at most so much; a transcript grows by far less in a second, and what is skipped is only older.
LOOK_BYTES = 1 << 20
STATUS_BYTES = 1 << 16
DETAIL_CHARS = 300
_STATES = {"idle": Activity.IDLE, "shell": Activity.IDLE, "busy": Activity.THINKING}
"""``shell``: only background commands run."""


class ClaudeRecords:
    """The records of one process; ``environ`` is what it was started with."""

    def __init__(self, pid: int, environ: Mapping[str, str]) -> None:
        self._home = Path(environ.get("CLAUDE_CONFIG_DIR") or Path(environ.get("HOME", "/")) / ".claude")
        self._status = self._home / "sessions" / f"{pid}.json"
        self._session = ""
        self._transcript: Tail | None = None
        self._ending = Sign(Source.RECORD, Activity.IDLE)
        """How the last turn ended, as the transcript tells it; it stands while the status file says idle."""

    def look(self) -> list[Observation]:
        status = _read_status(self._status)
        session = status.get("sessionId")
        if isinstance(session, str) and session != self._session:
            self._moved(session, transcript_path(self._home, str(status.get("cwd", "")), session))
        seen: list[Observation] = []
        is_first = self._transcript is not None and self._transcript.is_new
        for said in itertools.chain.from_iterable(map(read_line, self._transcript.lines() if self._transcript else ())):
            if isinstance(said, Sign):
                self._ending = said
            else:
                seen.append(said)
        sign = read_status(status)
        if is_first or sign is None or sign.activity is not Activity.IDLE:
            self._ending = Sign(Source.RECORD, Activity.IDLE)
        if sign is not None:
            seen.append(self._ending if sign.activity is Activity.IDLE else sign)
        return seen

    def placed(self, place: Place) -> None:
        if place.transcript:
            self._moved(place.session, Path(place.transcript))

    def close(self) -> None:
        self._transcript = None

    def _moved(self, session: str, transcript: Path) -> None:
        self._session = session
        if self._transcript is None or self._transcript.file != transcript:
            self._transcript = Tail(transcript)


class Tail:
    """The lines that are written to a file from now on, and those of its last LOOK_BYTES."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.is_new = True
        """Nothing has been read yet: the next lines tell of the past."""
        self._inode = 0
        self._at = 0

    def lines(self) -> list[bytes]:
        """Whole lines since the last call. Raises nothing; a file that is not there has none."""
        try:
            with self.file.open("rb") as source:
                return self._read(source.fileno())
        except OSError:
            return []

    def _read(self, descriptor: int) -> list[bytes]:
        self.is_new = False
        facts = os.fstat(descriptor)
        if facts.st_ino != self._inode or facts.st_size < self._at:
            self._inode, self._at = facts.st_ino, 0
        if facts.st_size - self._at > LOOK_BYTES:
            self._at = facts.st_size - LOOK_BYTES
        data = os.pread(descriptor, LOOK_BYTES, self._at)
        whole = data.rpartition(b"\n")[0]
        # A line that is longer than a look is given up, or it would be read again for ever.
        self._at += len(whole) + 1 if whole or data[:1] == b"\n" else len(data) if len(data) == LOOK_BYTES else 0
        return whole.split(b"\n") if whole else []


def transcript_path(home: Path, directory: str, session: str) -> Path:
    """Where the transcript of a session lies that works in ``directory``."""
    return home / "projects" / re.sub(r"[^A-Za-z0-9]", "-", directory) / f"{session}.jsonl"


def read_status(status: Mapping[str, Any]) -> Sign | None:
    """The state in a status file. Thinking also stands for a tool that runs: the file does not tell them apart."""
    state = status.get("status")
    if state == "waiting":
        waits_for = str(status.get("waitingFor", ""))
        kind = Kind.PERMISSION if "permission" in waits_for else Kind.QUESTION
        return Sign(Source.RECORD, Activity.NEEDS_YOU, kind, waits_for[:DETAIL_CHARS])
    return Sign(Source.RECORD, _STATES[state]) if isinstance(state, str) and state in _STATES else None


def read_line(line: bytes) -> Iterator[Observation]:
    """What one line of a transcript says; most say nothing."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return
    if not isinstance(said, dict) or said.get("isSidechain"):
        return
    if said.get("type") == "queue-operation" and said.get("operation") == "enqueue":
        yield from _taken(said.get("content"))
    elif said.get("type") == "user" and not said.get("isMeta"):
        message = said.get("message")
        yield from _taken(message.get("content") if isinstance(message, dict) else None)


def _taken(content: Any) -> Iterator[Observation]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content if isinstance(content, list) else []
    for block in blocks:
        if isinstance(block, dict) and block.get("type") == "text" and isinstance(text := block.get("text"), str):
            if text.startswith("[Request interrupted by user"):
                yield Sign(Source.RECORD, Activity.IDLE, Kind.INTERRUPTED)
            else:
                yield Taken(Source.RECORD, text)


def _read_status(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as source:
            status = json.loads(source.read(STATUS_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return status if isinstance(status, dict) else {}
