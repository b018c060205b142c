"""A hub process with the real service around it and next to nothing inside. Run as a script in place of ``clawmux``.

Answers /api/open and /api/stop on the unix socket and holds the port. ``HUB_PROCESS`` in the environment makes it
misbehave: ``fails`` (an exception before it is ready), ``vanishes`` (ends without a word), ``deaf`` (does not stop
when asked).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable

from clawmux import settings as declared
from clawmux.hub import service
from clawmux.paths import Paths, locate
from clawmux.settings import Settings
from clawmux.wire.errors import ClawMuxError

FAULT = os.environ.get("HUB_PROCESS", "")


async def serve(settings: Settings, paths: Paths, on_ready: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if FAULT == "fails":
        raise RuntimeError("no luck today")
    if FAULT == "vanishes":
        os._exit(9)
    page = await asyncio.start_server(lambda reader, writer: writer.close(), settings.hub_host, settings.hub_port)
    url = f"http://clawmux.localhost:{page.sockets[0].getsockname()[1]}"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.read(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0))
        body = json.dumps({"url": f"{url}/#k=one-time"}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()
        if b"/api/stop" in head and FAULT != "deaf":
            stop.set()

    await asyncio.start_unix_server(answer, str(paths.hub_socket))
    on_ready(url)
    await stop.wait()


def main(argv: list[str]) -> int:
    assert argv[:3] == ["start", "--foreground", "--ready-fd"], argv
    overrides = {"hub.port": argv[5]} if argv[4:5] == ["--port"] else {}
    paths = locate()
    try:
        service.run_detached(declared.load(paths.config_file, overrides=overrides), paths, int(argv[3]), serve)
    except ClawMuxError as error:
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
