"""``/cli/{session_id}`` and ``/mcp/{session_id}``: what agents say. One conversation core serves both.

Who calls is known from the socket (``request[CALLER]``); the path is a hint that only the owner may use to speak for
a session, from a shell outside of any pane. ``/cli`` takes one request and gives one answer, as argv, as JSON or as the
one message of a WebSocket; ``/mcp`` is a WebSocket that takes one call after another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from aiohttp import WSMsgType, web

from clawmux.hub.auth import Role
from clawmux.hub.body import parse_object, read_body
from clawmux.hub.browser import RUNTIME
from clawmux.hub.converse import Call, converse
from clawmux.hub.doors import WEBSOCKET_BYTES
from clawmux.hub.guard import ADDRESSES, CALLER
from clawmux.hub.verbs import Door, carry_out, checked_request_id
from clawmux.wire import cli
from clawmux.wire.calls import CLI_TO_HUB, MCP_TO_HUB, McpStatusCheck
from clawmux.wire.codec import decode
from clawmux.wire.errors import ClawMuxError

log = logging.getLogger(__name__)

# Text, its options and the argv framing; a hook's JSON may be longer.
BODY_BYTES = cli.TEXT_LIMIT_BYTES + 4096
ARGV_BYTES = cli.HOOK_LIMIT_BYTES + 4096


async def post_cli(request: web.Request) -> web.Response:
    """One agent verb. argv bodies are answered with exit code, stderr and stdout; JSON bodies with JSON."""
    if request.content_type == "application/json":
        return web.json_response(await _by_json(request, parse_object(await read_body(request, BODY_BYTES))))
    if request.content_type != cli.ARGV_TYPE:
        raise ClawMuxError("unsupported", f"Content-Type {request.content_type!r}; expected {cli.ARGV_TYPE} or application/json.")
    try:
        words = cli.split_body(await read_body(request, ARGV_BYTES))
        said = await carry_out(_door(request, request.headers.get("Clawmux-Request", "")), cli.parse(words))
    except ClawMuxError as error:
        return _argv_response(error.exit_code, cli.error_text(error), "")
    except Exception:
        log.exception("a command of an agent failed")
        failure = ClawMuxError("internal", "the hub could not carry out this command.", "See `clawmux logs`.")
        return _argv_response(failure.exit_code, cli.error_text(failure), "")
    if said.error is not None:
        response = _argv_response(said.error.exit_code, cli.error_text(said.error) + said.note, said.out)
    else:
        response = _argv_response(0, said.note, said.out)
    if said.handed_over is not None:
        await _hand_over(request, response, said.handed_over)
    return response


async def _hand_over(request: web.Request, response: web.Response, then: Callable[[bool], None]) -> None:
    """What has left the connection lies with the caller's kernel, whether or not this hub lives on."""
    is_there = False
    try:
        with contextlib.suppress(ConnectionError):  # aiohttp meets it once more, and knows what to do
            await response.prepare(request)
            await response.write_eof()
            is_there = request.transport is not None and not request.transport.is_closing()
    finally:
        then(is_there)


def _argv_response(exit_code: int, stderr: str, stdout: str) -> web.Response:
    told = stderr.encode()
    headers = {"Clawmux-Exit": str(exit_code), "Clawmux-Stderr": str(len(told))}
    return web.Response(body=told + stdout.encode(), content_type="text/plain", charset="utf-8", headers=headers)


def _door(request: web.Request, request_id: str) -> Door:
    caller, hint = request[CALLER], request.match_info["session_id"]
    if caller.role is Role.AGENT and hint not in ("-", caller.session_id):
        log.warning("session %s called as %r; taken as itself", caller.session_id, hint)
    return Door(request.app[RUNTIME], caller, hint, request_id, request.app[ADDRESSES].page_url)


async def _by_json(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """``{"type": "converse", "id", "text", "listen", "goodbye", "timeout"}`` -> ``converse_result``."""
    runtime = request.app[RUNTIME]
    session_id = _door(request, "").session_id
    runtime.agents.contacted(session_id)
    message = decode(CLI_TO_HUB, body)
    call = Call(
        id=checked_request_id(message.id),
        session_id=session_id,
        text=cli.check_text("field 'text'", message.text),
        listen=message.listen,
        goodbye=message.goodbye,
        timeout_seconds=cli.read_timeout("field 'timeout'", str(message.timeout)) if message.timeout else 0.0,
    )
    text = await converse(runtime, call, request.app[ADDRESSES].page_url)
    return {"type": "converse_result", "text": text, "exit": 0}


async def socket_cli(request: web.Request) -> web.WebSocketResponse:
    """The same as one WebSocket message: one request, one answer, closed."""
    return await _serve_socket(request, _by_json, once=True)


async def socket_mcp(request: web.Request) -> web.WebSocketResponse:
    return await _serve_socket(request, _by_mcp, once=False)


async def _by_mcp(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """The messages of the MCP server. Its ``voice`` is ignored: the session's own is used."""
    runtime = request.app[RUNTIME]
    session_id = _door(request, "").session_id
    runtime.agents.contacted(session_id)
    message = decode(MCP_TO_HUB, body)
    if isinstance(message, McpStatusCheck):
        return {"type": "status_result", "connected": True, "page": len(runtime.pages) > 0}
    text = cli.check_text("field 'message'", message.message)
    call = Call(checked_request_id(message.id), session_id, text, listen=message.wait_for_response)
    return {"type": "converse_result", "id": message.id, "text": await converse(runtime, call, request.app[ADDRESSES].page_url)}


Answerer = Callable[[web.Request, dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]


async def _serve_socket(request: web.Request, answer: Answerer, once: bool) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=WEBSOCKET_BYTES, compress=False, heartbeat=15.0)
    await socket.prepare(request)
    async for message in socket:
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            continue
        try:
            result = await _until_closed(socket, answer(request, parse_object(message.data)))
        except ClawMuxError as error:
            result = error.to_wire()
        except Exception:
            log.exception("a call of an agent failed")
            result = ClawMuxError("internal", "the hub could not carry out this call.", "See its log.").to_wire()
        if result is None:
            break
        await socket.send_json(result)
        if once:
            await socket.close()
    return socket


async def _until_closed(socket: web.WebSocketResponse, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any] | None:
    """The answer; None when the caller went away first. A handler hears of that only by reading."""
    task = asyncio.create_task(work)
    try:
        while True:
            reading = asyncio.create_task(socket.receive())
            await asyncio.wait({task, reading}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                return task.result()
            if reading.result().type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return None
            await socket.send_json(ClawMuxError("conflict", "one call at a time: the one before has no answer yet.").to_wire())
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


ROUTES = [
    web.post("/cli/{session_id}", post_cli),
    web.get("/cli/{session_id}", socket_cli),
    web.get("/mcp/{session_id}", socket_mcp),
]
