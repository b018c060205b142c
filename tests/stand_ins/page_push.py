"""The stand-in hub's routes for push messages: takes subscriptions, and sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from tests.stand_ins.page_hub import PageHub

# Of nobody; what browsers take as a key.
PUBLIC_KEY = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"


class PagePush:
    def __init__(self, hub: PageHub) -> None:
        self.hub = hub
        self.subscribed: dict[str, Any] = {}
        """By endpoint, as the page has sent it last."""
        self.refuses: dict[str, str] = {}

    def table(self) -> list[web.RouteDef]:
        return [
            web.get("/api/push", self._get),
            web.post("/api/push", self._post),
            web.delete("/api/push", self._delete),
            web.post("/api/push/test", self._test),
        ]

    async def _get(self, _: web.Request) -> web.Response:
        return web.json_response({"key": PUBLIC_KEY, "subscriptions": []})

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.refuses:
            return web.json_response(self.refuses, status=400)
        self.subscribed[body["endpoint"]] = body
        await self.hub.notify()
        return web.json_response({"id": "s1"})

    async def _delete(self, _: web.Request) -> web.Response:
        dropped = len(self.subscribed)
        self.subscribed.clear()
        await self.hub.notify()
        return web.json_response({"dropped": dropped})

    async def _test(self, request: web.Request) -> web.Response:
        await request.json()
        shown = {"type": "notify", "id": "test-1", "session_id": "", "kind": "test", "agent": "ClawMux", "words": ""}
        if not self.subscribed:
            await self.hub.send({**shown, "title": "ClawMux can reach you here", "body": "This is what it looks like."})
        return web.json_response({"pushed": len(self.subscribed)})
