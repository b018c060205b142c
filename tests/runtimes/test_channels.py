"""The programs' own channels, against stand-ins of them: what is delivered, what is refused, and nothing twice."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawmux.adapters.runtimes import channels, opencode_records, opencode_server
from clawmux.adapters.runtimes.channels import CHANNELS, CodexQueue, Decides, OpenCodePrompts, open_channel
from clawmux.adapters.runtimes.launch import SECRET_FILE
from clawmux.adapters.runtimes.manifest import load_runtimes
from clawmux.adapters.runtimes.opencode_records import OpenCodeRecords
from clawmux.adapters.runtimes.opencode_server import OpenCodeServer
from clawmux.adapters.runtimes.records import Program
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.signs import Observation, Place, Sign, Taken
from clawmux.wire.words import Activity, Source
from tests.stand_ins.opencode_server import OpenCodeStandIn
from tests.waiting import until

TEXT = '[MSG id:msg-1 from:sky to:adam] say "yes"\nand é\t\\'


def test_each_manifest_names_one_that_there_is(tmp_path: Path) -> None:
    kinds = {runtime.channel.kind for runtime in load_runtimes(tmp_path).values() if runtime.channel}
    assert kinds == set(CHANNELS)
    assert open_channel("strange", Program(1, tmp_path, tmp_path, {})) is None


# -- Codex --

THREAD = "01a1ff2e-e3d4-7810-9ae0-b371d899597b"
STARTED = {"type": "event_msg", "payload": {"type": "task_started"}}
ENDED = {"type": "event_msg", "payload": {"type": "task_complete"}}
ABORTED = {"type": "event_msg", "payload": {"type": "turn_aborted"}}
# Keeps its arguments, and tells the thread the text, as Codex does when it finds it in its queue.
PROGRAM = """#!/bin/sh
printf '%s\\0' "$@" > "$HOME/arguments"
{body}
"""


class Codex:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.rollout = folder / f"rollout-2026-11-21T17-37-05-{THREAD}.jsonl"
        self.program = folder / "codex"
        self.channel = CodexQueue(Program(1, folder, folder, {}))
        monkeypatch.setattr(channels, "rollout_of", lambda pid: self.rollout if self.rollout.exists() else None)
        monkeypatch.setattr(channels, "environment", lambda pid: {"HOME": str(folder), "PATH": "/usr/bin:/bin"})
        monkeypatch.setattr(channels, "program_file", lambda pid, name: str(self.program))
        monkeypatch.setattr(channels, "TAKEN_LOOK_SECONDS", 0.02)
        monkeypatch.setattr(channels, "TAKEN_SECONDS", 0.2)

    def stands(self, *lines: object, body: str = "exit 0") -> None:
        self.rollout.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        self.program.write_text(PROGRAM.format(body=body))
        self.program.chmod(0o700)

    @property
    def arguments(self) -> list[str]:
        file = self.folder / "arguments"
        return file.read_text().split("\0")[:-1] if file.exists() else []


@pytest.fixture
def codex(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Codex:
    return Codex(tmp_path, monkeypatch)


async def test_codex_is_queued_for_while_it_rests(codex: Codex) -> None:
    codex.stands(STARTED, ENDED)
    await codex.channel.deliver(TEXT)
    assert codex.arguments == ["queue", "--thread", THREAD, f"--message={TEXT}"]


@pytest.mark.parametrize("lines", [[], [STARTED], [STARTED, ABORTED]])
async def test_codex_that_works_or_was_stopped_is_not_queued_for(codex: Codex, lines: list[object]) -> None:
    """It would not look into its queue before its user begins another turn."""
    codex.stands(*lines)
    with pytest.raises(ClawMuxError, match="works, or its last turn was stopped") as caught:
        await codex.channel.deliver(TEXT)
    assert caught.value.code == "conflict" and codex.arguments == []


async def test_codex_without_a_conversation_has_no_queue(codex: Codex) -> None:
    with pytest.raises(ClawMuxError, match="no conversation"):
        await codex.channel.deliver(TEXT)
    assert not await codex.channel.has("msg-1")


async def test_a_queue_that_fails_is_named_and_nothing_counts_as_given(codex: Codex) -> None:
    codex.stands(STARTED, ENDED, body="echo no such thread >&2; exit 3")
    with pytest.raises(ClawMuxError, match="ended with 3: no such thread"):
        await codex.channel.deliver(TEXT)


async def test_a_queue_that_hangs_is_given_up(codex: Codex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "QUEUE_SECONDS", 0.2)
    codex.stands(STARTED, ENDED, body="exec sleep 30")
    with pytest.raises(ClawMuxError, match="no answer"):
        await codex.channel.deliver(TEXT)


async def test_codex_has_what_its_thread_was_told(codex: Codex) -> None:
    told = {
        "type": "event_msg",
        "payload": {"type": "item_completed", "item": {"type": "UserMessage", "content": [{"text": TEXT}]}},
    }
    codex.stands(STARTED, told)
    assert await codex.channel.has("msg-1") and await codex.channel.has(TEXT) and not await codex.channel.has("msg-2")


# -- OpenCode --


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenCodeStandIn]:
    (tmp_path / SECRET_FILE).write_text("s3cret")
    with OpenCodeStandIn() as running:
        running.sessions = [session("ses_ours", tmp_path)]
        monkeypatch.setattr(opencode_server, "listening_ports", lambda pid: [running.port])
        monkeypatch.setattr(opencode_records, "started", lambda pid: time.time() - 60)
        yield running


def session(id: str, directory: Path, ago_seconds: float = 0.0, parent: str = "") -> dict[str, object]:
    changed = {"updated": (time.time() - ago_seconds) * 1000}
    return {"id": id, "directory": str(directory), "time": changed, **({"parentID": parent} if parent else {})}


def prompts(folder: Path) -> OpenCodePrompts:
    return OpenCodePrompts(Program(1, folder, folder, {}))


async def test_opencode_is_given_the_text_as_it_is(server: OpenCodeStandIn, tmp_path: Path) -> None:
    await prompts(tmp_path).deliver(TEXT)
    assert server.prompts == [("ses_ours", TEXT)]
    assert await prompts(tmp_path).has("msg-1") and not await prompts(tmp_path).has("msg-2")


async def test_a_lost_answer_is_no_reason_to_give_it_twice(server: OpenCodeStandIn, tmp_path: Path) -> None:
    server.loses_answers = True
    await prompts(tmp_path).deliver(TEXT)
    assert server.prompts == [("ses_ours", TEXT)]


@pytest.mark.parametrize("why", ["no server", "password", "no session", "no secret", "another server"])
async def test_opencode_that_cannot_be_reached_has_nothing(
    server: OpenCodeStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    if why == "no server":
        monkeypatch.setattr(opencode_server, "listening_ports", lambda pid: [])
    elif why == "password":
        server.secret = "other"
    elif why == "no session":
        server.sessions = []
    elif why == "no secret":
        (tmp_path / SECRET_FILE).unlink()
    else:
        monkeypatch.setattr(server, "answer", lambda method, path, body: None)
    with pytest.raises(ClawMuxError) as caught:
        await prompts(tmp_path).deliver(TEXT)
    assert caught.value.code == "conflict" and server.prompts == []
    assert not await prompts(tmp_path).has("msg-1")


def test_a_server_that_the_agent_runs_is_passed_over(
    server: OpenCodeStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenCodeStandIn("other") as strange:
        monkeypatch.setattr(opencode_server, "listening_ports", lambda pid: [strange.port, server.port])
        assert OpenCodeServer(1, tmp_path).get("/session/status") == {}


async def test_the_newest_session_of_its_own_life_is_the_agents(server: OpenCodeStandIn, tmp_path: Path) -> None:
    server.sessions = [
        session("ses_elsewhere", tmp_path / "x"),
        session("ses_child", tmp_path, parent="ses_new"),
        session("ses_old", tmp_path, 30),
        session("ses_new", tmp_path, 20),
        session("ses_of_an_earlier_life", tmp_path, 90),
    ]
    await prompts(tmp_path).deliver("one")
    (tmp_path / opencode_records.SESSION_FILE).write_text("ses_old")
    await prompts(tmp_path).deliver("two")
    (tmp_path / opencode_records.SESSION_FILE).write_text("ses_of_an_earlier_life")
    await prompts(tmp_path).deliver("three")
    assert server.prompts == [("ses_new", "one"), ("ses_old", "two"), ("ses_new", "three")]


async def test_a_question_is_answered_only_while_it_is_open(server: OpenCodeStandIn, tmp_path: Path) -> None:
    server.permissions = [{"id": "per_1"}]
    channel = prompts(tmp_path)
    assert isinstance(channel, Decides)
    await channel.decide("per_1", True, "")
    await channel.decide("per_1", False, "not that file")
    assert server.replies == [("per_1", {"reply": "once"}), ("per_1", {"reply": "reject", "message": "not that file"})]
    with pytest.raises(ClawMuxError, match="not open any more"):
        await channel.decide("per_2", True, "")
    assert len(server.replies) == 2


# -- OpenCode's events --


def event(type_: str, **properties: object) -> dict[str, object]:
    return {"type": type_, "properties": properties}


BUSY = event("session.status", sessionID="ses_ours", status={"type": "busy"})
REST = event("session.status", sessionID="ses_ours", status={"type": "idle"})


async def test_records_follow_the_events_over_a_broken_connection(
    server: OpenCodeStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opencode_records, "AGAIN_SECONDS", 0.02)
    records = OpenCodeRecords(1, tmp_path, tmp_path)
    seen: list[Observation] = []

    def now() -> Activity | None:
        new = records.look()
        seen.extend(new)
        return next((one.activity for one in new if isinstance(one, Sign)), None)

    try:
        await until(lambda: now() is Activity.IDLE)
        assert seen[0] == Place("ses_ours")
        assert (tmp_path / opencode_records.SESSION_FILE).read_text() == "ses_ours"
        server.events.put(BUSY)
        await until(lambda: now() is Activity.THINKING)
        user = event("message.updated", info={"id": "m1", "role": "user", "sessionID": "ses_ours"})
        part = event("message.part.updated", part={"type": "text", "text": TEXT, "messageID": "m1", "sessionID": "ses_ours"})
        for one in (user, part):
            server.events.put(one)
        await until(lambda: now() and Taken(Source.RECORD, TEXT) in seen)
        server.status = {"ses_ours": {"type": "idle"}}
        server.events.put(None)
        await until(lambda: server.streams == 2)
        await until(lambda: now() is Activity.IDLE)
        assert seen.count(Place("ses_ours")) == 1 and seen.count(Taken(Source.RECORD, TEXT)) == 1
    finally:
        records.close()
    await asyncio.to_thread(records._thread.join, 5)
    assert not records._thread.is_alive(), "closing ends the wait for events"
