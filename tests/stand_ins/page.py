"""A page without a browser: speaks the extension on ``/ws``, hears faster than real time, talks from a recording.

It keeps what a page keeps (streams by offset, turns until they are settled) and comes back after a break as a page does.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Any

import aiohttp

from clawmux.wire.frames import FIRST, LAST, MICROPHONE, Frame, decode_frame, encode_frame

FRAME_SAMPLES = 512
Event = dict[str, Any]


class StandInPage:
    """``answers`` gives the recording (PCM16, 16 kHz) to say when a session listens, or None to stay silent."""

    def __init__(
        self,
        url: str,
        token: str,
        answers: Callable[[str], bytes | None] = lambda session_id: None,
        client: str = "",
        speed: float = 20.0,
    ) -> None:
        self.url = url
        self.token = token
        self.answers = answers
        self.client = client or secrets.token_hex(8)
        self.speed = speed
        """How many times faster than real time it hears and talks."""
        self.auto = True
        self.muted = False
        self.review = False
        self.last: int | None = None
        self.events: list[Event] = []
        """Numbered events, in the order they came."""
        self.moments: list[Event] = []
        self.heard: dict[str, bytearray] = {}
        """stream -> samples it was given."""
        self.done: set[str] = set()
        self.breaks = 0
        self._finished: list[str] = []
        self._ends: dict[str, int] = {}
        self._slots: dict[int, str] = {}
        self._turns: dict[str, Event] = {}
        self._outbox: list[Event] = []
        self._arrived = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._speaking: set[asyncio.Task[None]] = set()
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> StandInPage:
        self._session = aiohttp.ClientSession()
        self._task = asyncio.create_task(self._live())
        await self.until(lambda: self.moment("welcome") is not None)
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [t for t in (self._task, *self._speaking) if t is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    # -- what a test asks --

    async def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Wait until something that came makes the condition true; its value."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(condition)
        return condition()

    def moment(self, kind: str, **facts: Any) -> Event | None:
        return next((m for m in reversed(self.moments) if m["type"] == kind and facts.items() <= m.items()), None)

    def texts(self, kind: str) -> list[str]:
        return [event["text"] for event in self.events if event["type"] == kind]

    def played(self, stream: str) -> list[str]:
        """The stream once for each time it was played to its end."""
        return [done for done in self._finished if done == stream]

    async def say(self, message: Event) -> None:
        if self._socket is None or self._socket.closed:
            self._outbox.append(message)
            return
        await self._socket.send_json(message)

    async def cut(self) -> None:
        """The network breaks; the page comes back by itself."""
        if self._socket is not None:
            await self._socket.close()

    async def talk(self, session_id: str, pcm: bytes, why: str = "tap", close: bool = False) -> str:
        """Open a turn and say the recording; returns the turn's id."""
        turn = secrets.token_hex(8)
        self._turns[turn] = {"session_id": session_id, "pcm": pcm, "why": why, "close": close, "ended": False}
        self._start(self._talk(turn))
        return turn

    # -- one life --

    async def _live(self) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError):
                await self._connect()
            self.breaks += 1
            await asyncio.sleep(0.1)

    async def _connect(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._session.ws_connect(f"{self.url}/ws", headers=headers, max_msg_size=0) as socket:
            streams = {s: {"received": len(p) // 2, "done": s in self.done} for s, p in self.heard.items()}
            hello: Event = {
                "type": "hello",
                "v": 2,
                "client": self.client,
                "device": "stand-in",
                "muted": self.muted,
                "auto": self.auto,
                "marks": True,
            }
            await socket.send_json({**hello, "last": self.last, "streams": streams, "turns": list(self._turns)})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    await self._receive(socket, message.json())
                elif message.type is aiohttp.WSMsgType.BINARY:
                    await self._receive_frame(message.data)
        self._socket = None

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse, message: Event) -> None:
        kind = message["type"]
        if "n" in message:
            self.last = message["n"]
            self.events.append(message)
        else:
            self.moments.append(message)
        if kind == "welcome":
            self._socket = socket
            for waiting in self._outbox:
                await socket.send_json(waiting)
            self._outbox.clear()
            for held_turn in list(self._turns):
                self._start(self._talk(held_turn))
        elif kind == "speech_start":
            held = self.heard.setdefault(message["stream"], bytearray(message["offset"] * 2))
            assert message["offset"] * 2 <= len(held), "a stream must not leave a gap"
            del held[message["offset"] * 2 :]
            self._slots[message["slot"]] = message["stream"]
            await self.say({"type": "playback_started", "stream": message["stream"]})
        elif kind == "speech_end":
            self._ends[message["stream"]] = message["samples"]
        elif kind == "speech_cancel":
            self.done.add(message["stream"])
        elif kind == "turn_end" and (turn := self._turns.get(message["turn"])):
            turn["ended"] = True
        elif kind == "turn_done":
            self._turns.pop(message["turn"], None)
        elif kind == "listening" and message["auto"] and (pcm := self.answers(message["session_id"])) is not None:
            await self.talk(message["session_id"], pcm, "auto")
        async with self._arrived:
            self._arrived.notify_all()

    async def _receive_frame(self, data: bytes) -> None:
        frame = decode_frame(data)
        stream = self._slots[frame.slot]
        held = self.heard[stream]
        held += frame.payload
        async with self._arrived:
            self._arrived.notify_all()
        await asyncio.sleep(len(frame.payload) / 48000 / self.speed)
        await self.say({"type": "playback_progress", "stream": stream, "ms": len(held) / 48})
        if frame.flags & LAST and stream not in self.done:
            self.done.add(stream)
            self._finished.append(stream)
            await self.say({"type": "playback_done", "session_id": "", "stream": stream, "ms": len(held) / 48, "why": "ended"})

    async def _talk(self, turn_id: str) -> None:
        """All frames of a turn from the first, then its end if it has one; stops when the hub has heard enough."""
        turn, socket = self._turns[turn_id], self._socket
        slot = int(turn_id[:4], 16)
        opened = {"type": "mic_open", "session_id": turn["session_id"], "turn": turn_id, "slot": slot, "why": turn["why"]}
        opened = {**opened, "review": self.review}
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):
            await self.say(opened)
            size = FRAME_SAMPLES * 2
            for seq, at in enumerate(range(0, len(turn["pcm"]), size)):
                if turn_id not in self._turns or self._socket is not socket or socket is None or turn["ended"]:
                    break
                payload = turn["pcm"][at : at + size]
                flags = FIRST if seq == 0 else 0
                await socket.send_bytes(encode_frame(Frame(MICROPHONE, flags, slot, seq, 0.0, payload)))
                await asyncio.sleep(FRAME_SAMPLES / 16000 / self.speed)
            if turn_id in self._turns and (turn["close"] or turn["ended"]):
                await self.say({"type": "mic_close", "turn": turn_id, "why": "send"})

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._speaking.add(task)
        task.add_done_callback(self._speaking.discard)
