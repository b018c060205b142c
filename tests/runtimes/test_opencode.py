"""The real OpenCode in real tmux, offline: it starts, converses, tells what it does, and takes texts by its own server."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawmux.wire.words import Activity
from tests.runtimes.conftest import Stage
from tests.runtimes.openai_agents import Agent, opencode
from tests.stand_ins.cli_hub import CliHub, answered
from tests.stand_ins.openai_api import Run, Say, Step

pytestmark = pytest.mark.runtime


async def results(agent: Agent, number: int) -> list[str]:
    await agent.api.wait_for(lambda api: len(api.tool_results) >= number, 60)
    return agent.api.tool_results


async def test_it_starts_without_dialogs_and_converses(stage: Stage, cache: Path) -> None:
    script: list[Step] = [
        Run("clawmux converse 'Hello. What shall I do?'"),
        Run("echo session $CLAWMUX_SESSION_ID $VOICE_HUB_SESSION_ID tmux ${TMUX-none}"),
        Say("Finished."),
    ]
    with CliHub(stage.socket, lambda request: answered(stdout=b"the user's own words\n")):
        async with opencode(stage, cache, script) as agent:
            first, second = await results(agent, 2)
            assert "the user's own words" in first and "session af_sky af_sky tmux none" in second
            assert "clawmux converse" in agent.api.system_text and '"sky"' in agent.api.system_text
            assert any("Greet me by voice" in text for text in agent.api.user_texts)
            await agent.shows("Finished.")
            await agent.until_record(lambda sign: sign.activity is Activity.IDLE)
            assert list(stage.work.iterdir()) == []
