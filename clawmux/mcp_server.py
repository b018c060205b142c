"""``clawmux mcp``: the conversation as two MCP tools on stdin and stdout, for agents that prefer tools to commands.

Each call is one WebSocket to the hub's /mcp/{session_id}; a call that is cut off asks again under its id, so a restart
of the hub neither repeats a question nor loses an answer. Decides nothing: the hub's conversation core serves it.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clawmux import __version__
from clawmux.paths import locate
from clawmux.wire.errors import ERRORS, ClawMuxError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

# As in cli/client.py: a restart takes seconds, and a hub that answered for a while was alive.
RETRY_SECONDS = 60.0
ALIVE_SECONDS = 5.0
INSTRUCTIONS = (
    "Speak with the user through the converse tool: it says your message aloud and returns what they answered by voice. "
    "It may take many minutes; that is the user thinking. Keep messages short, without markdown."
)


def main(argv: list[str]) -> int:
    """Serve until stdin ends."""
    from clawmux.cli.arguments import Arguments

    Arguments("mcp", "Offer converse and status_check as an MCP server on stdin and stdout.").parse_args(argv)
    build_server(Hub.of(os.environ)).run("stdio")
    return 0


def build_server(hub: Hub) -> MCPServer[Any]:
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
    except ImportError:
        raise ClawMuxError(
            "missing_program", "the Python package mcp 2 is not installed.", "Run: pip install 'clawmux[mcp]'"
        ) from None
    server = MCPServer("clawmux", version=__version__, instructions=INSTRUCTIONS, log_level="WARNING")

    async def ask(request: dict[str, Any]) -> dict[str, Any]:
        try:
            return await hub.ask(request)
        except ClawMuxError as error:
            raise ToolError(f"{error.text} {error.remedy} (code: {error.code})") from None

    # The docstrings are what the agent reads.
    @server.tool(structured_output=False)
    async def converse(message: str, wait_for_response: bool = True, voice: str = "") -> str:
        """Say message to the user aloud; returns the words they answer, or nothing when wait_for_response is false.

        The voice is the one the user chose for this session; the argument is there for older callers.
        """
        request = {"type": "converse", "id": uuid.uuid4().hex, "message": message, "wait_for_response": wait_for_response}
        return str((await ask({**request, "voice": voice})).get("text") or "")

    @server.tool(structured_output=False)
    async def status_check() -> str:
        """Whether the hub answers and the user's page is connected."""
        return json.dumps(await ask({"type": "status_check", "id": uuid.uuid4().hex}))

    return server


class Hub:
    """One session's way to the hub."""

    def __init__(self, socket: Path, session_id: str, retry_seconds: float = RETRY_SECONDS) -> None:
        self._socket = socket
        self._url = "http://clawmux/mcp/" + quote(session_id, safe="")
        self._retry_seconds = retry_seconds

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Hub:
        socket = environ.get("CLAWMUX_SOCKET") or str(locate(environ).hub_socket)
        return cls(Path(socket), environ.get("CLAWMUX_SESSION_ID") or environ.get("VOICE_HUB_SESSION_ID") or "-")

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The hub's answer. Raises its error, or ``hub_not_running`` when it is away at first or for too long."""
        loop = asyncio.get_running_loop()
        give_up, pause = 0.0, 0.1
        while True:
            started = loop.time()
            try:
                if answer := await self._ask_once(request):
                    return _checked(answer)
            except ConnectionError as error:
                if not give_up:
                    raise ClawMuxError(
                        "hub_not_running", f"the hub is not running ({error}).", "Start it with `clawmux start`."
                    ) from None
            now = loop.time()
            if not give_up or now - started > ALIVE_SECONDS:
                give_up, pause = now + self._retry_seconds, 0.1
            if now + pause > give_up:
                raise ClawMuxError(
                    "hub_not_running", "the hub went away and did not come back.", "Start it with `clawmux start`."
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def _ask_once(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None when the connection ended before it came. ``ConnectionError``: nobody listens."""
        import aiohttp

        connector = aiohttp.UnixConnector(str(self._socket))
        try:
            async with (
                aiohttp.ClientSession(connector=connector) as client,
                client.ws_connect(self._url, max_msg_size=1 << 24) as socket,
            ):
                await socket.send_json(request)
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT and (answer := _answer_in(message.data)):
                        return answer
        except aiohttp.WSServerHandshakeError as error:
            if error.status != ERRORS["hub_not_running"].http_status:
                raise ClawMuxError(
                    _code_of(error.status), f"the hub refused {self._url} with {error.status}.", "See `clawmux logs`."
                ) from None
        except aiohttp.ClientConnectorError as error:
            raise ConnectionError(f"{self._socket}: {error.strerror}") from None
        except (aiohttp.ClientError, ConnectionError):
            pass
        return None


def _answer_in(text: str) -> dict[str, Any] | None:
    """The message, when it is an answer and not a remark on the way to it."""
    try:
        message = json.loads(text)
    except ValueError:
        raise ClawMuxError("internal", "the hub's answer is not JSON.", "See `clawmux logs`.") from None
    return message if isinstance(message, dict) and message.get("type") in ("converse_result", "status_result", "error") else None


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["type"] != "error":
        return answer
    code = answer.get("code")
    raise ClawMuxError(code if code in ERRORS else "internal", str(answer.get("text", "")), str(answer.get("remedy", "")))


def _code_of(status: int) -> str:
    return next((code for code, row in ERRORS.items() if row.http_status == status), "internal")
