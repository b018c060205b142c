"""The first protocol on ``/ws``, for clients that say no hello: JSON only, base64 audio, no resume.

A thin layer over the same runtime: what goes out is translated, what comes in becomes the same inputs.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from clawmux.hub.pages import Page
from clawmux.wire.codec import decode, load_object, table
from clawmux.wire.errors import ClawMuxError

if TYPE_CHECKING:
    from clawmux.hub.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Audio:
    """The user's whole answer: base64 of any audio container."""

    TYPE: ClassVar[str] = "audio"
    session_id: str
    data: str


@dataclass(frozen=True, slots=True)
class PlaybackDone:
    TYPE: ClassVar[str] = "playback_done"
    session_id: str


TO_HUB = table(Audio, PlaybackDone)

# What passes to these clients, and the fields they know.
_FIELDS: dict[str, tuple[str, ...]] = {
    "assistant_text": ("session_id", "text"),
    "user_text": ("session_id", "text"),
    "audio": ("session_id", "data"),
    "listening": ("session_id",),
    "status": ("session_id", "text"),
    "session_list": ("sessions",),
    "session_status": ("session_id", "status"),
    "session_terminated": ("session_id",),
    "done": ("session_id",),
    "error": ("code", "text", "remedy"),
}

_FAULTS_OF_THE_FILE = ("usage", "unsupported", "too_large")


class ClassicPage(Page):
    def __init__(self, socket: web.WebSocketResponse, runtime: Runtime, transport: asyncio.Transport | None) -> None:
        super().__init__(socket, f"classic-{secrets.token_hex(8)}", "a client of the first protocol", transport)
        self.classic = True
        self._runtime = runtime
        self._speaking = ("", "")
        """Session and stream whose audio was sent last."""
        super().send(runtime.session_list())

    def send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "audio":
            self._speaking = (message["session_id"], message["stream"])
            super().send({"type": "status", "session_id": message["session_id"], "text": "Speaking..."})
        if kind == "notice":
            super().send({"type": "status", "session_id": message["session_id"], "text": message["text"]})
        if kind in _FIELDS:
            super().send({"type": kind, **{name: message[name] for name in _FIELDS[kind] if name in message}})

    def receive(self, text: str) -> None:
        message = decode(TO_HUB, load_object(text))
        if isinstance(message, PlaybackDone):
            session_id, stream = self._speaking
            if self._runtime.agents.get(message.session_id).id == session_id:
                self._runtime.speaker.playback_done(stream)
        elif isinstance(message, Audio):
            self._answer(message)

    def _answer(self, message: Audio) -> None:
        try:
            data = base64.b64decode(message.data, validate=True)
        except (binascii.Error, ValueError):
            raise ClawMuxError("usage", "message 'audio': field 'data' is not base64.") from None
        if not data:
            raise ClawMuxError("usage", "message 'audio': field 'data' is empty; expected an audio file.")
        self._runtime.agents.get(message.session_id)
        turn = secrets.token_hex(8)
        now = self._runtime.now
        self._runtime.perform(
            [
                *self._runtime.conversation.turn_opened(turn, message.session_id, now),
                *self._runtime.conversation.turn_closed(turn, now),
            ]
        )
        self._runtime.start_task(self._transcribe(turn, message.session_id, data), f"classic turn {turn}")

    async def _transcribe(self, turn: str, session_id: str, data: bytes) -> None:
        """The words, or an error; then ``done``, whatever it came to."""
        runtime = self._runtime
        text = ""
        try:
            if not await runtime.speech.ready():
                raise ClawMuxError("speech_down", "The speech service is not available.")
            language = runtime.projects.settings_of(session_id).speech_language
            text = await runtime.speech.client.transcribe(data, "application/octet-stream", language)
            if not text:
                runtime.floor.nothing_heard(turn)
        except ClawMuxError as error:
            self.send(error.to_wire())
            self._not_understood(turn, error)
        effects = runtime.conversation.heard(turn, text, runtime.now) if text else []
        runtime.perform(effects, lambda: self.send({"type": "done", "session_id": session_id}))

    def _not_understood(self, turn: str, error: ClawMuxError) -> None:
        if error.code in _FAULTS_OF_THE_FILE:
            # The question stays open: the client may send a better file.
            self._runtime.perform(self._runtime.conversation.turn_discarded(turn, self._runtime.now))
        else:
            self._runtime.floor.turn_failed(turn, error.text)
