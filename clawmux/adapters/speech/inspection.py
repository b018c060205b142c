"""Trying another server for speech before it is used: what it is, how long it takes, or the exact fault with what to do.

Asks as ``remote`` does later, once, and keeps nothing. The token is shown only to a server that asks for one. No numpy here.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from clawmux.adapters.speech.server_url import base_of, choose_model, shown
from clawmux.wire.errors import ClawMuxError

CONNECT_SECONDS = 3.0
# A server may load its model with the first piece of work.
WORK_SECONDS = 20.0
ANSWER_BYTES = 4 << 20
MOST_MODELS = 12
_WORDS = 80
_REFUSED = (401, 403)
_SOUND_KINDS = ("audio/", "application/octet-stream")
_HALVES = {"speech.whisper_url": "stt", "speech.kokoro_url": "tts"}


@dataclass(frozen=True, slots=True)
class Inspected:
    """What a server came to."""

    ok: bool
    text: str
    """One sentence."""
    remedy: str = ""
    """What to do; empty when it is well."""
    url: str = ""
    """Its base, without a password."""
    version: str = ""
    """Of a ClawMux server."""
    models: tuple[str, ...] = ()
    connect_ms: int | None = None
    """The round trip of the smallest request."""
    work_ms: int | None = None
    """For half a second of silence, or one word."""


class _Fault(Exception):
    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    kind: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


async def inspect(setting: str, url: str, token_file: str) -> Inspected:
    """``setting``: which of the two addresses it is for. Raises ``usage`` for what is no address; all else is in the answer."""
    if setting not in _HALVES:
        raise ClawMuxError("usage", f"field 'name' is {setting[:40]!r}; expected {' or '.join(_HALVES)}.")
    base = base_of(url)
    async with aiohttp.ClientSession() as session:
        visit = _Visit(session, base, _HALVES[setting], token_file)
        try:
            return await visit.run()
        except _Fault as fault:
            return Inspected(False, str(fault), fault.remedy, shown(base))


class _Visit:
    def __init__(self, session: aiohttp.ClientSession, base: URL, half: str, token_file: str) -> None:
        self._session = session
        self._base = base
        self._half = half
        self._token_file = token_file
        self._headers: dict[str, str] = {}

    async def run(self) -> Inspected:
        began = time.monotonic()
        listed = await self._ask("GET", "v1/models", CONNECT_SECONDS + 2)
        connect_ms = round((time.monotonic() - began) * 1000)
        health = _object((await self._ask("GET", "health", CONNECT_SECONDS + 2)).body)
        is_ours = isinstance(health.get("stt"), dict) and isinstance(health.get("tts"), dict)
        if is_ours and health.get("state") != "ready":
            reason = _said(health.get("reason")) or _said(health.get("state"))
            raise _Fault(f"A ClawMux speech server answers, and is not ready: {reason}.", "Look at it again in a moment.")
        models = _models(listed.body) if listed.status == 200 else []
        began = time.monotonic()
        await self._work(choose_model(models, self._half))
        work_ms = round((time.monotonic() - began) * 1000)
        version = _said(health.get("version")) if is_ours else ""
        return Inspected(
            True, self._well(version), "", shown(self._base), version, tuple(models[:MOST_MODELS]), connect_ms, work_ms
        )

    def _well(self, version: str) -> str:
        what = "recognised a piece of silence" if self._half == "stt" else "spoke a word"
        return f"It {what}{f', and is ClawMux {version}' if version else ''}."

    async def _work(self, model: str) -> None:
        if self._half == "tts":
            body = {"model": model, "input": "Yes.", "voice": "af_sky", "response_format": "pcm", "speed": 1.0}
            answer = await self._ask("POST", "v1/audio/speech", WORK_SECONDS, json=body)
            self._expect(answer, "speak")
            if not answer.body or not answer.kind.startswith(_SOUND_KINDS):
                raise _Fault(f"It answers with {answer.kind or 'nothing'} where sound was expected.", _NO_SERVER)
            return
        answer = await self._ask("POST", "v1/audio/transcriptions", WORK_SECONDS, form=model)
        if answer.status == 404:  # whisper.cpp's own server
            answer = await self._ask("POST", "inference", WORK_SECONDS, form=model)
        self._expect(answer, "understand speech")
        if not isinstance(_object(answer.body).get("text"), str):
            raise _Fault(f"It answers with {answer.kind or 'nothing'} where words were expected.", _NO_SERVER)

    def _expect(self, answer: _Answer, what: str) -> None:
        if answer.status == 200:
            return
        if answer.status in (404, 405, 501):
            raise _Fault(f"A server answers there, but it is none that can {what} (status {answer.status}).", _NO_SERVER)
        raise _Fault(f"It answers, but cannot {what} now (status {answer.status}).", "Look at the log of that server.")

    # -- one request --

    async def _ask(self, method: str, path: str, seconds: float, json: Any = None, form: str | None = None) -> _Answer:
        answer = await self._send(method, path, seconds, json, form)
        if answer.status in _REFUSED and not self._headers:
            self._headers = {"Authorization": f"Bearer {await asyncio.to_thread(self._token)}"}
            answer = await self._send(method, path, seconds, json, form)
        if answer.status in _REFUSED:
            remedy = "Put that server's own token into that file."
            raise _Fault(f"It refuses the token that stands in the token file (status {answer.status}).", remedy)
        if 300 <= answer.status < 400:
            to = _said(answer.headers.get("Location")) or "somewhere else"
            raise _Fault(f"It sends us on to {to}, and speech is not sent where nobody has named.", "Name that address.")
        return answer

    def _token(self) -> str:
        if not self._token_file:
            remedy = "Put its token into a file that only you can read, and name the file below as the token for those servers."
            raise _Fault("It asks for a token, and none is set.", remedy)
        try:
            token = Path(self._token_file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise _Fault(f"It asks for a token, and the token file cannot be read: {reason}.", "Mend that file.") from None
        if not token or not token.isascii() or not token.isprintable():
            raise _Fault("It asks for a token, and there is none in the token file.", "Write it there, as one line.")
        return token

    async def _send(self, method: str, path: str, seconds: float, json: Any, form: str | None) -> _Answer:
        timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        data = None if form is None else _form(form)
        try:
            async with self._session.request(
                method, self._base / path, timeout=timeout, allow_redirects=False, headers=self._headers, json=json, data=data
            ) as answer:
                body = await answer.content.read(ANSWER_BYTES) if json is None else await answer.content.readany()
                return _Answer(answer.status, answer.content_type, body, answer.headers)
        except TimeoutError:
            text = f"Nobody answers there within {seconds:.0f} s."
            raise _Fault(text, "Look whether that machine is on, and whether a firewall stands between.") from None
        except aiohttp.ClientError as error:
            raise _fault_of(error, self._base) from None


_NO_SERVER = "Give the address of a ClawMux speech server, or of another one with the endpoints of OpenAI."


def _fault_of(error: aiohttp.ClientError, base: URL) -> _Fault:
    """Pure."""
    host, port = base.host, base.port
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or "it is not trusted"
        remedy = f"Give {host} a certificate that this machine trusts."
        return _Fault(f"Its certificate is not accepted: {_said(reason)}.", remedy)
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return _Fault("There is no https at that address.", "If that server speaks http, write http:// in front.")
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return _Fault(f"No machine of the name {host} is known here.", "Look at its spelling, or give its number instead.")
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, ConnectionRefusedError):
            return _Fault(f"{host} is there, and nothing serves on its port {port}.", "Start that server, or look at the port.")
        if isinstance(error.os_error, TimeoutError):
            return _Fault(f"{host} does not answer.", "Look whether that machine is on.")
        reason = (error.os_error.strerror or "no connection").lower()
        return _Fault(f"{host} cannot be reached: {reason}.", "Look at the network between.")
    remedy = "If that server speaks https, write https:// in front." if base.scheme == "http" else _NO_SERVER
    return _Fault("Something answers there, and it is no web server, or broke off.", remedy)


def _form(model: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", _silence(), filename="speech.wav", content_type="audio/wav")
    for name, value in {"model": model, "response_format": "json", "temperature": "0"}.items():
        form.add_field(name, value)
    return form


def _silence() -> bytes:
    """Half a second as a WAV file of 16 kHz."""
    data = bytes(16000)
    form = struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data)) + data


def _models(body: bytes) -> list[str]:
    rows = _object(body).get("data")
    ids = [row.get("id") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [name[:_WORDS] for name in ids if isinstance(name, str) and name]


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _said(words: Any) -> str:
    """Of a stranger's server: some plain characters of it."""
    plain = "".join(letter if letter.isprintable() else " " for letter in str(words or ""))
    return plain[:_WORDS].strip().rstrip(".")
