"""A hundred messages to a real agent program through the hub's own way to it, each over a text of the hostile table.

For every message: in which situation it was sent, how long it took until the model had it, and whether it had it exactly.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from clawmux.adapters import headers
from clawmux.adapters.runtimes.manifest import Runtime
from clawmux.core.session import Session
from clawmux.hub.agents import Agents
from clawmux.hub.typist import Typist
from clawmux.paths import locate
from clawmux.wire.errors import ClawMuxError
from tests.runtimes.hostile import TEXTS
from tests.runtimes.openai_agents import Agent
from tests.stand_ins.openai_api import OpenAiApi, Run, Say

OUTPUT = Path(__file__).parent.parent / "output"
HOLD_SECONDS = 60.0
"""So long a message is tried again that could not be typed."""
AGAIN_SECONDS = 12.0
"""The broker waits for a minute before it types again what nobody is known to have."""


@dataclass(frozen=True, slots=True)
class Lone:
    """As much of the hub's agents as typing into one needs."""

    session: Session
    runtime: Runtime

    def get(self, session_id: str) -> Session:
        return self.session

    def runtime_of(self, session: Session) -> Runtime:
        return self.runtime


def typist_of(agent: Agent) -> Typist:
    session = Session(
        id="af_sky",
        name="adam",
        voice="af_sky",
        runtime=agent.runtime.name,
        directory=str(agent.stage.work),
        created=0.0,
        first_n=1,
        pane_id=agent.pane.pane_id,
        pid=agent.pane.pid,
    )
    paths = locate({"CLAWMUX_HOME": str(agent.stage.folder)})
    # The session's own folder is where the stage has put it.
    paths = type(paths)(**{**_fields(paths), "data": agent.program.folder.parent.parent})
    return Typist(cast(Agents, Lone(session, agent.runtime)), agent.stage.tmux, paths)


def _fields(paths: Any) -> dict[str, Any]:
    return {name: getattr(paths, name) for name in paths.__dataclass_fields__}


@dataclass(slots=True)
class Trial:
    number: int
    situation: str
    text: str
    line: str
    """What the model is to be told."""
    seconds: float = 0.0
    holds: int = 0
    reason: str = ""
    arrived: bool = False

    def is_in(self, api: OpenAiApi) -> bool:
        return any(told.rstrip() == self.line for told in api.user_texts)


@dataclass(slots=True)
class Trials:
    """Sends and counts. ``draft``: how a half-typed text is put into the box, and taken out again afterwards."""

    agent: Agent
    made: list[Trial] = field(default_factory=list)
    typist: Typist = field(init=False)
    runs: int = 0
    """Shell commands that the model has asked for."""

    def __post_init__(self) -> None:
        self.typist = typist_of(self.agent)

    @property
    def api(self) -> OpenAiApi:
        return self.agent.api

    async def send(self, situation: str, name: str, text: str) -> Trial:
        """Type it as the broker would: again a little later while it is held, and again when it is not known to be taken."""
        number = len(self.made)
        line = headers.typed(f"msg-{number:012d}", "sky", "adam", text, expects=number % 3 == 0).rstrip()
        trial = Trial(number, situation, name, line)
        self.made.append(trial)
        began = time.monotonic()
        while not trial.arrived:
            known = await self._type(trial, began)
            try:
                await self.api.wait_for(trial.is_in, HOLD_SECONDS if known else AGAIN_SECONDS)
            except TimeoutError:
                if known or time.monotonic() - began > HOLD_SECONDS:
                    screen = await self.agent.screen()
                    raise AssertionError(f"the model does not have it ({known}, {trial.holds} holds): {line}\n{screen}") from None
                trial.holds += 1
                continue
            trial.seconds = time.monotonic() - began
            trial.arrived = True
        return trial

    async def _type(self, trial: Trial, began: float) -> bool:
        """Whether the program is known to have it."""
        while True:
            try:
                return bool(await self.typist.type("af_sky", trial.line))
            except ClawMuxError as error:
                trial.holds, trial.reason = trial.holds + 1, error.text
                if time.monotonic() - began > HOLD_SECONDS:
                    raise
                await asyncio.sleep(0.2)

    async def begin(self, *steps: Say | Run) -> None:
        """The agent gets something to do, by a message that is none of the trials."""
        number = len(self.api.requests)
        self.api.then(*steps)
        self.runs += sum(isinstance(step, Run) for step in steps)
        await self.send("to work", "plain", "Please work.")
        assert len(self.api.requests) > number

    def told(self) -> list[str]:
        """All messages that the model has, in their order; what the program itself adds is left out."""
        return [text.rstrip() for text in self.api.user_texts if headers.ids_in(text)]

    def assert_each_came_once(self) -> None:
        """Each arrived exactly and once, and no command was run that the model had not asked for."""
        self.assert_messages()
        assert len(self.api.tool_results) == self.runs, "a command was run that the model has not asked for"
        assert not [file for file in self.agent.stage.work.rglob("*") if "pwned" in file.name]

    def assert_messages(self) -> None:
        lines = [trial.line for trial in self.made]
        told = self.told()
        assert sorted(told) == sorted(lines), _difference(told, lines)
        assert all(trial.arrived for trial in self.made)

    def table(self, title: str) -> str:
        lines = [
            f"{title}: {len(self.made)} messages",
            f"{'situation':16} {'sent':>5} {'exact':>6} {'held':>5} {'p50':>6} {'p95':>6} {'max':>6}",
        ]
        situations = list(dict.fromkeys(trial.situation for trial in self.made))
        for situation in [*situations, "all"]:
            of = [trial for trial in self.made if situation in ("all", trial.situation)]
            times = sorted(trial.seconds for trial in of)
            p50, p95 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.95))]
            exact, held = sum(trial.arrived for trial in of), sum(trial.holds > 0 for trial in of)
            lines.append(f"{situation:16} {len(of):5} {exact:6} {held:5} {p50:6.2f} {p95:6.2f} {times[-1]:6.2f}")
        return "\n".join(lines) + "\n"

    def write(self, title: str, name: str = "messages") -> None:
        table = self.table(title)
        print(table)
        OUTPUT.mkdir(exist_ok=True)
        (OUTPUT / f"{name}-{self.agent.runtime.name}.txt").write_text(table)


def _difference(told: list[str], lines: list[str]) -> str:
    missing = [line[:200] for line in lines if line not in told]
    more = [text[:200] for text in told if text not in lines]
    twice = [line[:80] for line in set(told) if told.count(line) > 1]
    return f"missing: {missing}\nnot sent so: {more}\ntwice: {twice}"


Situation = Callable[[Trials, str, str], Awaitable[None]]


async def run(trials: Trials, situations: dict[str, Situation], count: int) -> None:
    """``count`` messages: every text of the table in turn, the situations in theirs."""
    names = list(situations)
    for number in range(count):
        name, text = TEXTS[number % len(TEXTS)]
        situation = names[number % len(names)]
        await situations[situation](trials, name, text)
