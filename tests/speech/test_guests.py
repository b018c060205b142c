"""The TCP door of the speech service: nobody holds it up by saying half of something, or nothing, often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from clawmux.adapters.speech.engines import Config, Engines
from clawmux.adapters.speech.guests import Limits, tcp_door
from clawmux.adapters.speech.server import build_app
from tests.speech.conftest import TOKEN
from tests.stand_ins.speech_engines import TINY, Files, loaders

WHOLE = f"GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
SHORT = Limits(header_seconds=0.3, idle_seconds=0.6, connections=3)


@asynccontextmanager
async def door(limits: Limits) -> AsyncIterator[int]:
    runner = web.AppRunner(build_app(Engines(Config(), Files(*TINY), loaders()), TOKEN), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    async with tcp_door(runner, "127.0.0.1", 0, None, limits) as names:
        yield names[0][1]
    await runner.cleanup()


async def ends(reader: asyncio.StreamReader, seconds: float = 5.0) -> bytes:
    """What came until the other side closed."""
    try:
        return await asyncio.wait_for(reader.read(), seconds)
    except ConnectionResetError:
        return b""


async def answered(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(WHOLE)
    line = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    return line


async def test_a_header_that_drips_is_cut() -> None:
    async with door(Limits(header_seconds=0.3)) as port:
        for before in (b"", WHOLE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(before)
            ended = asyncio.create_task(ends(reader))
            for byte in WHOLE:
                if ended.done():
                    break
                writer.write(bytes([byte]))
                await asyncio.sleep(0.05)
            assert ended.done() and (await ended).count(b"HTTP/1.1 200 ") == bool(before)


async def test_who_says_nothing_is_let_go_before_and_after_a_request() -> None:
    async with door(SHORT) as port:
        silent, _ = await asyncio.open_connection("127.0.0.1", port)
        assert await ends(silent) == b""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WHOLE)
        assert (await ends(reader)).startswith(b"HTTP/1.1 200 ")


async def test_one_that_asks_again_and_again_stays() -> None:
    async with door(SHORT) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(5):
            writer.write(WHOLE)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert head.startswith(b"HTTP/1.1 200 ")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.partition(b":")[2]))
            await asyncio.sleep(0.25)
        writer.close()


async def test_when_all_places_are_taken_the_oldest_that_asks_for_nothing_makes_room() -> None:
    async with door(Limits(connections=3)) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert (await answered(port)).startswith(b"HTTP/1.1 200 ")
        assert await ends(idle[0][0]) == b""
        for _, writer in idle:
            writer.close()
