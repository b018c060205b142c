"""Messages of ten senders at once to a program that loses what it can (tests/stand_ins/lossy_tui.py), through the real hub.

It drops every fifth Enter, redraws in halves, is busy, opens dialogs that an Enter would approve, and has a user who leaves
half-typed drafts in its box. Nothing may be lost, doubled, merged with anything, or changed; no draft may lose a byte; no dialog
may be answered; and the same while the hub is killed again and again at any moment.

The long form, 500 messages and 20 kills, in some six minutes:
``CLAWMUX_TEST_LONG=1 python -m pytest -s -o faulthandler_timeout=1800 tests/faults/test_lossy_tui.py``.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from clawmux.adapters import headers
from tests.live_hub import ROOT, LiveHub
from tests.long_form import IS_LONG
from tests.waiting import until, until_answer

pytestmark = pytest.mark.faults

SENDERS = 10
MESSAGES = 500 if IS_LONG else 80
KILLS = 20 if IS_LONG else 4
SECONDS = 500.0 if IS_LONG else 120.0

PROGRAM = ROOT / "tests" / "stand_ins" / "lossy_tui.py"
MANIFEST = f"""
title = "Lossy"
program = "{{interpreter}}"
arguments = ["-I", "-S", "{PROGRAM}", "--log", "{{folder}}/log", "--ack", "--draft", "half a thought",
    "--drop", "0.2", "--redraw", "0.05", "--dialog", "0.01", "--busy", "0.2", "--new-draft", "0.05"]
ready = 'for shortcuts'
[input]
prompt = '^❯\\s?'
frame = '^─{{8}}'
dialogs = ["Esc to cancel"]
stash_key = "\\u0013"
settle_ms = 60
chunk_pause_ms = 10
"""
WORDS = [
    "plain words",
    "two\nlines",
    "quotes ' \" ` $HOME",
    "/exit",
    "!ls",
    "Grüße 世界 👩‍🚀",
    "a\\",
    "blank\n\nline",
    "Esc to cancel",
    "w " * 700,
]


@dataclass(slots=True)
class Sent:
    """What the senders have been told."""

    texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Id -> sender and text."""
    failures: list[str] = field(default_factory=list)


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        (hub.paths.user_runtimes / "lossy.toml").write_text(MANIFEST)
        yield hub


async def start(hub: LiveHub) -> tuple[str, list[str]]:
    """The lossy program, up, and the senders."""
    lossy = await hub.spawn("lossy", name="lossy")
    senders = [await hub.spawn(name=f"sender-{number}") for number in range(SENDERS)]

    async def is_up() -> bool:
        return any(s["id"] == lossy and s["state"] != "starting" for s in await hub.call("GET", "/api/sessions"))

    await until_answer(is_up, 20)
    return lossy, senders


async def send_all(hub: LiveHub, sender: str, name: str, count: int, sent: Sent) -> None:
    """One after another, as an agent does; one that a hub was not there for is sent again, as another message."""
    for number in range(count):
        for attempt in range(50):
            text = f"{name} {number}.{attempt}: {WORDS[number % len(WORDS)]}"
            told = await hub.run(sender, "send", "--to", "lossy", text)
            if told.code == 0:
                sent.texts[told.out.strip()] = (name, text)
                break
            sent.failures.append(told.err.strip())
            await asyncio.sleep(0.2)
        else:
            raise AssertionError(sent.failures[-1])


def told(hub: LiveHub, lossy: str) -> list[dict[str, Any]]:
    log = hub.paths.sessions / lossy / "log"
    return [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")] if log.exists() else []


def received(hub: LiveHub, lossy: str) -> list[str]:
    """Messages as they came, one by one; of a reminder only that it is one."""
    inputs = [entry["received"] for entry in told(hub, lossy) if "received" in entry]
    return [line for text in inputs for line in headers.apart(text) if " reminder] " not in line]


def assert_all_came(hub: LiveHub, lossy: str, sent: Sent) -> str:
    """Raises when anything was lost, doubled, merged or changed; answers the figures."""
    entries = told(hub, lossy)
    lines = received(hub, lossy)
    counts = Counter(message_id for line in lines for message_id in headers.ids_in(line))
    assert [message_id for message_id, count in counts.items() if count != 1] == [], "doubled"
    assert set(sent.texts) - set(counts) == set(), "lost"
    expected = {headers.line(i, name, "lossy", text) for i, (name, text) in sent.texts.items()}
    # A hub that was killed may have stored a message whose id it could not tell any more: it comes, too, once.
    untold = [line for line in lines if line not in expected]
    assert [line for line in untold if not sent.failures or headers.ids_in(line)[0] in sent.texts] == [], "merged or garbled"
    assert [e for e in entries if "ran" in e or "approved" in e] == []
    came = [message_id for line in lines for message_id in headers.ids_in(line)]
    for name in {name for name, _ in sent.texts.values()}:
        ids = [i for i, (sender, _) in sent.texts.items() if sender == name]
        assert [i for i in came if i in ids] == ids, "out of order"
    drafts = ["half a thought", *(e["drafted"] for e in entries if "drafted" in e)]
    kept = [(e["kept"], e["stash"]) for e in entries if "kept" in e]
    assert {text for pair in kept for text in pair} <= {"", None, *drafts}, "a draft was changed"
    assert kept[-1] == (drafts[-1], None), "a draft was lost"
    dropped = sum("dropped" in entry for entry in entries)
    inputs = sum("received" in entry for entry in entries)
    return f"{len(sent.texts)} sent, {len(lines)} received in {inputs} inputs, {dropped} Enters dropped, {len(drafts)} drafts"


async def all_arrive(hub: LiveHub, lossy: str, sent: Sent) -> None:
    def missing() -> set[str]:
        return set(sent.texts) - {i for line in received(hub, lossy) for i in headers.ids_in(line)}

    await until(lambda: not missing(), SECONDS)
    # Its user's draft is back, too, and nothing more comes.
    await until(lambda: any("kept" in entry for entry in told(hub, lossy)[-2:]), 20)


async def test_nothing_is_lost_doubled_merged_or_garbled(hub: LiveHub) -> None:
    lossy, senders = await start(hub)
    sent, began = Sent(), time.monotonic()
    await asyncio.gather(*(send_all(hub, sender, f"sender-{n}", MESSAGES // SENDERS, sent) for n, sender in enumerate(senders)))
    await all_arrive(hub, lossy, sent)
    assert len(sent.texts) == MESSAGES and sent.failures == []
    print(f"\n{assert_all_came(hub, lossy, sent)}, {time.monotonic() - began:.0f} s")


async def test_the_same_while_the_hub_is_killed(hub: LiveHub) -> None:
    chance = random.Random(4)
    lossy, senders = await start(hub)
    sent, began = Sent(), time.monotonic()
    sending = asyncio.gather(
        *(send_all(hub, sender, f"sender-{n}", MESSAGES // SENDERS, sent) for n, sender in enumerate(senders))
    )
    kills = 0
    while kills < KILLS:
        await asyncio.sleep(chance.uniform(0.2, 3.0))
        await hub.kill()
        await hub.start()
        kills += 1
    await sending
    await all_arrive(hub, lossy, sent)
    print(f"\n{assert_all_came(hub, lossy, sent)}, {kills} kills, {len(sent.failures)} refused, {time.monotonic() - began:.0f} s")
