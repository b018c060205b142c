"""The stand-in hub's routes about agents: start and end, their history, their changes, what they ask."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from aiohttp import web

from clawmux.wire.search import deeds, excerpt, searched
from clawmux.wire.voices import VOICES
from tests.stand_ins.page_rows import session

if TYPE_CHECKING:
    from tests.stand_ins.page_hub import PageHub


class PageAgents:
    """Starts nothing: an agent is a row of ``hub.sessions``."""

    def __init__(self, hub: PageHub) -> None:
        self.hub = hub

    def table(self) -> list[web.RouteDef]:
        return [
            web.get("/api/history", self._history),
            web.get("/api/history/export", self._export),
            web.get("/api/voices", self._voices),
            web.get("/api/runtimes", self._runtimes),
            web.post("/api/sessions", self._spawn),
            web.delete("/api/sessions/{id}", self._kill),
            web.put("/api/sessions/{id}/voice", self._voice),
            web.post("/api/sessions/{id}/interrupt", self._interrupt),
            web.post("/api/sessions/{id}/permission", self._permission),
            web.get("/api/sessions/{id}/changes", self._changes),
            web.get("/api/sessions/{id}/changes/file", self._patch),
        ]

    async def _history(self, request: web.Request) -> web.Response:
        query = request.query
        limit = int(query.get("limit", "50"))
        if "session_id" not in query:
            return self._search_all(query["q"], int(query.get("before", len(self.hub.events) + 1)), limit)
        ours = [event for event in self.hub.events if event.get("session_id") == query["session_id"]]
        if "after" in query:
            entries = [event for event in ours if event["n"] > int(query["after"])]
            return web.json_response({"entries": entries[:limit], "more": len(entries) > limit})
        entries = [event for event in ours if event["n"] < int(query.get("before", len(self.hub.events) + 1))]
        if words := searched(query.get("q", "")):
            found = [event for event in reversed(entries) if words in searched(text_of(event))]
            hits = [{"n": event["n"], "type": event["type"], "ts": event["ts"]} for event in found]
            return web.json_response({"hits": hits[:limit], "more": len(hits) > limit})
        return web.json_response({"entries": entries[-limit:], "more": len(entries) > limit})

    def _search_all(self, words: str, before: int, limit: int) -> web.Response:
        open_now = {row["id"] for row in self.hub.sessions}
        ours = [e for e in reversed(self.hub.events) if e.get("session_id") in open_now and e["n"] < before]
        found = [event for event in ours if searched(words) in searched(text_of(event))]
        hits = [
            {**{key: event[key] for key in ("n", "session_id", "type", "ts")}, "excerpt": excerpt(text_of(event), words)}
            for event in found[:limit]
        ]
        return web.json_response({"hits": hits, "more": len(found) > limit})

    async def _export(self, request: web.Request) -> web.Response:
        ending = {"markdown": "md", "json": "json"}[request.query["format"]]
        headers = {"Content-Disposition": f'attachment; filename="clawmux-sky.{ending}"'}
        return web.Response(text="All of it.", content_type="text/plain", headers=headers)

    async def _voices(self, _: web.Request) -> web.Response:
        return web.json_response([dataclasses.asdict(VOICES[name]) for name in ("af_sky", "am_adam", "af_nova", "bm_fable")])

    async def _runtimes(self, _: web.Request) -> web.Response:
        claude = {"name": "claude", "title": "Claude Code", "available": False, "reason": "not installed"}
        return web.json_response([{"name": "demo", "title": "Demo agent", "available": True, "reason": ""}, claude])

    async def _spawn(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.hub.requests.append(("POST", "/api/sessions", body))
        if self.hub.refuses_spawn:
            return web.json_response(self.hub.refuses_spawn, status=503)
        row = session(body.get("voice", "am_adam"), state="starting")
        self.hub.sessions.append(row)
        return web.json_response(row, status=201)

    async def _kill(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        self.hub.requests.append(("DELETE", request.path, None))
        self.hub.sessions = [row for row in self.hub.sessions if row["id"] != name]
        await self.hub.send({"type": "session_terminated", "session_id": name, "reason": "The owner ended it."})
        await self.hub.send({"type": "session_list", "sessions": self.hub.sessions})
        return web.json_response({"id": name})

    async def _voice(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.hub.requests.append(("PUT", request.path, body))
        await self.hub.status(request.match_info["id"], voice=body["voice"])
        return web.json_response(next(row for row in self.hub.sessions if row["id"] == request.match_info["id"]))

    async def _interrupt(self, request: web.Request) -> web.Response:
        self.hub.requests.append(("POST", request.path, await request.json()))
        await self.hub.notify()
        await self.hub.holds_interrupt.wait()
        return web.json_response({"id": request.match_info["id"], "interrupted": True})

    async def _permission(self, request: web.Request) -> web.Response:
        self.hub.requests.append(("POST", request.path, await request.json()))
        await self.hub.notify()
        if self.hub.refuses_decision:
            return web.json_response(self.hub.refuses_decision, status=409)
        return web.json_response({"id": request.match_info["id"]})

    async def _changes(self, request: web.Request) -> web.Response:
        self.hub.requests.append(("GET", request.path, None))
        await self.hub.notify()
        return web.json_response(self.hub.changes)

    async def _patch(self, request: web.Request) -> web.Response:
        missing = {"code": "conflict", "text": "Its folder is not in a git repository.", "remedy": ""}
        found = self.hub.patches.get(request.query["file"])
        return web.json_response(found or missing, status=200 if found else 409)


def text_of(event: dict[str, Any]) -> str:
    return deeds(event["items"]) if event["type"] == "work" else str(event.get("text", ""))
