"""What must survive: events, questions, sessions, messages. SQLite with WAL and synchronous=FULL, one writer thread.

Writes of one moment are committed together (group commit), so the event loop never waits for a disk and nothing is
told to anybody before it is durable. Reads are small and use a connection of their own.
Decides nothing: what is written is the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from clawmux.wire.errors import ClawMuxError
from clawmux.wire.search import deeds, searched

log = logging.getLogger(__name__)

_SCHEMA_1 = """
CREATE TABLE events (
    n INTEGER PRIMARY KEY, session_id TEXT, type TEXT NOT NULL, ts REAL NOT NULL, body TEXT NOT NULL);
CREATE INDEX events_by_session ON events (session_id, n);
CREATE TABLE questions (
    id TEXT PRIMARY KEY, session_id TEXT NOT NULL, request TEXT NOT NULL, msg_id TEXT NOT NULL, created REAL NOT NULL,
    stage TEXT NOT NULL, shown INTEGER NOT NULL, spoken INTEGER NOT NULL, parked INTEGER NOT NULL,
    code TEXT, answer TEXT, ended REAL);
CREATE INDEX questions_open ON questions (created) WHERE code IS NULL;
CREATE TABLE sessions (id TEXT PRIMARY KEY, body TEXT NOT NULL);
"""
# Messages between agents, each with its steps for `trace`. The last index is all that a start of the hub reads.
_SCHEMA_2 = """
CREATE TABLE messages (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, request TEXT NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL,
    sender_name TEXT NOT NULL, recipient_name TEXT NOT NULL, text TEXT NOT NULL, expects_response INTEGER NOT NULL,
    re TEXT NOT NULL, hops INTEGER NOT NULL, created REAL NOT NULL,
    state TEXT NOT NULL, tries INTEGER NOT NULL, taken INTEGER NOT NULL, owed INTEGER NOT NULL,
    reply TEXT NOT NULL, reason TEXT NOT NULL, held TEXT NOT NULL, changed REAL NOT NULL);
CREATE INDEX messages_by_request ON messages (request) WHERE request <> '';
CREATE INDEX messages_by_sender ON messages (sender, n, recipient);
CREATE INDEX messages_by_recipient ON messages (recipient, n, sender);
CREATE INDEX messages_open ON messages (n) WHERE state IN ('queued', 'injecting', 'pending') OR owed;
CREATE TABLE message_steps (id TEXT NOT NULL, ts REAL NOT NULL, step TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX message_steps_by_id ON message_steps (id);
"""
# What went to everybody at once is shown as one.
_SCHEMA_3 = "ALTER TABLE messages ADD COLUMN batch TEXT NOT NULL DEFAULT '';"
# Of which need of which agent devices were told, until it is met.
_SCHEMA_4 = "CREATE TABLE told (id TEXT PRIMARY KEY, body TEXT NOT NULL, told_to TEXT NOT NULL, ts REAL NOT NULL);"
# What agents have done since their last event of it, so that it outlives the hub.
_SCHEMA_5 = "CREATE TABLE bursts (session_id TEXT PRIMARY KEY, body TEXT NOT NULL);"
# What leads from each schema to the next one; a new file takes all the steps.
_STEPS = (_SCHEMA_1, _SCHEMA_2, _SCHEMA_3, _SCHEMA_4, _SCHEMA_5)
SCHEMA_VERSION = len(_STEPS)

# Of a body that cannot be read nothing is found. What an agent did is searched in the words of its tools.
_WORDS = """
    CASE WHEN NOT json_valid(body) THEN NULL
        WHEN type = 'work' THEN deeds(json_extract(body, '$.items'))
        ELSE json_extract(body, '$.text') END
"""
_SEARCH_EVENTS = f"""
SELECT n, type, ts FROM events WHERE session_id = ? AND n >= ? AND n < ?
    AND type IN ('assistant_text', 'user_text', 'agent_message', 'notice', 'work')
    AND instr(searched({_WORDS}), ?)
    ORDER BY n DESC LIMIT ?
"""
# The newest events come first whosever they are (CROSS JOIN: read in this order), so that common words are found at once.
_SEARCH_ALL_EVENTS = f"""
WITH known (id, first_n) AS MATERIALIZED (SELECT key, value FROM json_each(?))
SELECT n, session_id, type, ts, {_WORDS} FROM events CROSS JOIN known ON id = session_id AND n >= first_n
    WHERE n < ? AND type IN ('assistant_text', 'user_text', 'agent_message', 'notice', 'work')
    AND instr(searched({_WORDS}), ?)
    ORDER BY n DESC LIMIT ?
"""

# Between two of SQLite's looks whether somebody still waits for a search: some tens of rows.
SEARCH_STEPS = 1000

Statement = tuple[str, Sequence[Any]]

# What SQLite says at opening when the content is wrong. A full disk, a lock or a missing permission is not the file's fault.
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


class Store:
    """The one writer and the readers of clawmux.db."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._jobs: queue.SimpleQueue[tuple[Sequence[Statement], asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._read: sqlite3.Connection
        self._thread: threading.Thread
        self._loop: asyncio.AbstractEventLoop
        self._searching = asyncio.Lock()
        self.quarantined: Path | None = None
        """Where a broken file was put aside at opening, for a loud notice."""

    async def __aenter__(self) -> Store:
        self._loop = asyncio.get_running_loop()
        write = self._open_or_quarantine()
        self._read = _connect(self._file)
        self._thread = threading.Thread(target=self._work, args=(write,), name="store", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._read.close()

    # -- writing --

    def write(self, *statements: Statement) -> asyncio.Future[None]:
        """Queue statements for one transaction; the future is done when they are durable, or has their error.

        Order of calls is order of commits. A full disk raises ``disk_full`` and leaves nothing half-written.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        self._jobs.put((statements, future))
        return future

    def _work(self, connection: sqlite3.Connection) -> None:
        while (job := self._jobs.get()) is not None:
            jobs, stop = [job], False
            with contextlib.suppress(queue.Empty):
                while len(jobs) < 500:
                    following = self._jobs.get_nowait()
                    if following is None:
                        stop = True
                        break
                    jobs.append(following)
            self._commit(connection, jobs)
            if stop:
                break
        connection.close()

    def _commit(self, connection: sqlite3.Connection, jobs: list[tuple[Sequence[Statement], asyncio.Future[None]]]) -> None:
        try:
            self._run(connection, [statement for statements, _ in jobs for statement in statements])
        # Not sqlite3.Error alone: what SQLite cannot hold (a lone surrogate, 2**70) must not end the one writer either.
        except Exception as error:
            if len(jobs) > 1:
                # One bad neighbour must not fail the others of its group.
                for job in jobs:
                    self._commit(connection, [job])
                return
            self._settle(jobs, _as_told(error, self._file))
            return
        self._settle(jobs, None)

    @staticmethod
    def _run(connection: sqlite3.Connection, statements: list[Statement]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                connection.execute(sql, values)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _settle(self, jobs: list[tuple[Sequence[Statement], asyncio.Future[None]]], error: Exception | None) -> None:
        def settle() -> None:
            for _, future in jobs:
                if future.cancelled():
                    continue
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)

        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(settle)

    # -- reading --

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._read.execute(sql, values).fetchall()

    async def search(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The same for what may read many rows: in a thread, on a connection of its own, one at a time. Cancelling it ends it."""
        given_up = threading.Event()
        async with self._searching:
            work = asyncio.create_task(asyncio.to_thread(self._search, sql, values, given_up))
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                # A thread cannot be cancelled; while it goes on, no other may begin.
                given_up.set()
                await asyncio.gather(work, return_exceptions=True)
                raise

    def _search(self, sql: str, values: Sequence[Any], given_up: threading.Event) -> list[tuple[Any, ...]]:
        with contextlib.closing(_connect(self._file)) as connection:
            connection.set_progress_handler(given_up.is_set, SEARCH_STEPS)
            return connection.execute(sql, values).fetchall()

    def last_event(self) -> int:
        return int(self.rows("SELECT coalesce(max(n), 0) FROM events")[0][0])

    def events_after(self, n: int, limit: int) -> list[dict[str, Any]]:
        return _events(self.rows("SELECT body FROM events WHERE n > ? ORDER BY n LIMIT ?", (n, limit)))

    def events_before(self, session_id: str, first_n: int, before: int, limit: int) -> list[dict[str, Any]]:
        """The newest ``limit`` events of a session before number ``before``, oldest first."""
        rows = self.rows(
            "SELECT body FROM events WHERE session_id = ? AND n >= ? AND n < ? ORDER BY n DESC LIMIT ?",
            (session_id, first_n, before, limit),
        )
        return _events(reversed(rows))

    def events_following(self, session_id: str, after: int, limit: int) -> list[dict[str, Any]]:
        """The oldest ``limit`` events of a session after number ``after``, oldest first."""
        values = (session_id, after, limit)
        return _events(self.rows("SELECT body FROM events WHERE session_id = ? AND n > ? ORDER BY n LIMIT ?", values))

    async def events_with(
        self, words: str, session_id: str, first_n: int, before: int, limit: int
    ) -> list[tuple[int, str, float]]:
        """(number, type, Unix seconds) of the newest ``limit`` events of a session whose text has these words, whatever their
        case, newest first."""
        rows = await self.search(_SEARCH_EVENTS, (session_id, first_n, before, searched(words), limit))
        return [(n, kind, ts) for n, kind, ts in rows]

    async def events_anywhere_with(
        self, words: str, first_ns: Mapping[str, int], before: int, limit: int
    ) -> list[tuple[int, str, str, float, str]]:
        """(number, session, type, Unix seconds, text) of the newest ``limit`` events with these words, newest first, in sessions
        whose first numbers are given."""
        values = (json.dumps(first_ns), before, searched(words), limit)
        rows = await self.search(_SEARCH_ALL_EVENTS, values)
        return [(n, session_id, kind, ts, str(text)) for n, session_id, kind, ts, text in rows]

    # -- opening --

    def _open_or_quarantine(self) -> sqlite3.Connection:
        try:
            return self._opened()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF not in _BROKEN:
                raise _not_opened(error, self._file) from None
            self._put_aside()
            return self._opened()

    def _put_aside(self) -> None:
        now = int(time.time())
        names = (self._file.with_name(f"{self._file.name}.corrupt-{now + later}") for later in itertools.count())
        self.quarantined = next(name for name in names if not name.exists())
        for ending in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self._file.with_name(self._file.name + ending).rename(f"{self.quarantined}{ending}")

    def _opened(self) -> sqlite3.Connection:
        if _is_empty_beside_its_log(self._file):
            raise sqlite3.DatabaseError("the file was cut to nothing")
        connection = _connect(self._file)
        try:
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise ClawMuxError(
                "bad_file",
                f"{self._file} was written by a newer ClawMux (schema {version}, this one knows {SCHEMA_VERSION}).",
                "Install that newer version again.",
            )
        if version and connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("quick_check failed")
        if version < SCHEMA_VERSION:
            self._take_along(connection, version)

    def _take_along(self, connection: sqlite3.Connection, version: int) -> None:
        """Make a new or older file one of ours, wholly or not at all."""
        steps = "".join(_STEPS[version:])
        try:
            if version:
                _keep_copy(connection, self._file.with_name(f"{self._file.name}.schema-{version}"))
            connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        except (sqlite3.Error, OSError) as error:
            if not version:
                raise
            # The file is well, so it must not be put aside as a broken one.
            raise _not_opened(error, self._file) from None


def _keep_copy(connection: sqlite3.Connection, target: Path) -> None:
    """The file as the older ClawMux wrote it, for whoever goes back to that; made whole before it has its name."""
    unfinished = target.with_name(target.name + ".tmp")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(sqlite3.connect(unfinished)) as copy:
        connection.backup(copy)
    unfinished.replace(target)


def _is_empty_beside_its_log(file: Path) -> bool:
    """SQLite takes an empty file for a new one and deletes its write-ahead log, with all that is only there."""
    log_file = file.with_name(file.name + "-wal")
    return file.is_file() and not file.stat().st_size and log_file.is_file() and bool(log_file.stat().st_size)


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=5.0)
    # A broken text must not keep the others of its query from being read.
    connection.text_factory = lambda data: str(data, "utf-8", "replace")
    connection.create_function("searched", 1, searched, deterministic=True)
    connection.create_function("deeds", 1, deeds, deterministic=True)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL loses acknowledged writes in a power cut; FULL was measured at 0.1 ms, and groups share it.
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _events(rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    return [event for (body,) in rows if (event := _event(body))]


def _event(body: str) -> dict[str, Any] | None:
    """One flipped byte inside of a text is nothing that SQLite sees; it costs this event, not the hub."""
    try:
        event: dict[str, Any] = json.loads(body)
        return event
    except ValueError:
        log.error("an event in the store cannot be read: %.80r", body)
        return None


def _as_told(error: Exception, file: Path) -> Exception:
    if "full" in str(error):
        return ClawMuxError("disk_full", f"the disk of {file} is full.", "Free some space; nothing was half-written.")
    if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
        return ClawMuxError(
            "internal", f"another program holds {file} locked.", "End it, and try again; nothing was half-written."
        )
    return error


def _not_opened(error: Exception, file: Path) -> ClawMuxError:
    told = _as_told(error, file)
    if isinstance(told, ClawMuxError):
        return told
    return ClawMuxError(
        "bad_file", f"{file} cannot be opened: {error}.", "Look at its disk and its permissions; it was left as it is."
    )
