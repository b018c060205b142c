"""The speech service with nothing inside: tones for speech, the words of a fixed answer for any sound.

Run in place of ``clawmux speech``. Speaks 20 ms of tone a character; a turn in which any sample is loud has WORDS.
It notes language, silence and quality of each turn in the file ``asked`` beside its socket, and in ``served`` the tier that began
and ended each piece of work. ``behaviour.json`` there says how a tier behaves: ``{"low": {"dies_seconds": 0.5}}``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import WSMsgType, web

from clawmux.tiers import TIERS
from clawmux.wire.words import Tier

WORDS = "the answer"
RATE = 24000
LOUD = 1000
NOTES = web.AppKey("notes", Path)


@dataclass(frozen=True)
class Behaviour:
    """How the service of one tier behaves."""

    loads_seconds: float = 0.0
    state: str = "ready"
    """What it comes to when it has loaded."""
    reason: str = ""
    is_substitute: bool = False
    dies_seconds: float = 0.0
    """It ends by itself after so long."""
    pause_seconds: float = 0.0
    """Before each tenth of a second of speech."""


TIER = web.AppKey("tier", str)
BEHAVIOUR = web.AppKey("behaviour", Behaviour)
STARTED = web.AppKey("started", float)


@contextlib.contextmanager
def noted(request: web.Request, what: str) -> Iterator[None]:
    """A piece of work in the file ``served``: its beginning, and its end when it came to it."""
    file = request.app[NOTES].with_name("served")
    with file.open("a") as notes:
        notes.write(f"{request.app[TIER]} begins {what}\n")
    yield
    with file.open("a") as notes:
        notes.write(f"{request.app[TIER]} ends {what}\n")


def tone(voice: str, begin: int, end: int) -> bytes:
    """PCM16 of those samples; each voice has a pitch of its own."""
    pitch = 0.05 + zlib.crc32(voice.encode()) % 97 / 500
    return struct.pack(f"<{end - begin}h", *(round(8000 * math.sin(i * pitch)) for i in range(begin, end)))


async def health(request: web.Request) -> web.Response:
    behaves = request.app[BEHAVIOUR]
    is_loading = time.monotonic() - request.app[STARTED] < behaves.loads_seconds
    state = "loading" if is_loading else behaves.state
    told = {"state": state, "reason": behaves.reason, "is_substitute": behaves.is_substitute}
    told |= {"model": TIERS[Tier(request.app[TIER])].model, "device": "cpu"}
    return web.json_response({"ok": state == "ready", **told, "vad": True, "quality": request.app[TIER]})


async def speech(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    response = web.StreamResponse()
    await response.prepare(request)
    samples = round(RATE // 50 * len(body["input"]) / body.get("speed", 1.0))
    with noted(request, body["input"]):
        for start in range(0, samples, RATE // 10):
            await asyncio.sleep(request.app[BEHAVIOUR].pause_seconds)
            await response.write(tone(body["voice"], start, min(start + RATE // 10, samples)))
    await response.write_eof()
    return response


async def transcriptions(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response({"text": WORDS})


async def listen(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    start = await socket.receive_json()
    with request.app[NOTES].open("a") as notes:
        notes.write(f"{start['language']} {start['silence_seconds']} {start.get('quality', '')}".rstrip() + "\n")
    await socket.send_json({"type": "ready"})
    heard, quiet, told = False, 0.0, False
    async for message in socket:
        ended = message.type is WSMsgType.TEXT
        if message.type is WSMsgType.BINARY:
            samples = struct.unpack(f"<{len(message.data) // 2}h", message.data)
            loud = any(abs(s) > LOUD for s in samples)
            if loud and not told:
                told = heard = True
                await socket.send_json({"type": "speech_started", "at_ms": 0})
                await socket.send_json({"type": "partial_text", "text": WORDS, "stable": False})
            quiet = 0.0 if loud else quiet + len(samples) / 16000
        if ended or (heard and start["mode"] != "manual" and quiet >= start["silence_seconds"]):
            await socket.send_json({"type": "speech_ended", "at_ms": 0})
            await socket.send_json({"type": "final_text", "text": WORDS if heard else "", "audio_ms": 0, "stt_ms": 0})
            break
    return socket


async def serve(socket: Path, tier: str) -> None:
    app = web.Application()
    app[NOTES] = socket.with_name("asked")
    app[TIER], app[BEHAVIOUR], app[STARTED] = tier, behaviour_of(socket.with_name("behaviour.json"), tier), time.monotonic()
    app.add_routes(
        [
            web.get("/health", health),
            web.post("/v1/audio/speech", speech),
            web.post("/v1/audio/transcriptions", transcriptions),
            web.get("/v1/listen", listen),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    if dies_seconds := app[BEHAVIOUR].dies_seconds:
        asyncio.get_running_loop().call_later(dies_seconds, os.abort)
    await asyncio.to_thread(outlive, os.getppid())


def behaviour_of(file: Path, tier: str) -> Behaviour:
    return Behaviour(**json.loads(file.read_text()).get(tier, {})) if file.exists() else Behaviour()


def outlive(parent: int) -> None:
    """Return when the process that started us has gone."""
    while os.getppid() == parent:
        time.sleep(0.5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", type=Path)
    parser.add_argument("--quality")
    parser.add_argument("--parent-pid")
    given = parser.parse_args()
    asyncio.run(serve(given.socket, given.quality))
