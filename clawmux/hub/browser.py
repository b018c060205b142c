"""``/ws``: the pages. Reads their messages, hands them to the runtime, writes what their outbox holds.

A client that says hello speaks the extension; one that starts with anything else speaks the first protocol
(``hub.classic``). A message that cannot be read is answered with an error that names the field, and the page lives on.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from clawmux import __version__
from clawmux.core.questions import Request
from clawmux.hub.classic import ClassicPage
from clawmux.hub.doors import WEBSOCKET_BYTES, WEBSOCKET_CLIENTS
from clawmux.hub.guard import CALLER, SOCKET_PROTOCOL
from clawmux.hub.pages import Page
from clawmux.hub.runtime import Runtime
from clawmux.hub.speaker import REPLAY_MARK
from clawmux.hub.static import BUILD
from clawmux.wire import browser as wire
from clawmux.wire.cli import TEXT_LIMIT_BYTES, clean
from clawmux.wire.codec import decode, load_object
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.frames import MICROPHONE, TERMINAL_IN, decode_frame

log = logging.getLogger(__name__)

RUNTIME = web.AppKey("clawmux_runtime", Runtime)
# A page says hello at once; a client of the first protocol waits in silence, and not longer than a question waits for a page.
FIRST_MESSAGE_SECONDS = 3.0
# A page answers pings by itself; one that does not for this long is gone.
HEARTBEAT_SECONDS = 15.0
_ID_CHARACTERS = 64
_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{_ID_CHARACTERS}}}")


async def serve_page(request: web.Request) -> web.WebSocketResponse:
    runtime = request.app[RUNTIME]
    if len(request.app[SOCKETS]) >= WEBSOCKET_CLIENTS:
        raise web.HTTPServiceUnavailable(text="too many pages", headers={"Retry-After": "5"})
    # Compression costs time and gains nothing on audio; and a compressed frame can be a bomb.
    socket = web.WebSocketResponse(
        max_msg_size=WEBSOCKET_BYTES, compress=False, heartbeat=HEARTBEAT_SECONDS, protocols=(SOCKET_PROTOCOL,)
    )
    await socket.prepare(request)
    request.app[SOCKETS].add(socket)
    try:
        await PageSession(runtime, socket, request).run()
    finally:
        request.app[SOCKETS].discard(socket)
    return socket


SOCKETS = web.AppKey("clawmux_page_sockets", set[web.WebSocketResponse])


class PageSession:
    """One connection of a page, from its first message to its end."""

    def __init__(self, runtime: Runtime, socket: web.WebSocketResponse, request: web.Request) -> None:
        self._runtime = runtime
        self._socket = socket
        self._build = request.app.get(BUILD, "")
        self._login = request[CALLER].login
        self._transport = request.transport
        self._page: Page
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            wire.Hello: self._refuse_second_hello,
            wire.Prefs: self._prefs,
            wire.Text: self._text,
            wire.Interrupt: self._interrupt,
            wire.Cancel: lambda m: self._runtime.perform(self._runtime.conversation.dismiss(m.session_id, self._runtime.now)),
            wire.Replay: self._replay,
            wire.AudioOwnerClaim: lambda m: self._runtime.pages.give_audio(self._page),
            wire.Seen: lambda m: self._runtime.pages.broadcast({"type": "attention_clear", "session_id": m.session_id}),
            wire.InView: self._in_view,
            wire.MicOpen: self._mic_open,
            wire.MicClose: self._mic_close,
            wire.PlaybackStarted: lambda m: self._runtime.speaker.playback_started(m.stream),
            wire.PlaybackProgress: lambda m: self._runtime.speaker.playback_progress(m.stream, m.ms),
            wire.PlaybackPaused: lambda m: self._runtime.speaker.playback_paused(m.stream, m.on, m.ms),
            wire.PlaybackDone: self._playback_done,
            wire.TermOpen: lambda m: self._runtime.terminals.open(self._page, m),
            wire.TermClose: lambda m: self._runtime.terminals.close(self._page, m),
            wire.TermTake: lambda m: self._runtime.terminals.take(self._page, m),
            wire.TermPaste: lambda m: self._runtime.terminals.paste(self._page, m),
            wire.TermEarlier: lambda m: self._runtime.terminals.look_back(self._page, m),
            wire.TermSeen: lambda m: self._runtime.terminals.seen(self._page, m),
            wire.Ping: lambda m: self._page.send({"type": "pong"}),
        }

    async def run(self) -> None:
        first = await self._first()
        if first is None:
            return
        writing = asyncio.create_task(self._page.write(), name="page writer")
        try:
            self._runtime.pages.join(self._page)
            self._runtime.notifier.windows_changed()
            if isinstance(self._page, ClassicPage) and first.type is WSMsgType.TEXT:
                self._take(first)
            async for message in self._socket:
                self._take(message)
        finally:
            self._runtime.pages.leave(self._page)
            self._runtime.listener.page_changed(self._page, None)
            self._runtime.terminals.page_left(self._page)
            self._runtime.notifier.windows_changed()
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    # -- the beginning --

    async def _first(self) -> WSMessage | None:
        """The first message decides which protocol this client speaks; a bad one is explained and the next awaited."""
        while True:
            try:
                async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
                    message = await self._socket.receive()
            except TimeoutError:
                self._page = ClassicPage(self._socket, self._runtime, self._transport)
                return WSMessage(WSMsgType.CONTINUATION, None, None)
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return None
            try:
                if message.type is WSMsgType.BINARY:
                    raise ClawMuxError("usage", "the first message is binary; expected JSON, of type 'hello'.")
                self._begin(load_object(message.data))
            except ClawMuxError as error:
                await self._socket.send_json(error.to_wire())
            else:
                return message

    def _begin(self, body: dict[str, Any]) -> None:
        if body.get("type") != wire.Hello.TYPE:
            self._page = ClassicPage(self._socket, self._runtime, self._transport)
            return
        hello = decode({wire.Hello.TYPE: wire.Hello}, body)
        if not 1 <= len(hello.client) <= _ID_CHARACTERS:
            raise ClawMuxError("usage", f"message 'hello': field 'client' must have 1 to {_ID_CHARACTERS} characters.")
        page = Page(self._socket, hello.client, hello.device[:80], self._transport)
        page.muted, page.auto, page.marks = hello.muted, hello.auto, hello.marks
        page.login, page.in_view, page.is_visible = self._login, hello.in_view, hello.visible
        page.streams = {k: v for k, v in hello.streams.items() if isinstance(v, dict)}
        page.turns = [turn for turn in hello.turns if isinstance(turn, str)]
        self._page = page
        self._welcome(page, hello.last)

    def _welcome(self, page: Page, last: int | None) -> None:
        runtime = self._runtime
        settings = runtime.settings
        page.send(
            {
                "type": "welcome",
                "v": 2,
                "events_from": runtime.journal.next_n if last is None else last + 1,
                "server": __version__,
                "now": time.time(),
                "client": page.client,
                "build": self._build,
                "settings": {
                    "auto_listen": settings.speech_auto_listen,
                    "silence_seconds": settings.speech_silence_seconds,
                    "speed": settings.speech_speed,
                    "runtime": settings.agents_runtime,
                },
                "speech": runtime.speech.view(),
            }
        )
        missed = runtime.journal.since(last) if last is not None else []
        if missed is None:
            page.send({"type": "resync"})
        for event in missed or []:
            page.send(event)
        page.send(runtime.session_list())

    # -- messages --

    def _take(self, message: WSMessage) -> None:
        try:
            if message.type is WSMsgType.BINARY:
                self._frame(message.data)
            elif message.type is WSMsgType.TEXT and isinstance(self._page, ClassicPage):
                self._page.receive(message.data)
            elif message.type is WSMsgType.TEXT:
                body = decode(wire.TO_HUB, load_object(message.data))
                self._handlers[type(body)](body)
        except ClawMuxError as error:
            self._page.send(error.to_wire())
        except Exception:
            log.exception("a message of page %s failed", self._page.client)
            self._page.send(ClawMuxError("internal", "The hub could not handle that message.", "See its log.").to_wire())

    def _frame(self, data: bytes) -> None:
        if self._page.classic:
            raise ClawMuxError("usage", "binary frames are of those who said 'hello'; expected JSON.")
        frame = decode_frame(data)
        if frame.kind == MICROPHONE:
            self._runtime.listener.feed(self._page, frame)
        elif frame.kind == TERMINAL_IN:
            self._runtime.terminals.keys(self._page, frame)
        else:
            kinds = f"{MICROPHONE} or {TERMINAL_IN}"
            raise ClawMuxError("usage", f"binary frame kind {frame.kind} does not come from a page; expected {kinds}.")

    def _refuse_second_hello(self, _: wire.Hello) -> None:
        raise ClawMuxError("conflict", "this connection has said hello already.")

    def _prefs(self, prefs: wire.Prefs) -> None:
        self._page.muted, self._page.auto = prefs.muted, prefs.auto
        if self._runtime.pages.owner is self._page:
            self._runtime.perform(self._runtime.conversation.prefs(prefs.muted, prefs.auto, self._runtime.now))

    def _in_view(self, message: wire.InView) -> None:
        self._page.in_view, self._page.is_visible = message.session_id, message.visible
        self._runtime.notifier.windows_changed()

    def _text(self, message: wire.Text) -> None:
        try:
            self._take_text(message)
        except ClawMuxError as error:
            self._page.send(error.to_wire())
            # By its id too, or the page would send it again after every break.
            self._page.send({"type": "text_ack", "id": message.id, "state": "refused", "reason": error.text})

    def _take_text(self, message: wire.Text) -> None:
        runtime = self._runtime
        text = clean(message.text)
        if not text or len(text.encode()) > TEXT_LIMIT_BYTES:
            raise ClawMuxError("too_large" if text else "usage", f"field 'text' must have 1 to {TEXT_LIMIT_BYTES} bytes.")
        _check_id("id", message.id)
        session = runtime.agents.get(message.session_id)
        answers = runtime.conversation.open_question(session.id) is not None
        if runtime.journal.has_words(message.id):
            self._page.send({"type": "text_ack", "id": message.id, "state": "answered", "reason": ""})
            return
        done = {"type": "text_ack", "id": message.id, "state": "answered", "reason": ""}
        effects = runtime.conversation.typed(session.id, text, message.id, runtime.now)
        runtime.perform(effects, *([lambda: self._page.send(done)] if answers else []))

    def _interrupt(self, message: wire.Interrupt) -> None:
        self._runtime.speaker.playback_progress(message.stream, message.at_ms)
        self._runtime.perform(self._runtime.conversation.interrupt(message.stream, self._runtime.now))

    def _replay(self, message: wire.Replay) -> None:
        runtime = self._runtime
        text = runtime.journal.text_of(message.session_id, message.msg_id)
        runtime.agents.get(message.session_id)
        self._runtime.pages.give_audio(self._page)
        # A page plays no stream twice, so each replay is one of its own.
        request = Request(
            f"{message.msg_id}{REPLAY_MARK}{secrets.token_hex(4)}", message.session_id, text, listen=False, fleeting=True
        )
        runtime.perform(runtime.conversation.request(request, runtime.now))

    def _mic_open(self, message: wire.MicOpen) -> None:
        runtime = self._runtime
        _check_id("turn", message.turn)
        if not 0 <= message.slot <= 0xFFFF:
            raise ClawMuxError("usage", f"message 'mic_open': field 'slot' is {message.slot}; expected 0 to 65535.")
        if runtime.journal.has_words(message.turn):
            done = {"type": "turn_done", "turn": message.turn, "text": runtime.journal.words_of(message.turn), "reason": ""}
            self._page.send(done)
            return
        runtime.agents.get(message.session_id)
        if message.why == "overheard":
            self._overhear(message)
            return
        runtime.pages.give_audio(self._page)
        by_hand = message.why == "hold" or not self._page.auto
        mode = "manual" if by_hand else "auto"
        wait = runtime.projects.settings_of(message.session_id).speech_listen_seconds if message.why == "auto" else None
        runtime.perform(runtime.conversation.turn_opened(message.turn, message.session_id, runtime.now, wait))
        runtime.listener.open(message.turn, message.session_id, message.slot, self._page, mode, message.review)

    def _overhear(self, message: wire.MicOpen) -> None:
        """Nothing stops for it as long as no words come of it, and it brings the sound to no other page."""
        runtime = self._runtime
        if runtime.pages.owner is not self._page:
            done = {"type": "turn_done", "turn": message.turn, "text": None, "reason": "not_owner"}
            self._page.send(done)
            return
        runtime.perform(runtime.conversation.turn_overhears(message.turn, message.session_id))
        runtime.listener.open(message.turn, message.session_id, message.slot, self._page, "interrupt", message.review)

    def _mic_close(self, message: wire.MicClose) -> None:
        if message.turn not in self._runtime.listener:
            return
        if message.why in ("send", "lost"):
            self._runtime.listener.close(message.turn)
            return
        self._runtime.listener.drop(message.turn, message.why)
        self._runtime.perform(self._runtime.conversation.turn_discarded(message.turn, self._runtime.now))

    def _playback_done(self, message: wire.PlaybackDone) -> None:
        if message.why == "failed":
            self._runtime.speaker.playback_failed(message.stream, "The browser could not play it.")
        elif message.why != "not_owner":
            self._runtime.speaker.playback_done(message.stream)


def _check_id(field: str, value: str) -> None:
    # It stands in the header that an agent reads: nothing in it may close that header.
    if not _ID.fullmatch(value):
        raise ClawMuxError("usage", f"field {field!r} must be 1 to {_ID_CHARACTERS} letters, digits, - and _.")
