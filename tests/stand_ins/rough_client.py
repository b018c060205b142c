"""A client that sends exactly what a test wants sent, through every way into the hub, and tells what came back.

Each way asks something ordinary on the same connection afterwards, where the hub promises that it goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import WSMsgType

from clawmux.wire.cli import ARGV_TYPE
from clawmux.wire.errors import ERRORS
from tests.live_hub import LiveHub

HELLO = {"type": "hello", "v": 2, "client": "rough"}
ANSWER_SECONDS = 15.0
Socket = aiohttp.ClientWebSocketResponse


@dataclass(frozen=True, slots=True)
class Raw:
    """A WebSocket frame as it is, whatever its bytes."""

    data: bytes
    type: WSMsgType = WSMsgType.TEXT


@dataclass(frozen=True, slots=True)
class Http:
    """An HTTP request; a body that is not bytes is sent as JSON."""

    method: str
    path: str
    body: Any = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """``code``: an error's, or the type of what came instead, or ``closed``."""

    code: str
    text: str
    """Of the error; the whole of anything else; the number of a close."""


async def by_page(hub: LiveHub, sent: Any) -> Answer:
    """A message of a page that has said hello."""
    async with _page_socket(hub) as socket:
        await socket.send_json(HELLO)
        await _wait_for(socket, "session_list")
        await _send(socket, sent)
        answer = await _next(socket, "error", "text_ack", "resync")
        return await _ended(socket) if answer is None else await _still_answers(socket, answer)


async def by_first_message(hub: LiveHub, sent: Any) -> Answer:
    """What a client says before anything else; a proper hello must work after it."""
    async with _page_socket(hub) as socket:
        await _send(socket, sent)
        answer = await _next(socket, "error")
        if answer is None:
            return await _ended(socket)
        await socket.send_json(HELLO)
        await _wait_for(socket, "welcome")
        return await _still_answers(socket, answer)


async def by_classic(hub: LiveHub, sent: Any) -> Answer:
    """A message of the first protocol."""
    async with _page_socket(hub) as socket:
        await socket.send_json({"type": "playback_done", "session_id": "af_sky"})
        await _wait_for(socket, "session_list")
        await _send(socket, sent)
        answer = await _next(socket, "error")
        if answer is None:
            return await _ended(socket)
        await socket.send_json({"type": "nonsense"})
        assert (await _wait_for(socket, "error"))["code"] == "usage"
        return _told(answer)


async def by_call(hub: LiveHub, path: str, sent: Any) -> Answer:
    """A message on ``/cli`` or ``/mcp``; only the second goes on after an answer."""
    async with _agent_session(hub) as session, session.ws_connect(f"http://clawmux{path}") as socket:
        await _send(socket, sent)
        answer = await _next(socket, "error")
        if answer is None:
            return await _ended(socket)
        if path.startswith("/mcp"):
            await socket.send_json({"type": "status_check"})
            await _wait_for(socket, "status_result")
        return _told(answer)


async def by_http(hub: LiveHub, sent: Http) -> Answer:
    """REST, or JSON on ``/cli``."""
    async with _agent_session(hub) as session:
        answer = await _request(session, sent)
        assert (await _request(session, Http("GET", "/api/health")))["ok"]
    return _told(answer)


async def by_argv(hub: LiveHub, sent: bytes | tuple[str, bytes] | Http) -> Answer:
    """Words of an agent's command: the body, or (session, body)."""
    if isinstance(sent, Http):
        request = sent
    else:
        session_id, body = sent if isinstance(sent, tuple) else ("af_sky", sent)
        request = Http("POST", f"/cli/{session_id}", body, ARGV_TYPE)
    async with _agent_session(hub) as session, _open(session, request) as response:
        stderr = (await response.read()).decode()
        if "Clawmux-Exit" not in response.headers:
            return _told(json.loads(stderr))
        exit_code = int(response.headers["Clawmux-Exit"])
    return Answer(next(code for code, row in ERRORS.items() if row.exit_code == exit_code), stderr)


async def by_manifest(hub: LiveHub, sent: str | bytes) -> Answer:
    """A runtime that the user dropped in; taken away again, the others are there."""
    file = hub.paths.user_runtimes / "mine.toml"
    await asyncio.to_thread(file.write_bytes, sent if isinstance(sent, bytes) else sent.encode())
    try:
        async with _agent_session(hub) as session:
            answer = await _request(session, Http("POST", "/api/sessions", {"runtime": "mine"}))
    finally:
        file.unlink()
    assert str(file) in answer["text"], answer
    assert {"quiet", "demo"} <= {runtime["name"] for runtime in await hub.call("GET", "/api/runtimes")}
    return _told(answer)


WAYS: dict[str, Callable[[LiveHub, Any], Awaitable[Answer]]] = {
    "page": by_page,
    "first message": by_first_message,
    "classic": by_classic,
    "rest": by_http,
    "cli argv": by_argv,
    "cli json": lambda hub, sent: by_http(hub, Http("POST", "/cli/af_sky", sent)),
    "cli socket": lambda hub, sent: by_call(hub, "/cli/af_sky", sent),
    "mcp": lambda hub, sent: by_call(hub, "/mcp/af_sky", sent),
    "manifest": by_manifest,
}


def _told(answer: dict[str, Any]) -> Answer:
    if answer.get("type") == "error":
        return Answer(answer["code"], answer["text"])
    return Answer(str(answer.get("type")), json.dumps(answer))


def _agent_session(hub: LiveHub) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(hub.paths.hub_socket)))


@asynccontextmanager
async def _page_socket(hub: LiveHub) -> Any:
    headers = {"Authorization": f"Bearer {hub.token}"}
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{hub.url}/ws", headers=headers, max_msg_size=0) as socket:
        yield socket


def _open(session: aiohttp.ClientSession, sent: Http) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    body = sent.body if isinstance(sent.body, bytes) else json.dumps(sent.body).encode()
    headers = {"Content-Type": sent.content_type, **sent.headers} if sent.method != "GET" else sent.headers
    return session.request(sent.method, f"http://clawmux{sent.path}", data=body or None, headers=headers)


async def _request(session: aiohttp.ClientSession, sent: Http) -> dict[str, Any]:
    async with _open(session, sent) as response:
        answer: dict[str, Any] = await response.json()
        assert (
            answer.get("type") != "error"
            or response.status == ERRORS[answer["code"]].http_status
            or response.status in (404, 405)
        )
        return answer


async def _send(socket: Socket, sent: Any) -> None:
    # A message that is too large is answered while it is still being sent.
    with contextlib.suppress(ConnectionError):
        await _send_now(socket, sent)


async def _send_now(socket: Socket, sent: Any) -> None:
    if isinstance(sent, Raw):
        await socket.send_frame(sent.data, sent.type)
    elif isinstance(sent, bytes):
        await socket.send_bytes(sent)
    elif isinstance(sent, str):
        await socket.send_str(sent)
    else:
        await socket.send_json(sent)


async def _next(socket: Socket, *kinds: str) -> dict[str, Any] | None:
    """The next message of one of these kinds; None when the hub closed instead."""
    async with asyncio.timeout(ANSWER_SECONDS):
        async for message in socket:
            if message.type is WSMsgType.TEXT and (body := message.json())["type"] in kinds:
                return dict(body)
    return None


async def _wait_for(socket: Socket, kind: str) -> dict[str, Any]:
    found = await _next(socket, kind)
    assert found is not None, f"closed ({socket.close_code}) before {kind!r}"
    return found


async def _still_answers(socket: Socket, answer: dict[str, Any]) -> Answer:
    await socket.send_json({"type": "ping"})
    await _wait_for(socket, "pong")
    return _told(answer)


async def _ended(socket: Socket) -> Answer:
    return Answer("closed", str(socket.close_code))
