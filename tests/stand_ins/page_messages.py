"""The stand-in hub's routes for messages between agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from tests.stand_ins.page_hub import PageHub


class PageMessages:
    """Nothing is delivered: a message comes as far as a test says by ``hub.message``."""

    def __init__(self, hub: PageHub) -> None:
        self.hub = hub

    def table(self) -> list[web.RouteDef]:
        return [
            web.get("/api/messages", self._messages),
            web.post("/api/messages", self._send),
            web.get("/api/messages/{id}", self._message),
            web.post("/api/messages/{id}/cancel", self._cancel),
        ]

    async def _messages(self, request: web.Request) -> web.Response:
        """Newest first, before the message named ``before``."""
        query = request.query
        side, words = query.get("with", ""), query.get("q", "").lower()
        found = [m for m in self.hub.messages.values() if not side or side in (m["from"], m["to"])]
        found = [m for m in reversed(found) if words in m["text"].lower()]
        if self.hub.slow_words and words == self.hub.slow_words:
            await self.hub.until(lambda: not self.hub.slow_words, "the end of the slow search")
        if before := query.get("before"):
            found = found[[m["id"] for m in found].index(before) + 1 :]
        limit = int(query.get("limit", "50"))
        return web.json_response({"messages": found[:limit], "more": len(found) > limit})

    async def _send(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.hub.requests.append(("POST", request.path, body))
        await self.hub.notify()
        if self.hub.refuses_message:
            return web.json_response(self.hub.refuses_message, status=409)
        to = [row for row in self.hub.sessions if body["to"] == ["all"] or row["id"] in body["to"]]
        batch = f"all-{len(self.hub.messages)}" if body["to"] == ["all"] else ""
        words = {"from": "user", "from_name": "user", "text": body["text"], "batch": batch}
        sent = [
            await self.hub.message(f"msg-{len(self.hub.messages) + 1}", **words, to=row["id"], to_name=row["name"]) for row in to
        ]
        return web.json_response(sent, status=201)

    async def _message(self, request: web.Request) -> web.Response:
        view = self.hub.messages.get(request.match_info["id"])
        if view is None:
            return web.json_response({"code": "not_found", "text": "There is no such message.", "remedy": ""}, status=404)
        return web.json_response({**view, "steps": self.hub.steps[view["id"]]})

    async def _cancel(self, request: web.Request) -> web.Response:
        self.hub.requests.append(("POST", request.path, await request.json()))
        return web.json_response(await self.hub.message(request.match_info["id"], state="cancelled", held=""))
