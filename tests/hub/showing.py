"""An agent whose screen a test writes, under a real hub in a real pane."""
# Short commands may block a test.

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.live_hub import ROOT, LiveHub, Said
from tests.waiting import until, until_answer

# The limit within which every change is to be known, and how often the tests look.
KNOWN_SECONDS = 2.0
SHOWING = f'''
title = "Showing"
program = "{sys.executable}"
arguments = ["{ROOT / "tests" / "stand_ins" / "screen_agent.py"}", "{{folder}}"]
ready = "."
interrupt_key = "\\u001b"
suspended = 'Suspended\\. Run fg\\.\\s*\\Z'

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
        assert await until(lambda: self._tell(json.dumps(line).encode() + b"\n"), 10)

    def _tell(self, line: bytes) -> bool:
        """False while its program does not listen, which an ordinary open would wait for, for ever."""
        try:
            pipe = os.open(self.folder / "show", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False
        os.write(pipe, line)
        os.close(pipe)
        return True

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

    def screen(self) -> str:
        words = ["tmux", "-S", str(self.hub.paths.tmux_socket), "capture-pane", "-p", "-t", f"=clawmux-{self.id}:"]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=5).stdout

    def pane_pid(self) -> int:
        words = ["tmux", "-S", str(self.hub.paths.tmux_socket), "list-panes", "-a", "-F", "#{@clawmux_id} #{pane_pid}"]
        lines = subprocess.run(words, capture_output=True, text=True, check=True, timeout=5).stdout.splitlines()
        return next(int(line.split()[1]) for line in lines if line.split()[0] == self.id)


def hook_body(event: str, **fields: Any) -> bytes:
    return json.dumps({"session_id": "s1", "hook_event_name": event, **fields}).encode()


@asynccontextmanager
async def showing_hub() -> AsyncIterator[LiveHub]:
    """A hub that knows the runtime ``showing``."""
    async with LiveHub("none") as hub:
        (hub.paths.user_runtimes / "showing.toml").write_text(SHOWING)
        yield hub


async def resting_agent(hub: LiveHub) -> Agent:
    agent = Agent(hub, await hub.spawn("showing"))
    await agent.show(screen="> ")
    await agent.is_doing("idle", seconds=10)
    return agent
