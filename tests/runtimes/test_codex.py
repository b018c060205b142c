"""The real Codex in real tmux, offline: it starts without dialogs, converses, reports by its hooks, and takes typed text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clawmux.adapters.runtimes.hooks import Hooks as HookReader
from clawmux.adapters.runtimes.hooks import decision
from clawmux.adapters.runtimes.manifest import Runtime, needs_user
from clawmux.adapters.runtimes.screens import read_sign
from clawmux.wire.signs import Observation, Sign, Taken, ToolFailed
from clawmux.wire.words import Activity, Kind, Source
from tests.runtimes.conftest import Stage
from tests.runtimes.openai_agents import Agent, codex
from tests.stand_ins.cli_hub import CliHub, Reply, Request, Silence, answered
from tests.stand_ins.openai_api import Fail, Run, Say, Step
from tests.waiting import until, until_answer

pytestmark = pytest.mark.runtime


class Hooks:
    """A hub that keeps what hooks say; ``decision`` is answered to questions for a permission, None lets them wait."""

    def __init__(self, words: str = "the user's own words") -> None:
        self.said: list[dict[str, str]] = []
        self.decision: str | None = ""
        self._words = words

    def answer(self, request: Request) -> Reply | Silence:
        if request.words[0] != b"hook":
            return answered(stdout=f"{self._words}\n".encode())
        said = json.loads(request.words[-1])
        self.said.append(said)
        if said["hook_event_name"] != "PermissionRequest":
            return answered()
        return Silence() if self.decision is None else answered(stdout=self.decision.encode())

    @property
    def events(self) -> list[str]:
        return [said["hook_event_name"] for said in self.said]

    async def until(self, event: str, seconds: float = 15.0) -> dict[str, str]:
        return await until(lambda: next((said for said in self.said if said["hook_event_name"] == event), None) or {}, seconds)


@contextmanager
def hub(stage: Stage) -> Iterator[Hooks]:
    hooks = Hooks()
    with CliHub(stage.socket, hooks.answer):
        yield hooks


async def results(agent: Agent, number: int) -> list[str]:
    await agent.api.wait_for(lambda api: len(api.tool_results) >= number, 30)
    return agent.api.tool_results


async def test_it_starts_without_dialogs_and_converses(stage: Stage, cache: Path) -> None:
    script: list[Step] = [
        Run("clawmux converse 'Hello. What shall I do?'"),
        Run("echo session $CLAWMUX_SESSION_ID $VOICE_HUB_SESSION_ID tmux ${TMUX-none}; exit 3"),
        Say("Finished."),
    ]
    with hub(stage) as hooks:
        async with codex(stage, cache, script) as agent:
            first, second = await results(agent, 2)
            assert "the user's own words" in first and "session af_sky af_sky tmux none" in second
            assert "clawmux converse" in agent.api.system_text and '"sky"' in agent.api.system_text
            assert any("Greet me by voice" in text for text in agent.api.user_texts)
            await agent.shows("Finished.")
            await hooks.until("Stop")
            told = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PreToolUse", "PostToolUse", "Stop"]
            assert hooks.events == told

            async def is_told() -> bool:
                await agent.look()
                return ToolFailed(hooks.said[-2]["tool_use_id"]) in agent.seen

            await until_answer(is_told, 15)
            assert len([seen for seen in agent.seen if isinstance(seen, ToolFailed)]) == 1, "the other command did not fail"
            assert list(stage.work.iterdir()) == []


def asking(runtime: Runtime) -> Runtime:
    return replace(runtime, arguments=("-a", "on-request", *runtime.arguments))


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_permission_is_given_or_refused_by_its_hook(stage: Stage, cache: Path, allowed: bool) -> None:
    script: list[Step] = [Run(f"touch {stage.work}/made", ask=True), Say("Understood.")]
    with hub(stage) as hooks:
        hooks.decision = decision(allowed, "not that file")
        async with codex(stage, cache, script, change=asking, skip_permissions=False) as agent:
            asked = await hooks.until("PermissionRequest")
            [*_, sign] = read_hooks([asked])
            assert sign == Sign(Source.HOOK, Activity.NEEDS_YOU, Kind.PERMISSION, f"Bash: touch {stage.work}/made")
            [result] = await results(agent, 1)
            assert (stage.work / "made").exists() is allowed and ("not that file" in result) is not allowed
            await agent.shows("Understood.")


async def test_while_its_hook_waits_it_asks_and_escape_takes_the_question_back(stage: Stage, cache: Path) -> None:
    with hub(stage) as hooks:
        hooks.decision = None
        async with codex(stage, cache, [Run("touch made", ask=True)], change=asking, skip_permissions=False) as agent:
            await hooks.until("PermissionRequest")
            await agent.shows("allow it on the ClawMux page or with clawmux approve")
            sign = read_sign(agent.runtime.screens, await agent.screen())
            assert sign is not None and (sign.activity, sign.kind) == (Activity.NEEDS_YOU, Kind.PERMISSION)
            assert await agent.look() is None, "its rollout does not tell a command that runs from one that waits"
            await agent.keys("Escape")
            await hooks.until("Interrupt")
            await agent.until_record(lambda sign: (sign.activity, sign.kind) == (Activity.IDLE, Kind.INTERRUPTED))
            await agent.shows("Conversation interrupted")
            assert not (stage.work / "made").exists()


async def test_with_no_hub_it_asks_at_its_terminal(stage: Stage, cache: Path) -> None:
    async with codex(stage, cache, [Run("touch made", ask=True)], change=asking, skip_permissions=False) as agent:
        await agent.shows("Would you like to run the following command?")
        sign = read_sign(agent.runtime.screens, await agent.screen())
        assert sign == Sign(Source.SCREEN, Activity.NEEDS_YOU, Kind.PERMISSION, "touch made")
        assert needs_user(agent.runtime, await agent.screen(), "sky") is not None


async def test_its_rollout_tells_how_a_turn_goes_and_ends(stage: Stage, cache: Path) -> None:
    refused = Fail(401, "invalid_api_key", "Bad key")
    script: list[Step] = [Say("Ready.", after_seconds=2.0), Fail(400, "bad", "broken"), refused, refused, refused]
    async with codex(stage, cache, script) as agent:
        await agent.until_record(lambda sign: sign.activity is Activity.THINKING, 30)
        await agent.until_record(lambda sign: sign.activity is Activity.IDLE)
        for text, activity, kind in [("one", Activity.IDLE, Kind.API_ERROR), ("two", Activity.NEEDS_YOU, Kind.LOGIN)]:
            await agent.keys("-l", text)
            await agent.shows(f"› {text}")
            await agent.keys("Enter")
            await agent.until_record(lambda sign, a=activity, k=kind: (sign.activity, sign.kind) == (a, k), 20)  # type: ignore[misc]
        assert [seen.text for seen in agent.seen if isinstance(seen, Taken)][-2:] == ["one", "two"]


async def moved_to(agent: Agent, shown: str) -> bool:
    """A dialog that has only just been drawn may not take a key yet."""
    if shown in await agent.screen():
        return True
    if "› 1." in await agent.screen():
        await agent.keys("Down")
        await asyncio.sleep(0.5)
    return shown in await agent.screen()


async def test_hooks_of_the_users_own_go_on_running_and_need_their_own_trust(stage: Stage, cache: Path) -> None:
    own = f'[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = "command"\ncommand = "touch {stage.folder}/own"\n'
    with hub(stage) as hooks:
        async with codex(stage, cache, [Say("Ready.")], more=own) as agent:
            await agent.shows("1 hook is new or changed")
            assert "Trust all" in await agent.screen() and not hooks.said
            await until_answer(lambda: moved_to(agent, "› 2. Trust all"), 15)
            await agent.keys("Enter")
            await hooks.until("Stop")
            await until((stage.folder / "own").exists, 15)


def read_hooks(said: list[dict[str, Any]]) -> list[Observation]:
    reading = HookReader()
    return [seen for one in said for seen in reading.read(json.dumps(one))]
