"""The HTTP endpoints of the speech service, in the shapes of OpenAI's: request fields in, sound or text out."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web

from clawmux import __version__
from clawmux.adapters.speech.audio import CONTENT_TYPES, LISTEN_RATE, SPEAK_RATE, Encoder, Samples, decode, to_pcm16
from clawmux.adapters.speech.engines import Engines, Heard
from clawmux.adapters.speech.kokoro import HIGHEST_SPEED, LOWEST_SPEED
from clawmux.adapters.speech.listening import check_language, serve_listening
from clawmux.adapters.speech.local import log, safe_trace
from clawmux.adapters.speech.sentences import Piece, split_pieces
from clawmux.adapters.speech.text import spoken
from clawmux.adapters.speech.voices import VOICES, Voice, find_voice
from clawmux.wire.errors import ClawMuxError

ENGINES = web.AppKey("ENGINES", Engines)

UPLOAD_BYTES = 25 * 1024 * 1024
# Half an hour of speech; an answer longer than this is a file, not something to listen to.
INPUT_CHARACTERS = 30_000
JSON_BYTES = 256 * 1024
_PROMPT_CHARACTERS = 2_000
_SILENCE_SECONDS = 0.1
"""What is sent for a text with nothing to say in it, such as one emoji."""


def add_routes(app: web.Application) -> None:
    app.router.add_post("/v1/audio/speech", _speech)
    app.router.add_post("/v1/audio/transcriptions", _transcriptions)
    app.router.add_get("/v1/audio/voices", _voices)
    app.router.add_get("/v1/models", _models)
    app.router.add_get("/v1/listen", _listen)
    app.router.add_get("/health", _health)


async def _listen(request: web.Request) -> web.StreamResponse:
    return await serve_listening(request, request.app[ENGINES])


async def _health(request: web.Request) -> web.Response:
    return web.json_response({**request.app[ENGINES].health(), "version": __version__})


async def _voices(request: web.Request) -> web.Response:
    return web.json_response({"voices": [voice.to_wire() for voice in VOICES.values()]})


async def _models(request: web.Request) -> web.Response:
    health = request.app[ENGINES].health()
    rows = [
        {"id": half["model"], "object": "model", "created": 0, "owned_by": half["engine"]}
        for half in (health["stt"], health["tts"])
        if half["model"]
    ]
    return web.json_response({"object": "list", "data": rows})


# --- speaking -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    pieces: list[Piece]
    voice: Voice
    response_format: str
    speed: float


def read_speech(body: Any) -> SpeechRequest:
    """Pure; raises ``usage`` or ``not_found`` naming the field. ``spoken`` says that input is already as it is said."""
    if not isinstance(body, dict):
        raise ClawMuxError("usage", "the body is not a JSON object.", 'Send {"input": "…", "voice": "af_sky"}.')
    text = body.get("input")
    if not isinstance(text, str) or not text.strip():
        raise ClawMuxError("usage", "input: a text that is not empty was expected.", "Send the text to speak.")
    if len(text) > INPUT_CHARACTERS:
        raise ClawMuxError("too_large", f"input: {len(text)} characters; the limit is {INPUT_CHARACTERS}.", "Send it in parts.")
    voice_name = body.get("voice", "af_sky")
    if not isinstance(voice_name, str):
        raise ClawMuxError("usage", "voice: a text such as af_sky was expected.", "GET /v1/audio/voices lists them.")
    voice = find_voice(voice_name)
    response_format = body.get("response_format", "mp3")
    if response_format not in CONTENT_TYPES:
        raise ClawMuxError(
            "usage",
            f"response_format = {str(response_format)[:40]!r}: one of {', '.join(CONTENT_TYPES)} expected.",
            "pcm is 24 kHz s16le mono.",
        )
    said = text if body.get("spoken") is True else spoken(text, body.get("lang_code") or voice.language)
    return SpeechRequest(split_pieces(said), voice, response_format, _speed(body.get("speed", 1.0)))


def _speed(value: Any) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not (math.isfinite(value) and LOWEST_SPEED <= value <= HIGHEST_SPEED)
    ):
        raise ClawMuxError(
            "usage", f"speed = {str(value)[:40]!r}: a number from {LOWEST_SPEED} to {HIGHEST_SPEED} expected.", "1 is normal."
        )
    return float(value)


async def _speech(request: web.Request) -> web.StreamResponse:
    asked = read_speech(await _json(request))
    chunks = _encoded(request.app[ENGINES], asked)
    try:
        # The first piece before the headers: what goes wrong until then is an error object and not a broken stream.
        first = await anext(chunks)
        response = web.StreamResponse(
            headers={"Content-Type": CONTENT_TYPES[asked.response_format], "X-Sample-Rate": str(SPEAK_RATE)}
        )
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            await response.write(first)
            async for chunk in chunks:
                if chunk:
                    await response.write(chunk)
        except ConnectionError:
            raise  # The client has gone.
        except Exception as error:
            # Headers are out. A connection cut before its last chunk is how HTTP/1.1 says "incomplete" (RFC 9112, 8).
            log.error("speaking broke off: %s", error.text if isinstance(error, ClawMuxError) else safe_trace(error))
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError from None
        await response.write_eof()
        return response
    finally:
        await chunks.aclose()


async def _encoded(engines: Engines, asked: SpeechRequest) -> AsyncGenerator[bytes, None]:
    encoder = Encoder(asked.response_format)
    if not asked.pieces:
        yield encoder.feed(bytes(2 * round(_SILENCE_SECONDS * SPEAK_RATE)))
    async for sound, pause_seconds in engines.speak(asked.pieces, asked.voice, asked.speed):
        yield encoder.feed(to_pcm16(sound) + bytes(2 * round(pause_seconds * SPEAK_RATE)))
    yield encoder.finish()


async def _json(request: web.Request) -> Any:
    if (request.content_length or 0) > JSON_BYTES:
        raise ClawMuxError(
            "too_large", f"the body has {request.content_length} bytes; the limit is {JSON_BYTES}.", "Send it in parts."
        )
    data = await _read_all(request.content.iter_any(), JSON_BYTES, "the body")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise ClawMuxError("usage", "the body is not JSON.", 'Send {"input": "…", "voice": "af_sky"}.') from None


async def _read_all(parts: AsyncIterator[bytes], limit: int, what: str) -> bytes:
    data = bytearray()
    async for part in parts:
        data += part
        if len(data) > limit:
            raise ClawMuxError("too_large", f"{what} has more than {limit} bytes, the limit.", "Send it in parts.")
    return bytes(data)


# --- recognition --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    file: bytes
    language: str | None
    prompt: str
    response_format: str


def read_transcription(file: bytes | None, fields: dict[str, str]) -> TranscriptionRequest:
    """Pure; raises ``usage`` naming the field. ``model`` is taken as "the one that serves"."""
    if file is None:
        raise ClawMuxError("usage", "file: missing from the form.", "Send the sound as the multipart field file.")
    response_format = fields.get("response_format", "json")
    if response_format not in ("json", "text", "verbose_json"):
        raise ClawMuxError(
            "usage", f"response_format = {response_format[:40]!r}: json, text or verbose_json expected.", "json is usual."
        )
    try:
        heat = float(fields.get("temperature", "0") or "0")
    except ValueError:
        heat = math.nan
    if not 0 <= heat <= 1:
        raise ClawMuxError(
            "usage", f"temperature = {fields['temperature'][:40]!r}: a number from 0 to 1 expected.", "0 is used always."
        )
    prompt = fields.get("prompt", "")
    if len(prompt) > _PROMPT_CHARACTERS:
        raise ClawMuxError("too_large", f"prompt: {len(prompt)} characters; the limit is {_PROMPT_CHARACTERS}.", "Shorten it.")
    return TranscriptionRequest(file, check_language(fields.get("language")), prompt, response_format)


async def _transcriptions(request: web.Request) -> web.Response:
    asked = read_transcription(*await _form(request))
    engines = request.app[ENGINES]
    samples = await engines.decoding.run(lambda: decode(asked.file, LISTEN_RATE))
    heard = await engines.transcribe(samples, asked.language, asked.prompt)
    if asked.response_format == "text":
        return web.Response(text=heard.text + "\n")
    return web.json_response(_transcription(heard, samples, asked))


def _transcription(heard: Heard, samples: Samples, asked: TranscriptionRequest) -> dict[str, Any]:
    if asked.response_format == "json":
        return {"text": heard.text}
    segments = [
        {"id": number, "start": round(start, 2), "end": round(end, 2), "text": text}
        for number, (start, end, text) in enumerate(heard.spans)
    ]
    return {
        "task": "transcribe",
        "language": asked.language or "",
        "duration": round(len(samples) / LISTEN_RATE, 3),
        "text": heard.text,
        "segments": segments,
    }


_FIELDS = frozenset(["model", "language", "prompt", "response_format", "temperature"])


async def _form(request: web.Request) -> tuple[bytes | None, dict[str, str]]:
    if request.content_type != "multipart/form-data":
        raise ClawMuxError(
            "unsupported",
            f"Content-Type {request.content_type[:60]!r}: multipart/form-data expected.",
            "Send the sound as the field file.",
        )
    if (request.content_length or 0) > UPLOAD_BYTES + JSON_BYTES:
        raise ClawMuxError(
            "too_large", f"file: the upload has {request.content_length} bytes; the limit is {UPLOAD_BYTES}.", "Send it in parts."
        )
    file: bytes | None = None
    fields: dict[str, str] = {}
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise ClawMuxError("usage", "the form has a multipart field inside another.", "Send plain fields.")
            name = part.name or ""
            if name == "file":
                file = await _read_all(_chunks(part), UPLOAD_BYTES, "file")
                continue
            value = await _read_all(_chunks(part), JSON_BYTES, name[:40])
            if name in _FIELDS:
                fields[name] = value.decode("utf-8")
    except UnicodeDecodeError:
        raise ClawMuxError("usage", f"{name}: not UTF-8.", "Send UTF-8.") from None
    except ValueError as error:
        raise ClawMuxError(
            "usage", f"the form is not multipart as its Content-Type says ({type(error).__name__}).", "Send multipart/form-data."
        ) from None
    return file, fields


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(64 * 1024):
        yield bytes(chunk)
