"""Messages to the real Codex: each arrives exactly, once, whatever it does just then, and nothing is approved by accident.

The long form, 100 messages and 40 races: ``CLAWMUX_TEST_LONG=1 python -m pytest -s tests/runtimes/test_codex_messages.py``.
The table is written to tests/output/messages-codex.txt.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clawmux.adapters.screen import Box, read_screen
from clawmux.wire.words import Activity
from tests.runtimes.conftest import Stage
from tests.runtimes.message_trials import IS_LONG, Situation, Trials, run
from tests.runtimes.openai_agents import Agent, codex
from tests.stand_ins.openai_api import Run, Say
from tests.waiting import until_answer

pytestmark = pytest.mark.runtime


async def at_rest(agent: Agent) -> None:
    await agent.until_record(lambda sign: sign.activity is Activity.IDLE, 30)


async def idle(trials: Trials, name: str, text: str) -> None:
    await at_rest(trials.agent)
    await trials.send("idle", name, text)


async def while_it_thinks(trials: Trials, name: str, text: str) -> None:
    await at_rest(trials.agent)
    await trials.begin(Say("Thought about it.", after_seconds=2.0))
    await trials.send("thinking", name, text)


async def while_a_tool_runs(trials: Trials, name: str, text: str) -> None:
    await at_rest(trials.agent)
    command = f"sleep 2; echo {len(trials.made)}"
    await trials.begin(Run(command), Say("Ran it."))
    await trials.agent.shows(command)
    await trials.send("tool", name, text)


async def over_a_draft(trials: Trials, name: str, text: str) -> None:
    agent, draft = trials.agent, f"half a thought {len(trials.made)}"
    await at_rest(agent)
    await agent.keys("-l", draft)
    await until_answer(lambda: box_holds(agent, draft))
    await trials.send("over a draft", name, text)
    await until_answer(lambda: box_holds(agent, draft))
    await agent.keys("C-c")
    await until_answer(lambda: box_holds(agent, ""))


async def in_copy_mode(trials: Trials, name: str, text: str) -> None:
    agent = trials.agent
    await at_rest(agent)
    await agent.stage.tmux.command(["copy-mode", "-t", agent.pane.pane_id])
    await trials.send("copy mode", name, text)
    assert [pane.in_mode for pane in await agent.stage.tmux.panes()] == [True]
    await agent.keys("-X", "cancel")


async def box_holds(agent: Agent, draft: str) -> bool:
    assert agent.runtime.input is not None
    screen = read_screen(await agent.screen(), agent.runtime.input)
    return screen.box is Box.OPEN and screen.draft == draft


SITUATIONS: dict[str, Situation] = {
    "idle": idle,
    "thinking": while_it_thinks,
    "idle again": idle,
    "tool": while_a_tool_runs,
    "draft": over_a_draft,
    "and again": idle,
    "copy mode": in_copy_mode,
}


async def test_every_text_reaches_codex_exactly_and_once(stage: Stage, cache: Path) -> None:
    async with codex(stage, cache, [Say("Ready.")]) as agent:
        await agent.shows("Ready.")
        trials = Trials(agent)
        await run(trials, SITUATIONS, 100 if IS_LONG else 14)
        await at_rest(agent)
        trials.write("Codex 0.169.0")
        trials.check()
