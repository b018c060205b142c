"""The stand-in hub's socket: hello and welcome, the turns of the microphone, speech in frames at a pace."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from clawmux.wire.frames import FIRST, LAST, MICROPHONE, SPEECH, Frame, decode_frame, encode_frame
from tests.stand_ins.page_rows import Message

if TYPE_CHECKING:
    from tests.stand_ins.page_hub import PageHub

RATE = 24000
CHUNK_SAMPLES = 2400


@dataclass(slots=True)
class Speech:
    """A stream as the hub keeps it until the page has heard it."""

    session_id: str
    msg_id: str
    slot: int
    pcm: bytes
    chunk_seconds: float
    text: str = ""
    done: bool = False
    restart_at: int | None = None
    """Where to go on after a reconnect, when that is not where the page is."""


@dataclass(slots=True)
class Turn:
    """What arrived of a turn, per announcement."""

    opened: list[Message] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)

    @property
    def pcm(self) -> bytes:
        return b"".join(frame.payload for frame in self.frames)


class PageSocket:
    """Every page that is connected, and what is under way to it."""

    def __init__(self, hub: PageHub) -> None:
        self.hub = hub
        self._slots: dict[int, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if self.hub.refuses:
            raise web.HTTPServiceUnavailable
        if not self.hub.door.is_signed_in(request):
            raise web.HTTPUnauthorized
        socket = web.WebSocketResponse(compress=False, protocols=("clawmux",))
        await socket.prepare(request)
        client = ""
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await self._frame(decode_frame(message.data))
            elif message.type is WSMsgType.TEXT:
                body = message.json()
                self.hub.received.append({**body, "_at": time.monotonic(), "_client": client})
                if body["type"] == "hello":
                    client = body["client"]
                    await self._hello(socket, body)
                else:
                    await self._take(body, client)
                await self.hub.notify()
        if self.hub.sockets.get(client) is socket:
            del self.hub.sockets[client]
        return socket

    async def _hello(self, socket: web.WebSocketResponse, hello: Message) -> None:
        client, last = hello["client"], hello["last"]
        self.hub.sockets[client], self.hub.devices[client] = socket, hello["device"]
        settings = {"auto_listen": True, "silence_seconds": 1.2, "speed": 1.0, "runtime": self.hub.usual_runtime}
        start = len(self.hub.events) + 1 if last is None else last + 1
        now = time.time() + self.hub.ahead_seconds
        welcome = {"type": "welcome", "v": 2, "events_from": start, "server": "test", "now": now, "client": client}
        if self.hub.built is not None:
            welcome["build"] = self.hub.built.build
        await socket.send_json({**welcome, "settings": settings, "speech": self.hub.speech_state})
        for event in self.hub.events[start - 1 :]:
            await socket.send_json(event)
        await socket.send_json({"type": "session_list", "sessions": self.hub.sessions})
        self.hub.owner = self.hub.owner or client
        await self.tell_owner()
        if client == self.hub.owner:
            for stream, speech in self.hub.speeches.items():
                held = hello["streams"].get(stream, {"received": 0, "done": False})
                if not speech.done and not held["done"]:
                    self.carry(stream, held["received"] if speech.restart_at is None else speech.restart_at)

    async def _take(self, body: Message, client: str) -> None:
        kind = body["type"]
        if kind == "ping":
            if self.hub.answers_pings:
                await self.hub.send({"type": "pong"}, client)
        elif kind == "audio_owner":
            self.hub.owner = client
            await self.tell_owner()
        elif kind == "mic_open":
            self.hub.owner = client
            self.hub.turns.setdefault(body["turn"], Turn()).opened.append(body)
            self.hub.turns[body["turn"]].frames.clear()
            self._slots[body["slot"]] = body["turn"]
        elif kind == "playback_done" and body["stream"] in self.hub.speeches:
            self.hub.speeches[body["stream"]].done = True
        elif kind == "text":
            reason = self.hub.refuses_text
            state = "refused" if reason else "delivered"
            await self.hub.send({"type": "text_ack", "id": body["id"], "state": state, "reason": reason}, client)
            if reason:
                return
            words = {"session_id": body["session_id"], "msg_id": body["id"], "text": body["text"], "via": "typed"}
            await self.hub.send({"type": "user_text", **words})

    async def _frame(self, frame: Frame) -> None:
        assert frame.kind == MICROPHONE
        turn = self.hub.turns[self._slots[frame.slot]]
        assert frame.seq == len(turn.frames), "a frame is missing or came twice"
        turn.frames.append(frame)
        await self.hub.notify()

    def carry(self, stream: str, offset: int) -> None:
        async def send() -> None:
            with contextlib.suppress(ConnectionError):  # the test cut the connection
                await self._send_speech(stream, offset)

        task = asyncio.get_running_loop().create_task(send())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_speech(self, stream: str, offset: int) -> None:
        speech = self.hub.speeches[stream]
        socket = self.hub.sockets[self.hub.owner or ""]
        words = {"session_id": speech.session_id, "msg_id": speech.msg_id, "stream": stream, "slot": speech.slot}
        samples = len(speech.pcm) // 2
        start = {
            "type": "speech_start",
            **words,
            "text": speech.text,
            "rate": RATE,
            "est_ms": samples * 1000 // RATE,
            "offset": offset,
        }
        await socket.send_json(start)
        for at in range(offset, samples, CHUNK_SAMPLES):
            piece = speech.pcm[2 * at : 2 * (at + CHUNK_SAMPLES)]
            flags = (FIRST if at == offset else 0) | (LAST if at + CHUNK_SAMPLES >= samples else 0)
            if socket.closed or speech.done:
                return
            clock_ms = time.monotonic() * 1000
            await socket.send_bytes(encode_frame(Frame(SPEECH, flags, speech.slot, at // CHUNK_SAMPLES, clock_ms, piece)))
            await asyncio.sleep(speech.chunk_seconds)  # the pace of synthesis
        await socket.send_json({"type": "speech_end", "stream": stream, "samples": samples})

    async def tell_owner(self) -> None:
        owner = self.hub.owner
        await self.hub.send({"type": "audio_owner", "client": owner, "device": self.hub.devices.get(owner or "", "")})
