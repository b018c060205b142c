"""A real Claude Code under a real hub, with a scripted model, and others in quiet panes who send messages to it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clawmux.adapters import headers
from clawmux.adapters.panes import Pane
from clawmux.adapters.runtimes.manifest import load_runtimes
from clawmux.adapters.screen import Box, InputRules, read_screen
from clawmux.adapters.tmux import Tmux
from clawmux.wire.cli import clean
from tests.live_hub import ROOT, LiveHub
from tests.runtimes.conftest import Stage, claude_environment, claude_of, make_claude_home
from tests.stand_ins.messages_api import Bash, MessagesApi, Say, Step
from tests.waiting import until_answer

SHIPPED = ROOT / "clawmux" / "adapters" / "runtimes"
# Each pair may exchange 60 messages a minute.
SENDERS = ("ann", "bob", "cat")
ARRIVES_SECONDS = 20.0
# A command that lasts until the file is there. Claude Code refuses to wait with `sleep`.
WAITS = "mkfifo {0}.fifo; until [ -e {0} ]; do read -t 0.1 <> {0}.fifo; done"


class Model:
    """Does what the newest text asks for, and rests otherwise. What it begins lasts until the gate is opened."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()

    def __call__(self, api: MessagesApi) -> Step:
        if api.has_newest_result:
            return Say("Done.")
        asked = re.search(r"\bplease (think|run) (\S*)", "\n".join(api.newest_texts))
        if asked is None:
            return Say("Heard.")
        self.gate.clear()
        return Say("Thought.", gate=self.gate) if asked[1] == "think" else Bash(WAITS.format(asked[2]))


@dataclass(slots=True)
class Scene:
    """One Claude Code under a hub, and others who send to it."""

    hub: LiveHub
    api: MessagesApi
    model: Model
    stage: Stage
    tmux: Tmux
    """Of the hub's agents, beside the hub's own client."""
    rules: InputRules
    sky: str = ""
    senders: dict[str, str] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    """Every message's line, as it has to reach the model."""
    began: float = 0.0
    """When nothing kept the newest message any more; monotonic seconds."""
    took: float = 0.0
    """Seconds from then until it was where it had to be."""

    async def pane(self) -> Pane:
        return next(pane for pane in await self.tmux.panes() if pane.session_id == self.sky)

    async def screen(self) -> str:
        return await self.tmux.capture((await self.pane()).pane_id)

    async def draft(self) -> str | None:
        """What stands in its box; None while that is not open."""
        screen = read_screen(await self.screen(), self.rules)
        return screen.draft if screen.box is Box.OPEN else None

    async def keys(self, *keys: str) -> None:
        await self.tmux.command(["send-keys", "-t", (await self.pane()).pane_id, *keys])

    async def send(self, sender: str, text: str) -> str:
        """As a shell of the sender runs it; the message's id."""
        self.began = time.monotonic()
        said = await self.hub.run(self.senders[sender], "send", "--to", "sky", "-", stdin=text.encode())
        assert said.code == 0, said
        message_id = said.out.strip()
        self.sent.append(headers.typed(message_id, sender, "sky", clean(text)))
        return message_id

    async def view(self, message_id: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.hub.call("GET", f"/api/messages/{message_id}")
        return found

    async def arrived(self, message_id: str) -> None:
        """The model has it. Then it is acknowledged, as an agent would."""
        try:
            await self.api.wait_for(lambda api: any(f"id:{message_id} " in text for text in api.told), ARRIVES_SECONDS)
        except TimeoutError:
            raise AssertionError(f"it did not arrive:\n{await self.story(message_id)}") from None
        self.took = time.monotonic() - self.began
        await self.ack(message_id)

    async def story(self, message_id: str) -> str:
        """What became of it, for whoever reads a failed test."""
        return f"{(await self.hub.run('', 'trace', message_id)).out}\n{await self.doing()}\n{await self.screen()}"

    async def ack(self, message_id: str) -> None:
        assert (await self.hub.run(self.sky, "ack", message_id)).code == 0

    async def doing(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = await self.hub.call("GET", "/api/sessions")
        doing: dict[str, Any] = next(session["doing"] for session in found if session["id"] == self.sky)
        return doing

    async def idle(self) -> None:
        """At its prompt, with nothing under way, also by what the hub knows."""

        async def rests() -> bool:
            return (await self.doing())["activity"] == "idle" and await self.draft() is not None

        await until_answer(rests, 30)


@asynccontextmanager
async def claude(stage: Stage, cache: Path, version: str, skip_permissions: bool = True) -> AsyncIterator[Scene]:
    make_claude_home(stage, trusted=True)
    model = Model()
    async with MessagesApi(model) as api:
        environ = claude_environment(stage, claude_of(cache, version), api.url)
        async with (
            LiveHub("none", environ=environ, agents_skip_permissions=str(skip_permissions).lower()) as hub,
            Tmux(hub.paths.tmux_socket) as tmux,
        ):
            # The newest has a mode of its own in which it asks seldom, unless it is told to ask.
            manifest = (SHIPPED / "claude.toml").read_text()
            asking = manifest.replace("\narguments = [", '\narguments = [\n    "--permission-mode", "default",')
            (hub.paths.user_runtimes / "claude.toml").write_text(manifest if skip_permissions else asking)
            rules = load_runtimes(hub.paths.user_runtimes)["claude"].input
            assert rules is not None
            scene = Scene(hub, api, model, stage, tmux, rules)
            for name in SENDERS:
                scene.senders[name] = await hub.spawn("quiet", name=name)
            scene.sky = await hub.spawn("claude", name="sky", dir=str(stage.work))
            await api.wait_for(lambda api: len(api.requests) >= 1, 30)
            await scene.idle()
            yield scene
