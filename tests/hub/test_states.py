"""What the hub knows of its agents, with real panes: their screens, their hooks, their questions, their end."""
# Short commands and looks at files may block a test.
# ruff: noqa: ASYNC221

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clawmux.hub.permissions import UNSEEN_SECONDS
from clawmux.wire.errors import ClawMuxError
from tests.live_hub import ROOT, LiveHub, Said, said
from tests.waiting import until, until_answer

# The limit within which every change is to be known, and how often the tests look.
KNOWN_SECONDS = 2.0
SHOWING = f'''
title = "Showing"
program = "{sys.executable}"
arguments = ["{ROOT / "tests" / "stand_ins" / "screen_agent.py"}", "{{folder}}"]
ready = "."
interrupt_key = "\\u001b"

[[screens]]
screen = 'Do you want to (?P<detail>.*)\\?'
activity = "needs_you"
kind = "permission"

[[screens]]
screen = 'busy'
activity = "thinking"

[[screens]]
screen = '^>'
activity = "idle"
'''


class Agent:
    """One session whose screen the test writes."""

    def __init__(self, hub: LiveHub, session_id: str) -> None:
        self.hub = hub
        self.id = session_id
        self.folder = hub.paths.sessions / session_id

    async def show(self, **line: str) -> None:
        await until((self.folder / "show").exists)
        with (self.folder / "show").open("w") as pipe:
            pipe.write(json.dumps(line) + "\n")

    async def view(self) -> dict[str, Any]:
        views = await self.hub.call("GET", "/api/sessions?all=true")
        return next(dict(view) for view in views if view["id"] == self.id)

    async def is_doing(self, activity: str, detail: str = "", seconds: float = KNOWN_SECONDS) -> dict[str, Any]:
        """Within ``seconds`` it is shown to do that."""
        doing: dict[str, Any] = {}

        async def check() -> bool:
            nonlocal doing
            doing = (await self.view())["doing"]
            return (doing["activity"], doing["detail"]) == (activity, detail)

        try:
            await until_answer(check, seconds)
        except AssertionError:
            raise AssertionError(f"still {doing}, not {activity} {detail!r}") from None
        return doing

    async def hook(self, event: str, **fields: Any) -> Said:
        return await self.hub.run(self.id, "hook", stdin=hook_body(event, **fields))

    async def asks(self, command: str) -> asyncio.subprocess.Process:
        """A hook that waits for a permission."""
        process = await self.hub.client(self.id, "hook", stdin=b"")
        assert process.stdin is not None
        process.stdin.write(hook_body("PermissionRequest", tool_name="Bash", tool_input={"command": command}))
        process.stdin.close()
        return process

    def pane_pid(self) -> int:
        words = ["tmux", "-S", str(self.hub.paths.tmux_socket), "list-panes", "-a", "-F", "#{@clawmux_id} #{pane_pid}"]
        lines = subprocess.run(words, capture_output=True, text=True, check=True, timeout=5).stdout.splitlines()
        return next(int(line.split()[1]) for line in lines if line.split()[0] == self.id)


def hook_body(event: str, **fields: Any) -> bytes:
    return json.dumps({"session_id": "s1", "hook_event_name": event, **fields}).encode()


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        (hub.paths.user_runtimes / "showing.toml").write_text(SHOWING)
        yield hub


@pytest.fixture
async def agent(hub: LiveHub) -> Agent:
    agent = Agent(hub, await hub.spawn("showing"))
    await agent.show(screen="> ")
    await agent.is_doing("idle", seconds=10)
    return agent


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
    await agent.is_doing("thinking", seconds=0.3)


async def test_what_cannot_be_read_and_what_is_huge_disturbs_nobody(agent: Agent) -> None:
    for body in (b"", b"nonsense", b"[1]", b"\xff\xfe", hook_body("Unheard"), hook_body("Stop")[:-5]):
        assert await agent.hub.run(agent.id, "hook", stdin=body) == Said(0, "", "")
    huge = hook_body("PostToolUse", tool_name="Read", tool_use_id="t", tool_response="x" * 3_000_000)
    assert await agent.hub.run(agent.id, "hook", stdin=huge) == Said(0, "", "")
    assert (await agent.view())["doing"]["activity"] == "thinking"


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


async def test_a_report_is_kept(agent: Agent) -> None:
    assert await agent.hub.run(agent.id, "report", "the parser") == Said(0, "", "")
    report = (await agent.view())["report"]
    assert report["text"] == "the parser" and abs(report["at"] - time.time()) < 5
    await agent.hub.kill()
    await agent.hub.start()
    assert (await agent.view())["report"] == report


async def test_an_interrupt_is_confirmed(agent: Agent) -> None:
    await agent.show(screen="busy", after_escape="> ")
    await agent.is_doing("thinking")
    began = time.monotonic()
    assert await agent.hub.run("", "interrupt", agent.id) == Said(0, f"{(await agent.view())['name']} is idle\n", "")
    assert time.monotonic() - began < KNOWN_SECONDS + 1
    assert (agent.folder / "keys").read_bytes() == b"\x1b"
    assert (await agent.hub.call("POST", f"/api/sessions/{agent.id}/interrupt"))["interrupted"] is False
    assert (agent.folder / "keys").read_bytes() == b"\x1b", "an agent at rest gets no key"


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
