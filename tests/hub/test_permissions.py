"""Answering an agent's permission questions and stopping its turn, with real panes and hooks that really wait."""
# Short commands and looks at files may block a test.

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from clawmux.hub.permissions import UNSEEN_SECONDS
from clawmux.wire.errors import ClawMuxError
from tests.hub.showing import KNOWN_SECONDS, Agent, resting_agent, showing_hub
from tests.live_hub import LiveHub, Said, said
from tests.waiting import until


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with showing_hub() as hub:
        yield hub


@pytest.fixture
async def agent(hub: LiveHub) -> Agent:
    return await resting_agent(hub)


async def test_a_permission_is_given_from_here_and_only_while_it_stands(agent: Agent) -> None:
    await agent.hook("PreToolUse", tool_name="Bash", tool_use_id="t1")
    process = await agent.asks("rm -r build")
    doing = await agent.is_doing("needs_you", "Bash: rm -r build")
    permission = (await agent.view())["permission"]
    assert (permission["tool"], permission["text"], permission["decidable"]) == ("Bash", "rm -r build", True)
    assert doing["kind"] == "permission"
    path = f"/api/sessions/{agent.id}/permission"
    with pytest.raises(ClawMuxError, match="stands no more"):
        await agent.hub.call("POST", path, {"request": "another", "allow": True})
    view = await agent.hub.call("POST", path, {"request": permission["request"], "allow": True})
    assert view["permission"] is None and view["doing"]["activity"] == "tool"
    answer = await said(process)
    assert answer.code == 0 and json.loads(answer.out)["hookSpecificOutput"]["decision"] == {"behavior": "allow"}
    with pytest.raises(ClawMuxError) as caught:
        await agent.hub.call("POST", path, {"request": permission["request"], "allow": True})
    assert caught.value.code == "conflict"


async def test_what_an_agent_says_is_no_question(agent: Agent) -> None:
    """Codex asks about each command that has to leave its sandbox."""
    await agent.hook("PreToolUse", tool_name="Bash", tool_use_id="t1")
    allowed = await said(await agent.asks("clawmux send --to adam 'Hello; $(id)'"))
    assert json.loads(allowed.out)["hookSpecificOutput"]["decision"] == {"behavior": "allow"}
    assert (await agent.view())["permission"] is None and (await agent.view())["doing"]["activity"] == "tool"
    process = await agent.asks('clawmux send --to adam "$(id)"')
    await agent.is_doing("needs_you", 'Bash: clawmux send --to adam "$(id)"')
    process.kill()
    await process.wait()


async def test_a_denial_carries_its_reason_and_the_command_line_does_the_same(agent: Agent) -> None:
    process = await agent.asks("rm -r /")
    await agent.is_doing("needs_you", "Bash: rm -r /")

    early = await agent.hub.run("", "deny", agent.id)
    assert early.code == 13 and "only just" in early.err, "whoever says so may have seen the question before it"
    await asyncio.sleep(UNSEEN_SECONDS)
    assert await agent.hub.run("", "deny", agent.id, "not on my machine") == Said(0, "denied: Bash: rm -r /\n", "")
    decision = json.loads((await said(process)).out)["hookSpecificOutput"]["decision"]
    assert decision == {"behavior": "deny", "message": "not on my machine"}
    assert (await agent.hub.run(agent.id, "approve", agent.id)).code == 11, "an agent allows itself nothing"
    assert (await agent.hub.run(agent.id, "interrupt", agent.id)).code == 11
    again = await agent.hub.run("", "deny", agent.id)
    assert again.code == 13 and "no permission" in again.err


async def test_questions_are_answered_one_after_the_other(agent: Agent) -> None:
    first = await agent.asks("one")
    await agent.is_doing("needs_you", "Bash: one")
    second = await agent.asks("two")
    await agent.is_doing("needs_you", "Bash: two")
    path = f"/api/sessions/{agent.id}/permission"
    for process, text in ((first, "one"), (second, "two")):
        permission = (await agent.view())["permission"]
        assert permission["text"] == text
        await agent.hub.call("POST", path, {"request": permission["request"], "allow": text == "one"})
        assert ("allow" in (await said(process)).out) == (text == "one")
    assert (await agent.view())["permission"] is None


@pytest.mark.parametrize("how", ["hook", "screen"])
async def test_a_question_that_was_answered_at_the_terminal_is_gone(agent: Agent, how: str) -> None:
    process = await agent.asks("rm x")
    await agent.show(screen="Do you want to rm x?")
    await agent.is_doing("needs_you", "Bash: rm x")
    await asyncio.sleep(1)  # the screen is seen
    request = (await agent.view())["permission"]["request"]
    if how == "hook":
        process.kill()
        await process.wait()
    await agent.show(screen="busy")
    await agent.is_doing("thinking")
    assert (await agent.view())["permission"] is None
    if how == "screen":
        assert await said(process, seconds=2) == Said(0, "", "")
    with pytest.raises(ClawMuxError, match="stands no more"):
        await agent.hub.call("POST", f"/api/sessions/{agent.id}/permission", {"request": request, "allow": True})


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_a_question_outlives_the_hub(agent: Agent, how: str) -> None:
    process = await agent.asks("rm x")
    await agent.is_doing("needs_you", "Bash: rm x")
    request = (await agent.view())["permission"]["request"]
    began = time.monotonic()
    await (agent.hub.kill() if how == "kill" else agent.hub.stop())
    assert time.monotonic() - began < 3, "what waits does not hold up its end"
    await agent.hub.start()
    await agent.is_doing("needs_you", "Bash: rm x", 10)
    assert (await agent.view())["permission"]["request"] == request
    await agent.hub.call("POST", f"/api/sessions/{agent.id}/permission", {"request": request, "allow": True})
    assert "allow" in (await said(process)).out


async def test_what_only_the_screen_asks_is_answered_at_the_terminal(agent: Agent) -> None:
    await agent.show(screen="Do you want to rm x?")
    await agent.is_doing("needs_you", "rm x")
    assert (await agent.view())["permission"] == {"request": "", "tool": "", "text": "rm x", "decidable": False}
    answer = await agent.hub.run("", "approve", agent.id)
    assert answer.code == 13 and "clawmux attach" in answer.err and "rm x" in answer.err


async def test_an_interrupt_is_confirmed(agent: Agent) -> None:
    await agent.show(screen="busy", after_escape="> ")
    await agent.is_doing("thinking")
    began = time.monotonic()
    assert await agent.hub.run("", "interrupt", agent.id) == Said(0, f"{(await agent.view())['name']} is idle\n", "")
    assert time.monotonic() - began < KNOWN_SECONDS + 1
    assert (agent.folder / "keys").read_bytes() == b"\x1b"
    assert (await agent.hub.call("POST", f"/api/sessions/{agent.id}/interrupt"))["interrupted"] is False
    assert (agent.folder / "keys").read_bytes() == b"\x1b", "an agent at rest gets no key"


async def test_a_key_that_was_missed_is_pressed_once_more(agent: Agent) -> None:
    await agent.show(screen="busy")
    await agent.is_doing("thinking")
    interrupting = asyncio.create_task(agent.hub.call("POST", f"/api/sessions/{agent.id}/interrupt"))
    await until((agent.folder / "keys").exists)
    await agent.show(after_escape="> ")
    assert (await interrupting)["interrupted"] is True
    assert (agent.folder / "keys").read_bytes() == b"\x1b\x1b"


async def test_an_interrupt_that_stops_nothing_says_so(agent: Agent) -> None:
    await agent.show(screen="busy")
    await agent.is_doing("thinking")
    with pytest.raises(ClawMuxError) as caught:
        await agent.hub.call("POST", f"/api/sessions/{agent.id}/interrupt")
    assert caught.value.code == "timeout" and "does not rest" in caught.value.text


async def test_an_agent_that_ends_while_it_is_interrupted_is_not_waited_for(agent: Agent) -> None:
    await agent.show(screen="busy")
    await agent.is_doing("thinking")
    interrupting = asyncio.create_task(agent.hub.call("POST", f"/api/sessions/{agent.id}/interrupt"))
    await until((agent.folder / "keys").exists)
    os.kill(agent.pane_pid(), signal.SIGKILL)
    with pytest.raises(ClawMuxError, match="has ended"):
        await asyncio.wait_for(interrupting, KNOWN_SECONDS)


async def test_no_key_is_pressed_where_nobody_knows_what_it_does(agent: Agent) -> None:
    await agent.show(screen="something else")
    await agent.is_doing("unknown", seconds=10)
    with pytest.raises(ClawMuxError) as caught:
        await agent.hub.call("POST", f"/api/sessions/{agent.id}/interrupt")
    assert caught.value.code == "conflict" and not (agent.folder / "keys").exists()
    quiet = await agent.hub.spawn("quiet")
    with pytest.raises(ClawMuxError, match="no key is known"):
        await agent.hub.call("POST", f"/api/sessions/{quiet}/interrupt")
