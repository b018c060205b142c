"""The real application behind the real doors, in this process, with a tmux of its own and no speech."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from clawmux.adapters.store import Store
from clawmux.adapters.tmux import Tmux
from clawmux.hub.app import build_app
from clawmux.hub.auth import Auth
from clawmux.hub.doors import Doors
from clawmux.hub.guard import AUTH
from clawmux.hub.login import login_url
from clawmux.hub.runtime import Runtime
from clawmux.paths import Paths, locate, make_private
from clawmux.settings import Settings
from tests.security.guarded import JSON, Answer, ask

# Agents that do nothing, and one that tells what the hub answers it.
QUIET = 'title = "Quiet"\nprogram = "sleep"\narguments = ["86400"]\nready = ".*"\n'


@dataclass
class RealHub:
    app: web.Application
    runtime: Runtime
    doors: Doors
    paths: Paths

    @property
    def auth(self) -> Auth:
        return self.app[AUTH]

    @property
    def port(self) -> int:
        return self.doors.port

    @property
    def origin(self) -> str:
        return self.doors.addresses.page_url

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.auth.token.text()}"}

    async def log_in(self) -> dict[str, str]:
        key = login_url(self.app).partition("#k=")[2]
        headers = {"Origin": self.origin, "Content-Type": JSON}
        answer = await ask(self.port, "POST", "/api/login", headers, b'{"key": "%s"}' % key.encode())
        return {**headers, "Cookie": answer.header("Set-Cookie").split(";")[0], "X-CSRF-Token": answer.json()["csrf"]}

    async def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        return await ask(self.port, method, path, {**self.bearer, "Content-Type": JSON} if headers is None else headers, body)


@asynccontextmanager
async def real_hub(root: Path) -> AsyncIterator[RealHub]:
    paths = locate({"CLAWMUX_HOME": str(root)})
    for folder in (paths.config, paths.data, paths.state, paths.run):
        make_private(folder)
    paths.user_runtimes.mkdir()
    (paths.user_runtimes / "quiet.toml").write_text(QUIET, encoding="utf-8")
    no_speech = root / "launcher"
    no_speech.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    no_speech.chmod(0o700)
    settings = dataclasses.replace(Settings(), hub_port=0, models_download=False, agents_runtime="quiet")
    before = os.environ.get("CLAWMUX_LAUNCHER")
    os.environ["CLAWMUX_LAUNCHER"] = str(no_speech)
    try:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_end_tmux, paths.tmux_socket)
            store = await stack.enter_async_context(Store(paths.store_file))
            tmux = await stack.enter_async_context(Tmux(paths.tmux_socket))
            runtime = Runtime(settings, paths, store, tmux)
            app = build_app(runtime)
            doors = await stack.enter_async_context(Doors(app, settings, paths))
            yield RealHub(app, runtime, doors, paths)
    finally:
        os.environ.pop("CLAWMUX_LAUNCHER")
        if before is not None:
            os.environ["CLAWMUX_LAUNCHER"] = before


async def _end_tmux(socket: Path) -> None:
    ending = await asyncio.create_subprocess_exec(
        "tmux", "-S", str(socket), "kill-server", stderr=asyncio.subprocess.DEVNULL
    )  # fmt: skip
    await ending.wait()
