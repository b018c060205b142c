"""What an agent does with its tools becomes one entry of its conversation, told once, before what it led to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.hub.showing import Agent, resting_agent, showing_hub
from tests.live_hub import LiveHub
from tests.waiting import until_answer

LS = {"tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "t1"}
EDIT = {"tool_name": "Edit", "tool_input": {"file_path": "/a/b.py"}, "tool_use_id": "t2"}


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with showing_hub() as hub:
        yield hub


@pytest.fixture
async def agent(hub: LiveHub) -> Agent:
    return await resting_agent(hub)


async def entries(agent: Agent) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await agent.hub.call("GET", f"/api/history?session_id={agent.id}"))["entries"]
    return [entry for entry in found if entry["type"] in ("work", "agent_message", "user_text", "assistant_text")]


async def deeds(agent: Agent) -> list[list[tuple[str, str, bool]]]:
    return [[(i["tool"], i["detail"], i["ok"]) for i in e["items"]] for e in await entries(agent) if e["type"] == "work"]


async def test_a_turn_is_one_entry_once_the_agent_rests(agent: Agent) -> None:
    await agent.hook("UserPromptSubmit", prompt="do it")
    await agent.hook("PreToolUse", **LS)
    await agent.hook("PreToolUse", **{**EDIT, "agent_id": "sub-1"})  # of a subagent
    await agent.hook("PostToolUse", **LS)
    await agent.hook("PreToolUse", **EDIT)
    await agent.hook("PostToolUseFailure", **EDIT)
    talk = {"tool_name": "Bash", "tool_input": {"command": "clawmux report done"}, "tool_use_id": "t3"}
    await agent.hook("PreToolUse", **talk)
    await agent.hook("PostToolUse", **talk)
    assert await deeds(agent) == []
    await agent.hook("Stop")
    assert await deeds(agent) == [[("Bash", "ls", True), ("Edit", "/a/b.py", False)]]
    await agent.hook("Stop")
    assert len(await deeds(agent)) == 1


async def test_it_stands_before_what_the_agent_says_next(agent: Agent) -> None:
    other = await agent.hub.spawn()
    await agent.hook("UserPromptSubmit", prompt="do it")
    await agent.hook("PreToolUse", **LS)
    await agent.hook("PostToolUse", **LS)
    assert (await agent.hub.run(agent.id, "send", "--to", other, "done")).code == 0

    async def told() -> bool:
        return [entry["type"] for entry in await entries(agent)] == ["work", "agent_message"]

    await until_answer(told, 10)


@pytest.mark.parametrize("is_killed", [False, True])
async def test_what_was_done_survives_the_hub(agent: Agent, is_killed: bool) -> None:
    await agent.hook("UserPromptSubmit", prompt="do it")
    await agent.hook("PreToolUse", **LS)
    await agent.hook("PostToolUse", **LS)
    await (agent.hub.kill() if is_killed else agent.hub.stop())
    await agent.hub.start()
    assert await deeds(agent) == [[("Bash", "ls", True)]]
    await agent.hub.kill()
    await agent.hub.start()
    assert await deeds(agent) == [[("Bash", "ls", True)]], "once"
