"""What a hub that was killed while it typed has left in the box of the real Claude Code, newest and older: it is finished
or taken back, and never becomes a draft. And what a person at its terminal has typed stays theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clawmux.adapters import headers
from clawmux.adapters.injection import Found
from clawmux.adapters.pasting import Held, Pasting
from clawmux.adapters.screen import Box, InputRules, chunks, read_screen
from clawmux.adapters.tmux import Tmux
from tests.runtimes.conftest import CLAUDE_VERSION, OLDER_CLAUDE_VERSION, Agent, Stage, StartClaude, claude_of
from tests.stand_ins.messages_api import Say
from tests.waiting import until_answer

pytestmark = pytest.mark.runtime

ID = "msg-4k0v9x2m1q7z"
LONG = headers.line(ID, "ann", "sky", "\n".join(f"line {n} of a long message: é漢 👩‍🚀 `q` " + "x" * 60 for n in range(15)))
SHORT = headers.line("msg-2", "bob", "sky", "hello")


@pytest.fixture(params=[CLAUDE_VERSION, OLDER_CLAUDE_VERSION])
def claude_program(request: pytest.FixtureRequest, cache: Path) -> Path:
    return claude_of(cache, request.param)


@pytest.fixture
async def agent(start_claude: StartClaude) -> AsyncIterator[Agent]:
    """At its prompt, with the first turn done."""
    async with start_claude([Say("Ready.")]) as agent:

        async def at_prompt() -> bool:
            screen = await agent.screen()
            return "Ready." in screen and read_screen(screen, rules(agent)).box is Box.OPEN

        await until_answer(at_prompt, 30)
        yield agent


def rules(agent: Agent) -> InputRules:
    assert agent.runtime.input is not None
    return agent.runtime.input


async def paste(agent: Agent, *pieces: str) -> None:
    """As the hub that is gone has typed them."""
    pasting = Pasting(agent.stage.tmux, agent.pane.pane_id, rules(agent))
    for piece in pieces:
        await pasting.paste(piece, "-p", "-r")


async def shows_in_box(agent: Agent, words: str) -> None:
    async def check() -> bool:
        return words in read_screen(await agent.screen(), rules(agent)).draft

    await until_answer(check)


async def assert_reaches_the_model(agent: Agent, text: str) -> None:
    await agent.api.wait_for(lambda api: any(sent.rstrip() == text for sent in api.user_texts), 15)


async def box_is_empty(agent: Agent) -> None:
    async def check() -> bool:
        screen = read_screen(await agent.screen(), rules(agent))
        return screen.box is Box.OPEN and not screen.draft

    await until_answer(check)


@pytest.mark.parametrize("count", [1, 3, -1], ids=["one piece", "three pieces", "all but the Enter"])
async def test_a_half_typed_message_is_finished(agent: Agent, stage: Stage, count: int) -> None:
    pieces = chunks(LONG + " ", rules(agent))
    await paste(agent, *pieces[: count if count > 0 else None])
    await shows_in_box(agent, pieces[count - 1 if count > 0 else -1].split()[-1][-20:])
    looked = await stage.tmux.look_for(agent.pane.pane_id, [ID], rules(agent))
    assert looked == {ID: Found.BOX}
    async with Tmux(stage.folder / "tmux.sock") as restarted:
        assert await restarted.inject(agent.pane.pane_id, LONG, rules(agent)) == {ID}
    await assert_reaches_the_model(agent, LONG)
    await box_is_empty(agent)


async def test_a_half_typed_message_is_taken_back_when_another_batch_is_due(agent: Agent, stage: Stage) -> None:
    pieces = chunks(LONG + " ", rules(agent))
    await paste(agent, *pieces[:2], *pieces[3:])  # a piece was lost
    await shows_in_box(agent, "line 14 of")
    batch = headers.batch([LONG, SHORT])
    async with Tmux(stage.folder / "tmux.sock") as restarted:
        assert await restarted.inject(agent.pane.pane_id, batch, rules(agent)) == {ID, "msg-2"}
    await assert_reaches_the_model(agent, batch)
    await box_is_empty(agent)


async def test_what_somebody_adds_to_a_message_is_neither_sent_nor_lost(agent: Agent, stage: Stage) -> None:
    await paste(agent, f"{SHORT} and my own words")
    await shows_in_box(agent, "my own words")
    with pytest.raises(Held, match="somebody has typed into the message"):
        await stage.tmux.inject(agent.pane.pane_id, SHORT, rules(agent))
    await shows_in_box(agent, "my own words")
    assert not any("my own words" in text for text in agent.api.user_texts)
