"""The REST routes of what agents do: answer a permission question, stop a turn."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from clawmux.hub.body import read_json
from clawmux.hub.browser import RUNTIME
from clawmux.hub.interrupt import interrupt
from clawmux.hub.permissions import Decision
from clawmux.hub.state_verbs import decide_on
from clawmux.wire.codec import decode_as
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.text import check_text

REASON_LIMIT_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Answer:
    """What the owner says to a permission question."""

    request: str
    allow: bool
    text: str = ""


async def answer_permission(request: web.Request) -> web.Response:
    runtime = request.app[RUNTIME]
    answer = decode_as(Answer, await read_json(request), "the answer to a permission question")
    if not answer.request:
        raise ClawMuxError("usage", "field 'request' is empty; expected the id of the question that is answered.", "")
    text = check_text("field 'text'", answer.text, REASON_LIMIT_BYTES) if answer.text.strip() else ""
    session = runtime.agents.find(request.match_info["id"])
    await decide_on(runtime, session.id, answer.request, Decision(answer.allow, text))
    return web.json_response(runtime.session_view(session))


async def interrupt_turn(request: web.Request) -> web.Response:
    runtime = request.app[RUNTIME]
    session = runtime.agents.find(request.match_info["id"])
    interrupted = await interrupt(session, runtime.agents.runtime_of(session), runtime.tmux, runtime.states)
    return web.json_response({"id": session.id, "interrupted": interrupted})


ROUTES = [
    web.post("/api/sessions/{id}/permission", answer_permission),
    web.post("/api/sessions/{id}/interrupt", interrupt_turn),
]
