"""A page that shows an agent's terminal: says hello, draws what comes into a string of its own, and types."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import aiohttp

from clawmux.wire.frames import TERMINAL_IN, TERMINAL_OUT, Frame, decode_frame, encode_frame

WAIT_SECONDS = 20.0


class TermPage:
    """``async with TermPage(url, token, "name") as page``. Frames are confirmed as they come unless ``reads`` is False."""

    def __init__(self, url: str, token: str, client: str) -> None:
        self.url = url
        self.token = token
        self.client = client
        self.reads = True
        self.said: list[dict[str, Any]] = []
        self.frames: list[Frame] = []
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(
            f"{self.url}/ws", headers={"Authorization": f"Bearer {self.token}"}, max_msg_size=0
        )
        await self.say("hello", v=2, client=self.client, device=f"device of {self.client}")
        self._task = asyncio.create_task(self._receive())
        await self.until(lambda: self.of("welcome"))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._session.close()

    async def say(self, kind: str, **facts: Any) -> None:
        await self._socket.send_json({"type": kind, **facts})

    async def type(self, text: str, slot: int | None = None) -> None:
        frame = Frame(TERMINAL_IN, 0, self.slot if slot is None else slot, 0, 0.0, text.encode())
        await self._socket.send_bytes(encode_frame(frame))

    async def open(self, session_id: str) -> None:
        """Returns when the first of it is drawn."""
        count = len(self.of("term_opened"))
        await self.say("term_open", session_id=session_id)
        await self.until(lambda: len(self.of("term_opened")) > count)
        await self.until(lambda: self.drawn)

    async def take(self, on: bool = True) -> None:
        await self.say("term_take", slot=self.slot, on=on)
        await self.until(lambda: (self.of("term_keyboard")[-1]["client"] == self.client) is on)

    @property
    def slot(self) -> int:
        slot: int = self.of("term_opened")[-1]["slot"]
        return slot

    @property
    def drawn(self) -> bytes:
        """All bytes of the terminal that is open now."""
        return b"".join(frame.payload for frame in self.frames if frame.slot == self.slot)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.said if message["type"] == kind]

    async def until(self, condition: Any, seconds: float = WAIT_SECONDS) -> Any:
        """Wait until something that came makes the condition true; its value."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(condition)
        return condition()

    async def confirm(self) -> None:
        """All that has come is drawn."""
        await self.say("term_seen", slot=self.slot, seq=self.frames[-1].seq)

    async def _receive(self) -> None:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.said.append(message.json())
            elif message.type is aiohttp.WSMsgType.BINARY:
                frame = decode_frame(message.data)
                assert frame.kind == TERMINAL_OUT
                self.frames.append(frame)
                if self.reads:
                    await self.confirm()
            async with self._arrived:
                self._arrived.notify_all()
