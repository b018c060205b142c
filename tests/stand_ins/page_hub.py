"""A hub as the page sees it: the routes, the socket and the binary frames of the contract, driven by a test.

It makes no speech and starts no agents; a test says what is spoken and looks at what the page sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import WSMsgType, web

from clawmux import settings, settings_table
from clawmux.adapters.store import searched
from clawmux.hub.guard import HEADERS, SECRET_PARAMETERS
from clawmux.hub.phone_routes import qr_svg
from clawmux.wire.browser import DURABLE_TO_PAGE
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.frames import FIRST, LAST, MICROPHONE, SPEECH, Frame, decode_frame, encode_frame
from clawmux.wire.voices import VOICES

STATIC = Path(__file__).parents[2] / "static"
TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".svg": "image/svg+xml"}
RATE = 24000
CHUNK_SAMPLES = 2400
WAIT_SECONDS = 20.0

Message = dict[str, Any]


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


class PageHub:
    """``async with PageHub() as hub``: listens on a free port of loopback, ``hub.url`` opens its page."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.key = "one-time-key"
        self.csrf = secrets.token_hex(8)
        self.cookies: set[str] = set()
        self.sessions: list[Message] = [session("af_sky", dir="/home/ann/billing-api")]
        self.events: list[Message] = []
        self.received: list[Message] = []
        self.requests: list[tuple[str, str, Any]] = []
        self.turns: dict[str, Turn] = {}
        self.speeches: dict[str, Speech] = {}
        self.speech_state: Message = {"state": "ready", "reason": "Tiny quality on this machine"}
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.devices: dict[str, str] = {}
        self.owner: str | None = None
        self.refuses = False
        self.answers_pings = True
        self.refuses_text = ""
        self.refuses_spawn: dict[str, str] = {}
        self.settings = settings.Settings()
        self.usual_runtime = ""
        self.refuses_settings: dict[str, str] = {}
        self.tiers: Message = {}
        """What GET /api/tiers answers besides how speech stands; a test that opens the settings gives it."""
        self.phone: Message = phone()
        """How other devices get in, as GET /api/phone shows it."""
        self.paired: list[Message] = []
        """The devices that are in."""
        self.refuses_way: dict[str, str] = {}
        self.messages: dict[str, Message] = {}
        """Messages between agents by id, oldest first, as GET /api/messages shows them."""
        self.steps: dict[str, list[Message]] = {}
        self.changes: Message = {"repository": "/home/ann/billing-api", "branch": "main", "why": "", "files": [], "more": False}
        """What GET /api/sessions/{id}/changes answers, for every agent."""
        self.debug: Message = DEBUG
        """What GET /api/debug answers."""
        self.patches: dict[str, Message] = {}
        """The lines of a changed file, by its key."""
        self.ahead_seconds = 0.0
        """How far the hub's clock is before the page's."""
        self.refuses_message: dict[str, str] = {}
        self.slow_words = ""
        """A search for these words is answered only when the test says so."""
        self.refuses_decision: dict[str, str] = {}
        self.holds_interrupt = asyncio.Event()
        """Set: an interrupt is answered; a test that wants to see one under way clears it."""
        self.holds_interrupt.set()
        self._slots: dict[int, str] = {}
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiters = 0

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/static/{path:.+}", self._file),
                web.get("/blank", self._blank),
                web.get("/ws", self._socket),
                web.post("/api/login", self._login),
                web.get("/api/session", self._session),
                web.get("/api/health", self._health),
                web.get("/api/history", self._history),
                web.get("/api/history/export", self._export),
                web.get("/api/voices", self._voices),
                web.get("/api/runtimes", self._runtimes),
                web.get("/api/settings", self._get_settings),
                web.put("/api/settings", self._put_settings),
                web.get("/api/tiers", self._tiers),
                web.get("/api/phone", self._phone),
                web.post("/api/phone", self._way),
                web.post("/api/phone/code", self._code),
                web.get("/api/devices", self._devices),
                web.delete("/api/devices/{id}", self._revoke),
                web.post("/api/sessions", self._spawn),
                web.delete("/api/sessions/{id}", self._kill),
                web.put("/api/sessions/{id}/voice", self._voice),
                web.post("/api/sessions/{id}/interrupt", self._interrupt),
                web.post("/api/sessions/{id}/permission", self._permission),
                web.get("/api/sessions/{id}/changes", self._changes),
                web.get("/api/sessions/{id}/changes/file", self._patch),
                web.get("/api/debug", self._debug),
                web.get("/api/messages", self._messages),
                web.post("/api/messages", self._send),
                web.get("/api/messages/{id}", self._message),
                web.post("/api/messages/{id}/cancel", self._cancel),
            ]
        )
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, 0)
        await site.start()
        self.port: int = self._runner.addresses[0][1]
        self.origin = f"http://{'clawmux.localhost' if self.host == '127.0.0.1' else self.host}:{self.port}"
        self.url = f"{self.origin}/?test=1#k={self.key}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.drop()
        await self._runner.cleanup()

    # -- what a test does --

    async def send(self, message: Message, client: str | None = None) -> None:
        """To one page, or to all; with ``n`` when the type is one of those that are kept."""
        if message["type"] in DURABLE_TO_PAGE:
            message = {**message, "n": len(self.events) + 1, "ts": time.time()}
            self.events.append(message)
        for name, socket in list(self.sockets.items()):
            if client in (None, name) and not socket.closed:
                await socket.send_json(message)

    async def speech(self, **changes: Any) -> None:
        """How speech stands from now on."""
        self.speech_state = {**self.speech_state, **changes}
        await self.send({"type": "speech_state", **self.speech_state})

    async def status(self, session_id: str, **changes: Any) -> None:
        row = next(row for row in self.sessions if row["id"] == session_id)
        row.update(changes)
        await self.send({"type": "session_status", "session_id": session_id, "status": row["state"], "session": row})

    async def say(
        self, session_id: str, text: str, pcm: bytes = b"", *, question: bool = False, chunk_seconds: float = 0.02
    ) -> str:
        """Text, then its speech to the page that owns the sound. Returns the stream's id."""
        msg_id = f"m{len(self.events) + 1}"
        await self.send(
            {"type": "assistant_text", "session_id": session_id, "msg_id": msg_id, "text": text, "question": question}
        )
        if not pcm:
            return ""
        stream = f"s-{msg_id}-{len(self.speeches)}"
        self.speeches[stream] = Speech(session_id, msg_id, len(self.speeches) + 1, pcm, chunk_seconds, text)
        self._carry(stream, 0)
        return stream

    async def message(self, message_id: str, step: str = "", detail: str = "", **changes: Any) -> Message:
        """A message between agents is new or has come further, with its line in the conversations when it is new."""
        is_new = message_id not in self.messages
        view = {**(message(message_id) if is_new else self.messages[message_id]), **changes}
        view["changed"] = view["created"] if is_new else view["changed"] + 1
        self.messages[message_id] = view
        words = {"ts": view["changed"], "step": step or view["state"], "detail": detail}
        self.steps.setdefault(message_id, []).append(words)
        if is_new:
            for side, other, direction in (("from", "to", "out"), ("to", "from", "in")):
                line = {"msg_id": message_id, "direction": direction, "text": view["text"], "re": view["re"]}
                if view[side] != "user":
                    peer = {"peer": view[other], "peer_name": view[f"{other}_name"]}
                    await self.send({"type": "agent_message", "session_id": view[side], **line, **peer})
        await self.send({"type": "message", "message": view})
        return view

    async def hurry(self) -> None:
        """The slow search is answered."""
        self.slow_words = ""
        await self._notify()

    async def drop(self) -> None:
        """Cut every connection, as a network does."""
        for socket in list(self.sockets.values()):
            if socket._req is not None and socket._req.transport is not None:
                socket._req.transport.abort()
        self.sockets.clear()
        await self._notify()

    async def expect(self, what: str | Callable[[Message], bool], count: int = 1, seconds: float = WAIT_SECONDS) -> Message:
        """The ``count``-th message of that kind, waiting for it."""
        matches = what if callable(what) else (lambda message: message["type"] == what)
        await self.until(lambda: len([m for m in self.received if matches(m)]) >= count, f"{what} x{count}", seconds)
        return [m for m in self.received if matches(m)][count - 1]

    async def until(self, condition: Callable[[], object], what: str = "", seconds: float = WAIT_SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            kinds = [message["type"] for message in self.received]
            raise AssertionError(f"waited {seconds} s for {what or condition}; the page said {kinds}") from None

    def all(self, kind: str) -> list[Message]:
        return [message for message in self.received if message["type"] == kind]

    # -- the socket --

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self.refuses:
            raise web.HTTPServiceUnavailable
        if not self._is_signed_in(request):
            raise web.HTTPUnauthorized
        socket = web.WebSocketResponse(compress=False, protocols=("clawmux",))
        await socket.prepare(request)
        client = ""
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await self._frame(decode_frame(message.data))
            elif message.type is WSMsgType.TEXT:
                body = message.json()
                self.received.append({**body, "_at": time.monotonic(), "_client": client})
                if body["type"] == "hello":
                    client = body["client"]
                    await self._hello(socket, body)
                else:
                    await self._take(body, client)
                await self._notify()
        if self.sockets.get(client) is socket:
            del self.sockets[client]
        return socket

    async def _hello(self, socket: web.WebSocketResponse, hello: Message) -> None:
        client, last = hello["client"], hello["last"]
        self.sockets[client], self.devices[client] = socket, hello["device"]
        settings = {"auto_listen": True, "silence_seconds": 1.2, "speed": 1.0, "runtime": self.usual_runtime}
        start = len(self.events) + 1 if last is None else last + 1
        now = time.time() + self.ahead_seconds
        welcome = {"type": "welcome", "v": 2, "events_from": start, "server": "test", "now": now, "client": client}
        await socket.send_json({**welcome, "settings": settings, "speech": self.speech_state})
        for event in self.events[start - 1 :]:
            await socket.send_json(event)
        await socket.send_json({"type": "session_list", "sessions": self.sessions})
        self.owner = self.owner or client
        await self._tell_owner()
        if client == self.owner:
            for stream, speech in self.speeches.items():
                held = hello["streams"].get(stream, {"received": 0, "done": False})
                if not speech.done and not held["done"]:
                    self._carry(stream, held["received"] if speech.restart_at is None else speech.restart_at)

    async def _take(self, body: Message, client: str) -> None:
        kind = body["type"]
        if kind == "ping":
            if self.answers_pings:
                await self.send({"type": "pong"}, client)
        elif kind == "audio_owner":
            self.owner = client
            await self._tell_owner()
        elif kind == "mic_open":
            self.owner = client
            self.turns.setdefault(body["turn"], Turn()).opened.append(body)
            self.turns[body["turn"]].frames.clear()
            self._slots[body["slot"]] = body["turn"]
        elif kind == "playback_done" and body["stream"] in self.speeches:
            self.speeches[body["stream"]].done = True
        elif kind == "text" and self.refuses_text:
            await self.send({"type": "text_ack", "id": body["id"], "state": "refused", "reason": self.refuses_text}, client)
        elif kind == "text":
            await self.send({"type": "text_ack", "id": body["id"], "state": "delivered", "reason": ""}, client)
            words = {"session_id": body["session_id"], "msg_id": body["id"], "text": body["text"], "via": "typed"}
            await self.send({"type": "user_text", **words})

    async def _frame(self, frame: Frame) -> None:
        assert frame.kind == MICROPHONE
        turn = self.turns[self._slots[frame.slot]]
        assert frame.seq == len(turn.frames), "a frame is missing or came twice"
        turn.frames.append(frame)
        await self._notify()

    def _carry(self, stream: str, offset: int) -> None:
        async def send() -> None:
            with contextlib.suppress(ConnectionError):  # the test cut the connection
                await self._send_speech(stream, offset)

        task = asyncio.get_running_loop().create_task(send())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_speech(self, stream: str, offset: int) -> None:
        speech = self.speeches[stream]
        socket = self.sockets[self.owner or ""]
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

    async def _tell_owner(self) -> None:
        await self.send({"type": "audio_owner", "client": self.owner, "device": self.devices.get(self.owner or "", "")})

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # -- the routes --

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        open_paths = ("/", "/blank", "/api/login", "/ws")
        if request.path not in open_paths and not request.path.startswith("/static/") and not self._is_signed_in(request):
            error = {"type": "error", "code": "unauthorized", "text": "Not signed in.", "remedy": "Run `clawmux open`."}
            return web.json_response(error, status=401, headers=HEADERS)
        if request.path.startswith("/api/") and request.method != "GET" and request.path != "/api/login":
            assert request.headers["X-CSRF-Token"] == self.csrf
            assert request.content_type == "application/json"
        assert not SECRET_PARAMETERS & set(request.query), "the hub refuses what looks like a secret in an address"
        response: web.StreamResponse = await handler(request)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    def _is_signed_in(self, request: web.Request) -> bool:
        return request.cookies.get("clawmux") in self.cookies

    async def _index(self, _: web.Request) -> web.Response:
        return web.Response(body=(STATIC / "index.html").read_bytes(), content_type="text/html", charset="utf-8")

    async def _file(self, request: web.Request) -> web.Response:
        file = STATIC / request.match_info["path"]
        if not file.is_file():
            raise web.HTTPNotFound
        content_type = TYPES.get(file.suffix)
        return web.Response(
            body=file.read_bytes(), content_type=content_type or {".css": "text/css"}.get(file.suffix, "image/png")
        )

    async def _blank(self, _: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>blank</title>", content_type="text/html")

    async def _login(self, request: web.Request) -> web.Response:
        if (await request.json()).get("key") != self.key:
            return web.json_response({"code": "unauthorized", "text": "That key was used or is wrong."}, status=401)
        self.key = ""
        cookie = secrets.token_hex(8)
        self.cookies.add(cookie)
        response = web.json_response({"csrf": self.csrf})
        response.set_cookie("clawmux", cookie, httponly=True, samesite="Strict")
        return response

    async def _session(self, _: web.Request) -> web.Response:
        return web.json_response({"csrf": self.csrf})

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _history(self, request: web.Request) -> web.Response:
        query = request.query
        limit = int(query.get("limit", "50"))
        ours = [event for event in self.events if event.get("session_id") == query["session_id"]]
        if "after" in query:
            entries = [event for event in ours if event["n"] > int(query["after"])]
            return web.json_response({"entries": entries[:limit], "more": len(entries) > limit})
        entries = [event for event in ours if event["n"] < int(query.get("before", len(self.events) + 1))]
        if words := searched(query.get("q", "")):
            found = [event for event in reversed(entries) if words in searched(str(event.get("text", event.get("items", ""))))]
            hits = [{"n": event["n"], "type": event["type"], "ts": event["ts"]} for event in found]
            return web.json_response({"hits": hits[:limit], "more": len(hits) > limit})
        return web.json_response({"entries": entries[-limit:], "more": len(entries) > limit})

    async def _export(self, request: web.Request) -> web.Response:
        ending = {"markdown": "md", "json": "json"}[request.query["format"]]
        headers = {"Content-Disposition": f'attachment; filename="clawmux-sky.{ending}"'}
        return web.Response(text="All of it.", content_type="text/plain", headers=headers)

    async def _voices(self, _: web.Request) -> web.Response:
        return web.json_response([dataclasses.asdict(VOICES[name]) for name in ("af_sky", "am_adam", "af_nova", "bm_fable")])

    async def _runtimes(self, _: web.Request) -> web.Response:
        claude = {"name": "claude", "title": "Claude Code", "available": False, "reason": "not installed"}
        return web.json_response([{"name": "demo", "title": "Demo agent", "available": True, "reason": ""}, claude])

    async def _get_settings(self, _: web.Request) -> web.Response:
        existing = {"agents.runtime": ("claude", "demo")}
        return web.json_response(settings_table.rows(self.settings, Path("none"), {}, existing))

    async def _put_settings(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append(("PUT", "/api/settings", body))
        await self._notify()
        try:
            values = {settings.FIELD_OF[name]: settings.check(name, value, "field") for name, value in body.items()}
        except ClawMuxError as error:
            return web.json_response(error.to_wire(), status=400)
        if self.refuses_settings:
            return web.json_response(self.refuses_settings, status=422)
        self.settings = dataclasses.replace(self.settings, **values)
        if "speech.quality" in body:
            await self.speech(wanted=body["speech.quality"])
        return await self._get_settings(request)

    async def _tiers(self, _: web.Request) -> web.Response:
        return web.json_response({**self.tiers, **self.speech_state})

    async def _phone(self, _: web.Request) -> web.Response:
        return web.json_response(self.phone)

    async def _way(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append(("POST", "/api/phone", body))
        if self.refuses_way:
            return web.json_response(self.refuses_way, status=409)
        self.phone = phone(body["way"])
        return web.json_response(self.phone)

    async def _code(self, request: web.Request) -> web.Response:
        self.requests.append(("POST", "/api/phone/code", await request.json()))
        link = f"{self.phone['url']}/#k=K7QD-4MPX"
        trust = {"certificate_svg": qr_svg("a certificate")} if self.phone["way"] == "lan" else {}
        made = {"url": self.phone["url"], "code": "K7QD-4MPX", "link": link, "seconds": 300.0, "svg": qr_svg(link)}
        return web.json_response({**made, **trust})

    async def _devices(self, _: web.Request) -> web.Response:
        return web.json_response(self.paired)

    async def _revoke(self, request: web.Request) -> web.Response:
        gone = request.match_info["id"]
        self.requests.append(("DELETE", request.path, None))
        self.paired = [device for device in self.paired if device["id"] != gone]
        await self.send({"type": "devices"})
        return web.json_response({"id": gone, "name": gone})

    async def _spawn(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append(("POST", "/api/sessions", body))
        if self.refuses_spawn:
            return web.json_response(self.refuses_spawn, status=503)
        row = session(body.get("voice", "am_adam"), state="starting")
        self.sessions.append(row)
        return web.json_response(row, status=201)

    async def _kill(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        self.requests.append(("DELETE", request.path, None))
        self.sessions = [row for row in self.sessions if row["id"] != name]
        await self.send({"type": "session_terminated", "session_id": name, "reason": "The owner ended it."})
        await self.send({"type": "session_list", "sessions": self.sessions})
        return web.json_response({"id": name})

    async def _voice(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append(("PUT", request.path, body))
        await self.status(request.match_info["id"], voice=body["voice"])
        return web.json_response(next(row for row in self.sessions if row["id"] == request.match_info["id"]))

    async def _interrupt(self, request: web.Request) -> web.Response:
        self.requests.append(("POST", request.path, await request.json()))
        await self._notify()
        await self.holds_interrupt.wait()
        return web.json_response({"id": request.match_info["id"], "interrupted": True})

    async def _permission(self, request: web.Request) -> web.Response:
        self.requests.append(("POST", request.path, await request.json()))
        await self._notify()
        if self.refuses_decision:
            return web.json_response(self.refuses_decision, status=409)
        return web.json_response({"id": request.match_info["id"]})

    async def _changes(self, request: web.Request) -> web.Response:
        self.requests.append(("GET", request.path, None))
        await self._notify()
        return web.json_response(self.changes)

    async def _debug(self, _: web.Request) -> web.Response:
        return web.json_response(self.debug)

    async def _patch(self, request: web.Request) -> web.Response:
        missing = {"code": "conflict", "text": "Its folder is not in a git repository.", "remedy": ""}
        found = self.patches.get(request.query["file"])
        return web.json_response(found or missing, status=200 if found else 409)

    async def _messages(self, request: web.Request) -> web.Response:
        """Newest first, before the message named ``before``."""
        query = request.query
        side, words = query.get("with", ""), query.get("q", "").lower()
        found = [m for m in self.messages.values() if not side or side in (m["from"], m["to"])]
        found = [m for m in reversed(found) if words in m["text"].lower()]
        if self.slow_words and words == self.slow_words:
            await self.until(lambda: not self.slow_words, "the end of the slow search")
        if before := query.get("before"):
            found = found[[m["id"] for m in found].index(before) + 1 :]
        limit = int(query.get("limit", "50"))
        return web.json_response({"messages": found[:limit], "more": len(found) > limit})

    async def _send(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.requests.append(("POST", request.path, body))
        await self._notify()
        if self.refuses_message:
            return web.json_response(self.refuses_message, status=409)
        to = [row for row in self.sessions if body["to"] == ["all"] or row["id"] in body["to"]]
        batch = f"all-{len(self.messages)}" if body["to"] == ["all"] else ""
        words = {"from": "user", "from_name": "user", "text": body["text"], "batch": batch}
        sent = [await self.message(f"msg-{len(self.messages) + 1}", **words, to=row["id"], to_name=row["name"]) for row in to]
        return web.json_response(sent, status=201)

    async def _message(self, request: web.Request) -> web.Response:
        view = self.messages.get(request.match_info["id"])
        if view is None:
            return web.json_response({"code": "not_found", "text": "There is no such message.", "remedy": ""}, status=404)
        return web.json_response({**view, "steps": self.steps[view["id"]]})

    async def _cancel(self, request: web.Request) -> web.Response:
        self.requests.append(("POST", request.path, await request.json()))
        return web.json_response(await self.message(request.match_info["id"], state="cancelled", held=""))


def phone(way: str = "off", tailscale: str = "up") -> Message:
    """How other devices get in, as the hub describes it."""
    urls = {"tailscale": "https://sky.tail1234.ts.net", "proxy": "https://voice.example", "lan": "https://192.168.1.20:3461"}
    url = urls.get(way, "")
    missing = ("Tailscale is not installed.", "Install it from https://tailscale.com/download on this machine and on the phone.")
    reason, remedy = ("", "") if tailscale == "up" else missing
    lan = {
        "host": "192.168.1.20" if way == "lan" else "", "suggested": "192.168.1.20", "fault": "", "until": None,
        "urls": [url] if way == "lan" else [], "certificate": f"{url}/ca.crt" if way == "lan" else "",
        "fingerprint": ":".join(f"{n:02X}" for n in range(32)) if way == "lan" else "",
    }  # fmt: skip
    tailnet = {"state": tailscale, "name": "sky.tail1234.ts.net", "reason": reason, "remedy": remedy}
    return {"url": url, "way": way if url else "", "public_url": url, "tailscale": tailnet, "lan": lan}


def device(name: str, **changes: Any) -> Message:
    """A browser that is in, as the hub describes it."""
    now = time.time()
    row = {"id": name.replace(" ", "-"), "name": name, "address": "100.64.0.7", "paired": now, "seen": now - 3600}
    return {**row, "connected": False, "own": False, **changes}


def message(message_id: str, **changes: Any) -> Message:
    """A message between agents as the hub describes it."""
    now = time.time()
    view: Message = {
        "id": message_id, "from": "af_sky", "to": "am_adam", "from_name": "sky", "to_name": "adam", "text": message_id,
        "state": "queued", "tries": 0, "expects_response": False, "re": "", "hops": 0, "batch": "",
        "reply": "", "reason": "", "held": "", "created": now, "changed": now,
    }  # fmt: skip
    return {**view, **changes}


_ENGINE = {"package": "faster-whisper", "model": "medium", "device": "cuda", "precision": "float16", "state": "ready"}
DEBUG: Message = {
    "version": "0.1.0", "python": "3.12.4", "system": "linux x86_64", "uptime_seconds": 11000.0, "agents": 5, "pages": 1,
    "dropped_frames": 0, "events": 1234, "timings": [],
    "speech": {
        "state": "ready", "reason": "", "serving": "medium", "wanted": "medium",
        "hearing": {**_ENGINE, "reason": "", "work": {"took_ms": 270, "sound_ms": 3200, "factor": 0.084}},
        "speaking": {**_ENGINE, "package": "kokoro-onnx", "model": "kokoro-fp16", "reason": "", "work": None},
    },
}  # fmt: skip


def changed_file(path: str, change: str = "modified", added: int | None = 1, removed: int | None = 0, **more: Any) -> Message:
    """A changed file as the hub lists it; its key is its path."""
    row = {"key": path, "path": path, "before_key": "", "before": "", "change": change, "staged": False}
    return {**row, "added": added, "removed": removed, **more}


def doing(activity: str, kind: str = "", detail: str = "", *, since: float = 0.0, source: str = "hook") -> Message:
    """What the session does, as the hub has weighed it; ``since`` seconds ago."""
    now = time.time()
    return {"activity": activity, "kind": kind, "detail": detail, "source": source, "since": now - since, "seen": now}


def session(voice: str, **changes: Any) -> Message:
    """A session as the hub describes it."""
    row: Message = {
        "id": voice, "name": voice[3:], "voice": voice, "runtime": "demo", "dir": "/home/ann/work", "state": "active",
        "activity": "idle", "question": None, "needs_you": False, "created": time.time(), "last_active": time.time(),
        "first_n": 0, "accepts_text": True, "reason": "", "doing": doing("idle"), "report": None, "permission": None,
        "messages": {"waiting": 0, "failed": 0},
    }  # fmt: skip
    return {**row, **changes}
