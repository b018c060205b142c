"""The real Codex in real tmux, offline: it starts without dialogs, converses, reports by its hooks, and takes typed text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.runtimes.conftest import Stage
from tests.runtimes.openai_agents import Agent, codex
from tests.stand_ins.cli_hub import CliHub, Reply, Request, Silence, answered
from tests.stand_ins.openai_api import Run, Say, Step
from tests.waiting import until

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
        Run("echo session $CLAWMUX_SESSION_ID $VOICE_HUB_SESSION_ID tmux ${TMUX-none}"),
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
            assert list(stage.work.iterdir()) == []
