"""A real Claude Code in real tmux: its program from the npm registry, a home of its own, a scripted model on loopback."""
# Short commands and looks at files may block a test.
# ruff: noqa: ASYNC221, ASYNC240

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from clawmux.adapters.panes import Pane
from clawmux.adapters.runtimes.launch import Facts, prepare
from clawmux.adapters.runtimes.manifest import Runtime, load_runtimes
from clawmux.adapters.tmux import Tmux
from tests.stand_ins.messages_api import MessagesApi, Step

CHECKOUT = Path(__file__).parent.parent.parent
CLAUDE_VERSION = "2.1.330"
"""The newest there was when these tests were written."""
OLDER_CLAUDE_VERSION = "2.1.197"
"""What npm installs under Node 20."""


@dataclass(slots=True)
class Stage:
    """Everything that one agent of a test plays on."""

    tmux: Tmux
    folder: Path
    """Short, and gone after the test; the hub's socket of the test is ``folder``/hub.sock."""
    home: Path
    work: Path
    """The agent's directory, which its user trusts."""

    @property
    def socket(self) -> Path:
        return self.folder / "hub.sock"


@dataclass(slots=True)
class Agent:
    pane: Pane
    api: MessagesApi
    stage: Stage
    runtime: Runtime

    async def screen(self) -> str:
        return await self.stage.tmux.capture(self.pane.pane_id)


StartClaude = Callable[..., AbstractAsyncContextManager[Agent]]


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where programs of the npm registry are kept between runs."""
    folder = Path(os.environ.get("CLAWMUX_TEST_CACHE") or CHECKOUT / "tests" / "output" / "cache")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def claude_program(cache: Path) -> Path:
    """The folder that holds the program ``claude``, in the version that these tests were written against."""
    return claude_of(cache, CLAUDE_VERSION)


def claude_of(cache: Path, version: str) -> Path:
    """The folder that holds the program ``claude`` of this version."""
    machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]
    package = f"@anthropic-ai/claude-code-{sys.platform}-{machine}"
    return install(cache, package, version) / "node_modules" / package


def install(cache: Path, package: str, version: str) -> Path:
    """The package in a folder of its own below ``cache``; skips the test where npm is not there."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed (Debian: sudo apt-get install npm)")
    folder = cache / f"{package.rsplit('/', maxsplit=1)[-1]}-{version}"
    with (cache / "npm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            making = folder.with_suffix(".tmp")
            shutil.rmtree(making, ignore_errors=True)
            options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(making)]
            command = ["npm", "install", *options, f"{package}@{version}"]
            subprocess.run(command, check=True, capture_output=True, timeout=600)
            making.rename(folder)
    return folder


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    # Outside pytest's deep folders: sockets lie below.
    folder = Path(tempfile.mkdtemp(prefix="cmux-")).resolve()
    stage = Stage(Tmux(folder / "tmux.sock"), folder, folder / "home", folder / "work")
    stage.home.mkdir()
    stage.work.mkdir()
    try:
        async with stage.tmux:
            yield stage
            for pane in await stage.tmux.panes():
                await stage.tmux.kill(pane)
    finally:
        subprocess.run(["tmux", "-S", folder / "tmux.sock", "kill-server"], capture_output=True, check=False, timeout=5)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start_claude(claude_program: Path, stage: Stage) -> Iterator[StartClaude]:
    """``async with start_claude(script) as agent``: Claude Code with the model of the script, prepared as the hub does it.

    ``change`` may alter the manifest first; ``trusted=False`` leaves out that the user has trusted the folder.
    """

    @asynccontextmanager
    async def start(
        script: Sequence[Step],
        *,
        change: Callable[[Runtime], Runtime] = lambda runtime: runtime,
        skip_permissions: bool = True,
        trusted: bool = True,
        session_id: str = "af_sky",
    ) -> AsyncIterator[Agent]:
        make_claude_home(stage, trusted)
        async with MessagesApi(script) as api:
            runtime = change(load_runtimes(stage.folder / "none")["claude"])
            own = stage.folder / "sessions" / session_id
            own.mkdir(parents=True)
            environ = claude_environment(stage, claude_program, api.url)
            facts = Facts(
                session_id=session_id,
                name="sky",
                voice="af_sky",
                directory=stage.work,
                folder=own,
                socket=stage.socket,
                interpreter=Path(sys.executable),
                package_root=CHECKOUT,
                skip_permissions=skip_permissions,
                is_root=os.getuid() == 0,
                environ=environ,
            )
            launch = await asyncio.to_thread(prepare, runtime, facts)
            pane = await stage.tmux.spawn(session_id, launch.argv, stage.work, {**launch.environ, "HOME": str(stage.home)})
            yield Agent(pane, api, stage, runtime)

    yield start


def make_claude_home(stage: Stage, trusted: bool) -> None:
    """What Claude Code's first start by a person leaves in the home folder."""
    state = {
        "hasCompletedOnboarding": True,
        "fullscreenUpsellSeenCount": 3,
        "projects": {str(stage.work): {"hasTrustDialogAccepted": True}} if trusted else {},
    }
    (stage.home / ".claude.json").write_text(json.dumps(state))


def claude_environment(stage: Stage, program: Path, api_url: str) -> dict[str, str]:
    """The hub's environment as a user of Claude Code would have it."""
    return {
        "HOME": str(stage.home),
        "PATH": f"{program}:{os.environ['PATH']}",
        "SHELL": "/bin/bash",
        "ANTHROPIC_BASE_URL": api_url,
        "ANTHROPIC_AUTH_TOKEN": "not-a-real-token",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }


def with_settings_environment(runtime: Runtime, environ: dict[str, str]) -> Runtime:
    """The manifest with other variables in the settings file of Claude Code."""
    settings = runtime.files["claude/settings.json"]
    assert not isinstance(settings, str)
    return replace(runtime, files={**runtime.files, "claude/settings.json": {**settings, "env": environ}})
