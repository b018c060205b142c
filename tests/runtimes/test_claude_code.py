"""The real Claude Code in real tmux, offline: it starts without dialogs, converses, waits, and takes typed text."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from clawmux.adapters.runtimes.manifest import Runtime, needs_user
from clawmux.adapters.screen import Box, InputRules, read_screen
from clawmux.wire.errors import ClawMuxError
from tests.runtimes.conftest import Agent, Stage, StartClaude, with_settings_environment
from tests.stand_ins.cli_hub import CliHub, Reply, Request, answered
from tests.stand_ins.messages_api import Bash, MessagesApi, Say
from tests.waiting import until_answer

pytestmark = pytest.mark.runtime

START_SECONDS = 30.0


@contextmanager
def hub(stage: Stage, words: str = "the user's own words", after_seconds: float = 0.0) -> Iterator[CliHub]:
    """A hub that answers every command with these words."""

    def answer(request: Request) -> Reply:
        if request.words[0] == b"hook":
            return answered()
        time.sleep(after_seconds)
        return answered(stdout=f"{words}\n".encode())

    with CliHub(stage.socket, answer) as running:
        yield running


def next_words(running: CliHub) -> list[bytes]:
    """Of the next command; what hooks say is no command."""
    while (words := running.next().words)[0] == b"hook":
        pass
    return words


async def results(agent: Agent, number: int, seconds: float = START_SECONDS) -> list[str]:
    """What the model has been told by its shell tool, once there are so many results."""
    await agent.api.wait_for(lambda api: len(api.tool_results) >= number, seconds)
    return agent.api.tool_results


async def test_it_starts_without_dialogs_converses_and_goes_on(start_claude: StartClaude, stage: Stage) -> None:
    script = [
        Bash("clawmux converse 'Hello. What shall I do?'"),
        Bash("clawmux converse --goodbye 'Done.'; echo session $CLAWMUX_SESSION_ID $VOICE_HUB_SESSION_ID tmux ${TMUX-none}"),
        Say("Finished."),
    ]
    with hub(stage, "list the folder, please") as running:
        async with start_claude(script) as agent:
            assert await results(agent, 2) == [
                "list the folder, please",
                "list the folder, please\nsession af_sky af_sky tmux none",
            ]
            assert next_words(running) == [b"converse", b"Hello. What shall I do?"]
            assert next_words(running) == [b"converse", b"--goodbye", b"Done."]
            assert "clawmux converse" in agent.api.system_text and '"sky"' in agent.api.system_text
            assert any("Greet me by voice" in text for text in agent.api.user_texts)
            await until_answer(lambda: shows(agent, "Finished."))
            assert needs_user(agent.runtime, await agent.screen(), "sky") is None


async def shows(agent: Agent, text: str) -> bool:
    return text in await agent.screen()


async def test_it_touches_nothing_of_the_project_or_the_users_settings(start_claude: StartClaude, stage: Stage) -> None:
    with hub(stage):
        async with start_claude([Bash("clawmux converse Hello")]) as agent:
            await results(agent, 1)
            assert list(stage.work.iterdir()) == []
            assert not (stage.home / ".claude" / "settings.json").exists()
            assert set(json.loads((stage.home / ".claude.json").read_text())["projects"]) == {str(stage.work)}


async def test_a_folder_that_is_not_trusted_is_the_users_to_decide(start_claude: StartClaude, stage: Stage) -> None:
    async with start_claude([], trusted=False) as agent:
        await until_answer(lambda: shows(agent, "trust this folder"), START_SECONDS)
        reason = needs_user(agent.runtime, await agent.screen(), "sky")
        assert reason is not None and "clawmux attach sky" in reason
        with pytest.raises(ClawMuxError) as caught:
            await stage.tmux.inject(agent.pane.pane_id, "[VOICE] hello", rules(agent))
        assert caught.value.code == "conflict" and "dialog" in caught.value.text
        assert await shows(agent, "trust this folder")


def limited(runtime: Runtime) -> Runtime:
    return with_settings_environment(runtime, {"BASH_DEFAULT_TIMEOUT_MS": "5000", "BASH_MAX_TIMEOUT_MS": "5000"})


async def test_without_our_settings_a_long_converse_goes_to_the_background(start_claude: StartClaude, stage: Stage) -> None:
    """The control of the next test: with a limit of 5 s the answer of 12 s does not reach the model as the command's."""
    with hub(stage, after_seconds=12):
        async with start_claude([Bash("clawmux converse Hello")], change=limited) as agent:
            [result] = await results(agent, 1)
            assert "the user's own words" not in result and "background" in result


@pytest.mark.parametrize("waits_seconds", [12, 125])
async def test_a_long_converse_stays_in_the_foreground(start_claude: StartClaude, stage: Stage, waits_seconds: int) -> None:
    """125 s are longer than the 120 s that Claude Code gives a command by itself."""
    with hub(stage, after_seconds=waits_seconds):
        async with start_claude([Bash("clawmux converse Hello")]) as agent:
            assert await results(agent, 1, START_SECONDS + waits_seconds) == ["the user's own words"]


def rules(agent: Agent) -> InputRules:
    assert agent.runtime.input is not None
    return agent.runtime.input


async def reached_the_model(agent: Agent, text: str) -> bool:
    def is_there(api: MessagesApi) -> bool:
        return any(text in told for told in api.user_texts)

    await agent.api.wait_for(is_there, 15)
    return True


MESSAGES = [
    "[VOICE from:user] hello there",
    "[VOICE] lines\n\n  indented\nand é 漢字 👩‍👩‍👧 $HOME `id` \"q\" 'q' \\ #{pane_id} ; | > ~\nlast;",
    "[VOICE] " + "many words " * 150 + "end",
    "[VOICE]\n" + "\n".join(f"line {number}" for number in range(60)),
    "[VOICE] ends in a backslash \\",
]


async def idle(agent: Agent) -> None:
    """At its prompt, with the first turn done."""

    async def at_prompt() -> bool:
        screen = await agent.screen()
        return "Ready." in screen and read_screen(screen, rules(agent)).box is Box.OPEN

    await until_answer(at_prompt, START_SECONDS)


async def test_typed_text_reaches_the_model_exactly(start_claude: StartClaude, stage: Stage) -> None:
    async with start_claude([Say("Ready.")]) as agent:
        await idle(agent)
        for text in MESSAGES:
            await stage.tmux.inject(agent.pane.pane_id, text, rules(agent))
            assert await reached_the_model(agent, text)


async def test_typing_keeps_a_draft_and_works_in_copy_mode(start_claude: StartClaude, stage: Stage) -> None:
    async with start_claude([Say("Ready.")]) as agent:
        await idle(agent)
        await stage.tmux.command(["send-keys", "-t", agent.pane.pane_id, "-l", "half a thought"])
        await until_answer(lambda: shows(agent, "half a thought"))
        await stage.tmux.command(["copy-mode", "-t", agent.pane.pane_id])
        assert [pane.in_mode for pane in await stage.tmux.panes()] == [True]
        await stage.tmux.inject(agent.pane.pane_id, "[VOICE] over a draft", rules(agent), over_scrolling=True)
        assert await reached_the_model(agent, "[VOICE] over a draft")
        assert not any("half a thought" in text for text in agent.api.user_texts)

        async def draft() -> bool:
            return read_screen(await agent.screen(), rules(agent)).draft == "half a thought"

        await until_answer(draft)


async def test_text_typed_while_a_tool_runs_reaches_the_model(start_claude: StartClaude, stage: Stage) -> None:
    with hub(stage, after_seconds=4) as running:
        async with start_claude([Bash("clawmux converse Hello")]) as agent:
            await asyncio.to_thread(next_words, running)
            await stage.tmux.inject(agent.pane.pane_id, "[VOICE] while you work", rules(agent))
            assert await reached_the_model(agent, "[VOICE] while you work")


def asking(runtime: Runtime) -> Runtime:
    return replace(runtime, arguments=("--permission-mode", "default", *runtime.arguments))


async def test_a_permission_dialog_is_never_answered_by_typing(start_claude: StartClaude, stage: Stage) -> None:
    async with start_claude([Bash("touch here")], skip_permissions=False, change=asking) as agent:
        await until_answer(lambda: shows(agent, "Do you want to proceed?"), START_SECONDS)
        with pytest.raises(ClawMuxError) as caught:
            await stage.tmux.inject(agent.pane.pane_id, "[VOICE] yes", rules(agent))
        assert caught.value.code == "conflict" and "dialog" in caught.value.text
        screen = await agent.screen()
        assert "Do you want to proceed?" in screen and not (stage.work / "here").exists()
        assert "clawmux attach sky" in (needs_user(agent.runtime, screen, "sky") or "")


async def test_talking_needs_no_permission(start_claude: StartClaude, stage: Stage) -> None:
    with hub(stage):
        async with start_claude([Bash("clawmux converse Hello")], skip_permissions=False, change=asking) as agent:
            assert await results(agent, 1) == ["the user's own words"]
