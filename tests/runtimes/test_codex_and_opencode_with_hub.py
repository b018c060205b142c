"""Two real agents of different programs under the real hub: one asks, the other acknowledges and answers.

Without --wait-response: Codex's shell tool hands back after 10 s, and this scripted model does not wait for its command again.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.live_hub import LiveHub
from tests.runtimes.conftest import Stage
from tests.runtimes.openai_agents import (
    agent_environment,
    codex_program,
    make_codex_home,
    make_opencode_home,
    opencode_program,
)
from tests.stand_ins.openai_api import OpenAiApi, Run, Say, Step
from tests.waiting import until_answer

pytestmark = pytest.mark.runtime


async def test_codex_asks_opencode_and_gets_its_answer(stage: Stage, cache: Path) -> None:
    programs = [codex_program(cache), opencode_program(cache)]
    environ = agent_environment(stage.home, programs[0])
    environ["PATH"] = ":".join([*map(str, programs), environ["PATH"]])
    async with OpenAiApi([Say("Ready.")]) as asker, OpenAiApi([Say("Ready.")]) as answerer:
        make_codex_home(stage.home, stage.work, asker.url)
        make_opencode_home(stage.home, answerer.url, cache)
        async with LiveHub("none", environ=environ) as hub:
            codex = await hub.spawn("codex", dir=str(stage.work), name="cody")
            opencode = await hub.spawn("opencode", dir=str(stage.work), name="olga")
            await answerer.wait_for(lambda api: len(api.requests) >= 1, 120)
            await asker.wait_for(lambda api: len(api.requests) >= 1, 60)

            async def does(session_id: str, activity: str) -> bool:
                [view] = [view for view in await sessions(hub) if view["id"] == session_id]
                return bool(view["activity"] == activity)

            for session_id in (codex, opencode):
                await until_answer(lambda session_id=session_id: does(session_id, "idle"), 60)  # type: ignore[misc]
            question = "Which port: 80 or `8080`?"
            asker.then(Run(f"clawmux send --to olga '{question}'"), Say("Thank you."))
            sent = await hub.run("", "send", "--to", "cody", "Ask olga for the port.")
            assert sent.code == 0, sent
            await answerer.wait_for(lambda api: any(question in text for text in api.user_texts), 60)
            [line] = [text for text in answerer.user_texts if question in text]
            found = re.fullmatch(r"\[MSG id:(msg-\w{12}) from:cody to:olga\] (.*)", line)
            assert found and found[2] == question
            answerer.then(Run(f"clawmux ack {found[1]}; clawmux reply {found[1]} 'It is 8080.'"), Say("Answered."))
            # The answer to the message had begun already; this one makes the model go on.
            assert (await hub.run("", "send", "--to", "olga", "Now answer.")).code == 0
            answer = f"from:olga to:cody reply-to:{found[1]}] It is 8080."
            await asker.wait_for(lambda api: any(answer in text for text in api.user_texts), 60)
            told = await hub.call("GET", f"/api/messages/{found[1]}")
            assert (told["state"], told["reply"]) == ("responded", "It is 8080.")


async def test_codex_reaches_the_hub_from_its_sandbox_without_a_question(stage: Stage, cache: Path) -> None:
    """With permission questions on. Whatever else would come out of the sandbox with its command is asked about."""
    environ = agent_environment(stage.home, codex_program(cache))
    expanded = 'clawmux report "$(id -u)"'
    script: list[Step] = [
        Run("clawmux report 'inside'"),
        Run("clawmux report 'outside; $(id)'", ask=True),
        Run(expanded, ask=True),
        Say("Ready."),
    ]
    async with OpenAiApi(script) as api:
        make_codex_home(stage.home, stage.work, api.url, 'approval_policy = "on-request"\nsandbox_mode = "workspace-write"\n')
        async with LiveHub("none", environ=environ, agents_skip_permissions="false") as hub:
            await hub.spawn("codex", dir=str(stage.work), name="cody")

            async def asks() -> bool:
                [view] = await sessions(hub)
                return bool(view["permission"]) and view["permission"]["text"] == expanded

            await until_answer(asks, 120)
            [view] = await sessions(hub)
            assert view["report"]["text"] == "outside; $(id)"
            refused, _ = api.tool_results[:2]
            assert "a sandbox keeps this command" in refused and "require_escalated" in refused
            assert "require_escalated" in api.system_text, "its instructions say so before"
            denied = await hub.run("", "deny", "cody", "--request", str(view["permission"]["request"]))
            assert denied.code == 0, denied
            await api.wait_for(lambda api: len(api.tool_results) >= 3, 60)
            [view] = await sessions(hub)
            assert view["report"]["text"] == "outside; $(id)"


async def sessions(hub: LiveHub) -> list[dict[str, Any]]:
    listed = await hub.call("GET", "/api/sessions")
    return listed["sessions"] if isinstance(listed, dict) else listed  # type: ignore[no-any-return]
