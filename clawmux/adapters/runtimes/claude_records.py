"""What Claude Code writes about itself: ``sessions/<pid>.json`` (its state) and the transcript (what it has been told).

Both are its own affair and undocumented, so everything here is read with doubt: what is not understood says nothing.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clawmux.adapters.runtimes.hooks import API_ERRORS, what_for
from clawmux.wire.signs import Observation, Place, Sign, Taken
from clawmux.wire.words import Activity, Kind, Source

# A look reads at most so much; a transcript grows by far less in a second, and what is skipped is only older.
LOOK_BYTES = 1 << 20
STATUS_BYTES = 1 << 16
DETAIL_CHARS = 300
# Where the program is started by another one its process is not the pane's: then its file is found by the session that a hook
# has named, at every so manieth look and among so many files.
SEARCH_LOOKS = 10
SEARCH_FILES = 200


class ClaudeRecords:
    """The records of one process; ``environ`` is what it was started with."""

    def __init__(self, pid: int, environ: Mapping[str, str]) -> None:
        self._home = Path(environ.get("CLAUDE_CONFIG_DIR") or Path(environ.get("HOME", "/")) / ".claude")
        self._status = self._home / "sessions" / f"{pid}.json"
        self._session = ""
        self._transcript: Tail | None = None
        self._story = Story()
        self._missed = 0
        """Looks at which the status file was not there."""

    def look(self) -> list[Observation]:
        status = _read_status(self._status)
        if not status and self._session:
            status = self._searched()
        session = status.get("sessionId")
        if isinstance(session, str) and session != self._session:
            self._moved(session, transcript_path(self._home, str(status.get("cwd", "")), session))
        seen: list[Observation] = []
        # A hook may name another place while this thread reads.
        transcript, story = self._transcript, self._story
        if transcript is not None:
            is_past = transcript.is_new
            for line in transcript.lines():
                seen += story.read(line)
            if is_past:
                story.ending = IDLE
        sign = read_status(status, story)
        return [*seen, sign] if sign else seen

    def placed(self, place: Place) -> None:
        if place.transcript:
            self._moved(place.session, Path(place.transcript))

    def close(self) -> None:
        self._transcript = None

    def _searched(self) -> dict[str, Any]:
        self._missed += 1
        if self._missed % SEARCH_LOOKS != 1:
            return {}
        for file in itertools.islice(self._status.parent.glob("*.json"), SEARCH_FILES):
            status = _read_status(file)
            if status.get("sessionId") == self._session:
                self._status = file
                return status
        return {}

    def _moved(self, session: str, transcript: Path) -> None:
        self._session = session
        if self._transcript is None or self._transcript.file != transcript:
            self._transcript, self._story = Tail(transcript), Story()


IDLE = Sign(Source.RECORD, Activity.IDLE)


class Story:
    """What the lines of a transcript come to: which tools run, and how the last turn ended."""

    def __init__(self) -> None:
        self.running: dict[str, tuple[str, str]] = {}
        """Id of a tool's use -> its name, and what it does."""
        self.ending = IDLE

    def read(self, line: bytes) -> list[Taken]:
        """What the program has been told by this line. Most lines say nothing."""
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            return []
        if not isinstance(said, dict) or said.get("isSidechain") or said.get("isMeta"):
            return []
        kind, message = said.get("type"), said.get("message")
        if kind == "queue-operation" and said.get("operation") == "enqueue":
            return [Taken(Source.RECORD, text) for text in _texts(said.get("content"))]
        content = message.get("content") if isinstance(message, dict) else None
        if kind == "user":
            return self._told(content)
        if kind == "assistant":
            self._answered(said, content)
        return []

    def _told(self, content: Any) -> list[Taken]:
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") == "tool_result":
                self.running.pop(str(block.get("tool_use_id")), None)
        texts = list(_texts(content))
        if texts:
            self.running.clear()
            is_stopped = texts[0].startswith("[Request interrupted by user")
            self.ending = Sign(Source.RECORD, Activity.IDLE, Kind.INTERRUPTED) if is_stopped else IDLE
            return [] if is_stopped else [Taken(Source.RECORD, text) for text in texts]
        return []

    def _answered(self, said: Mapping[str, Any], content: Any) -> None:
        if said.get("isApiErrorMessage"):
            activity, kind = API_ERRORS.get(str(said.get("error")), (Activity.IDLE, Kind.API_ERROR))
            self.ending = Sign(Source.RECORD, activity, kind, " ".join(" ".join(_texts(content)).split())[:DETAIL_CHARS])
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") == "tool_use":
                name = str(block.get("name"))
                self.running[str(block.get("id"))] = name, what_for(name, block.get("input"))


class Tail:
    """The lines that are written to a file from now on, and those of its last LOOK_BYTES."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.is_new = True
        """It was not looked at yet: what it has already tells of the past."""
        self._inode = 0
        self._at = 0

    def lines(self) -> list[bytes]:
        """Whole lines since the last call. Raises nothing; what is no file, or not there, has none."""
        self.is_new = False
        try:
            # Its name was told by a hook, which anybody in the session can run: a pipe would be waited for without end.
            descriptor = os.open(self.file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except (OSError, ValueError):  # a name that no file can have, with a NUL in it
            return []
        try:
            return self._read(descriptor)
        except OSError:
            return []
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int) -> list[bytes]:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return []
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


def read_status(status: Mapping[str, Any], story: Story) -> Sign | None:
    """The state in a status file, with what the transcript knows of it."""
    state = status.get("status")
    if state == "waiting":
        asked = [what for _, what in story.running.values()]
        waits_for = str(status.get("waitingFor", ""))[:DETAIL_CHARS]
        kind = Kind.PERMISSION if "permission" in waits_for else Kind.QUESTION
        return Sign(Source.RECORD, Activity.NEEDS_YOU, kind, asked[0] if len(asked) == 1 else waits_for)
    if state == "busy":
        name, _ = next(reversed(story.running.values()), ("", ""))
        return Sign(Source.RECORD, Activity.TOOL, detail=name) if name else Sign(Source.RECORD, Activity.THINKING)
    return story.ending if state in ("idle", "shell") else None


def _texts(content: Any) -> Iterator[str]:
    """The texts among a message's blocks; also where it is one text."""
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict) and block.get("type") == "text" and isinstance(text := block.get("text"), str):
            yield text


def _read_status(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as source:
            status = json.loads(source.read(STATUS_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return status if isinstance(status, dict) else {}
