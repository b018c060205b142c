"""The real OpenCode in real tmux, offline: it starts, converses, tells what it does, and takes texts by its own server."""

from __future__ import annotations

from pathlib import Path

import pytest

from clawmux.adapters.runtimes.channels import Decides
from clawmux.adapters.runtimes.records import open_records
from clawmux.adapters.runtimes.screens import read_sign
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.signs import Observation, Place, Sign, Taken
from clawmux.wire.words import Activity, Kind, Source
from tests.runtimes.conftest import Stage
from tests.runtimes.openai_agents import Agent, opencode
from tests.stand_ins.cli_hub import CliHub, answered
from tests.stand_ins.openai_api import Fail, Run, Say, Step
from tests.waiting import until

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


ASKING = {"permission": {"bash": "ask", "external_directory": "allow"}}


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_permission_is_told_by_its_events_and_decided_through_its_server(
    stage: Stage, cache: Path, allowed: bool
) -> None:
    script: list[Step] = [Run("touch made"), Say("Understood.")]
    async with opencode(stage, cache, script, more=ASKING, skip_permissions=False) as agent:
        asked = await agent.until_record(lambda sign: sign.activity is Activity.NEEDS_YOU, 90)
        assert (asked.kind, asked.detail) == (Kind.PERMISSION, "bash: touch made") and asked.request
        await agent.shows("Permission required")
        sign = read_sign(agent.runtime.screens, await agent.screen())
        assert sign == Sign(Source.SCREEN, Activity.NEEDS_YOU, Kind.PERMISSION, "touch made")
        assert isinstance(agent.channel, Decides)
        await agent.channel.decide(asked.request, allowed, "not that file")
        [result] = await results(agent, 1)
        assert (stage.work / "made").exists() is allowed and ("not that file" in result) is not allowed
        await agent.until_record(lambda sign: sign.activity is Activity.IDLE)
        with pytest.raises(ClawMuxError, match="not open any more"):
            await agent.channel.decide(asked.request, True, "")


async def test_its_events_tell_how_a_turn_goes_and_ends(stage: Stage, cache: Path) -> None:
    script: list[Step] = [Say("Ready."), Run("sleep 30"), Fail(401, "invalid_api_key", "Bad key"), Say("Well.")]
    async with opencode(stage, cache, script) as agent:
        await agent.shows("Ready.", 90)
        await agent.until_record(lambda sign: sign.activity is Activity.IDLE)
        await agent.channel.deliver("one")
        tool = await agent.until_record(lambda sign: sign.activity is Activity.TOOL)
        assert tool.detail == "bash"
        # The first Escape asks whether.
        for _ in range(agent.runtime.interrupt_presses):
            await agent.keys("Escape")
            await agent.shows("again to interrupt") if "esc interrupt" in await agent.screen() else None
        await agent.until_record(lambda sign: (sign.activity, sign.kind) == (Activity.IDLE, Kind.INTERRUPTED))
        await agent.channel.deliver("two")
        failed = await agent.until_record(lambda sign: sign.kind is Kind.LOGIN)
        assert failed.detail == "Bad key"
        await agent.channel.deliver("three")
        await agent.until_record(lambda sign: (sign.activity, sign.kind) == (Activity.IDLE, Kind.NONE))
        assert [seen.text for seen in agent.seen if isinstance(seen, Taken)][-3:] == ["one", "two", "three"]


async def test_a_hub_that_comes_later_finds_its_session_again(stage: Stage, cache: Path) -> None:
    async with opencode(stage, cache, [Say("Ready.")]) as agent:
        await agent.shows("Ready.", 90)
        await agent.until_record(lambda sign: sign.activity is Activity.IDLE)
        [place] = [seen for seen in agent.seen if isinstance(seen, Place)]
        later = open_records("opencode", agent.program)
        assert later is not None
        try:
            seen: list[Observation] = []

            def knows() -> bool:
                seen.extend(later.look())
                return any(isinstance(one, Sign) for one in seen)

            await until(knows, 20)
            assert seen[0] == place
        finally:
            later.close()
