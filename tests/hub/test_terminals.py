"""Agents' terminals over the socket of a page: what is drawn, who types, and what a flood or an end does."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clawmux.hub.agents import Order
from tests.security.real_hub import RealHub, real_hub
from tests.stand_ins.term_page import TermPage
from tests.waiting import until_answer

# A shell that looks the same everywhere and reads no start files.
SHELL = """
title = "Plain shell"
program = "env"
arguments = ["-i", "PATH=/usr/bin:/bin", "TERM=screen-256color", "PS1=$ ", "/bin/sh"]
foreground = true
ready = '\\$'

[input]
"""


@pytest.fixture
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealHub]:
    folder = Path(os.path.realpath(tmp_path_factory.mktemp("h")))
    async with real_hub(folder) as hub:
        (hub.paths.user_runtimes / "plain.toml").write_text(SHELL.partition("\n[input]")[0], encoding="utf-8")
        yield hub


@contextlib.asynccontextmanager
async def page(hub: RealHub, client: str = "one") -> AsyncIterator[TermPage]:
    async with TermPage(f"http://127.0.0.1:{hub.port}", hub.auth.token.text(), client) as page:
        yield page


async def shell(hub: RealHub) -> str:
    session = await hub.runtime.agents.spawn(Order(runtime="plain"))
    await until_answer(lambda: shows(hub, session.id, "$"))
    return session.id


async def shows(hub: RealHub, session_id: str, words: str) -> bool:
    return words in await hub.runtime.tmux.capture(hub.runtime.agents.get(session_id).pane_id)


async def size(hub: RealHub, session_id: str) -> tuple[int, int]:
    window = await hub.runtime.tmux.window(hub.runtime.agents.get(session_id).pane_id)
    return window.cols, window.rows


async def test_a_page_sees_the_terminal_and_leaves_its_size_alone(hub: RealHub) -> None:
    sky = await shell(hub)
    before = await size(hub, sky)
    async with page(hub) as one:
        await one.open(sky)
        told = one.of("term_size")[-1]
        assert (told["cols"], told["rows"], told["above"], told["below"]) == (*before, 0, 1)
        await hub.runtime.tmux.press(hub.runtime.agents.get(sky).pane_id, "echo so'me 'words\r")
        await one.until(lambda: b"some words" in one.drawn)
        assert one.frames[0].flags == 1
        assert [frame.seq for frame in one.frames] == list(range(len(one.frames)))
        assert await size(hub, sky) == before


async def test_nothing_is_typed_without_the_keyboard(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub) as one:
        await one.open(sky)
        await one.type("touch typed\r")
        assert (await one.until(lambda: one.of("error")))[0]["code"] == "conflict"
        await one.take()
        await one.type("echo a$((40+2))b\r")
        await one.until(lambda: b"a42b" in one.drawn)
        await one.take(False)
        await one.type("echo no\r")
        await one.until(lambda: len(one.of("error")) == 2)
        assert not await shows(hub, sky, "touch")
