"""The stand-in hub's routes behind speech: measuring it, trying a voice or a server, what projects decide."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from aiohttp import web

from tests.stand_ins.page_rows import Message
from tests.stand_ins.page_socket import RATE, Speech

if TYPE_CHECKING:
    from tests.stand_ins.page_hub import PageHub

INSPECTED: Message = {
    "ok": True, "text": "It spoke a word, and is ClawMux 0.1.0.", "remedy": "", "url": "http://studio:7788", "version": "0.1.0",
    "models": ["whisper-small", "kokoro"], "connect_ms": 3, "work_ms": 412,
}  # fmt: skip


class PageSpeech:
    """Its tests say what comes of it; ``hub.refuses_speech`` refuses all of it."""

    def __init__(self, hub: PageHub) -> None:
        self.hub = hub

    def table(self) -> list[web.RouteDef]:
        return [
            web.get("/api/projects", self._projects),
            web.post("/api/tiers/measure", self._measure),
            web.delete("/api/tiers/measure", self._stop),
            web.post("/api/voices/{id}/preview", self._preview),
            web.post("/api/speech/test", self._test),
        ]

    async def _projects(self, _: web.Request) -> web.Response:
        return web.json_response(self.hub.projects)

    async def _measure(self, request: web.Request) -> web.Response:
        if refusal := await self._refused(request):
            return refusal
        return web.json_response({"tier": "tiny", "doing": "speaking", "done": 0, "of": 7}, status=202)

    async def _stop(self, request: web.Request) -> web.Response:
        await self._refused(request)
        await self.measuring("stopped", 1)
        return web.json_response({"measuring": None})

    async def measuring(self, state: str, done: int, reason: str = "") -> None:
        """How far it is."""
        doing = "speaking" if done < 3 else "hearing"
        told = {"tier": "tiny", "doing": doing, "done": done, "of": 7, "state": state, "reason": reason}
        await self.hub.send({"type": "measuring", **told})

    async def _preview(self, request: web.Request) -> web.Response:
        """Two seconds of a tone, on the page that asked."""
        if refusal := await self._refused(request):
            return refusal
        self.hub.owner = (await request.json())["client"]
        stream = f"preview-{len(self.hub.speeches)}"
        tone = struct.pack(f"<{2 * RATE}h", *(round(8000 * math.sin(i / 9)) for i in range(2 * RATE)))
        self.hub.speeches[stream] = Speech("", stream, len(self.hub.speeches) + 1, tone, 0.02, "Hello.")
        self.hub.socket.carry(stream, 0)
        return web.json_response({"stream": stream})

    async def _test(self, request: web.Request) -> web.Response:
        if refusal := await self._refused(request):
            return refusal
        return web.json_response(self.hub.inspected)

    async def _refused(self, request: web.Request) -> web.Response | None:
        self.hub.requests.append((request.method, request.path, await request.json() if request.can_read_body else None))
        await self.hub.notify()
        return web.json_response(self.hub.refuses_speech, status=409) if self.hub.refuses_speech else None
