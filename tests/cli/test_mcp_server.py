"""``clawmux mcp`` as an agent starts it: the SDK's own client on its pipes, a stand-in hub on its socket."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from mcp import Client, StdioServerParameters

from clawmux.mcp_server import Hub
from clawmux.wire.errors import ClawMuxError

ROOT = Path(__file__).parent.parent.parent
Answer = Callable[[web.WebSocketResponse, dict[str, Any]], Awaitable[None]]


class McpHub:
    """/mcp/{session_id} on a unix socket. ``answer`` gets each message; what came is in ``calls``."""

    def __init__(self, socket: Path, answer: Answer) -> None:
        self.socket = socket
        self.answer = answer
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.came = asyncio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_get("/mcp/{session_id}", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        await web.UnixSite(runner, str(self.socket)).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["session_id"] == "af_nobody":
            raise web.HTTPForbidden
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            self.calls.append((request.match_info["session_id"], json.loads(message.data)))
            self.came.set()
            await self.answer(socket, self.calls[-1][1])
        return socket


async def echo(socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
    if call["type"] == "status_check":
        await socket.send_json({"type": "status_result", "connected": True})
    else:
        await socket.send_json({"type": "status", "text": "a remark on the way"})
        await socket.send_json({"type": "converse_result", "id": call["id"], "text": f"heard: {call['message']}"})


async def silence(socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
    """The user is thinking."""


@pytest.fixture
def socket_file(folder: Path) -> Path:
    return folder / "hub.sock"


def agent(socket_file: Path, **environ: str) -> Client:
    return Client(
        StdioServerParameters(
            command=sys.executable,
            args=["-m", "clawmux", "mcp"],
            cwd=str(ROOT),
            env={"PATH": os.environ["PATH"], "CLAWMUX_SOCKET": str(socket_file), **environ},
        )
    )


def text_of(result: Any) -> str:
    return "".join(part.text for part in result.content)


async def test_tools_are_the_two_of_the_first_description(socket_file: Path) -> None:
    async with agent(socket_file) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {"converse", "status_check"}
    assert tools["converse"].input_schema["required"] == ["message"]
    assert set(tools["converse"].input_schema["properties"]) == {"message", "wait_for_response", "voice"}


async def test_converse_and_status(socket_file: Path) -> None:
    hub = McpHub(socket_file, echo)
    async with hub.serving(), agent(socket_file, CLAWMUX_SESSION_ID="af_sky", VOICE_HUB_SESSION_ID="older") as client:
        said = await client.call_tool("converse", {"message": "Grüße", "wait_for_response": False, "voice": "am_adam"})
        status = await client.call_tool("status_check", {})
    assert (said.is_error, text_of(said)) == (False, "heard: Grüße")
    assert json.loads(text_of(status)) == {"type": "status_result", "connected": True}
    (session_id, call), (_, check) = hub.calls
    assert session_id == "af_sky"
    request_id = call.pop("id")
    assert len(request_id) == 32
    assert call == {"type": "converse", "message": "Grüße", "wait_for_response": False, "voice": "am_adam"}
    assert check["type"] == "status_check"


async def test_older_name_of_the_session_is_understood(socket_file: Path) -> None:
    hub = McpHub(socket_file, echo)
    async with hub.serving(), agent(socket_file, VOICE_HUB_SESSION_ID="voice-1-abc123") as client:
        await client.call_tool("converse", {"message": "Hi"})
    assert hub.calls[0][0] == "voice-1-abc123"


async def test_hub_that_restarts_is_asked_again_under_the_same_id(socket_file: Path) -> None:
    first, second = McpHub(socket_file, silence), McpHub(socket_file, echo)
    async with agent(socket_file) as client:
        async with first.serving():
            call = asyncio.create_task(client.call_tool("converse", {"message": "Still there?"}))
            await asyncio.wait_for(first.came.wait(), 20)
        async with second.serving():
            result = await asyncio.wait_for(call, 20)
    assert text_of(result) == "heard: Still there?"
    assert second.calls == first.calls


async def test_error_of_the_hub_is_a_tool_error_with_its_remedy(socket_file: Path) -> None:
    async def refuse(socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
        await socket.send_json(ClawMuxError("no_page", "no page is open.", "Open http://x.").to_wire())

    hub = McpHub(socket_file, refuse)
    async with hub.serving(), agent(socket_file) as client:
        result = await client.call_tool("converse", {"message": "Hi"})
    assert result.is_error
    assert "no page is open. Open http://x. (code: no_page)" in text_of(result)


async def test_no_hub_is_a_tool_error_at_once(socket_file: Path) -> None:
    async with agent(socket_file) as client:
        result = await client.call_tool("status_check", {})
    assert result.is_error
    assert "Start it with `clawmux start`" in text_of(result)


async def test_refused_session_is_not_asked_again(socket_file: Path) -> None:
    hub = McpHub(socket_file, echo)
    async with hub.serving():
        with pytest.raises(ClawMuxError, match="403") as caught:
            await Hub(socket_file, "af_nobody").ask({"type": "status_check"})
    assert caught.value.code == "forbidden"


async def test_hub_that_stays_away_is_given_up(socket_file: Path) -> None:
    hub = McpHub(socket_file, silence)
    async with hub.serving():
        call = asyncio.create_task(Hub(socket_file, "-", retry_seconds=0.3).ask({"type": "converse"}))
        await asyncio.wait_for(hub.came.wait(), 20)
    with pytest.raises(ClawMuxError, match="did not come back"):
        await asyncio.wait_for(call, 20)


async def test_answer_that_is_no_json_is_a_clear_error(socket_file: Path) -> None:
    async def babble(socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
        await socket.send_str("{oops")

    async with McpHub(socket_file, babble).serving():
        with pytest.raises(ClawMuxError, match="not JSON"):
            await Hub(socket_file, "-").ask({"type": "status_check"})


def test_module_is_imported_without_the_sdk() -> None:
    source = "import sys, clawmux.mcp_server; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"mcp", "aiohttp", "pydantic", "anyio"}


def test_missing_sdk_says_how_to_get_it() -> None:
    source = "import sys; sys.modules['mcp'] = None\nfrom clawmux.cli.main import main\nsys.exit(main(['mcp']))\n"
    done = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 20
    assert "pip install 'clawmux[mcp]'" in done.stderr
