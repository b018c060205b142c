"""The power goes while messages are sent: every id that ``send`` has printed is there afterwards.

The hub's home lies on a file system on a loop device, whose file lies on a second one, as a disk with a cache of its own has
it: what a program wrote without a sync is in the memory of the first, and what was not flushed to the disk in that of the second.
A cut is a copy of the outer file, taken while the hub stands still. Of both memories the copy has nothing. Then the copy is
mounted, with the repair that a real start after a power cut does, and a real hub starts on it.

Needs root and loop devices: ``sudo``, or a container that may mount. The long form, 40 cuts:
``CLAWMUX_TEST_LONG=1 python -m pytest -s tests/faults/test_power_cut.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import filecmp
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.hub.messengers import add_messengers, spawn
from tests.live_hub import LiveHub
from tests.long_form import IS_LONG
from tests.waiting import until

pytestmark = pytest.mark.faults

CUTS = 40 if IS_LONG else 4
SENDERS = 3
COPIES_TRIED = 20
MEGABYTES_INNER, MEGABYTES_OUTER = 40, 64


class Disk:
    """Two file systems on loop devices, one in the other. Raises ``OSError`` where that may not be done."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "disk"
        self.mounted: list[Path] = []
        outer = self.mount(make(self.file, MEGABYTES_OUTER), folder / "outer")
        # By itself ext4 commits after 5 s: what the hub has not synced must be seen to be lost.
        self.folder = self.mount(make(outer / "disk", MEGABYTES_INNER), folder / "inner", "commit=600")

    def mount(self, image: Path, folder: Path, options: str = "defaults") -> Path:
        folder.mkdir()
        run("mount", "-o", f"loop,{options}", str(image), str(folder))
        self.mounted.append(folder)
        return folder

    def after_a_cut(self, folder: Path) -> Path:
        """The inner folder as the next start finds it."""
        folder.mkdir()
        # A disk that is written to meanwhile would be of no one moment.
        for _ in range(COPIES_TRIED):
            shutil.copyfile(self.file, folder / "disk")
            if filecmp.cmp(self.file, folder / "disk", shallow=False):
                break
        else:
            raise OSError("the disk is never still")
        outer = self.mount(folder / "disk", folder / "outer")
        return self.mount(outer / "disk", folder / "inner")

    def unmount(self, count: int) -> None:
        """The newest so many."""
        for _ in range(count):
            # Lazily: whoever made a mount namespace of its own meanwhile, as sandboxes do, holds it a little longer.
            run("umount", "-l", str(self.mounted.pop()))


def make(file: Path, megabytes: int) -> Path:
    with file.open("wb") as out:
        out.truncate(megabytes * 1024 * 1024)
    run("mkfs.ext4", "-q", "-F", str(file))
    return file


def run(*words: str) -> None:
    """Raises ``OSError`` with what it said."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise OSError(f"{words[0]}: {done.stderr.strip()}")


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="pc"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def disk(folder: Path) -> Iterator[Disk]:
    made = Disk.__new__(Disk)
    made.mounted = []
    try:
        made.__init__(folder)  # type: ignore[misc]
    except OSError as error:
        made.unmount(len(made.mounted))
        pytest.skip(f"no loop device can be mounted here, which needs root: {error}")
    yield made
    made.unmount(len(made.mounted))


class PoweredHub(LiveHub):
    """Its home on that disk."""

    def __init__(self, folder: Path, module: str = "clawmux") -> None:
        before, tempfile.tempdir = tempfile.tempdir, str(folder)
        try:
            super().__init__("none")
        finally:
            tempfile.tempdir = before
        self.module = module


@contextlib.asynccontextmanager
async def sending(hub: LiveHub) -> AsyncIterator[dict[str, str]]:
    """Senders that send as fast as they can: id -> text of all that was printed so far."""
    printed: dict[str, str] = {}

    async def send(sender: int) -> None:
        for number in range(1_000_000):
            text = f"number {number} of {sender}{', and so on' * (number % 60)}"
            told = await hub.run("", "send", "--to", f"adam-{sender}", "--", text)
            assert told.code == 0, told
            printed[told.out.strip()] = text
            # Fifty a minute from one to another is below what the guard against loops stops.
            await asyncio.sleep(0.9)

    tasks = [asyncio.create_task(send(sender)) for sender in range(SENDERS)]
    try:
        yield printed
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [e for e in ended if not isinstance(e, asyncio.CancelledError)] == []


def cut(hub: LiveHub, disk: Disk, folder: Path, printed: dict[str, str]) -> tuple[Path, dict[str, str]]:
    """The hub's home after a cut now, and what was printed before."""
    assert hub.process is not None
    hub.process.send_signal(signal.SIGSTOP)
    try:
        before = dict(printed)
        return disk.after_a_cut(folder) / hub.home.name, before
    finally:
        hub.process.send_signal(signal.SIGCONT)


def stored(home: Path) -> dict[str, str]:
    """Texts by id; an empty file has none."""
    found = list(home.rglob("clawmux.db"))
    with contextlib.closing(sqlite3.connect(found[0] if found else ":memory:")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'messages'").fetchone():
            return {}
        return dict(connection.execute("SELECT id, text FROM messages").fetchall())


async def start(hub: LiveHub) -> None:
    add_messengers(hub)
    await hub.start()
    for sender in range(SENDERS):
        await spawn(hub, "ack", name=f"adam-{sender}")


async def end(hub: LiveHub) -> None:
    await hub.stop()
    process = await asyncio.create_subprocess_exec("tmux", "-S", str(hub.paths.tmux_socket), "kill-server")
    await process.wait()


async def test_a_power_cut_loses_no_id_that_was_printed(disk: Disk, folder: Path) -> None:
    chance = random.Random(6)
    hub = PoweredHub(disk.folder)
    await start(hub)
    lost: list[str] = []
    checked = 0
    try:
        async with sending(hub) as printed:
            for number in range(CUTS):
                await asyncio.sleep(chance.uniform(0.5, 2.0))
                home, before = cut(hub, disk, folder / str(number), printed)
                survived = stored(home)
                lost += [i for i, text in before.items() if survived.get(i) != text]
                checked += len(before)
                if number < CUTS - 1:
                    disk.unmount(2)
                    shutil.rmtree(folder / str(number))
    finally:
        await end(hub)
    assert lost == []
    assert checked > CUTS
    print(f"\n{CUTS} cuts, {len(before)} ids printed before the last of them, none lost")
    await the_next_hub_has_them(home, before)
    disk.unmount(2)


async def the_next_hub_has_them(home: Path, printed: dict[str, str]) -> None:
    """No agent has lived through the cut, so what had not arrived is told to be undeliverable."""
    hub = PoweredHub(home.parent)
    shutil.rmtree(hub.home)
    shutil.move(home, hub.home)
    await hub.start()
    try:
        views = {i: await hub.call("GET", f"/api/messages/{i}") for i in printed}
        assert {i: view["text"] for i, view in views.items()} == printed
        assert {view["state"] for view in views.values()} <= {"acknowledged", "undeliverable"}
    finally:
        await end(hub)


async def test_this_disk_loses_what_is_not_synced(disk: Disk, folder: Path) -> None:
    """The same with a store that does not wait for the disk: ids are missing. So the cut is one."""
    hub = PoweredHub(disk.folder, "tests.stand_ins.hasty_hub")
    await start(hub)
    try:
        async with sending(hub) as printed:
            await until(lambda: len(printed) >= 6, 30)
            home, before = cut(hub, disk, folder / "cut", printed)
            survived = stored(home) if home.exists() else {}
            assert set(before) - set(survived), "what nobody had synced has survived"
    finally:
        await end(hub)
    disk.unmount(2)
