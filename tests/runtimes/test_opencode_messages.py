"""Messages to the real OpenCode, through its own server: each arrives exactly and once, whatever it does just then.

The long form, 100 messages: ``CLAWMUX_TEST_LONG=1 python -m pytest -s tests/runtimes/test_opencode_messages.py``.
The table is written to tests/output/messages-opencode.txt.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clawmux.wire.words import Activity
from tests.long_form import IS_LONG
from tests.runtimes.conftest import Stage
from tests.runtimes.message_trials import Situation, Trials, run
from tests.runtimes.openai_agents import Agent, opencode
from tests.stand_ins.openai_api import Run, Say
from tests.waiting import until_answer

pytestmark = pytest.mark.runtime


async def at_rest(agent: Agent) -> None:
    await agent.until_record(lambda sign: sign.activity is Activity.IDLE, 60)


async def idle(trials: Trials, name: str, text: str) -> None:
    await at_rest(trials.agent)
    await trials.send("idle", name, text)


async def while_it_thinks(trials: Trials, name: str, text: str) -> None:
    await at_rest(trials.agent)
    await trials.begin(Say("Thought about it.", after_seconds=2.0))
    await trials.send("thinking", name, text)


async def while_a_tool_runs(trials: Trials, name: str, text: str) -> None:
    await at_rest(trials.agent)
    await trials.begin(Run("sleep 2"), Say("Ran it."))
    await trials.agent.until_record(lambda sign: sign.activity is Activity.TOOL)
    await trials.send("tool", name, text)


async def over_a_draft(trials: Trials, name: str, text: str) -> None:
    agent, draft = trials.agent, f"half a thought {len(trials.made)}"
    await at_rest(agent)
    await agent.keys("-l", draft)
    await agent.shows(draft)
    await trials.send("over a draft", name, text)
    await at_rest(agent)
    assert draft in await agent.screen()
    await agent.keys("C-c")

    async def gone() -> bool:
        return draft not in await agent.screen()

    await until_answer(gone)


async def in_copy_mode(trials: Trials, name: str, text: str) -> None:
    agent = trials.agent
    await at_rest(agent)
    await agent.stage.tmux.command(["copy-mode", "-t", agent.pane.pane_id])
    await trials.send("copy mode", name, text)
    assert [pane.in_mode for pane in await agent.stage.tmux.panes()] == [True]
    await agent.keys("-X", "cancel")


SITUATIONS: dict[str, Situation] = {
    "idle": idle,
    "thinking": while_it_thinks,
    "idle again": idle,
    "tool": while_a_tool_runs,
    "draft": over_a_draft,
    "and again": idle,
    "copy mode": in_copy_mode,
}


async def test_every_text_reaches_opencode_exactly_and_once(stage: Stage, cache: Path) -> None:
    async with opencode(stage, cache, [Say("Ready.")]) as agent:
        await agent.shows("Ready.", 90)
        trials = Trials(agent)
        await run(trials, SITUATIONS, 100 if IS_LONG else 14)
        await at_rest(agent)
        trials.write("OpenCode 1.18.33")
        trials.assert_each_came_once()
