"""The hub's side of the speech service: aiohttp only, no numpy, no engine. Every failure is a ``ClawMuxError``.

Sound stays bytes here: s16le mono, 24 kHz from ``synthesize``, 16 kHz into ``Listening.send``.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from clawmux.wire.errors import ERRORS, ClawMuxError

CONNECT_SECONDS = 3.0
# The first sentence may wait for a model to load (6 s for the largest, more on a busy machine) and for its turn.
SILENT_SECONDS = 60.0
_REMEDY = "The text is on the page. See the speech log, or: clawmux status"


class SpeechClient:
    """One service, on a unix socket or at a URL with a token. Enter it, or call ``close``."""

    def __init__(self, socket: Path | None, url: str = "", token: str = "") -> None:
        self._socket = socket
        self._base = url.rstrip("/") if url else "http://speech"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def synthesize(self, text: str, voice: str, speed: float = 1.0, format: str = "pcm") -> AsyncGenerator[bytes, None]:
        """Sound as it is made; pcm comes in whole samples. Leaving the loop early (``aclose``) stops the service's work."""
        body = {"input": text, "voice": voice, "speed": speed, "response_format": format}
        odd = b""
        try:
            async with self._open().post(f"{self._base}/v1/audio/speech", json=body) as answer:
                await _expect_ok(answer)
                async for chunk in answer.content.iter_any():
                    data = odd + chunk
                    whole = len(data) - len(data) % 2 if format == "pcm" else len(data)
                    odd = data[whole:]
                    if whole:
                        yield data[:whole]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _down("speaking", error) from None

    async def transcribe(self, data: bytes, content_type: str, language: str = "") -> str:
        form = aiohttp.FormData()
        form.add_field("file", data, filename="speech", content_type=content_type or "application/octet-stream")
        if language:
            form.add_field("language", language)
        try:
            async with self._open().post(f"{self._base}/v1/audio/transcriptions", data=form) as answer:
                await _expect_ok(answer)
                return str((await answer.json())["text"])
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError) as error:
            raise _down("recognition", error) from None

    @asynccontextmanager
    async def listen(
        self, language: str = "en", mode: str = "auto", silence_seconds: float = 1.2, partials: bool = True, quality: str = ""
    ) -> AsyncIterator[Listening]:
        """An open ear: send PCM16 of 16 kHz, iterate over its events. It is ready to take sound when entered."""
        start = {"type": "start", "language": language, "mode": mode, "silence_seconds": silence_seconds, "partials": partials}
        if quality:
            start["quality"] = quality
        try:
            socket = await self._open().ws_connect(f"{self._base}/v1/listen", max_msg_size=1 << 20, compress=0)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _down("listening", error) from None
        try:
            listening = Listening(socket)
            await listening.command(start)
            event = await listening.next_event()
            if event is None or event["type"] != "ready":
                raise ClawMuxError("speech_down", "the speech service did not begin to listen.", _REMEDY)
            yield listening
        finally:
            await socket.close()

    async def health(self) -> dict[str, Any]:
        try:
            async with self._open().get(f"{self._base}/health", timeout=aiohttp.ClientTimeout(total=CONNECT_SECONDS)) as answer:
                await _expect_ok(answer)
                found: dict[str, Any] = await answer.json()
                return found
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _down("health", error) from None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.UnixConnector(str(self._socket)) if self._socket else aiohttp.TCPConnector()
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS)
            self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=timeout)
        return self._session


class Listening:
    """One open ear. Its events are the wire's: speech_started, partial_text, speech_ended, final_text; the last ends it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._was_cancelled = False

    async def send(self, pcm: bytes) -> None:
        """PCM16 of any length; cut to the service's frame limit."""
        for at in range(0, len(pcm), 32 * 1024):
            try:
                await self._socket.send_bytes(pcm[at : at + 32 * 1024])
            except (ConnectionError, aiohttp.ClientError):
                return  # Its last event says why it closed; the one who iterates gets that.

    async def end(self) -> None:
        """The speaker has finished: exactly one final_text follows."""
        await self.command({"type": "end"})

    async def cancel(self) -> None:
        """No final text is wanted: iteration ends."""
        self._was_cancelled = True
        await self.command({"type": "cancel"})

    async def command(self, message: dict[str, Any]) -> None:
        try:
            await self._socket.send_json(message)
        except (ConnectionError, aiohttp.ClientError):
            pass  # As in send.

    async def next_event(self) -> dict[str, Any] | None:
        """None when the service has closed the ear; raises the error that it sent."""
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            event: dict[str, Any] = json.loads(message.data)
            if event.get("type") == "error":
                raise _from_wire(event)
            return event
        return None

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Until the final text. Raises ``speech_down`` when the ear closes without one."""
        while True:
            event = await self.next_event()
            if event is None:
                if self._was_cancelled:
                    return
                raise ClawMuxError("speech_down", "the speech service closed the ear before the final text.", _REMEDY)
            yield event
            if event["type"] == "final_text":
                return


async def _expect_ok(answer: aiohttp.ClientResponse) -> None:
    if answer.status == 200:
        return
    try:
        body = json.loads(await answer.content.read(64 * 1024))
    except ValueError:
        body = {}
    if isinstance(body, dict) and body.get("type") == "error":
        raise _from_wire(body)
    raise ClawMuxError("speech_down", f"the speech service answered {answer.status}.", _REMEDY)


def _from_wire(body: dict[str, Any]) -> ClawMuxError:
    code = body.get("code")
    return ClawMuxError(code if code in ERRORS else "speech_down", str(body.get("text", "")), str(body.get("remedy", "")))


def _down(what: str, error: Exception) -> ClawMuxError:
    kind = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return ClawMuxError("speech_down", f"the speech service cannot be used for {what} ({kind}).", _REMEDY)
