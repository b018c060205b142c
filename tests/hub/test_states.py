"""What the hub knows of its agents, with real panes: their screens, their hooks, their reports, their end."""
# Short commands and looks at files may block a test.
# ruff: noqa: ASYNC221

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clawmux.hub import looking
from clawmux.wire.signs import Observation, Place, Sign
from clawmux.wire.words import Activity, Source
from tests.hub.showing import KNOWN_SECONDS, Agent, hook_body, resting_agent, showing_hub
from tests.live_hub import LiveHub, Said, said
from tests.waiting import until, until_answer


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with showing_hub() as hub:
        yield hub


@pytest.fixture
async def agent(hub: LiveHub) -> Agent:
    return await resting_agent(hub)


async def test_the_screen_tells_within_two_seconds(agent: Agent) -> None:
    for screen, activity, detail in [
        ("busy", "thinking", ""),
        ("what?\nDo you want to rm x?", "needs_you", "rm x"),
        ("> ", "idle", ""),
        ("busy", "thinking", ""),
    ]:
        await agent.show(screen=screen)
        doing = await agent.is_doing(activity, detail)
        assert doing["source"] == "screen" and abs(time.time() - doing["since"]) < KNOWN_SECONDS


async def test_what_ctrl_z_has_suspended_is_brought_back(agent: Agent) -> None:
    await agent.show(screen="> \nSuspended. Run fg.\nIt says, and goes on.")
    await asyncio.sleep(1)  # for the looks at the screen that must lead to nothing
    assert "back" not in agent.screen(), "only the end of the screen tells"
    await agent.show(screen="> \nSuspended. Run fg.\n")
    await until(lambda: agent.screen().startswith("> back"), KNOWN_SECONDS)


async def test_a_screen_that_nobody_knows_makes_it_unknown_in_the_end(agent: Agent) -> None:
    await agent.show(screen="something else")
    assert (await agent.is_doing("unknown", seconds=10))["source"] == "screen"


async def test_hooks_tell_at_once_and_an_escape_that_they_do_not_tell_is_seen(agent: Agent) -> None:
    assert await agent.hook("UserPromptSubmit", prompt="hello") == Said(0, "", "")
    assert (await agent.view())["doing"]["activity"] == "thinking"
    await agent.show(screen="busy")
    await agent.hook("PreToolUse", tool_name="Bash", tool_use_id="t1")
    assert (await agent.is_doing("tool", "Bash", 0.5))["source"] == "hook"
    await asyncio.sleep(3)  # nothing happens meanwhile, and it stays so
    await agent.is_doing("tool", "Bash", 0.1)
    await agent.show(screen="> ")
    assert (await agent.is_doing("idle"))["source"] == "screen"


async def test_a_tool_that_was_interrupted_does_not_come_back_with_the_next_prompt(agent: Agent) -> None:
    await agent.hook("PreToolUse", tool_name="Bash", tool_use_id="t1")
    await agent.is_doing("idle")  # as the screen says
    await agent.hook("UserPromptSubmit", prompt="now this")
    assert (await agent.is_doing("thinking", seconds=0.3))["source"] == "hook"


async def test_what_cannot_be_read_and_what_is_huge_disturbs_nobody(agent: Agent) -> None:
    for body in (b"", b"nonsense", b"[1]", b"\xff\xfe", hook_body("Unheard"), hook_body("Stop")[:-5]):
        assert await agent.hub.run(agent.id, "hook", stdin=body) == Said(0, "", "")
    huge = hook_body("PostToolUse", tool_name="Read", tool_use_id="t", tool_response="x" * 3_000_000)
    assert await agent.hub.run(agent.id, "hook", stdin=huge) == Said(0, "", "")
    assert (await agent.view())["doing"]["activity"] == "thinking"


@pytest.mark.parametrize(
    ("captured", "last_output", "is_looked_at"),
    [
        (0.0, 10.0, True),
        (100.0, 90.0, False),
        (100.0, 100.0, True),
        (3700.0, 90.0, True),  # fetched before the clock was set back
    ],
)
def test_a_screen_is_fetched_when_it_may_be_new(captured: float, last_output: float, is_looked_at: bool) -> None:
    assert looking.may_be_new(captured, last_output, now=110.0) is is_looked_at


async def test_records_that_break_their_reader_are_the_affair_of_one_agent() -> None:
    class Broken:
        def look(self) -> list[Observation]:
            raise ValueError("embedded null byte")

        def placed(self, place: Place) -> None: ...

        def close(self) -> None: ...

    class Sound(Broken):
        def look(self) -> list[Observation]:
            return [Sign(Source.RECORD, Activity.IDLE)]

    assert looking.look_all([Broken(), Sound()]) == [[], [Sign(Source.RECORD, Activity.IDLE)]]


async def test_a_report_is_kept(agent: Agent) -> None:
    assert await agent.hub.run(agent.id, "report", "the parser") == Said(0, "", "")
    report = (await agent.view())["report"]
    assert report["text"] == "the parser" and abs(report["at"] - time.time()) < 5
    await agent.hub.kill()
    await agent.hub.start()
    assert (await agent.view())["report"] == report


async def is_dead(agent: Agent) -> bool:
    return bool((await agent.view())["state"] == "dead")


@pytest.mark.parametrize("how", ["program", "pane", "server"])
async def test_an_end_is_known_within_two_seconds_and_senders_are_told(agent: Agent, how: str) -> None:
    sender = await agent.hub.spawn("showing")
    waiting = await agent.hub.client(sender, "send", "--to", agent.id, "--wait-ack", "--timeout", "60", "are you there?")
    await until_answer(lambda: has_message(agent))
    began = time.monotonic()
    if how == "program":
        os.kill(agent.pane_pid(), signal.SIGKILL)
    else:
        command = ["kill-server"] if how == "server" else ["kill-session", "-t", f"=clawmux-{agent.id}"]
        subprocess.run(["tmux", "-S", str(agent.hub.paths.tmux_socket), *command], check=True, timeout=5)
    await until_answer(lambda: is_dead(agent), KNOWN_SECONDS)
    reason = (await agent.view())["reason"]
    assert {"program": "signal 9", "pane": "Its program ended", "server": "tmux server"}[how] in reason, reason
    if how != "server":
        told = await said(waiting, seconds=KNOWN_SECONDS)
        assert told.code == 27, told
        assert time.monotonic() - began < KNOWN_SECONDS + 1


async def has_message(agent: Agent) -> bool:
    return bool((await agent.hub.call("GET", "/api/messages"))["messages"])


async def test_a_tmux_that_hangs_makes_all_unknown_and_the_hub_answers_on(agent: Agent) -> None:
    await agent.hook("PreToolUse", tool_name="Bash", tool_use_id="t1")
    server = tmux_pid(agent.hub.paths.tmux_socket)
    os.kill(server, signal.SIGSTOP)
    try:
        began = time.monotonic()
        await agent.hub.call("GET", "/api/health")
        assert time.monotonic() - began < 0.5

        async def silent() -> bool:
            return "tmux did not answer" in (await agent.view())["doing"]["detail"]

        await until_answer(silent, 8)
        assert (await agent.view())["doing"]["activity"] == "unknown"
        assert (await agent.view())["state"] != "dead"
    finally:
        os.kill(server, signal.SIGCONT)
    await agent.is_doing("idle", seconds=8)


def tmux_pid(socket: Path) -> int:
    words = ["tmux", "-S", str(socket), "display-message", "-p", "#{pid}"]
    return int(subprocess.run(words, capture_output=True, text=True, check=True, timeout=5).stdout)
