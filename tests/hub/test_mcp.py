"""``clawmux mcp`` as an agent runs it: the SDK's own client over stdin and stdout, a real hub behind."""

from __future__ import annotations

import sys

from mcp import StdioServerParameters
from mcp.client.session import ClientSession
from mcp.client.stdio import stdio_client

from tests.live_hub import ROOT, LiveHub
from tests.stand_ins.page import StandInPage
from tests.stand_ins.speech_service import WORDS

LOUD = b"\x00\x40" * 8000 + bytes(64000)


async def test_the_tools_reach_the_same_conversation(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token, lambda session_id: LOUD) as page:
        sky = await hub.spawn()
        environ = {**hub.environ, "CLAWMUX_SESSION_ID": sky}
        server = StdioServerParameters(command=sys.executable, args=["-m", "clawmux", "mcp"], env=environ, cwd=str(ROOT))
        async with stdio_client(server) as (read, write), ClientSession(read, write) as client:
            await client.initialize()
            assert {tool.name for tool in (await client.list_tools()).tools} == {"converse", "status_check"}
            answer = await client.call_tool("converse", {"message": "What next?"})
            assert [getattr(part, "text", "") for part in answer.content] == [WORDS]
            status = await client.call_tool("status_check", {})
            assert '"connected": true' in getattr(status.content[0], "text", "")
        assert page.texts("assistant_text") == ["What next?"]
