"""Two real Claude Codes under the real hub that ask and answer each other, with their permission questions on."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from tests.live_hub import LiveHub
from tests.runtimes.conftest import Stage, claude_environment, make_claude_home
from tests.stand_ins.messages_api import Bash, MessagesApi, Say, Step
from tests.waiting import until, until_answer

pytestmark = [pytest.mark.runtime]

ASKED = "clawmux send --to adam --wait-response 'Which port does it use?'"
ASKED_BACK = "clawmux send --to sky --wait-response 'Shall I merge?'"
EXPECTS = r"^\[MSG id:(\S+) [^\]]*expect-response\] (.*?) *$"
ANSWERS = {"Which port does it use?": "Port 8460.", "Shall I merge?": "Yes, do."}


class Models:
    """What the models of both do, who have read their instructions: ack first, then reply. Each asks once; sky begins."""

    def __init__(self) -> None:
        self.results: dict[str, list[str]] = {}
        """What each has got from its commands."""

    def __call__(self, api: MessagesApi) -> Step:
        name = "sky" if 'You are "sky"' in api.system_text else "adam"
        self.results[name] = api.tool_results
        commands = commands_of(api.requests[-1])
        if name == "sky" and ASKED not in commands:
            return Bash(ASKED)
        for message_id, words in re.findall(EXPECTS, "\n".join(api.user_texts), re.MULTILINE):
            for command in (f"clawmux ack {message_id}", f"clawmux reply {message_id} '{ANSWERS[words]}'"):
                if command not in commands:
                    return Bash(command)
            if name == "adam" and ASKED_BACK not in commands:
                return Bash(ASKED_BACK)
        return Say("That is all.")


def commands_of(request: dict[str, Any]) -> list[str]:
    """What the model has run so far."""
    blocks = [block for m in request["messages"] if m["role"] == "assistant" for block in m["content"] if isinstance(block, dict)]
    return [block["input"]["command"] for block in blocks if block["type"] == "tool_use"]


async def test_two_agents_ask_and_answer_each_other_and_nobody_is_asked_for_leave(stage: Stage, claude_program: Path) -> None:
    make_claude_home(stage, trusted=True)
    models = Models()
    async with MessagesApi(models) as api:
        environ = claude_environment(stage, claude_program, api.url)
        async with LiveHub("none", environ=environ, agents_skip_permissions="false") as hub:
            await hub.spawn("claude", name="adam", dir=str(stage.work))
            await hub.spawn("claude", name="sky", dir=str(stage.work))

            async def are_answered() -> bool:
                for session in await hub.call("GET", "/api/sessions"):
                    assert session["permission"] is None and session["activity"] != "needs_you", session
                listed = (await hub.call("GET", "/api/messages"))["messages"]
                return [message["state"] for message in listed] == ["responded", "responded"]

            await until_answer(are_answered, 60)
            second, first = (await hub.call("GET", "/api/messages"))["messages"]
            assert [(m["from_name"], m["to_name"], m["text"], m["reply"], m["tries"]) for m in (first, second)] == [
                ("sky", "adam", "Which port does it use?", "Port 8460.", 1),
                ("adam", "sky", "Shall I merge?", "Yes, do.", 1),
            ]
            for name, message in (("sky", first), ("adam", second)):
                printed = f"{message['id']}\n{message['reply']}"
                await until(lambda name=name, printed=printed: printed in models.results[name], 30)  # type: ignore[misc]


async def test_ctrl_z_at_its_terminal_does_not_leave_it_suspended(stage: Stage, claude_program: Path) -> None:
    """No shell is there to bring it back with fg; it would neither draw nor read, and its messages would wait for ever."""
    make_claude_home(stage, trusted=True)
    async with (
        MessagesApi([Say("Ready.")]) as api,
        LiveHub("none", environ=claude_environment(stage, claude_program, api.url)) as hub,
    ):
        sky = await hub.spawn("claude", name="sky", dir=str(stage.work))

        async def rests() -> bool:
            return any(session["activity"] == "idle" for session in await hub.call("GET", "/api/sessions"))

        await until_answer(rests, 60)
        tmux = ["tmux", "-S", str(hub.paths.tmux_socket), "send-keys", "-t", f"=clawmux-{sky}:", "C-z"]
        assert await (await asyncio.create_subprocess_exec(*tmux)).wait() == 0
        await until(lambda: "was suspended at its terminal" in (hub.home / "output").read_text(), 10)
        sent = (await hub.run("", "send", "--to", "sky", "Are you there?")).out.strip()
        await api.wait_for(lambda api: any(sent in text for text in api.user_texts), 30)
