"""Looking at the agents while others change them; a real store, and a tmux that answers as it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from clawmux.adapters.panes import Pane
from clawmux.adapters.store import Store
from clawmux.adapters.tmux import Tmux
from clawmux.hub.agents import Agents, Order
from clawmux.hub.journal import Journal
from clawmux.paths import locate, make_private
from clawmux.settings import Settings
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import SessionState
from tests.live_hub import QUIET
from tests.waiting import until


class ToldTmux:
    def __init__(self) -> None:
        self.held: dict[str, Pane] = {}
        self.may_kill = asyncio.Event()
        self.may_kill.set()
        self.killing: list[str] = []

    async def spawn(self, session_id: str, *_: Any) -> Pane:
        self.held[session_id] = Pane(f"%{len(self.held)}", 0, session_id, False, None, "sleep", False)
        return self.held[session_id]

    async def panes(self, with_commands: bool = False) -> list[Pane]:
        return list(self.held.values())

    async def kill(self, pane: Pane) -> None:
        self.killing.append(pane.session_id)
        await self.may_kill.wait()
        self.held.pop(pane.session_id, None)

    async def capture(self, pane_id: str) -> str:
        return ""


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def tmux() -> ToldTmux:
    return ToldTmux()


@pytest.fixture
async def agents(tmp_path: Path, tmux: ToldTmux, told: list[dict[str, Any]]) -> AsyncIterator[Agents]:
    paths = locate({"CLAWMUX_HOME": str(tmp_path)})
    for folder in (paths.config, paths.data, paths.user_runtimes):
        make_private(folder)
    (paths.user_runtimes / "quiet.toml").write_text(QUIET)
    (paths.user_runtimes / "shy.toml").write_text(QUIET.replace('".*"', '"first_contact"'))
    async with Store(tmp_path / "store.db") as store:
        yield Agents(paths, Settings, Journal(store, told.append), cast(Tmux, tmux))


async def start(agents: Agents, tmp_path: Path, runtime: str = "quiet") -> str:
    return (await agents.spawn(Order(runtime=runtime, dir=str(tmp_path)))).id


@pytest.mark.parametrize("name", ["user", "all"])
async def test_no_agent_is_named_like_its_user_or_like_everybody(agents: Agents, tmp_path: Path, name: str) -> None:
    """Its messages would come from:user."""
    with pytest.raises(ClawMuxError, match="field 'name'") as caught:
        await agents.spawn(Order(runtime="quiet", dir=str(tmp_path), name=name))
    assert caught.value.code == "usage" and agents.living == []


async def test_an_agent_ended_during_a_look_stays_dead(
    agents: Agents, tmux: ToldTmux, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    first, second = await start(agents, tmp_path), await start(agents, tmp_path)
    tmux.held[first] = replace(tmux.held[first], dead=True, exit_status=0)
    tmux.may_kill.clear()
    looking = asyncio.create_task(agents.look())
    await until(lambda: tmux.killing == [first])
    ending = asyncio.create_task(agents.kill(second, "You ended it."))
    await until(lambda: second in tmux.killing)
    tmux.may_kill.set()
    await asyncio.gather(looking, ending)
    assert agents.living == []
    await until(lambda: [e["session_id"] for e in told if e["type"] == "session_terminated"] == [first, second])


async def test_how_it_ended_is_waited_for_one_look(agents: Agents, tmux: ToldTmux, tmp_path: Path) -> None:
    session_id = await start(agents, tmp_path)
    tmux.held[session_id] = replace(tmux.held[session_id], dead=True, exit_status=None)
    await agents.look()
    assert [session.id for session in agents.living] == [session_id], "tmux does not know yet how it ended"
    await agents.look()
    assert agents.living == []


async def test_what_changes_during_a_look_is_not_changed_back(agents: Agents, tmux: ToldTmux, tmp_path: Path) -> None:
    first, second = await start(agents, tmp_path), await start(agents, tmp_path)
    tmux.held[first] = replace(tmux.held[first], dead=True, exit_status=0)
    tmux.may_kill.clear()
    looking = asyncio.create_task(agents.look())
    await until(lambda: tmux.killing == [first])
    agents.set_voice(second, "am_adam")
    tmux.may_kill.set()
    await looking
    assert agents.get(second).voice == "am_adam"


async def test_a_clock_that_jumps_ends_no_agent(
    agents: Agents, tmux: ToldTmux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that slept through lunch."""
    only = await start(agents, tmp_path)
    agents.contacted(only)
    await agents.look()
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + 7200)
    await agents.look()
    await agents.look()
    assert [session.id for session in agents.living] == [only]


async def test_an_agent_is_up_in_time_also_when_the_clock_is_set_back(
    agents: Agents, tmux: ToldTmux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes no call and shows no prompt, and what is for it waits as long as it is starting."""
    wall = time.time
    only = await start(agents, tmp_path, "shy")
    await agents.look()
    assert agents.get(only).state is SessionState.STARTING
    monkeypatch.setattr(time, "time", lambda: wall() - 7200)
    await agents.look()
    assert agents.get(only).state is SessionState.READY


async def test_a_pane_that_could_not_be_ended_is_ended_at_the_next_look(agents: Agents, tmux: ToldTmux, tmp_path: Path) -> None:
    only = await start(agents, tmp_path)
    tmux.may_kill.clear()
    ending = asyncio.create_task(agents.kill(only, "You ended it."))
    await until(lambda: tmux.killing == [only])
    ending.cancel()
    await asyncio.wait([ending])
    tmux.may_kill.set()
    await agents.look()
    assert await tmux.panes() == []


async def test_an_agent_that_starts_during_a_look_is_not_taken_for_ended(agents: Agents, tmux: ToldTmux, tmp_path: Path) -> None:
    """The list of panes is older than it."""
    first = await start(agents, tmp_path)
    listed = await tmux.panes()
    may_answer = asyncio.Event()

    async def late(with_commands: bool = False) -> list[Pane]:
        await may_answer.wait()
        return listed

    now, tmux.panes = tmux.panes, late  # type: ignore[method-assign]
    looking = asyncio.create_task(agents.look())
    await asyncio.sleep(0)
    tmux.panes = now  # type: ignore[method-assign]
    second = await start(agents, tmp_path)
    may_answer.set()
    await looking
    assert [session.id for session in agents.living] == [first, second]
