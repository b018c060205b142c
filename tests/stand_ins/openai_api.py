"""A scripted stand-in of a model behind OpenAI's two interfaces on loopback: the Responses API (Codex) and Chat Completions
(OpenCode). The model says and runs what the test has written down, keeps every request, decides nothing.

The script is walked one step for each request that offers the shell tool; side errands, such as naming the session, get "ok".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Say:
    text: str
    after_seconds: float = 0.0
    """How long the model thinks before it says so."""


@dataclass(frozen=True, slots=True)
class Run:
    """A shell command."""

    command: str
    after_seconds: float = 0.0
    ask: bool = False
    """Ask for leave to run it outside of the sandbox (Codex)."""


@dataclass(frozen=True, slots=True)
class Fail:
    """An answer of the interface that is an error."""

    status: int
    code: str
    text: str
    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends in the middle of the answer."""

    after_seconds: float = 0.0


Step = Say | Run | Fail | Cut
SHELL_TOOLS = ("exec_command", "shell", "shell_command", "bash")
REST = Say("That is all.")


class OpenAiApi:
    """Async context manager; listens on a free port of 127.0.0.1. ``url`` ends in /v1."""

    def __init__(self, script: Sequence[Step] = ()) -> None:
        self.script = list(script)
        self.requests: list[dict[str, Any]] = []
        """Bodies of the requests that offered the shell tool, in order."""
        self.errands: list[dict[str, Any]] = []
        self.errand: Step = Say("ok")
        """What side errands get, such as naming the session or summing it up."""
        self.url = ""
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/v1/models", _models)
        app.router.add_post("/v1/responses", self._responses)
        app.router.add_post("/v1/chat/completions", self._completions)
        # A model that thinks for long hears at once that its caller is gone, as the real one does.
        self._runner = web.AppRunner(app, shutdown_timeout=1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def wait_for(self, happened: Callable[[OpenAiApi], bool], seconds: float) -> None:
        """Until it is true after a request; raises TimeoutError."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: happened(self))

    def then(self, *steps: Step) -> None:
        """The next requests are answered with these."""
        del self.script[len(self.requests) :]
        self.script += [REST] * (len(self.requests) - len(self.script))
        self.script += steps

    # -- what the model was told, by the newest request --

    @property
    def user_texts(self) -> list[str]:
        """Every text of the user's side, oldest first."""
        return [text for item in self._items() if item.get("role") == "user" for text in _texts(item.get("content"))]

    @property
    def user_turns(self) -> list[str]:
        """The same, each message whole: its parts joined by nothing."""
        return ["".join(_texts(item.get("content"))) for item in self._items() if item.get("role") == "user"]

    @property
    def system_text(self) -> str:
        parts = [str(self.requests[-1].get("instructions", ""))] if self.requests else []
        parts += ["\n".join(_texts(i.get("content"))) for i in self._items() if i.get("role") in ("system", "developer")]
        return "\n".join(parts)

    @property
    def tool_results(self) -> list[str]:
        """What the shell tool gave back, oldest first."""
        told = [item["output"] for item in self._items() if item.get("type") == "function_call_output"]
        told += [item["content"] for item in self._items() if item.get("role") == "tool"]
        return ["\n".join(_texts(content)) for content in told]

    def _items(self) -> list[dict[str, Any]]:
        if not self.requests:
            return []
        body = self.requests[-1]
        return [*body.get("input", []), *body.get("messages", [])]

    # -- serving --

    async def _next(self, body: dict[str, Any]) -> tuple[int, Step]:
        if not _offers_a_shell(body):
            self.errands.append(body)
            return 0, self.errand
        async with self._arrived:
            number = len(self.requests)
            self.requests.append(body)
            step = self.script[number] if number < len(self.script) else REST
            self._arrived.notify_all()
        return number + 1, step

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        number, step = await self._next(body)
        return await _stream(request, step, _response_start(number, body), _response_rest(number, body, step))

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        number, step = await self._next(body)
        return await _stream(request, step, [], _completion(number, body, step))


def _offers_a_shell(body: dict[str, Any]) -> bool:
    names = (tool.get("name") or tool.get("function", {}).get("name") for tool in body.get("tools") or [])
    return any(name in SHELL_TOOLS for name in names)


async def _models(request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": "stand-in", "object": "model"}], "models": []})


async def _stream(
    request: web.Request, step: Step, start: list[dict[str, Any]], rest: list[dict[str, Any]]
) -> web.StreamResponse:
    if isinstance(step, Fail):
        await asyncio.sleep(step.after_seconds)
        error = {"error": {"message": step.text, "type": step.code, "code": step.code, "param": None}}
        return web.json_response(error, status=step.status)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    async for event in _in_time(step, start, rest):
        name = f"event: {event['type']}\n" if "type" in event else ""
        await response.write(f"{name}data: {json.dumps(event)}\n\n".encode())
    if isinstance(step, Cut):
        assert request.transport is not None
        request.transport.close()
        await asyncio.Event().wait()  # until the end of the connection ends this
    if request.path.endswith("/completions"):
        await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _in_time(step: Step, start: list[dict[str, Any]], rest: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for event in start:
        yield event
    await asyncio.sleep(step.after_seconds)
    if not isinstance(step, Cut):
        for event in rest:
            yield event


# -- the Responses API --


def _response_start(number: int, body: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "response.created", "response": {"id": f"resp_{number}", "model": body.get("model"), "output": []}}]


def _response_rest(number: int, body: dict[str, Any], step: Step) -> list[dict[str, Any]]:
    item = _response_item(number, body, step)
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 20,
    }
    return [
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"id": f"resp_{number}", "output": [item], "usage": usage}},
    ]


def _response_item(number: int, body: dict[str, Any], step: Step) -> dict[str, Any]:
    if not isinstance(step, Run):
        text = step.text if isinstance(step, Say) else ""
        content = [{"type": "output_text", "text": text, "annotations": []}]
        return {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": "completed", "content": content}
    name = next(tool["name"] for tool in body["tools"] if tool.get("name") in SHELL_TOOLS)
    given: dict[str, Any] = {"cmd" if name == "exec_command" else "command": step.command}
    if name == "shell":
        given["command"] = ["bash", "-lc", step.command]
    if step.ask:
        given |= {"sandbox_permissions": "require_escalated", "justification": "The test wants it."}
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": name,
        "arguments": json.dumps(given),
        "status": "completed",
    }


# -- Chat Completions --


def _completion(number: int, body: dict[str, Any], step: Step) -> list[dict[str, Any]]:
    if isinstance(step, Run):
        function = {"name": "bash", "arguments": json.dumps({"command": step.command, "description": "Run a command"})}
        call = {"index": 0, "id": f"call_{number}", "type": "function", "function": function}
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    else:
        deltas = [{"role": "assistant", "content": step.text if isinstance(step, Say) else ""}]
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 1, "model": body.get("model", "stand-in")}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    reason = "tool_calls" if isinstance(step, Run) else "stop"
    end = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    return [*chunks, end, {**head, "choices": [], "usage": usage}]


def _texts(content: Any) -> list[str]:
    if content is None:
        return []
    if isinstance(content, str):
        return [content]
    return [part.get("text", "") for part in content if part.get("type", "text") in ("text", "input_text", "output_text")]
