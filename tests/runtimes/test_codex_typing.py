"""What a hub that was killed while it typed has left in the box of the real Codex: it is finished or taken back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clawmux.adapters import headers
from clawmux.adapters.injection import Found
from clawmux.adapters.pasting import Held, Pasting
from clawmux.adapters.screen import Box, InputRules, chunks, read_screen
from clawmux.adapters.tmux import Tmux
from clawmux.wire.words import Activity
from tests.runtimes.conftest import Stage
from tests.runtimes.openai_agents import Agent, codex
from tests.stand_ins.openai_api import Say
from tests.waiting import until, until_answer

pytestmark = pytest.mark.runtime

ID = "msg-4k0v9x2m1q7z"
LONG = headers.line(ID, "ann", "sky", "\n".join(f"line {n} of a long message: é漢 `q` " + "x" * 60 for n in range(15)))
BLANK = headers.line(ID, "ann", "sky", "one\n\n\ntwo\n\nthree")
SHORT = headers.line("msg-2", "bob", "sky", "hello")


@pytest.fixture
async def agent(stage: Stage, cache: Path) -> AsyncIterator[Agent]:
    async with codex(stage, cache, [Say("Ready.")]) as agent:
        await agent.until_record(lambda sign: sign.activity is Activity.IDLE, 30)
        yield agent


def rules(agent: Agent) -> InputRules:
    assert agent.runtime.input is not None
    return agent.runtime.input


async def shows_in_box(agent: Agent, words: str) -> None:
    async def check() -> bool:
        return words in await agent.screen()

    await until_answer(check)


async def assert_reaches_the_model(agent: Agent, text: str) -> None:
    await until(lambda: any(text in said for said in agent.api.user_texts), 15)


@pytest.mark.parametrize("text", [LONG, BLANK], ids=["long", "blank lines"])
@pytest.mark.parametrize("count", [1, -1], ids=["one piece", "all but the Enter"])
async def test_a_half_typed_message_is_finished(agent: Agent, stage: Stage, count: int, text: str) -> None:
    pieces = chunks(text + " ", rules(agent))[: count if count > 0 else None]
    pasting = Pasting(stage.tmux, agent.pane.pane_id, rules(agent))
    for piece in pieces:
        await pasting.paste(piece, "-p", "-r")
    await shows_in_box(agent, "".join(pieces).split()[-1][-20:])
    looked = await stage.tmux.look_for(agent.pane.pane_id, [ID], rules(agent))
    assert looked[ID] is not Found.SENT
    async with Tmux(stage.folder / "tmux.sock") as restarted:
        await restarted.inject(agent.pane.pane_id, text, rules(agent))
    await assert_reaches_the_model(agent, text)


async def test_a_half_typed_message_is_taken_back_when_another_batch_is_due(agent: Agent, stage: Stage) -> None:
    pieces = chunks(LONG + " ", rules(agent))
    pasting = Pasting(stage.tmux, agent.pane.pane_id, rules(agent))
    for piece in (*pieces[:2], *pieces[3:]):  # a piece was lost
        await pasting.paste(piece, "-p", "-r")
    await shows_in_box(agent, "line 14 of")
    batch = headers.batch([LONG, SHORT])
    async with Tmux(stage.folder / "tmux.sock") as restarted:
        await restarted.inject(agent.pane.pane_id, batch, rules(agent))
    await assert_reaches_the_model(agent, batch)


async def test_what_somebody_adds_to_a_message_is_neither_sent_nor_lost(agent: Agent, stage: Stage) -> None:
    await Pasting(stage.tmux, agent.pane.pane_id, rules(agent)).paste(f"{SHORT} and my own words", "-p", "-r")
    await shows_in_box(agent, "my own words")
    with pytest.raises(Held, match="somebody has typed into the message"):
        await stage.tmux.inject(agent.pane.pane_id, SHORT, rules(agent))
    screen = read_screen(await agent.screen(), rules(agent))
    assert screen.box is Box.OPEN and "my own words" in screen.draft
