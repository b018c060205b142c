"""Real Codex and OpenCode in real tmux: programs from the npm registry, homes of their own, a scripted model on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawmux.adapters.panes import Pane
from clawmux.adapters.runtimes.channels import Channel, open_channel
from clawmux.adapters.runtimes.launch import Facts, prepare
from clawmux.adapters.runtimes.manifest import Runtime, load_runtimes
from clawmux.adapters.runtimes.records import Program, Records, open_records
from clawmux.wire.signs import Observation, Sign
from tests.runtimes.conftest import CHECKOUT, Stage, install
from tests.stand_ins.openai_api import OpenAiApi, Step
from tests.waiting import until_answer

CODEX_VERSION = "0.169.0"
OPENCODE_VERSION = "1.18.33"
_MACHINE = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def codex_program(cache: Path) -> Path:
    """The folder that holds the program ``codex``."""
    folder = install(cache, "@openai/codex", CODEX_VERSION)
    return next(file.parent for file in sorted(folder.glob("node_modules/@openai/codex-*/vendor/*/bin/codex")))


def opencode_program(cache: Path) -> Path:
    """The folder that holds the program ``opencode``."""
    package = f"opencode-{sys.platform}-{_MACHINE[platform.machine()]}"
    return install(cache, package, OPENCODE_VERSION) / "node_modules" / package / "bin"


def make_codex_home(home: Path, work: Path, api_url: str, more: str = "") -> None:
    """What a user of Codex has set, who has trusted the folder; ``more`` goes before the tables."""
    folder = home / ".codex"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(
        f'model = "stand-in"\nmodel_provider = "stand_in"\n{more}\n'
        f'[model_providers.stand_in]\nname = "stand-in"\nbase_url = "{api_url}"\nwire_api = "responses"\n'
        f'env_key = "OPENAI_API_KEY"\nrequest_max_retries = 0\nstream_max_retries = 1\n'
        f'[projects."{work}"]\ntrust_level = "trusted"\n'
        # Without these it shows news and asks for the notifications of the desktop.
        "[tui]\nscreen_reader_detection_done = true\nnotifications = false\n[notice]\nhide_full_access_warning = true\n"
    )


def make_opencode_home(home: Path, api_url: str, cache: Path, more: dict[str, Any] | None = None) -> None:
    """What a user of OpenCode has set, who has used it before."""
    folder = home / ".config" / "opencode"
    folder.mkdir(parents=True, exist_ok=True)
    limit = {"context": 100_000, "output": 8_000}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "stand-in",
        "options": {"baseURL": api_url, "apiKey": "none"},
        "models": {"stand-in": {"name": "stand-in", "limit": limit}},
    }
    settings = {
        "model": "stand_in/stand-in",
        "small_model": "stand_in/stand-in",
        "provider": {"stand_in": provider},
        "permission": {"external_directory": "allow"},
        **(more or {}),
    }
    (folder / "opencode.json").write_text(json.dumps(settings))
    kept = opencode_extras(cache)
    if kept.is_dir():
        for name in EXTRAS:
            (folder / name).symlink_to(kept / name)


EXTRAS = ("node_modules", "package.json", "package-lock.json")


def opencode_extras(cache: Path) -> Path:
    """What OpenCode fetches at its first start, for plugins that nobody here has."""
    return cache / f"opencode-extras-{OPENCODE_VERSION}"


def keep_opencode_extras(home: Path, cache: Path) -> None:
    """After that."""
    kept, made = opencode_extras(cache), home / ".config" / "opencode"
    if not kept.is_dir() and (made / "package-lock.json").is_file():
        making = kept.with_suffix(f".{os.getpid()}.tmp")
        making.mkdir()
        for name in EXTRAS:
            shutil.move(made / name, making / name)
        try:
            making.rename(kept)
        except OSError:
            shutil.rmtree(making, ignore_errors=True)


def agent_environment(home: Path, program: Path) -> dict[str, str]:
    """The hub's environment as a user of such a program would have it."""
    # Codex makes no helpers in a home below the folder for temporary files; where Debian has a bubblewrap, it needs them.
    temporary = home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    return {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PATH": f"{program}:{os.environ['PATH']}",
        "SHELL": "/bin/bash",
        "OPENAI_API_KEY": "not-a-real-key",
        # OpenCode waits for its list of models from the internet otherwise.
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
    }


@dataclass(slots=True)
class Agent:
    pane: Pane
    api: OpenAiApi
    stage: Stage
    runtime: Runtime
    program: Program
    channel: Channel
    records: Records
    seen: list[Observation] = field(default_factory=list)

    async def screen(self) -> str:
        return await self.stage.tmux.capture(self.pane.pane_id)

    async def shows(self, text: str, seconds: float = 30.0) -> None:
        async def there() -> bool:
            return text in await self.screen()

        try:
            await until_answer(there, seconds)
        except AssertionError:
            raise AssertionError(f"{text!r} is not on the screen after {seconds:g} s:\n{await self.screen()}") from None

    async def keys(self, *words: str) -> None:
        await self.stage.tmux.command(["send-keys", "-t", self.pane.pane_id, *words])

    async def look(self) -> Sign | None:
        """What its records say now; everything that they have ever said is in ``seen``."""
        new = await asyncio.to_thread(self.records.look)
        self.seen += new
        return next((sign for sign in reversed(new) if isinstance(sign, Sign)), None)

    async def until_record(self, fits: Callable[[Sign], bool], seconds: float = 30.0) -> Sign:
        async def there() -> Sign | None:
            sign = await self.look()
            return sign if sign and fits(sign) else None

        sign = await until_answer(there, seconds)
        assert sign is not None
        return sign


@asynccontextmanager
async def start(
    name: str,
    stage: Stage,
    program: Path,
    api: OpenAiApi,
    change: Callable[[Runtime], Runtime] = lambda runtime: runtime,
    skip_permissions: bool = True,
    session_id: str = "af_sky",
) -> AsyncIterator[Agent]:
    """The program of this runtime, prepared as the hub does it. Its home has been made."""
    runtime = change(load_runtimes(stage.folder / "none")[name])
    own = stage.folder / "sessions" / session_id
    own.mkdir(parents=True)
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
        environ=agent_environment(stage.home, program),
    )
    launch = await asyncio.to_thread(prepare, runtime, facts)
    environ = {**launch.environ, "HOME": str(stage.home)}
    pane = await stage.tmux.spawn(session_id, launch.argv, stage.work, environ)
    running = Program(pane.pid, stage.work, own, environ)
    records = open_records(runtime.records, running)
    channel = open_channel(runtime.channel.kind, running) if runtime.channel else None
    assert records is not None and channel is not None
    try:
        yield Agent(pane, api, stage, runtime, running, channel, records)
    finally:
        records.close()


@asynccontextmanager
async def codex(stage: Stage, cache: Path, script: Sequence[Step], more: str = "", **options: Any) -> AsyncIterator[Agent]:
    program = await asyncio.to_thread(codex_program, cache)
    async with OpenAiApi(script) as api:
        make_codex_home(stage.home, stage.work, api.url, more)
        async with start("codex", stage, program, api, **options) as agent:
            yield agent


@asynccontextmanager
async def opencode(
    stage: Stage, cache: Path, script: Sequence[Step], more: dict[str, Any] | None = None, **options: Any
) -> AsyncIterator[Agent]:
    program = await asyncio.to_thread(opencode_program, cache)
    async with OpenAiApi(script) as api:
        await asyncio.to_thread(make_opencode_home, stage.home, api.url, cache, more)
        async with start("opencode", stage, program, api, **options) as agent:
            yield agent
        await asyncio.to_thread(keep_opencode_extras, stage.home, cache)
