"""What an OpenCode tells of itself: the event stream of its own server, read by a thread of ours. Decides nothing about it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import Any

from clawmux.adapters.runtimes.opencode_events import OpenCodeEvents
from clawmux.adapters.runtimes.opencode_server import EventStream, OpenCodeServer
from clawmux.adapters.runtimes.running import started
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.signs import Observation, Place

log = logging.getLogger(__name__)

# While it starts there is no server yet.
AGAIN_SECONDS = 0.5
SESSION_FILE = "opencode-session"
MOST_KEPT = 256
"""Observations between two looks; older ones are dropped."""


class OpenCodeRecords:
    """The records of one process. ``look`` says nothing while its server does not answer."""

    def __init__(self, pid: int, directory: Path, folder: Path) -> None:
        self._pid = pid
        self._server = OpenCodeServer(pid, folder)
        self._directory = directory
        self._folder = folder
        self._reading = OpenCodeEvents()
        self._seen: list[Observation] = []
        self._lock = threading.Lock()
        self._is_connected = False
        self._closing = threading.Event()
        self._stream: EventStream | None = None
        self._thread = threading.Thread(target=self._follow, name=f"opencode events of {pid}", daemon=True)
        self._thread.start()

    def look(self) -> list[Observation]:
        with self._lock:
            seen, self._seen = self._seen, []
            sign = self._reading.sign if self._is_connected else None
        return [*seen, sign] if sign else seen

    def placed(self, place: Place) -> None:
        """OpenCode has no hooks."""

    def close(self) -> None:
        self._closing.set()
        if self._stream is not None:
            self._stream.close()

    def _follow(self) -> None:
        while not self._closing.is_set():
            try:
                self._stream = self._server.events()
                with contextlib.closing(self._stream):
                    self._read(self._stream)
            except ClawMuxError:
                pass  # it starts, or ends
            except Exception:
                log.exception("reading the events of an OpenCode failed; begun again")
            with self._lock:
                self._is_connected = False
            self._closing.wait(AGAIN_SECONDS)

    def _read(self, stream: EventStream) -> None:
        """The stream is open already: what happens while we ask how things stand comes after."""
        session = self._reading.session or known_session(self._server, self._pid, self._directory, self._folder)
        statuses, permissions, questions = (self._server.get(path) for path in ("/session/status", "/permission", "/question"))
        with self._lock:
            if session and session != self._reading.session:
                self._reading = OpenCodeEvents(session)
                self._keep([Place(session)])
            self._reading.found(_mapping(statuses), _list(permissions), _list(questions))
            self._is_connected = True
        for event in stream:
            with self._lock:
                self._keep(self._reading.read(event))
            if self._closing.is_set():
                return

    def _keep(self, seen: list[Observation]) -> None:
        self._seen = [*self._seen, *seen][-MOST_KEPT:]
        for place in seen:
            if isinstance(place, Place):
                store_session(self._folder, place.session)


def store_session(folder: Path, session: str) -> None:
    new = folder / f"{SESSION_FILE}.new"
    with contextlib.suppress(OSError):
        new.write_text(session, encoding="utf-8")
        new.chmod(0o600)
        new.replace(folder / SESSION_FILE)


def known_session(server: OpenCodeServer, pid: int, directory: Path, folder: Path) -> str:
    """The agent's session: the one that was stored, else the one of its folder that was last changed since it started.

    Empty when there is none. Raises ``conflict``. Other programs that work in the same folder show theirs here, too."""
    since = started(pid)
    found = {
        str(session.get("id")): _mapping(session.get("time")).get("updated", 0) / 1000
        for session in _list(server.get("/session"))
        if isinstance(session, dict) and not session.get("parentID") and session.get("directory") == os.fspath(directory)
    }
    # One that was left before this program began belongs to an earlier life of its folder.
    living = {session: changed for session, changed in found.items() if changed >= since}
    with contextlib.suppress(OSError, UnicodeDecodeError):
        stored = (folder / SESSION_FILE).read_text(encoding="utf-8").strip()
        if stored in living:
            return stored
    return max(living, key=lambda session: living[session], default="")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
