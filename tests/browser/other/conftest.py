"""The other engines that Debian has, where they are installed."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.other.engine import Engine
from tests.browser.other.firefox import Firefox
from tests.browser.other.webkit import WebKit
from tests.browser.other.world import World
from tests.hub.test_terminals import SHELL
from tests.live_hub import LiveHub
from tests.stand_ins.sound_room import PROGRAMS, SoundRoom

# What each of them needs, by the Debian package that brings it.
NEEDS = {Firefox: {"firefox-esr": "firefox-esr"}, WebKit: {"WebKitWebDriver": "webkit2gtk-driver", "Xvfb": "xvfb"}}
SOUND = dict.fromkeys((*PROGRAMS, "parec"), "pulseaudio")

# What Firefox logs of a WebSocket whose server has gone; WebKitGTK logs nothing.
HUB_IS_GONE = re.compile(r"to the server at ws://|connection to ws://|WebSocket")


def engine(kind: type[Engine]) -> object:
    """Skipped by name where something is not installed: only root can."""
    missing = sorted({package for program, package in (NEEDS[kind] | SOUND).items() if not shutil.which(program)})
    skip = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")
    return pytest.param(kind, id=kind.name, marks=skip)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[engine(Firefox), engine(WebKit)])
async def rooms(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Started once for all tests of an engine: a browser and the engines of speech take seconds to start."""
    folder: Path = tmp_path_factory.mktemp(request.param.name)
    async with SoundRoom() as room, LiveHub("real") as hub, request.param(room.environ, folder) as page:
        (hub.paths.user_runtimes / "plain.toml").write_text(SHELL)
        await hub.speech_is("ready")
        yield World(hub, room, page, folder)


@pytest_asyncio.fixture(loop_scope="module")
async def world(rooms: World) -> AsyncIterator[World]:
    """With agents of the test's own. What the page logs as an error meanwhile fails it."""
    rooms.page.logged.clear()
    yield rooms
    await rooms.leave()
    assert [error for error in await rooms.page.errors() if not HUB_IS_GONE.search(error)] == []
