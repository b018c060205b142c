"""The REST routes of messages between agents: list, one with its way, send as the user, take back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from clawmux.core.message import USER
from clawmux.hub.body import read_json
from clawmux.hub.browser import RUNTIME
from clawmux.hub.routes import number
from clawmux.wire.codec import decode_as
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.text import check_text

MOST_MESSAGES = 200
MOST_RECIPIENTS = 100
QUERY_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """What the user sends to agents."""

    to: list[Any]
    """Names or ids; ``all``."""
    text: str


async def list_messages(request: web.Request) -> web.Response:
    """The newest first: ``with`` one side, with the words ``q`` in them, sent before the message ``before``."""
    runtime = request.app[RUNTIME]
    side, words = request.query.get("with", ""), request.query.get("q", "").strip()
    if len(words) > QUERY_CHARACTERS:
        raise ClawMuxError("usage", f"query field 'q' has {len(words)} characters; expected up to {QUERY_CHARACTERS}.")
    limit = number(request, "limit", 50, 1, MOST_MESSAGES)
    peer = side if side in ("", USER) else runtime.agents.find_ever(side).id
    before, kept = request.query.get("before", ""), runtime.messages.kept
    if words:
        found = await kept.search(words, limit + 1, peer=peer, before=before)
    else:
        found = kept.newest(limit + 1, peer=peer, before=before)
    return web.json_response({"messages": [kept.view() for kept in found[:limit]], "more": len(found) > limit})


async def one_message(request: web.Request) -> web.Response:
    return web.json_response(await request.app[RUNTIME].messages.traced(request.match_info["id"]))


async def send(request: web.Request) -> web.Response:
    messages = request.app[RUNTIME].messages
    letter = decode_as(Letter, await read_json(request), "the message")
    names = [name for name in letter.to if isinstance(name, str) and name]
    if not names or len(names) != len(letter.to) or len(names) > MOST_RECIPIENTS:
        raise ClawMuxError("usage", f"field 'to': expected 1 to {MOST_RECIPIENTS} names or ids of agents.")
    sent = await messages.send(USER, names, check_text("field 'text'", letter.text))
    if sent.note:
        request.app[RUNTIME].notice(None, "warn", f"Your message to everyone was {sent.note}.")
    return web.json_response([kept.view() for kept in sent.messages], status=201)


async def cancel(request: web.Request) -> web.Response:
    messages = request.app[RUNTIME].messages
    await messages.cancel(request.match_info["id"], "")
    return web.json_response(messages.get(request.match_info["id"]).view())


ROUTES = [
    web.get("/api/messages", list_messages),
    web.post("/api/messages", send),
    web.get("/api/messages/{id}", one_message),
    web.post("/api/messages/{id}/cancel", cancel),
]
