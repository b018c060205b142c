"""A speech service in this process, with engines without models; and the real models where they are installed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from clawmux.adapters.models import ModelStore
from clawmux.adapters.speech.client import SpeechClient
from clawmux.adapters.speech.engines import Config, Engines, Loaders
from clawmux.adapters.speech.local import ModelFiles
from clawmux.adapters.speech.server import build_app
from tests.stand_ins.speech_engines import TINY, Files, loaders

TOKEN = "a-token-for-tests-0123456789"


@dataclass(frozen=True, slots=True)
class Service:
    engines: Engines
    client: SpeechClient
    url: str
    """With a port, where a token was asked for."""
    socket: Path


@asynccontextmanager
async def serving(
    folder: Path,
    files: ModelFiles | None = None,
    config: Config | None = None,
    token: str | None = None,
    with_loaders: Loaders | None = None,
) -> AsyncIterator[Service]:
    """On a unix socket in the folder, or on TCP when there is a token."""
    engines = Engines(config or Config(), files or Files(*TINY), with_loaders or loaders())
    runner = web.AppRunner(build_app(engines, token), access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    socket = folder / "s"
    site = web.TCPSite(runner, "127.0.0.1", 0) if token else web.UnixSite(runner, str(socket))
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}" if token else ""
    try:
        async with SpeechClient(None if token else socket, url, token or "") as client:
            yield Service(engines, client, url, socket)
    finally:
        await runner.cleanup()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path) as started:
        yield started


@pytest.fixture(scope="session")
def store() -> ModelStore:
    """The real models' store; skips where the tiny set is not pulled."""
    folder = os.environ.get("CLAWMUX_MODELS")
    if not folder:
        pytest.skip("CLAWMUX_MODELS is not set: no real models (clawmux models pull --set tiny)")
    found = ModelStore(Path(folder))
    if missing := found.missing("tiny"):
        pytest.skip(f"{', '.join(missing)} not in CLAWMUX_MODELS={folder} (clawmux models pull --set tiny)")
    return found
