"""A hub as the page sees it: the routes, the socket and the binary frames of the contract, driven by a test.

It makes no speech and starts no agents; a test says what is spoken and looks at what the page sent. This file holds what a
test says and sees. What the page asks is answered in the files named page_* beside it, where a new route belongs too; what a
test may set of these answers stands in page_answers.py.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any, Self

from aiohttp import web

from clawmux.hub.static import Assets
from clawmux.wire.browser import DURABLE_TO_PAGE
from tests.stand_ins.page_agents import PageAgents
from tests.stand_ins.page_answers import PageAnswers
from tests.stand_ins.page_door import STATIC, PageDoor
from tests.stand_ins.page_messages import PageMessages
from tests.stand_ins.page_push import PagePush
from tests.stand_ins.page_rows import DEBUG, Message, changed_file, device, doing, message, phone, session
from tests.stand_ins.page_settings import PageSettings
from tests.stand_ins.page_socket import CHUNK_SAMPLES, RATE, PageSocket, Speech, Turn
from tests.stand_ins.page_speech import PageSpeech

__all__ = [
    "CHUNK_SAMPLES",
    "DEBUG",
    "RATE",
    "STATIC",
    "Message",
    "PageHub",
    "Speech",
    "Turn",
    "changed_file",
    "device",
    "doing",
    "message",
    "phone",
    "session",
]

WAIT_SECONDS = 20.0


class PageHub(PageAnswers):
    """``async with PageHub() as hub``: listens on a free port of loopback, ``hub.url`` opens its page."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__()
        self.host = host
        self.key = "one-time-key"
        self.csrf = secrets.token_hex(8)
        self.cookies: set[str] = set()
        self.sessions: list[Message] = [session("af_sky", dir="/home/ann/billing-api")]
        self.events: list[Message] = []
        self.received: list[Message] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.asked: list[str] = []
        """Paths of all requests, as they came."""
        self.built: Assets | None = None
        """The page's files as the real hub serves them, build by build and with a service worker; None: as they lie there."""
        self.turns: dict[str, Turn] = {}
        self.speeches: dict[str, Speech] = {}
        self.speech_state: Message = {"state": "ready", "reason": "Tiny quality on this machine"}
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.devices: dict[str, str] = {}
        self.owner: str | None = None
        self.messages: dict[str, Message] = {}
        """Messages between agents by id, oldest first, as GET /api/messages shows them."""
        self.steps: dict[str, list[Message]] = {}
        self._changed = asyncio.Condition()
        self.door = PageDoor(self)
        self.socket = PageSocket(self)
        self.speech_work = PageSpeech(self)
        self.push = PagePush(self)
        self._routes = (self.door, self.push, PageAgents(self), PageSettings(self), self.speech_work, PageMessages(self))

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self.door.guard])
        app.add_routes([web.get("/ws", self.socket.serve), *(row for part in self._routes for row in part.table())])
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, 0)
        await site.start()
        self.port: int = self._runner.addresses[0][1]
        self.origin = f"http://{'clawmux.localhost' if self.host == '127.0.0.1' else self.host}:{self.port}"
        self.url = f"{self.origin}/?test=1#k={self.key}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()
        await self.drop()
        await self._runner.cleanup()

    # -- what a test does --

    async def send(self, message: Message, client: str | None = None) -> None:
        """To one page, or to all; with ``n`` when the type is one of those that are kept."""
        if message["type"] in DURABLE_TO_PAGE:
            message = {**message, "n": len(self.events) + 1, "ts": time.time()}
            self.events.append(message)
        for name, socket in list(self.sockets.items()):
            if client in (None, name) and not socket.closed:
                await socket.send_json(message)

    async def speech(self, **changes: Any) -> None:
        """How speech stands from now on."""
        self.speech_state = {**self.speech_state, **changes}
        await self.send({"type": "speech_state", **self.speech_state})

    async def status(self, session_id: str, **changes: Any) -> None:
        row = next(row for row in self.sessions if row["id"] == session_id)
        row.update(changes)
        await self.send({"type": "session_status", "session_id": session_id, "status": row["state"], "session": row})

    async def say(
        self, session_id: str, text: str, pcm: bytes = b"", *, question: bool = False, chunk_seconds: float = 0.02
    ) -> str:
        """Text, then its speech to the page that owns the sound. Returns the stream's id."""
        msg_id = f"m{len(self.events) + 1}"
        await self.send(
            {"type": "assistant_text", "session_id": session_id, "msg_id": msg_id, "text": text, "question": question}
        )
        if not pcm:
            return ""
        stream = f"s-{msg_id}-{len(self.speeches)}"
        self.speeches[stream] = Speech(session_id, msg_id, len(self.speeches) + 1, pcm, chunk_seconds, text)
        self.socket.carry(stream, 0)
        return stream

    async def message(self, message_id: str, step: str = "", detail: str = "", **changes: Any) -> Message:
        """A message between agents is new or has come further, with its line in the conversations when it is new."""
        is_new = message_id not in self.messages
        view = {**(message(message_id) if is_new else self.messages[message_id]), **changes}
        view["changed"] = view["created"] if is_new else view["changed"] + 1
        self.messages[message_id] = view
        words = {"ts": view["changed"], "step": step or view["state"], "detail": detail}
        self.steps.setdefault(message_id, []).append(words)
        if is_new:
            for side, other, direction in (("from", "to", "out"), ("to", "from", "in")):
                line = {"msg_id": message_id, "direction": direction, "text": view["text"], "re": view["re"]}
                if view[side] != "user":
                    peer = {"peer": view[other], "peer_name": view[f"{other}_name"]}
                    await self.send({"type": "agent_message", "session_id": view[side], **line, **peer})
        await self.send({"type": "message", "message": view})
        return view

    async def hurry(self) -> None:
        """The slow search is answered."""
        self.slow_words = ""
        await self.notify()

    async def drop(self) -> None:
        """Cut every connection, as a network does."""
        for socket in list(self.sockets.values()):
            if socket._req is not None and socket._req.transport is not None:
                socket._req.transport.abort()
        self.sockets.clear()
        await self.notify()

    async def expect(self, what: str | Callable[[Message], bool], count: int = 1, seconds: float = WAIT_SECONDS) -> Message:
        """The ``count``-th message of that kind, waiting for it."""
        matches = what if callable(what) else (lambda message: message["type"] == what)
        await self.until(lambda: len([m for m in self.received if matches(m)]) >= count, f"{what} x{count}", seconds)
        return [m for m in self.received if matches(m)][count - 1]

    async def until(self, condition: Callable[[], object], what: str = "", seconds: float = WAIT_SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            kinds = [message["type"] for message in self.received]
            raise AssertionError(f"waited {seconds} s for {what or condition}; the page said {kinds}") from None

    def all(self, kind: str) -> list[Message]:
        return [message for message in self.received if message["type"] == kind]

    async def notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
