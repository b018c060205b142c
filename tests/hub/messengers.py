"""Agents that read what is typed to them, in real tmux: their manifests, and what they have read."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.live_hub import LiveHub
from tests.stand_ins.page import StandInPage
from tests.waiting import until, until_answer

MANIFEST = """
title = "Messenger"
program = "{{interpreter}}"
arguments = ["-P", "-m", "tests.stand_ins.messenger", "{{folder}}/log", "{habit}"]
ready = "first_contact"
{more}
[environment]
PYTHONPATH = "{{package_root}}"
PYTHONDONTWRITEBYTECODE = "1"
[input]
prompt = '^> ?'
settle_ms = 0
chunk_chars = 0
"""
HABITS = ("answer", "ack", "nothing")


def add_messengers(hub: LiveHub) -> None:
    """A runtime for each habit, named so."""
    for habit in HABITS:
        (hub.paths.user_runtimes / f"{habit}.toml").write_text(MANIFEST.format(habit=habit, more=""))


async def spawn(hub: LiveHub, habit: str, **order: str) -> str:
    """One that is ready to read; its id."""
    session_id = await hub.spawn(habit, **order)

    async def is_ready() -> bool:
        return any(s["id"] == session_id and s["state"] != "starting" for s in await hub.call("GET", "/api/sessions"))

    await until_answer(is_ready, 15)
    return session_id


def inputs(hub: LiveHub, session_id: str) -> list[str]:
    """What it took as prompts, in order."""
    log = hub.paths.sessions / session_id / "log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def lines(hub: LiveHub, session_id: str) -> list[str]:
    """The lines of all of it: each message is one when its text is."""
    return [line for text in inputs(hub, session_id) for line in text.split("\n")]


def read_ids(hub: LiveHub, session_id: str) -> list[str]:
    """Ids of the messages it has read, as often as it has."""
    return [match[1] for line in lines(hub, session_id) if (match := re.match(r"\[MSG id:(\S+) (?!.*reminder\])", line))]


async def has_read(hub: LiveHub, session_id: str, message_id: str, seconds: float = 10.0) -> str:
    """The line of that message, once it has been read."""
    return await until(lambda: next((line for line in lines(hub, session_id) if f"id:{message_id} " in line), ""), seconds)


async def view(hub: LiveHub, message_id: str) -> dict[str, Any]:
    """The message with its steps."""
    answer: dict[str, Any] = await hub.call("GET", f"/api/messages/{message_id}")
    return answer


async def comes_to(hub: LiveHub, message_id: str, state: str, seconds: float = 15.0) -> dict[str, Any]:
    """The message, once it is in that state."""

    async def check() -> dict[str, Any] | None:
        found = await view(hub, message_id)
        return found if found["state"] == state else None

    found = await until_answer(check, seconds)
    assert found is not None
    return found


def is_shown(page: StandInPage, message_id: str, state: str) -> bool:
    """Whether the page was told of it in that state."""
    told = (moment["message"] for moment in page.moments if moment["type"] == "message")
    return any((message["id"], message["state"]) == (message_id, state) for message in told)
