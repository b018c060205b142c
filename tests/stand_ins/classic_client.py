"""A client as the product was first described: says no hello, JSON and base64 only. It does nothing by itself."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import aiohttp

Message = dict[str, Any]


class ClassicClient:
    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token
        self.messages: list[Message] = []
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> ClassicClient:
        self._session = aiohttp.ClientSession()
        headers = {"Authorization": f"Bearer {self._token}"}
        self._socket = await self._session.ws_connect(f"{self._url}/ws", headers=headers, max_msg_size=0)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._session.close()

    async def _read(self) -> None:
        async for message in self._socket:
            self.messages.append(message.json())
            async with self._arrived:
                self._arrived.notify_all()

    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]

    async def get(self, kind: str, after: int = 0, seconds: float = 60.0, **facts: Any) -> Message:
        """The first such message from number ``after`` on."""

        def found() -> Message | None:
            return next((m for m in self.messages[after:] if m["type"] == kind and facts.items() <= m.items()), None)

        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: found() is not None)
        message = found()
        assert message is not None
        return message

    async def playback_done(self, session_id: str) -> None:
        await self._socket.send_json({"session_id": session_id, "type": "playback_done"})

    async def audio(self, session_id: str, data: bytes) -> None:
        await self._socket.send_json({"session_id": session_id, "type": "audio", "data": base64.b64encode(data).decode()})
