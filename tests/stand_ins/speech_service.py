"""The speech service with nothing inside: tones for speech, the words of a fixed answer for any sound.

Run in place of ``clawmux speech``. Speaks 20 ms of tone a character; a turn in which any sample is loud has WORDS.
It notes language and silence of each turn in the file ``asked`` beside its socket.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import struct
import time
import zlib
from pathlib import Path

from aiohttp import WSMsgType, web

WORDS = "the answer"
RATE = 24000
LOUD = 1000
NOTES = web.AppKey("notes", Path)


def tone(voice: str, begin: int, end: int) -> bytes:
    """PCM16 of those samples; each voice has a pitch of its own."""
    pitch = 0.05 + zlib.crc32(voice.encode()) % 97 / 500
    return struct.pack(f"<{end - begin}h", *(round(8000 * math.sin(i * pitch)) for i in range(begin, end)))


async def health(request: web.Request) -> web.Response:
    return web.json_response({"ok": True, "state": "ready", "reason": "", "vad": True})


async def speech(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    response = web.StreamResponse()
    await response.prepare(request)
    samples = round(RATE // 50 * len(body["input"]) / body.get("speed", 1.0))
    for start in range(0, samples, RATE // 10):
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
        notes.write(f"{start['language']} {start['silence_seconds']}\n")
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
        if ended or (heard and start["mode"] == "auto" and quiet >= start["silence_seconds"]):
            await socket.send_json({"type": "speech_ended", "at_ms": 0})
            await socket.send_json({"type": "final_text", "text": WORDS if heard else "", "audio_ms": 0, "stt_ms": 0})
            break
    return socket


async def serve(socket: str) -> None:
    app = web.Application()
    app[NOTES] = Path(socket).with_name("asked")
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
    await web.UnixSite(runner, socket).start()
    await asyncio.to_thread(outlive, os.getppid())


def outlive(parent: int) -> None:
    """Return when the process that started us has gone."""
    while os.getppid() == parent:
        time.sleep(0.5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket")
    parser.add_argument("--parent-pid")
    asyncio.run(serve(parser.parse_args().socket))
