"""The store: order, groups, neighbours, full disks, kill -9, broken files. Real SQLite on a real disk throughout."""

# ruff: noqa: ASYNC240 (the files are small, and nothing else runs)
from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from clawmux.adapters import store as module
from clawmux.adapters.store import _SCHEMA_1, SCHEMA_VERSION, Statement, Store
from clawmux.wire.errors import ClawMuxError

KILLS = 20


def event(n: int, text: str = "") -> Statement:
    body = f'{{"n": {n}, "text": "{text}"}}'
    return ("INSERT INTO events (n, session_id, type, ts, body) VALUES (?, 'af_sky', 'notice', 0, ?)", (n, body))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clawmux.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[Store]:
    async with Store(file) as store:
        yield store


def numbers(store: Store) -> list[int]:
    return [n for (n,) in store.rows("SELECT n FROM events ORDER BY n")]


def commits(file: Path) -> int:
    """Transactions in the write-ahead log: frames that name the size of the database (file format, 4.1)."""
    log = file.with_name(file.name + "-wal").read_bytes()
    frame = 24 + int.from_bytes(log[8:12], "big")
    return sum(log[at + 4 : at + 8] != bytes(4) for at in range(32, len(log) - 23, frame))


# -- writing --


async def test_what_is_done_is_there_and_read_back(store: Store) -> None:
    await store.write(event(1, "one"), event(2, "two"))
    assert store.last_event() == 2
    assert [e["text"] for e in store.events_after(0, 10)] == ["one", "two"]
    assert [e["n"] for e in store.events_before("af_sky", 0, 3, 1)] == [2]
    assert store.events_before("am_adam", 0, 3, 10) == []


async def test_history_is_the_newest_before_a_number_oldest_first_and_of_this_life(store: Store) -> None:
    await store.write(*(event(n) for n in range(1, 11)))
    assert [e["n"] for e in store.events_before("af_sky", 0, 8, 3)] == [5, 6, 7]
    assert [e["n"] for e in store.events_before("af_sky", 6, 8, 3)] == [6, 7]


async def test_order_of_calls_is_order_of_commits(store: Store) -> None:
    settled: list[int] = []
    await store.write(event(1))
    for number in range(1, 301):
        done = store.write(
            ("UPDATE events SET type = ? WHERE type = ?", (f"{number}", f"{number - 1}" if number > 1 else "notice"))
        )
        done.add_done_callback(lambda _, number=number: settled.append(number))  # type: ignore[misc]
    await store.write()
    assert store.rows("SELECT type FROM events") == [("300",)], "each saw the one before"
    await asyncio.sleep(0)
    assert settled == list(range(1, 301))


async def test_writes_of_one_moment_share_a_commit(store: Store, file: Path) -> None:
    before = commits(file)
    blocker = sqlite3.connect(file, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    waiting = [store.write(event(n)) for n in range(1, 201)]
    blocker.execute("ROLLBACK")
    blocker.close()
    await asyncio.gather(*waiting)
    assert numbers(store) == list(range(1, 201))
    assert commits(file) - before <= 3


BAD_NEIGHBOURS: dict[str, Statement] = {
    "a number that is taken": event(1),
    "a table that is not there": ("INSERT INTO nothing VALUES (1)", ()),
    "a number that SQLite cannot hold": ("UPDATE events SET ts = ?", (2**70,)),
    "a text that UTF-8 cannot hold": ("UPDATE events SET body = ?", ("\ud800",)),
    "a value of no known kind": ("UPDATE events SET body = ?", (object(),)),
    "too few values": ("UPDATE events SET body = ?", ()),
}


@pytest.mark.parametrize("bad", BAD_NEIGHBOURS.values(), ids=BAD_NEIGHBOURS)
async def test_one_bad_neighbour_fails_alone(store: Store, file: Path, bad: Statement) -> None:
    await store.write(event(1, "first"))
    blocker = sqlite3.connect(file, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    good = [store.write(event(n)) for n in (2, 3)]
    failing = store.write(event(50), bad)
    good += [store.write(event(n)) for n in (4, 5)]
    blocker.execute("ROLLBACK")
    blocker.close()
    async with asyncio.timeout(20):
        results = await asyncio.gather(*good, failing, return_exceptions=True)
        assert results[:4] == [None] * 4 and isinstance(results[4], Exception)
        await store.write(event(6))
    assert numbers(store) == [1, 2, 3, 4, 5, 6], "nothing of the failed one"
    assert store.events_after(0, 1)[0]["text"] == "first"


async def test_a_waiter_that_went_away_harms_nobody(store: Store) -> None:
    store.write(event(1)).cancel()
    await store.write(event(2))
    assert numbers(store) == [1, 2]


async def test_leaving_writes_what_was_queued(file: Path) -> None:
    async with Store(file) as store:
        for n in range(1, 101):
            store.write(event(n))
    async with Store(file) as store:
        assert numbers(store) == list(range(1, 101))


async def test_a_search_that_nobody_waits_for_any_more_ends(file: Path) -> None:
    """A page that searches while its user types gives up one search after another."""
    long = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 300000000) SELECT count(*) FROM c"
    async with Store(file) as store:
        for seconds in (0.0, 0.1, 0.1):  # one that has not begun, and two that have
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(seconds):
                    await store.search(long)
        assert await store.search("SELECT 1") == [(1,)]
    async with asyncio.timeout(10):
        await asyncio.get_running_loop().shutdown_default_executor()


# -- full disks --


@pytest.fixture
def small(file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that may grow to 64 pages and no further."""
    connect = module._connect

    def connect_small(file: Path) -> sqlite3.Connection:
        connection = connect(file)
        connection.execute("PRAGMA max_page_count = 64")
        return connection

    monkeypatch.setattr(module, "_connect", connect_small)
    return file


async def test_a_full_disk_is_told_and_nothing_is_half_written(small: Path) -> None:
    async with Store(small) as store:
        await store.write(event(1))
        with pytest.raises(ClawMuxError) as full:
            await store.write(event(2), event(3, "x" * 1_000_000))
        assert full.value.code == "disk_full" and str(small) in full.value.text
        assert numbers(store) == [1]
        await store.write(event(4))
        assert numbers(store) == [1, 4], "what has room is written again"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(4096))
        except OSError:
            return filler


async def test_a_disk_that_is_full_for_a_while_is_used_again_without_a_restart(small_disk: Path) -> None:
    file = small_disk / "clawmux.db"
    async with Store(file) as store:
        await store.write(event(1))
        filler = fill(small_disk)
        with pytest.raises(ClawMuxError) as full:
            await store.write(event(2, "x" * 50_000))
        assert full.value.code == "disk_full"
        assert numbers(store) == [1], "reading goes on"
        filler.unlink()
        await store.write(event(3))
    async with Store(file) as store:
        assert numbers(store) == [1, 3]


async def test_another_program_that_holds_the_file_is_named(store: Store, file: Path) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        with pytest.raises(ClawMuxError, match=r"another program holds .*clawmux\.db locked"):
            await store.write(event(1))
        another.execute("ROLLBACK")
    await store.write(event(1))
    assert store.last_event() == 1


async def test_a_disk_full_at_the_start_is_not_taken_for_a_broken_file(small_disk: Path) -> None:
    file = small_disk / "clawmux.db"
    async with Store(file) as store:
        await store.write(event(1))
    filler = fill(small_disk)
    with pytest.raises(ClawMuxError) as refused:
        async with Store(file):
            pass
    assert refused.value.code in ("disk_full", "bad_file") and str(file) in refused.value.text
    filler.unlink()
    async with Store(file) as store:
        assert numbers(store) == [1] and store.quarantined is None


# -- kill -9 --

WRITER = """
import asyncio, sys
from pathlib import Path
from clawmux.adapters.store import Store
from tests.adapters.test_store import event

async def main():
    async with Store(Path(sys.argv[1])) as store:
        n = store.last_event()
        while True:
            batch = [(n := n + 1, store.write(event(n, "x" * (n % 500)))) for _ in range(1 + n % 7)]
            for number, done in batch:
                await done
                print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.faults
async def test_kill_9_loses_no_acknowledged_row(file: Path) -> None:
    dice, acknowledged = random.Random(9), 0
    for _ in range(KILLS):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(file), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        assert child.stdout is not None
        for _ in range(dice.randint(1, 200)):
            acknowledged = int(await child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = (await child.stdout.read()).split()
        await child.wait()
        # The last line may be cut by the kill only where a pipe splits it: whole lines are whole numbers.
        acknowledged = max([acknowledged, *map(int, rest)])
    async with Store(file) as store:
        assert store.quarantined is None
        found = numbers(store)
        assert found == list(range(1, len(found) + 1)), "no gap"
        assert len(found) >= acknowledged > KILLS


# -- files that are not right --


async def written(file: Path, count: int = 2000) -> None:
    """A store with some pages, as a clean end of the hub leaves it."""
    async with Store(file) as store:
        await store.write(*(event(n, "y" * 100) for n in range(1, count + 1)))


def change(at: float, data: bytes) -> Callable[[Path], None]:
    """Overwrite bytes at this part of the file."""

    def act(file: Path) -> None:
        start = int(file.stat().st_size * at) // 4096 * 4096
        with file.open("r+b") as out:
            out.seek(start)
            out.write(data)

    return act


DAMAGE: dict[str, Callable[[Path], None]] = {
    "first page zeroed": change(0, bytes(4096)),
    "garbage in the first page": change(0, os.urandom(4096)),
    "garbage in a page in the middle": change(0.5, b"\xa5" * 4096),
    "page in the middle zeroed": change(0.5, bytes(4096)),
    "truncated in the middle": lambda file: os.truncate(file, file.stat().st_size // 2),
    "truncated to half a page": lambda file: os.truncate(file, 2048),
    "another kind of file": lambda file: (file.write_text("[hub]\nport = 3460\n" * 500), None)[1],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
async def test_a_broken_file_is_put_aside_whole_and_the_hub_goes_on(file: Path, damage: Callable[[Path], None]) -> None:
    await written(file)
    damage(file)
    broken = file.read_bytes()
    async with Store(file) as store:
        assert store.quarantined is not None and store.quarantined.parent == file.parent
        assert store.quarantined.name.startswith("clawmux.db.corrupt-")
        assert store.quarantined.read_bytes() == broken
        assert store.last_event() == 0
        await store.write(event(1))
    async with Store(file) as store:
        assert store.quarantined is None and numbers(store) == [1]


async def test_a_file_cut_to_nothing_keeps_its_log_aside(file: Path, tmp_path: Path) -> None:
    """SQLite would delete the write-ahead log of an empty file, and all that is only there."""
    async with Store(file) as store:
        await store.write(event(1, "precious"))
        left = tmp_path / "left"
        left.mkdir()
        for ending in ("", "-wal"):
            shutil.copy(f"{file}{ending}", left)
    os.truncate(left / file.name, 0)
    async with Store(left / file.name) as store:
        assert store.quarantined is not None
        assert b"precious" in Path(f"{store.quarantined}-wal").read_bytes()


async def test_what_was_put_aside_is_never_overwritten(file: Path) -> None:
    kept = set()
    for content in ("one", "two", "three"):
        file.write_text(content * 2000)
        async with Store(file) as store:
            assert store.quarantined is not None
            kept.add(store.quarantined)
    assert sorted(path.read_text()[:3] for path in kept) == ["one", "thr", "two"]


async def test_a_newer_schema_is_refused_and_left_as_it_is(file: Path) -> None:
    await written(file, 3)
    connection = sqlite3.connect(file)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(ClawMuxError) as refused:
        async with Store(file):
            pass
    assert refused.value.code == "bad_file"
    assert str(file) in refused.value.text and str(SCHEMA_VERSION + 1) in refused.value.text
    assert file.read_bytes() == before and not list(file.parent.glob("*.corrupt-*"))


def _as_schema_1(file: Path) -> None:
    """What the first release wrote: an event, and no table for messages."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript(f"{_SCHEMA_1} PRAGMA user_version = 1;")
        connection.execute("INSERT INTO events VALUES (1, 'af_sky', 'user_text', 1.0, '{\"n\": 1}')")
        connection.commit()


async def test_an_older_file_is_taken_along_and_a_copy_of_it_kept(file: Path) -> None:
    _as_schema_1(file)
    async with Store(file) as store:
        assert store.quarantined is None and store.last_event() == 1
        assert store.rows("SELECT count(*) FROM messages") == [(0,)]
    copy = file.with_name(f"{file.name}.schema-1")
    assert copy.stat().st_mode & 0o777 == 0o600
    with contextlib.closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
    async with Store(file) as store:  # the second time there is nothing to do
        assert store.last_event() == 1


async def test_a_step_that_fails_leaves_the_older_file_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _as_schema_1(file)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE INDEX message_steps_by_id ON events (ts)")  # in the way of the last statement
    with pytest.raises(ClawMuxError):
        async with Store(file):
            pass
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'messages'").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)
    assert not list(file.parent.glob("*.corrupt-*"))


@pytest.mark.parametrize("kind", ["a folder in its place", "no folder to be in"])
async def test_a_file_that_cannot_be_opened_is_named_and_left_alone(file: Path, kind: str) -> None:
    if kind == "a folder in its place":
        (file / "inside").mkdir(parents=True)
    else:
        file = file.parent / "nowhere" / file.name
    with pytest.raises(ClawMuxError) as refused:
        async with Store(file):
            pass
    assert refused.value.code == "bad_file" and str(file) in refused.value.text
    assert not list(file.parent.glob("*.corrupt-*"))


async def test_a_row_with_a_broken_body_is_left_out_and_the_others_read(file: Path) -> None:
    """A flipped byte inside of a text breaks no page, so SQLite does not see it."""
    await written(file, 3)
    connection = sqlite3.connect(file)
    connection.execute("UPDATE events SET body = '{\"n\": 2' WHERE n = 2")
    connection.execute("UPDATE events SET body = CAST(X'7B226E223A2033FF7D' AS TEXT) WHERE n = 3")
    connection.commit()
    connection.close()
    async with Store(file) as store:
        assert [e["n"] for e in store.events_after(0, 10)] == [1]
        assert store.last_event() == 3
