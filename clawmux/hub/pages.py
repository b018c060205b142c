"""The connected pages, and which one of them plays and records. Sends; decides only who owns the audio.

Messages to a page go through a bounded outbox. A page that does not read them is closed rather than waited for:
it comes back with its last number and misses nothing. Audio waits for room instead, which slows synthesis down.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

from aiohttp import web

log = logging.getLogger(__name__)

# Some 500 JSON messages are minutes of events; a page that far behind is not reading.
OUTBOX_MESSAGES = 512
# A reload or a short cut of the network keeps the audio with the same page.
OWNER_RETURNS_SECONDS = 4.0


class Page:
    """One browser page that said hello. What it holds and wants is told by the page itself."""

    def __init__(
        self, socket: web.WebSocketResponse, client: str, device: str, transport: asyncio.Transport | None = None
    ) -> None:
        self.socket = socket
        self._transport = transport
        self.client = client
        self.device = device
        self.muted = False
        self.auto = True
        self.marks = False
        """It shows which word sounds."""
        self.login = ""
        """Of its device; empty where it has none."""
        self.in_view: str | None = None
        """Session whose conversation somebody has before their eyes on it."""
        self.is_visible = False
        self.classic = False
        """A client of the first protocol: no hello, base64 audio."""
        self.streams: dict[str, dict[str, Any]] = {}
        """What the page said it holds of each stream, until used."""
        self.turns: list[str] = []
        """Turns whose recording the page said it still holds."""
        self._outbox: asyncio.Queue[str | bytes | None] = asyncio.Queue(OUTBOX_MESSAGES)
        self._is_cut = False

    def send(self, message: dict[str, Any]) -> None:
        self._enqueue(json.dumps(message, ensure_ascii=False))

    def send_frame(self, frame: bytes) -> None:
        """One that cannot wait; the sender sees to it that only a few are on their way."""
        self._enqueue(frame)

    def _enqueue(self, item: str | bytes) -> None:
        try:
            self._outbox.put_nowait(item)
        except asyncio.QueueFull:
            # What it had sent before is still answered, each time in vain.
            if not self._is_cut:
                log.warning("page %s does not read; closing it", self.client)
                self.close()

    async def send_audio(self, frame: bytes) -> None:
        await self._outbox.put(frame)

    def close(self) -> None:
        """Cut the connection without waiting for a peer that may be gone."""
        self._is_cut = True
        if self._transport is not None:
            self._transport.abort()

    async def write(self) -> None:
        """Send what the outbox holds until the socket ends."""
        while (message := await self._outbox.get()) is not None:
            if isinstance(message, bytes):
                await self.socket.send_bytes(message)
            else:
                await self.socket.send_str(message)


class Pages:
    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}
        self._owner: Page | None = None
        self._awaited: str | None = None
        """Client whose place is kept for a moment after its socket broke."""
        self._passing: asyncio.TimerHandle | None = None
        self.on_owner_came: Callable[[Page], None] = lambda page: None
        self.on_owner_gone: Callable[[], None] = lambda: None

    def __iter__(self) -> Iterator[Page]:
        return iter(list(self._pages.values()))

    def __len__(self) -> int:
        return len(self._pages)

    @property
    def owner(self) -> Page | None:
        return self._owner

    def broadcast(self, message: dict[str, Any]) -> None:
        for page in list(self._pages.values()):
            page.send(message)

    def join(self, page: Page) -> None:
        """A page said hello. The same client again replaces its broken connection."""
        before = self._pages.pop(page.client, None)
        if before is not None:
            self._drop_owner(before)
            before.close()
        self._pages[page.client] = page
        if self._owner is None and self._awaited in (None, page.client):
            self.give_audio(page)
        else:
            page.send(self.ownership())

    def leave(self, page: Page) -> None:
        if self._pages.get(page.client) is not page:
            return
        del self._pages[page.client]
        if self._owner is not page:
            return
        self._drop_owner(page)
        if self._pages:
            self._awaited = page.client
            self._passing = asyncio.get_running_loop().call_later(OWNER_RETURNS_SECONDS, self._pass_on)
        self.broadcast(self.ownership())

    def give_audio(self, page: Page) -> None:
        """This page plays and records from now on."""
        if self._owner is page:
            return
        if self._owner is not None:
            self._drop_owner(self._owner)
        if self._passing is not None:
            self._passing.cancel()
        self._passing, self._awaited, self._owner = None, None, page
        self.broadcast(self.ownership())
        self.on_owner_came(page)

    def ownership(self) -> dict[str, Any]:
        owner = self._owner
        return {
            "type": "audio_owner",
            "client": owner.client if owner else None,
            "device": owner.device if owner else None,
        }

    def _drop_owner(self, page: Page) -> None:
        if self._owner is page:
            self._owner = None
            self.on_owner_gone()

    def _pass_on(self) -> None:
        self._passing, self._awaited = None, None
        if self._owner is None and self._pages:
            self.give_audio(next(iter(self._pages.values())))
