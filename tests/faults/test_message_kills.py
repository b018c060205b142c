"""Four agents talk (tests/stand_ins/talker.py) while the hub between them is killed with kill -9 at random moments.

They send, wait for acknowledgments and for answers, acknowledge and answer, all through the real client from real tmux panes;
the user says something now and then. Some of the commands that wait for an answer are killed as well. At the end: every id that
a ``send`` has printed is stored with its text, nothing is lost, answered twice, or typed to another agent than its recipient,
every answer came back, and everything is settled.

The long form, 200 kills in some 12 minutes:
``CLAWMUX_TEST_LONG=1 python -m pytest -s -o faulthandler_timeout=3600 tests/faults/test_message_kills.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from typing import Any

import pytest

from clawmux.adapters import headers
from tests.live_hub import LiveHub
from tests.long_form import IS_LONG
from tests.stand_ins.talker import ENDED, WENT_AWAY
from tests.waiting import until_answer

pytestmark = pytest.mark.faults

KILLS = 200 if IS_LONG else 10
SEED = int(os.environ.get("CLAWMUX_TEST_SEED", "11"))
# A message that nobody knows to have been typed is tried again after a minute.
SETTLED_SECONDS = 900.0 if IS_LONG else 150.0
NAMES = ("north", "east", "south", "west")
MANIFEST = """
title = "Talker"
program = "{{interpreter}}"
arguments = ["-P", "-m", "tests.stand_ins.talker", "{{folder}}", "{name}", "{peers}"]
ready = "first_contact"
[environment]
PYTHONPATH = "{{package_root}}"
PYTHONDONTWRITEBYTECODE = "1"
[input]
prompt = '^> ?'
settle_ms = 0
"""
Row = dict[str, Any]


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        for name in NAMES:
            peers = ",".join(other for other in NAMES if other != name)
            (hub.paths.user_runtimes / f"{name}.toml").write_text(MANIFEST.format(name=name, peers=peers))
        yield hub


async def test_four_agents_talk_while_the_hub_is_killed(hub: LiveHub) -> None:
    began = time.monotonic()
    ids = {name: await hub.spawn(name, name=name) for name in NAMES}
    told: list[Row] = []
    has_spoken = asyncio.Event()
    speaking = asyncio.create_task(speak(hub, told, has_spoken))
    chance = random.Random(SEED)
    for number in range(KILLS):
        # A hub that never lives for 5 s has, to a command that waits, not come back, and is given up after a minute.
        await asyncio.sleep(7.0 if number % 8 == 7 else chance.uniform(0.0, 4.0))
        await hub.kill()
        if number % 4 == 3:
            await start_and_kill(hub, chance.uniform(0.1, 1.5))
        await hub.start()
    for session_id in ids.values():
        (hub.paths.sessions / session_id / "quiet").touch()
    has_spoken.set()
    await speaking
    killed = time.monotonic() - began
    await all_is_settled(hub, ids)
    figures = assert_promises_kept(rows(hub), {name: log(hub, session_id) for name, session_id in ids.items()}, ids, told)
    print(f"\n{KILLS} kills in {killed:.0f} s, settled after {time.monotonic() - began - killed:.0f} s more: {figures}")


async def start_and_kill(hub: LiveHub, seconds: float) -> None:
    """A hub that does not live to be ready, or just so."""
    starting = asyncio.create_task(hub.start())
    await asyncio.sleep(seconds)
    if hub.process is not None and hub.process.returncode is None:
        await hub.kill()
    with contextlib.suppress(AssertionError):
        await starting


async def speak(hub: LiveHub, told: list[Row], has_spoken: asyncio.Event) -> None:
    """The user; agents that hear nothing from a person fall silent after a while."""
    for number in itertools.count():
        if has_spoken.is_set():
            return
        name = NAMES[number % len(NAMES)]
        text = f"word {number} of the user for {name}"
        sent = await hub.run("", "send", "--to", name, text, seconds=120)
        told.append({"sent": sent.out.strip(), "to": name, "text": text, "code": sent.code, "err": sent.err, "wait": []})
        await asyncio.sleep(0.7)


def log(hub: LiveHub, session_id: str) -> list[Row]:
    whole = (hub.paths.sessions / session_id / "log").read_text()
    return [json.loads(line) for line in whole.splitlines()]


def rows(hub: LiveHub) -> dict[str, Row]:
    """All messages as they lie on the disk."""
    with contextlib.closing(sqlite3.connect(f"file:{hub.paths.store_file}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return {row["id"]: dict(row) for row in connection.execute("SELECT * FROM messages ORDER BY n")}


async def all_is_settled(hub: LiveHub, ids: dict[str, str]) -> None:
    """No message or answer is on its way, and no agent is in the middle of saying something."""
    open_states = ("queued", "injecting", "pending")

    def is_open(row: Row) -> bool:
        return row["state"] in open_states or (row["state"] == "responded" and row["owed"])

    deadline = time.monotonic() + SETTLED_SECONDS

    async def is_settled() -> bool:
        entries = [entry for session_id in ids.values() for entry in log(hub, session_id)]
        unsaid = {entry["sending"] for entry in entries if "sending" in entry} - {e["text"] for e in entries if "sent" in e}
        waiting = {i: (row["state"], row["held"]) for i, row in rows(hub).items() if is_open(row)}
        assert time.monotonic() < deadline, f"not said to the end: {unsaid}; not settled: {waiting}"
        await asyncio.sleep(0.5)
        return not unsaid and not waiting

    await until_answer(is_settled, SETTLED_SECONDS + 10)


def assert_promises_kept(stored: dict[str, Row], logs: dict[str, list[Row]], ids: dict[str, str], told: list[Row]) -> str:
    """Raises when a promise was broken; answers the figures."""
    sent = [*told, *(entry for entries in logs.values() for entry in entries if "sent" in entry)]
    printed = {entry["sent"]: entry for entry in sent if entry["sent"]}
    check_what_was_sent(stored, sent, printed, ids)
    read = check_what_was_read(stored, logs, ids)
    ended = {entry["text"] for entry in sent if ENDED in entry["err"]}
    came = check_answers(stored, logs, printed, read, ended)
    states = Counter(row["state"] for row in stored.values())
    # Taken back is only the typing of an answer that a command, back after a kill, has printed before.
    fine = ("acknowledged", "responded")
    bad = [row for row in stored.values() if row["state"] not in (*fine, "cancelled" if row["re"] else "")]
    assert bad == []
    refused = Counter(why_gone(entry) or entry["code"] for entry in sent if not entry["sent"])
    repeats, both = sum(read.values()) - len(read), sum(came.values()) - len(came)
    # One kill falls into one gap between an Enter and its commit, and a batch may stand there.
    assert repeats + both <= KILLS
    return (
        f"{len(printed)} ids printed, {len(stored)} stored {dict(states)}, {len(came)} answers; typed again under the same id: "
        f"{repeats}, answers both typed and printed: {both}; refused by exit code {dict(refused)}"
    )


def why_gone(entry: Row) -> str:
    """Why a command may have sent its message and not printed its id; empty: it has not sent it."""
    return next((why for why in (WENT_AWAY, ENDED) if why in entry["err"]), "")


def check_what_was_sent(stored: dict[str, Row], sent: list[Row], printed: dict[str, Row], ids: dict[str, str]) -> None:
    assert [i for i in printed if i not in stored] == [], "a printed id is not stored"
    for message_id, entry in printed.items():
        row = stored[message_id]
        assert (row["text"], row["recipient"]) == (entry["text"], ids[entry["to"]]), row
    # The typing of an answer may have been taken back for a command that was back, and that was gone again before it printed it.
    texts = Counter(row["text"] for row in stored.values() if row["state"] != "cancelled")
    assert [text for text, count in texts.items() if count > 1] == [], "said once, stored twice"
    # A message that was refused is nowhere. 3: no hub, which agents do not take for an answer; 17: the guard against loops.
    unsent = [entry for entry in sent if not entry["sent"]]
    given_up = {entry["text"] for entry in unsent if why_gone(entry)}
    assert [e for e in unsent if not why_gone(e) and (e["code"] not in (3, 17) or e["text"] in texts)] == []
    # 24: the wait ended before the acknowledgment or the answer.
    assert [entry for entry in sent if entry["sent"] and entry["code"] not in (0, 24)] == []
    untold = [row for row in stored.values() if not (row["id"] in printed or row["re"] or row["text"] in given_up)]
    assert untold == [], "a message was stored and its sender never told"


def check_what_was_read(stored: dict[str, Row], logs: dict[str, list[Row]], ids: dict[str, str]) -> Counter[str]:
    """How often each message was read. More than once: killed between Enter and commit, and typed again under the same id."""
    names = {"user": "user", **{session_id: name for name, session_id in ids.items()}}
    counts: Counter[str] = Counter()
    for name, entries in logs.items():
        for line in (line for entry in entries if "read" in entry for line in headers.apart(entry["read"])):
            if " reminder] " in line:
                continue
            (message_id,) = headers.ids_in(line)[:1] or ("",)
            row = stored.get(message_id)
            assert row is not None, f"{name} has read what nobody sent: {line!r}"
            assert row["recipient"] == ids[name], f"in the pane of {name}: {line!r}"
            sender = names[row["sender"]]
            assert line == headers.typed(
                row["id"], sender, name, row["text"], expects=bool(row["expects_response"]), re=row["re"]
            ), "merged or garbled"
            counts[message_id] += 1
    assert [row for i, row in stored.items() if not counts[i] and not row["re"]] == [], "lost"
    return counts


def check_answers(
    stored: dict[str, Row], logs: dict[str, list[Row]], printed: dict[str, Row], read: Counter[str], ended: set[str]
) -> Counter[str]:
    """How often each answer came back: on stdout of the command that waited, or typed. ``ended``: what commands have sent that
    were killed."""
    taken: dict[str, list[str]] = defaultdict(list)
    came: Counter[str] = Counter()
    for entry in (entry for entries in logs.values() for entry in entries if "replied" in entry and entry["code"] == 0):
        taken[entry["replied"]].append(entry["text"])
    answered = {i for i, row in stored.items() if row["state"] == "responded" and not row["re"]}
    for message_id in answered:
        assert len(taken[message_id]) == 1, f"answered twice: {taken[message_id]}"
        assert stored[message_id]["reply"] == taken[message_id][0]
    for message_id, entry in printed.items():
        if "--wait-response" in entry["wait"] and entry["code"] == 0:
            assert entry["rest"].removesuffix("\n") == stored[message_id]["reply"]
            came[message_id] += 1
    for row in stored.values():
        if row["re"] and read[row["id"]]:
            assert row["text"] == stored[row["re"]]["reply"]
            came[row["re"]] += 1
    assert set(taken) == answered == {i for i, row in stored.items() if row["expects_response"]}, "an answer was lost"
    missing = [(stored[i], printed.get(i), [row for row in stored.values() if row["re"] == i]) for i in answered - set(came)]
    # The hub has handed it over, and the millisecond in which the command would have printed it was its last.
    in_hand = [row for row, _, answers in missing if row["text"] in ended and not row["owed"] and not answers]
    assert len(missing) == len(in_hand) <= 1, f"an answer did not come back: {missing}"
    return came
