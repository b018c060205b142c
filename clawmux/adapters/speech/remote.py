"""Either half of speech on another server of the OpenAI shape: ours, kokoro-fastapi, speaches, whisper.cpp's server.

Forwards one request at a time, with limits, and says why it failed. Whether the local engine answers instead is
decided in engines.py.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from clawmux.adapters.speech.audio import LISTEN_RATE, SPEAK_RATE, Samples, Sound, decode, from_pcm16, write_wav
from clawmux.adapters.speech.server_url import base_of, choose_model, shown, why
from clawmux.adapters.speech.voices import Voice
from clawmux.wire.errors import ClawMuxError

CONNECT_SECONDS = 3.0
# Beyond the time the work itself may take; see _limit.
ANSWER_SECONDS = 10.0
# A sentence of 24 kHz PCM16 is some 500 KB; an answer beyond this is not one.
ANSWER_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class Breaker:
    """Pure: stops asking a server that fails, for a time that grows; one try after it decides. Time as argument."""

    first_wait_seconds: float = 5.0
    longest_wait_seconds: float = 60.0
    reason: str = ""
    """Why the last request failed; "" when it did not."""
    _failures: int = field(default=0, init=False)
    _closed_until: float = field(default=0.0, init=False)

    def allows(self, now: float) -> bool:
        return now >= self._closed_until

    def failed(self, now: float, reason: str) -> None:
        self._failures += 1
        self.reason = reason
        self._closed_until = now + min(self.longest_wait_seconds, self.first_wait_seconds * 2 ** (self._failures - 1))

    def succeeded(self) -> None:
        self._failures, self._closed_until, self.reason = 0, 0.0, ""


class Remote:
    """One server for one half ("stt" or "tts")."""

    def __init__(self, url: str, half: str, token: str = "") -> None:
        self._base = base_of(url)
        self._half = half
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._session: aiohttp.ClientSession | None = None
        self._model = ""
        self._transcriptions = "v1/audio/transcriptions"
        self.breaker = Breaker()
        self.was_reached = False

    @property
    def shown_url(self) -> str:
        """Without a password."""
        return shown(self._base)

    @property
    def model(self) -> str:
        return self._model

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def probe(self) -> None:
        """Asks for the server's models: reachable or not, and which name to use. Raises nothing."""
        try:
            await self._learn_model()
        except ClawMuxError:
            pass

    async def transcribe(self, samples: Samples, language: str | None, prompt: str) -> str:
        await self._learn_model_once()
        limit = ANSWER_SECONDS + len(samples) / LISTEN_RATE
        wav = await asyncio.to_thread(write_wav, Sound(samples, LISTEN_RATE))
        status, _, body = await self._post(self._transcriptions, limit, lambda: {"data": self._form(wav, language, prompt)})
        if status == 404 and self._transcriptions != "inference":
            # whisper.cpp's server answers at /inference unless it is told otherwise.
            status, _, body = await self._post("inference", limit, lambda: {"data": self._form(wav, language, prompt)})
            if status == 200:
                self._transcriptions = "inference"
        self._expect(status, body)
        try:
            text = json.loads(body)["text"]
        except (ValueError, KeyError, TypeError):
            raise self._failure("answered without a text") from None
        if not isinstance(text, str):
            raise self._failure("answered with a text that is no text")
        self.breaker.succeeded()
        return " ".join(text.split())

    def _form(self, wav: bytes, language: str | None, prompt: str) -> aiohttp.FormData:
        form = aiohttp.FormData()
        form.add_field("file", wav, filename="speech.wav", content_type="audio/wav")
        fields = {"model": self._model, "response_format": "json", "temperature": "0", "language": language, "prompt": prompt}
        for name, value in fields.items():
            if value:
                form.add_field(name, value)
        return form

    async def speak(self, text: str, voice: Voice, speed: float) -> Samples:
        await self._learn_model_once()
        body = {"model": self._model, "input": text, "voice": voice.id, "response_format": "pcm", "speed": speed, "spoken": True}
        status, kind, answer = await self._post("v1/audio/speech", ANSWER_SECONDS + len(text) / 10, lambda: {"json": body})
        self._expect(status, answer)
        try:
            # Some servers ignore response_format; a container says so by its type.
            raw = kind in ("audio/pcm", "application/octet-stream", "audio/l16", "") and answer[:4] not in (
                b"RIFF",
                b"OggS",
                b"fLaC",
            )
            sound = from_pcm16(answer) if raw else await asyncio.to_thread(decode, answer, SPEAK_RATE)
        except ClawMuxError:
            raise self._failure(f"answered with {kind or 'bytes'} that is no sound") from None
        if not len(sound):
            raise self._failure("answered with no sound")
        self.breaker.succeeded()
        return sound

    async def _learn_model_once(self) -> None:
        if not self._model:
            await self._learn_model()

    async def _learn_model(self) -> None:
        status, _, body = await self._request("GET", "v1/models", CONNECT_SECONDS + 2, dict)
        ids: list[str] = []
        if status == 200:
            try:
                ids = [str(row["id"]) for row in json.loads(body)["data"]]
            except (ValueError, KeyError, TypeError):
                ids = []
        elif status in (401, 403):
            self._expect(status, body)
        # A server without the list (whisper.cpp) is reachable all the same.
        self._model = choose_model(ids, self._half)
        self.was_reached = True
        self.breaker.succeeded()

    async def _post(self, path: str, limit_seconds: float, content: Any) -> tuple[int, str, bytes]:
        return await self._request("POST", path, limit_seconds, content)

    async def _request(self, method: str, path: str, limit_seconds: float, content: Any) -> tuple[int, str, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        timeout = aiohttp.ClientTimeout(total=limit_seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._session.request(
                method, self._base / path, timeout=timeout, allow_redirects=False, **content()
            ) as answer:
                return answer.status, answer.content_type, await _read(answer)
        except TimeoutError:
            raise self._failure(f"gave no answer within {limit_seconds:.0f} seconds") from None
        except aiohttp.ClientError as error:
            raise self._failure(f"cannot be reached: {why(error)}") from None

    def _expect(self, status: int, body: bytes) -> None:
        if status == 200:
            return
        if status in (401, 403):
            raise self._failure(f"refused the token of speech.token_file ({status})")
        raise self._failure(f"answered {status}")

    def _failure(self, what: str) -> ClawMuxError:
        half = "recognition" if self._half == "stt" else "speaking"
        setting = "speech.whisper_url" if self._half == "stt" else "speech.kokoro_url"
        reason = f"the {half} server {self.shown_url} {what}"
        self.breaker.failed(asyncio.get_running_loop().time(), reason)
        return ClawMuxError("speech_down", reason + ".", f"Look at that server, or empty the setting {setting}.")


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > ANSWER_BYTES:
            raise aiohttp.ClientPayloadError("answer too large")
    return b"".join(parts)
