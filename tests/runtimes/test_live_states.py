"""The state of real agents while they live: every change shown within 2 s, nothing shown that is not so.

Some scenes are played once; all of them, and then in random order until ten minutes have passed:
CLAWMUX_TEST_LONG=1 python -m pytest -q -s -o faulthandler_timeout=1500 tests/runtimes/test_live_states.py
"""
# Short commands and looks at files may block a test.

from __future__ import annotations

import asyncio
import functools
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live_hub import LiveHub
from tests.long_form import IS_LONG
from tests.runtimes.conftest import CLAUDE_VERSION, Stage, claude_environment, claude_of, make_claude_home
from tests.runtimes.live import FIRST_SECONDS, Live, Model, Program, Scene, table, watching
from tests.runtimes.openai_agents import (
    agent_environment,
    codex_program,
    keep_opencode_extras,
    make_codex_home,
    make_opencode_home,
    opencode_program,
)
from tests.stand_ins import messages_api, openai_api
from tests.waiting import until

pytestmark = pytest.mark.runtime

LONG_SECONDS = 600.0 if IS_LONG else 0.0
OUTPUT = Path(__file__).parent.parent / "output"


WAIT = 'import sys, time; time.sleep(float(sys.argv[1])); open(sys.argv[2], "w").write(str(time.monotonic()))'


def sleeping(seconds: float, file: str = "ended") -> str:
    """A command that takes so long and leaves the time of its end in a file. Claude Code refuses a plain sleep."""
    return f"python3 wait.py {seconds} {file}"


async def ended(live: Live) -> float:
    """When such a command has ended."""
    file = live.work / "ended"
    text = await until(lambda: file.exists() and file.read_text(), FIRST_SECONDS)
    file.unlink()
    return float(text or 0)


# -- scenes --


async def thinks(live: Live) -> None:
    async with live.playing("thinks"):
        await live.expect("thinking", await live.prompt("think about it", live.model.say("Thought.", after_seconds=3)))
        await live.expect("idle", await live.asked())


async def answers_at_once(live: Live) -> None:
    async with live.playing("answers at once", passing=["thinking"]):
        await live.prompt("quick", live.model.say("Yes."))
        await live.expect("idle", await live.asked())


async def runs_a_tool(live: Live) -> None:
    async with live.playing("runs a tool"):
        await live.expect(
            "thinking", await live.prompt("run it", live.model.run(sleeping(3), after_seconds=1.5), live.model.say("Ran.", 2))
        )
        await live.expect("tool", await live.asked(), detail=live.model.tool)
        await live.expect("thinking", await ended(live))
        await live.expect("idle", await live.asked())


async def is_stopped_while_it_thinks(live: Live) -> None:
    async with live.playing("is stopped while it thinks"):
        await live.expect("thinking", await live.prompt("think for long", live.model.say("Too late.", after_seconds=30)))
        await live.asked()
        await asyncio.sleep(1)
        await live.expect("idle", await live.escape())
        await clear_the_box(live)


async def is_stopped_at_a_tool(live: Live) -> None:
    async with live.playing("is stopped at a tool", passing=["thinking"]):
        await live.prompt("run for long", live.model.run(sleeping(60, "too-late")))
        await live.expect("tool", await live.asked(), detail=live.model.tool)
        await asyncio.sleep(1)
        await live.expect("idle", await live.escape(), kind="interrupted")


async def is_interrupted_from_the_page(live: Live) -> None:
    async with live.playing("is interrupted from the page", passing=["thinking"]):
        await live.prompt("run for long again", live.model.run(sleeping(60, "too-late")))
        await live.expect("tool", await live.asked(), detail=live.model.tool)
        await asyncio.sleep(1)
        began = time.monotonic()
        assert (await live.hub.call("POST", f"/api/sessions/{live.id}/interrupt"))["interrupted"]
        assert time.monotonic() - began < 5, "it is confirmed within 5 s, also where the program misses a key"
        await live.expect("idle", time.monotonic())


async def clear_the_box(live: Live) -> None:
    """A prompt that was stopped before anything was answered stands in the box again."""
    await asyncio.sleep(0.5)
    live.press("C-u")
    live.press("C-u")


def touching(live: Live) -> tuple[str, Path]:
    """A command that needs a permission, and what it makes."""
    made = live.work / f"made-{time.monotonic_ns()}"
    return f"touch {made.name} && sleep 1", made


async def asks(live: Live) -> Path:
    command, made = touching(live)
    await live.prompt("make a file", live.model.ask(command, after_seconds=0.5), live.model.say("Made.", after_seconds=1.5))
    await live.expect("needs_you", await live.asked(), kind="permission", detail=command)
    return made


async def is_allowed_from_here(live: Live) -> None:
    async with live.playing("is allowed from here", passing=["thinking", "tool"]):
        made = await asks(live)
        permission = await live.permission()
        assert permission["decidable"] and not made.exists()
        await live.hub.call("POST", f"/api/sessions/{live.id}/permission", {"request": permission["request"], "allow": True})
        await live.expect("tool", time.monotonic(), detail=live.model.tool)
        await live.expect("idle", await live.asked())
        assert made.exists()


async def is_denied_from_here(live: Live) -> None:
    async with live.playing("is denied from here", passing=["thinking", "tool"]):
        made = await asks(live)
        answer = {"request": (await live.permission())["request"], "allow": False, "text": "not today"}
        await live.hub.call("POST", f"/api/sessions/{live.id}/permission", answer)
        await live.expect("thinking", time.monotonic())
        await live.expect("idle", await live.asked())
        assert not made.exists()


async def is_allowed_at_its_terminal(live: Live) -> None:
    async with live.playing("is allowed at its terminal", passing=["thinking", "tool"]):
        made = await asks(live)
        await asyncio.sleep(1)
        await live.expect("tool", live.press("Enter"))
        assert await live.permission() == {}
        await live.expect("idle", await live.asked())
        assert made.exists()


async def is_refused_at_its_terminal(live: Live) -> None:
    async with live.playing("is refused at its terminal", passing=["thinking", "tool"]):
        made = await asks(live)
        await asyncio.sleep(1)
        await live.expect("idle", await live.escape())
        assert await live.permission() == {} and not made.exists()
        live.steps.clear()


async def meets_a_failing_api(live: Live) -> None:
    async with live.playing("meets a failing API", passing=["thinking"]):
        await live.prompt("fail", *[live.model.fail(400, "invalid_request_error", "The stand-in refuses.")] * 20)
        await live.expect("idle", None, kind="api_error", seconds=20)
        live.steps.clear()


async def meets_a_limit(live: Live) -> None:
    async with live.playing("meets a limit", passing=["thinking"]):
        await live.prompt("too much", *[live.model.fail(429, "rate_limit_error", "Slow down.")] * 20)
        await live.expect("needs_you", None, kind="rate_limit", seconds=20)
        live.steps.clear()
    await answers_at_once(live)  # or the failure stays the last that its screen tells of


async def must_sign_in(live: Live) -> None:
    async with live.playing("must sign in", passing=["thinking"]):
        await live.prompt("who am I", *[live.model.fail(401, "authentication_error", "invalid x-api-key")] * 20)
        await live.expect("needs_you", None, kind="login", seconds=20)
        live.steps.clear()
    await answers_at_once(live)  # or the failure stays the last that its screen tells of


async def compacts(live: Live) -> None:
    await answers_at_once(live)  # there is nothing to compact right after the last time
    async with live.playing("compacts", passing=["thinking"]):
        began = await live.prompt("/compact", live.model.say("<summary>All that was.</summary>", after_seconds=3))
        await live.expect("thinking", began, kind="compaction")
        await live.expect("idle", await live.asked())


async def starts_afresh(live: Live) -> None:
    """/clear gives it a new id and a new transcript."""
    async with live.playing("starts afresh"):
        await live.prompt("/clear")
        await asyncio.sleep(2)
    await thinks(live)


async def is_told_more_while_it_works(live: Live) -> None:
    async with live.playing("is told more while it works", passing=["thinking"]):
        await live.prompt("run it", live.model.run(sleeping(4)), live.model.say("Ran.", 1))
        await live.expect("tool", await live.asked(), detail=live.model.tool)
        live.keys("-l", "and this as well")
        await asyncio.sleep(0.4)
        live.press("Enter")
        await ended(live)
        await live.expect("idle", None, seconds=20)
        live.steps.clear()


# -- programs --

CLAUDE_MODEL = Model(messages_api.Say, messages_api.Bash, messages_api.Bash, messages_api.Fail, "Bash")
CODEX_MODEL = Model(openai_api.Say, openai_api.Run, functools.partial(openai_api.Run, ask=True), openai_api.Fail, "Bash")
OPENCODE_MODEL = Model(openai_api.Say, openai_api.Run, openai_api.Run, openai_api.Fail, "bash", escapes=2)


class Played(openai_api.OpenAiApi):
    """The model does what the scene says."""

    def __init__(self, lives: list[Live]) -> None:
        super().__init__()
        self._lives = lives

    async def _next(self, body: dict[str, Any]) -> tuple[int, openai_api.Step]:
        number, step = await super()._next(body)
        return number, self._lives[0].next_step(openai_api.REST) if number else step


@asynccontextmanager
async def living(stage: Stage, runtime: str, model: Model, environ: dict[str, str], lives: list[Live]) -> AsyncIterator[Live]:
    """The program under a real hub, at its prompt after its first turn."""
    (stage.work / "wait.py").write_text(WAIT)
    async with LiveHub("none", environ=environ, agents_skip_permissions="false") as hub:
        lives.append(live := Live(hub, "af_sky", stage.work, model))
        async with watching(live):
            assert await hub.spawn(runtime, dir=str(stage.work)) == live.id
            await live.asked()
            await live.rests()
            yield live


@asynccontextmanager
async def claude(stage: Stage, cache: Path) -> AsyncIterator[Live]:
    """Claude Code as its user has it who lets python3 run without being asked."""
    program = await asyncio.to_thread(claude_of, cache, CLAUDE_VERSION)
    make_claude_home(stage, trusted=True)
    (stage.home / ".claude").mkdir()
    permissions = {"defaultMode": "default", "allow": ["Bash(python3:*)"]}
    settings = {"env": {"CLAUDE_CODE_MAX_RETRIES": "1"}, "permissions": permissions}
    (stage.home / ".claude" / "settings.json").write_text(json.dumps(settings))
    lives: list[Live] = []
    rest = messages_api.Say("That is all.")
    async with (
        messages_api.MessagesApi(lambda api: lives[0].next_step(rest)) as api,
        living(stage, "claude", CLAUDE_MODEL, claude_environment(stage, program, api.url), lives) as live,
    ):
        yield live


@asynccontextmanager
async def codex(stage: Stage, cache: Path) -> AsyncIterator[Live]:
    """Codex as its user has it who lets it work in its folder."""
    program = await asyncio.to_thread(codex_program, cache)
    lives: list[Live] = []
    async with Played(lives) as api:
        make_codex_home(stage.home, stage.work, api.url, 'approval_policy = "on-request"\nsandbox_mode = "workspace-write"\n')
        async with living(stage, "codex", CODEX_MODEL, agent_environment(stage.home, program), lives) as live:
            yield live


@asynccontextmanager
async def opencode(stage: Stage, cache: Path) -> AsyncIterator[Live]:
    """OpenCode as its user has it who wants to be asked before files are made."""
    program = await asyncio.to_thread(opencode_program, cache)
    lives: list[Live] = []
    async with Played(lives) as api:
        more = {"permission": {"bash": {"*": "allow", "touch *": "ask"}, "external_directory": "allow"}}
        await asyncio.to_thread(make_opencode_home, stage.home, api.url, cache, more)
        async with living(stage, "opencode", OPENCODE_MODEL, agent_environment(stage.home, program), lives) as live:
            # What is typed at its terminal first takes it seconds, in which it does nothing that anybody could see.
            # A turn of a tenth of a second need not be shown; this one is long enough to be.
            await live.prompt("hello", live.model.say("Hello.", after_seconds=1.5))
            await live.asked()
            await until(lambda: live.shown[-1].activity == "idle" and live.shown[-1].at >= live.dues[-1], FIRST_SECONDS)
            yield live
        await asyncio.to_thread(keep_opencode_extras, stage.home, cache)


STOPPING: list[Scene] = [is_stopped_while_it_thinks, is_stopped_at_a_tool, is_interrupted_from_the_page]
PROGRAMS: dict[str, tuple[Program, list[Scene], list[Scene]]] = {
    "claude": (
        claude,
        [thinks, runs_a_tool, is_stopped_at_a_tool, is_allowed_from_here, is_refused_at_its_terminal, meets_a_failing_api],
        [
            is_stopped_while_it_thinks, answers_at_once, is_denied_from_here, is_allowed_at_its_terminal, meets_a_limit,
            is_interrupted_from_the_page, must_sign_in, compacts, is_told_more_while_it_works, starts_afresh,
        ],
    ),
    "codex": (
        codex,
        [thinks, runs_a_tool, is_stopped_at_a_tool, is_allowed_from_here, meets_a_failing_api],
        [is_stopped_while_it_thinks, answers_at_once, is_denied_from_here, is_interrupted_from_the_page],
    ),
    "opencode": (
        opencode,
        [thinks, runs_a_tool, is_stopped_at_a_tool, is_allowed_from_here],
        [is_stopped_while_it_thinks, answers_at_once, is_denied_from_here, is_interrupted_from_the_page],
    ),
}  # fmt: skip


async def play(name: str, live: Live, short: list[Scene], more: list[Scene]) -> None:
    dice, end = random.Random(4), time.monotonic() + LONG_SECONDS
    for scene in [*short, *more] if LONG_SECONDS else short:
        await play_one(name, live, scene)
    while time.monotonic() < end and len(live.faults) < 20:
        await play_one(name, live, dice.choice([*short, *more]))
        await asyncio.sleep(dice.uniform(0, 3))


async def play_one(name: str, live: Live, scene: Scene) -> None:
    try:
        await scene(live)
        if name == "opencode" and scene in STOPPING:
            await answers_at_once(live)  # 1.18.33 does not always let a turn be stopped that follows a stopped one
    except (AssertionError, TimeoutError) as error:
        live.faults.append(f"{live.scene}: broken off: {error!r}; {list(map(str, live.shown[-5:]))}\n{live.screen()}")
    if live.faults:
        report(f"{name}_broken", live)
        raise AssertionError(live.faults[0])


def report(name: str, live: Live) -> None:
    OUTPUT.mkdir(exist_ok=True)
    text = f"{name}\n{table(live)}\n" + "".join(f"FAULT {fault}\n" for fault in live.faults)
    (OUTPUT / f"live_states_{name}.txt").write_text(text)
    print("\n" + text)


@pytest.mark.parametrize("name", PROGRAMS)
async def test_its_states_in_a_scripted_session(name: str, stage: Stage, cache: Path) -> None:
    program, short, more = PROGRAMS[name]
    async with program(stage, cache) as live:
        await play(name, live, short, more)
        live.scene = "dies"
        os.kill(live.pid(), signal.SIGKILL)
        await live.expect("dead", time.monotonic())
        report(name, live)
        assert not live.faults
