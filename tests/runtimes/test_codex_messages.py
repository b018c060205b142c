"""Messages to the real Codex: each arrives exactly, once, whatever it does just then, and nothing is approved by accident.

The long form, 100 messages and 40 races: ``CLAWMUX_TEST_LONG=1 python -m pytest -s tests/runtimes/test_codex_messages.py``.
The table is written to tests/output/messages-codex.txt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clawmux.adapters.runtimes.manifest import Runtime
from clawmux.adapters.screen import Box, read_screen
from clawmux.wire.words import Activity
from tests.long_form import IS_LONG
from tests.runtimes.conftest import Stage
from tests.runtimes.message_trials import Situation, Trial, Trials, run
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
        trials.assert_each_came_once()


def asking(runtime: Runtime) -> Runtime:
    return replace(runtime, arguments=("-a", "on-request", *runtime.arguments))


RACES = 40 if IS_LONG else 6


async def test_a_message_that_races_with_a_dialog_approves_nothing_and_is_not_lost(stage: Stage, cache: Path) -> None:
    """From 0.7 s before the dialog opens to 0.35 s after; no hub answers the hook, so the question stands at the terminal."""
    async with codex(stage, cache, [Say("Ready.")], change=asking, skip_permissions=False) as agent:
        await agent.shows("Ready.")
        trials = Trials(agent)
        lag = await opens_a_dialog(trials, "first")
        refused = opened = 0
        for number in range(RACES):
            await at_rest(agent)
            offset = -0.7 + 1.05 * number / (RACES - 1)
            await trials.begin(Run(f"touch {stage.work}/approved-{number}", after_seconds=1.0, ask=True))
            sending = asyncio.create_task(later(1.0 + lag + offset, trials.send("race", f"race {number}", f"race {number}")))
            opened += await until_dialog_or(agent, sending)
            # Long enough for an Enter that should not be pressed.
            await asyncio.sleep(1.5)
            await dismiss(agent)
            trial = await sending
            refused += trial.holds > 0 or trial.seconds > 3
            assert list(stage.work.iterdir()) == []
        await at_rest(agent)
        trials.assert_messages()
        trials.write(f"Codex 0.169.0, {RACES} messages that race with a dialog ({opened} opened)", "races")
        assert opened >= RACES // 3


async def later(seconds: float, work: Coroutine[Any, Any, Trial]) -> Trial:
    await asyncio.sleep(max(0.0, seconds))
    return await work


async def has_dialog(agent: Agent) -> bool:
    return "Press enter to confirm or esc to cancel" in await agent.screen()


async def until_dialog_or(agent: Agent, sending: asyncio.Task[Trial]) -> bool:
    """Whether a dialog opened. A message that came before it has begun the turn anew, and the model asks for nothing then."""

    async def settled() -> bool:
        return sending.done() or await has_dialog(agent)

    await until_answer(settled, 30)
    return await has_dialog(agent)


async def dismiss(agent: Agent) -> None:
    if await has_dialog(agent):
        await agent.keys("Escape")

        async def gone() -> bool:
            return not await has_dialog(agent)

        await until_answer(gone)


async def opens_a_dialog(trials: Trials, name: str) -> float:
    """Seconds from the model's wish to the question on the screen."""
    await trials.begin(Run(f"touch {trials.agent.stage.work}/{name}", ask=True))
    began = time.monotonic()
    await until_answer(lambda: has_dialog(trials.agent), 30)
    lag = time.monotonic() - began
    await dismiss(trials.agent)
    return lag
