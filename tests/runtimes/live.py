"""One real agent under the real hub, watched by a page: what is done to it, when, and when the hub shows what that led to.

A scene does things and says which states must follow; every state that is shown and was not expected is a fault as well.
"""
# Short commands and looks at files may block a test.

from __future__ import annotations

import asyncio
import subprocess
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.live_hub import LiveHub
from tests.runtimes.conftest import Stage
from tests.waiting import until

SHOWN_SECONDS = 2.0
"""Within so long after its cause every state must be shown."""
FIRST_SECONDS = 40.0
"""For a program to come up on a busy machine."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One state, as the page was told of it."""

    at: float
    activity: str
    kind: str
    detail: str
    source: str
    dead: bool

    def __str__(self) -> str:
        words = "dead" if self.dead else " ".join(filter(None, (self.activity, self.kind, self.detail[:40])))
        return f"{words} [{self.source}]"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was expected, and how long after its cause it was shown."""

    scene: str
    state: str
    seconds: float
    source: str


@dataclass(frozen=True, slots=True)
class Model:
    """What the stand-in of a model can do."""

    say: Callable[..., Any]
    run: Callable[..., Any]
    """A shell command that needs no permission."""
    ask: Callable[..., Any]
    """One that does."""
    fail: Callable[..., Any]
    tool: str
    """The shell tool's name, as the hub shows it."""
    escapes: int = 1
    """How often Escape is pressed to stop a turn: 2 = again, when the screen says so."""


@dataclass(slots=True)
class Live:
    hub: LiveHub
    id: str
    work: Path
    model: Model
    steps: deque[Any] = field(default_factory=deque)
    """What the model does next, one for each of its requests; without any it says that it is done."""
    dues: list[float] = field(default_factory=list)
    """When the model's answers were sent, or will be."""
    shown: list[Shown] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    scene: str = ""
    _expected: list[str] = field(default_factory=list)
    _began: int = 0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    # -- the model's side --

    def next_step(self, rest: Any) -> Any:
        """Called by the model's stand-in for every request."""
        step = self.steps.popleft() if self.steps else rest
        self.dues.append(time.monotonic() + getattr(step, "after_seconds", 0.0))
        self._asked.set()
        return step

    async def asked(self) -> float:
        """When the answer to the next request is due; the request is waited for."""
        await asyncio.wait_for(self._asked.wait(), FIRST_SECONDS)
        self._asked.clear()
        return self.dues[-1]

    # -- the person's side --

    async def prompt(self, text: str, *steps: Any) -> float:
        """Type it at the terminal; the model will do these steps. When Enter was pressed."""
        self.steps.extend(steps)
        self._asked.clear()
        self.keys("-l", text)
        await asyncio.sleep(0.4)  # a person's hand; some programs swallow an Enter that comes with the text
        return self.press("Enter")

    def press(self, key: str) -> float:
        self.keys(key)
        return time.monotonic()

    async def escape(self) -> float:
        """Stop the turn as a person does."""
        if self.model.escapes == 1:
            return self.press("Escape")
        for _ in range(3):  # OpenCode does not hear each of them, and goes on working then
            self.press("Escape")
            await until(lambda: "again to interrupt" in self.screen())
            pressed = self.press("Escape")
            await asyncio.sleep(0.7)
            if "interrupt" not in self.screen().rstrip().rpartition("\n")[2]:
                return pressed
        raise AssertionError(f"it cannot be stopped\n{self.screen()}")

    def keys(self, *words: str) -> None:
        self._tmux("send-keys", "-t", f"=clawmux-{self.id}:", *words)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", f"=clawmux-{self.id}:")

    def pid(self) -> int:
        return int(self._tmux("display-message", "-p", "-t", f"=clawmux-{self.id}:", "#{pane_pid}"))

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-u", "-S", str(self.hub.paths.tmux_socket), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout

    # -- what must follow --

    @asynccontextmanager
    async def playing(self, scene: str, passing: Iterable[str] = ()) -> AsyncIterator[None]:
        """A scene. States in ``passing`` may be shown in it without being expected."""
        self.scene, self._expected, self._began = scene, [], len(self.shown)
        yield
        await asyncio.sleep(1.0)  # what is wrong and comes late belongs to this scene
        shown = [_name(s) for s in self.shown[max(0, self._began - 1) :]]
        kept = [name for name, before in zip(shown[1:], shown, strict=False) if name != before]
        wanted = deque(self._expected)
        for name in kept:
            if wanted and name == wanted[0]:
                wanted.popleft()
            elif name not in {*passing, *self._expected[: len(self._expected) - len(wanted)][-1:]}:
                states = ", ".join(map(str, self.shown[self._began :]))
                self.faults.append(f"{scene}: {name} was shown, where {list(wanted)} was to come ({states})")
                break

    async def expect(
        self, activity: str, cause: float | None, kind: str | None = None, detail: str | None = None, seconds: float = 3.0
    ) -> None:
        """It is shown within the limit after ``cause``; it may have been shown before that since the last one.

        Without a cause, after the last answer of the model: then it is waited for so many ``seconds``.
        """
        name = activity if not kind else f"{activity}/{kind}"
        self._expected.append(activity)

        def fits(shown: Shown) -> bool:
            said = "dead" if shown.dead else shown.activity
            return said == activity and kind in (None, shown.kind) and (detail is None or detail in shown.detail)

        found = await self._until(fits, max(cause or 0.0, time.monotonic()) + SHOWN_SECONDS + seconds)
        if found is None:
            self.faults.append(f"{self.scene}: {name} {detail or ''} was never shown; now {self.shown[-1]}\n{self.screen()}")
            return
        cause = cause or max(due for due in self.dues if due <= found.at)
        late = max(0.0, found.at - cause)
        self.seen.append(Seen(self.scene, name, late, found.source))
        if late > SHOWN_SECONDS:
            states = ", ".join(f"{shown.at - cause:+.2f} {shown}" for shown in self.shown[self._began :])
            self.faults.append(f"{self.scene}: {name} was shown after {late:.2f} s by {found.source} ({states})\n{self.screen()}")

    async def _until(self, fits: Callable[[Shown], bool], deadline: float) -> Shown | None:
        """The newest state, when it fits, with the time at which the run of such states began."""
        try:
            async with asyncio.timeout_at(deadline), self._arrived:
                await self._arrived.wait_for(lambda: bool(self.shown) and fits(self.shown[-1]))
        except TimeoutError:
            return None
        number = len(self.shown) - 1
        while number > self._began and fits(self.shown[number - 1]):
            number -= 1
        return self.shown[number]

    async def rests(self, seconds: float = FIRST_SECONDS) -> None:
        """It has come up and waits for a prompt."""
        found = await self._until(lambda s: s.activity == "idle" and not s.dead, time.monotonic() + seconds)
        if found is None:
            raise AssertionError(f"it does not come to rest: {[str(s) for s in self.shown]}\n{self.screen()}")

    async def permission(self) -> dict[str, Any]:
        views = await self.hub.call("GET", "/api/sessions")
        return dict(next(view["permission"] for view in views if view["id"] == self.id) or {})

    async def receive(self, view: dict[str, Any]) -> None:
        doing, dead = view["doing"], view["state"] == "dead"
        shown = Shown(time.monotonic(), doing["activity"], doing["kind"], doing["detail"], doing["source"], dead)
        if self.shown and _said(self.shown[-1]) == _said(shown):
            return
        async with self._arrived:
            self.shown.append(shown)
            self._arrived.notify_all()


def _name(shown: Shown) -> str:
    return "dead" if shown.dead else shown.activity


def _said(shown: Shown) -> tuple[str, str, str, bool]:
    return shown.activity, shown.kind, shown.detail, shown.dead


@asynccontextmanager
async def watching(live: Live) -> AsyncIterator[None]:
    """A page without ears that notes every state as it is shown."""
    headers = {"Authorization": f"Bearer {live.hub.token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{live.hub.url}/ws", headers=headers, max_msg_size=0) as socket,
    ):
        await socket.send_json({"type": "hello", "v": 2, "client": "watching", "muted": True, "auto": False, "last": None})
        task = asyncio.create_task(_note(live, socket))
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _note(live: Live, socket: aiohttp.ClientWebSocketResponse) -> None:
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.TEXT:
            continue
        told = message.json()
        if told["type"] == "session_status" and told["session_id"] == live.id:
            await live.receive(told["session"])


Program = Callable[[Stage, Path], AbstractAsyncContextManager[Live]]
"""(stage, cache of programs) -> it lives."""
Scene = Callable[[Live], Awaitable[None]]


def table(live: Live) -> str:
    """The latencies by state, for the report."""
    lines = [f"{'state':28} {'n':>4} {'p50 s':>6} {'max s':>6}  by"]
    for name in sorted({seen.state for seen in live.seen}):
        times = sorted(seen.seconds for seen in live.seen if seen.state == name)
        by = ", ".join(sorted({seen.source for seen in live.seen if seen.state == name}))
        lines.append(f"{name:28} {len(times):4} {times[len(times) // 2]:6.2f} {times[-1]:6.2f}  {by}")
    return "\n".join(lines)
