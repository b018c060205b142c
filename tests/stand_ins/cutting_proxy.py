"""A TCP proxy whose cable can be pulled: connections stay open and say nothing, new ones hang, until it is mended."""

from __future__ import annotations

import asyncio
import contextlib


class CuttingProxy:
    def __init__(self, port: int) -> None:
        self._to = port
        self._whole = asyncio.Event()
        self._whole.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> CuttingProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._drop()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """From here on nothing passes."""
        self._whole.clear()

    def mend(self) -> None:
        """New connections pass again; those of before are as dead as a router that forgot them leaves them."""
        self._drop()
        self._whole.set()

    def _drop(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await self._whole.wait()
        hub_reader, hub_writer = await asyncio.open_connection("127.0.0.1", self._to)
        try:
            await asyncio.gather(self._carry(reader, hub_writer), self._carry(hub_reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for end in (writer, hub_writer):
                with contextlib.suppress(Exception):
                    end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._whole.wait()
            writer.write(data)
            await writer.drain()
        writer.close()
