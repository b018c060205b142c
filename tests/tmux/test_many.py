"""Looking at many panes at once, and pressing a key in one, with the real tmux."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from clawmux.adapters.panes import Pane
from clawmux.adapters.tmux import MOST_CAPTURES, Tmux
from clawmux.wire.errors import ClawMuxError
from tests.waiting import until, until_answer

KEYS = 'stty raw -echo; printf ready; exec cat > "$0"'


async def shows(tmux: Tmux, pane: Pane, text: str) -> bool:
    return text in await tmux.capture(pane.pane_id)


async def test_many_screens_come_in_one_answer_each_as_it_is(tmux: Tmux, tmp_path: Path) -> None:
    number = MOST_CAPTURES + 5
    script = 'printf "%s\\n\\n  é 漢 %%begin 1 1 1\\n" "$0"; exec cat'
    panes = [await tmux.spawn(f"a{n}", ["sh", "-c", script, f"screen {n}"], tmp_path, {}) for n in range(number)]
    for pane in panes:
        await until_answer(partial(shows, tmux, pane, "漢"))
    screens = await tmux.captures([pane.pane_id for pane in panes])
    assert [screens[pane.pane_id].rstrip() for pane in panes] == [f"screen {n}\n\n  é 漢 %begin 1 1 1" for n in range(number)]
    assert screens[panes[0].pane_id] == await tmux.capture(panes[0].pane_id)
    assert await tmux.captures([]) == {}


async def test_a_pane_that_is_gone_is_left_out_and_a_dead_one_is_not(tmux: Tmux, tmp_path: Path) -> None:
    gone, dead, alive = [await tmux.spawn(name, ["sh", "-c", "echo here; exec cat"], tmp_path, {}) for name in ("a", "b", "c")]
    for pane in (gone, dead, alive):
        await until_answer(partial(shows, tmux, pane, "here"))
    await tmux.kill(gone)
    await tmux.command(["send-keys", "-t", dead.pane_id, "C-d"])
    await until_answer(lambda: is_dead(tmux, dead))
    screens = await tmux.captures([gone.pane_id, dead.pane_id, alive.pane_id])
    assert set(screens) == {dead.pane_id, alive.pane_id} and "here" in screens[dead.pane_id]


async def is_dead(tmux: Tmux, pane: Pane) -> bool:
    return any(p.pane_id == pane.pane_id and p.dead for p in await tmux.panes())


async def test_a_key_reaches_the_program_in_copy_mode_as_well_and_leaves_that_as_it_is(tmux: Tmux, tmp_path: Path) -> None:
    pane = await tmux.spawn("a", ["sh", "-c", KEYS, str(tmp_path / "keys")], tmp_path, {})
    await until_answer(lambda: shows(tmux, pane, "ready"))
    await tmux.press(pane.pane_id, "\x1b", 2)
    await until(lambda: (tmp_path / "keys").read_bytes() == b"\x1b\x1b")
    await tmux.command(["copy-mode", "-t", pane.pane_id])
    await tmux.press(pane.pane_id, "\x1b")
    await until(lambda: (tmp_path / "keys").read_bytes() == b"\x1b\x1b\x1b")
    assert [p.in_mode for p in await tmux.panes()] == [True]


async def test_no_key_goes_into_a_dead_pane_and_the_server_lives(tmux: Tmux, tmp_path: Path) -> None:
    pane = await tmux.spawn("a", ["true"], tmp_path, {})
    await until_answer(lambda: is_dead(tmux, pane))
    with pytest.raises(ClawMuxError) as caught:
        await asyncio.gather(*(tmux.press(pane.pane_id, "\x1b") for _ in range(5)))
    assert caught.value.code == "conflict" and "has ended" in caught.value.text
    assert await is_dead(tmux, pane)


async def test_what_runs_in_a_pane_is_told_when_it_is_asked_for(tmux: Tmux, tmp_path: Path) -> None:
    await tmux.spawn("a", ["sleep", "60"], tmp_path, {})

    async def is_asleep() -> bool:
        return [pane.command for pane in await tmux.panes(with_commands=True)] == ["sleep"]

    await until_answer(is_asleep)
    assert [pane.command for pane in await tmux.panes()] == [""]
