"""A scripted stand-in of the Anthropic Messages API on loopback: the model says and runs what the test has written down.

It answers what Claude Code asks for (HEAD /, POST /v1/messages as a stream of events), keeps every request, decides nothing:
the script is walked one step for each request that offers the shell tool; side errands, such as naming the session, get "ok".
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Say:
    text: str
    after_seconds: float = 0.0
    """Thinks so long before it says it."""
    gate: asyncio.Event | None = None
    """Thinks until this is set."""


@dataclass(frozen=True, slots=True)
class Bash:
    command: str
    timeout_ms: int | None = None
    after_seconds: float = 0.0
    gate: asyncio.Event | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """Any tool of the program's own."""

    tool: str
    given: dict[str, Any]
    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Fail:
    """The API refuses the request."""

    status: int
    kind: str = "api_error"
    text: str = "The stand-in was told to fail."
    headers: tuple[tuple[str, str], ...] = ()
    after_seconds: float = 0.0


Step = Say | Bash | Use | Fail
Model = Callable[["MessagesApi"], Step]
"""Decides the answer to the newest request."""


class MessagesApi:
    """Async context manager; listens on a free port of 127.0.0.1."""

    def __init__(self, script: Sequence[Step] | Model = ()) -> None:
        self.model = script if callable(script) else walk(script)
        self.requests: list[dict[str, Any]] = []
        """Bodies of the requests that offered the shell tool, in order."""
        self.url = ""
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/", _alive)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/messages/count_tokens", _count_tokens)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait_for(self, happened: Callable[[MessagesApi], bool], seconds: float) -> None:
        """Until it is true after a request; raises TimeoutError."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: happened(self))

    @property
    def tool_results(self) -> list[str]:
        """What the shell tool gave back, as the model sees it, oldest first."""
        found: dict[str, str] = {}
        for block in self._blocks("user"):
            if block["type"] == "tool_result":
                found[block["tool_use_id"]] = _as_text(block.get("content", ""))
        return list(found.values())

    @property
    def user_texts(self) -> list[str]:
        """Every text of the user's side in the newest request, oldest first."""
        return [block["text"] for block in self._blocks("user") if block["type"] == "text"]

    @property
    def told(self) -> list[str]:
        """Every text in the newest request that is not the model's own nor a tool's, oldest first."""
        roles = ("user", "system")
        return [block["text"] for role in roles for block in self._blocks(role) if block["type"] == "text"]

    @property
    def newest_texts(self) -> list[str]:
        """Texts of the user's side since the model's last word."""
        return [block["text"] for block in self._newest() if block["type"] == "text"]

    @property
    def has_newest_result(self) -> bool:
        """Whether the newest request brings the result of a tool."""
        return any(block["type"] == "tool_result" for block in self._newest())

    @property
    def system_text(self) -> str:
        return _as_text(self.requests[-1].get("system", "")) if self.requests else ""

    def _newest(self) -> list[dict[str, Any]]:
        messages = self.requests[-1]["messages"] if self.requests else []
        said = max((number for number, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
        return [block for message in messages[said + 1 :] for block in _as_blocks(message["content"])]

    def _blocks(self, role: str) -> list[dict[str, Any]]:
        messages = self.requests[-1]["messages"] if self.requests else []
        return [block for message in messages if message["role"] == role for block in _as_blocks(message["content"])]

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        step: Step = Say("ok")
        if any(tool.get("name") == "Bash" for tool in body.get("tools", [])):
            async with self._arrived:
                self.requests.append(body)
                step = self.model(self)
                self._arrived.notify_all()
        await asyncio.sleep(step.after_seconds)
        if isinstance(step, Say | Bash) and step.gate is not None:
            await step.gate.wait()
        if isinstance(step, Fail):
            error = {"type": "error", "error": {"type": step.kind, "message": step.text}}
            return web.json_response(error, status=step.status, headers=dict(step.headers))
        message = _message(step, body.get("model", "stand-in"), len(self.requests))
        if not body.get("stream"):
            return web.json_response(message)
        return await _stream(request, message)


async def _alive(request: web.Request) -> web.Response:
    return web.Response()


async def _count_tokens(request: web.Request) -> web.Response:
    return web.json_response({"input_tokens": 1})


def walk(script: Sequence[Step]) -> Model:
    """One step for each request; after the last one there is nothing to do."""
    steps = list(script)
    return lambda api: steps[len(api.requests) - 1] if len(api.requests) <= len(steps) else Say("That is all.")


def _message(step: Say | Bash | Use, model: str, number: int) -> dict[str, Any]:
    block: dict[str, Any]
    if isinstance(step, Say):
        block = {"type": "text", "text": step.text}
    elif isinstance(step, Use):
        block = {"type": "tool_use", "id": f"toolu_{number:08d}", "name": step.tool, "input": step.given}
    else:
        given: dict[str, Any] = {"command": step.command, "description": "Run a command of the test"}
        if step.timeout_ms is not None:
            given["timeout"] = step.timeout_ms
        block = {"type": "tool_use", "id": f"toolu_{number:08d}", "name": "Bash", "input": given}
    return {
        "id": f"msg_{number:08d}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [block],
        "stop_reason": "end_turn" if isinstance(step, Say) else "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 10},
    }


async def _stream(request: web.Request, message: dict[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    # A turn that is interrupted takes its request away.
    with contextlib.suppress(ConnectionResetError):
        await response.prepare(request)
        for event in _events(message):
            await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        await response.write_eof()
    return response


def _events(message: dict[str, Any]) -> list[dict[str, Any]]:
    block = message["content"][0]
    if block["type"] == "text":
        start: dict[str, Any] = {"type": "text", "text": ""}
        delta = {"type": "text_delta", "text": block["text"]}
    else:
        start = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    return [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": start},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": 10},
        },
        {"type": "message_stop"},
    ]


def _as_blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _as_text(content: str | list[dict[str, Any]]) -> str:
    return "\n".join(block.get("text", "") for block in _as_blocks(content))
