from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from clawmux.adapters.speech import audio
from clawmux.adapters.speech.endpoints import INPUT_CHARACTERS, JSON_BYTES, UPLOAD_BYTES, read_speech, read_transcription
from clawmux.adapters.speech.engines import Config
from clawmux.tiers import Engine
from clawmux.wire.errors import ClawMuxError
from tests.speech.conftest import TOKEN, Service, serving
from tests.stand_ins.speech_engines import TINY, CountingWhisper, Files, ToneKokoro, loaders
from tests.waiting import until, until_answer

LOUD = audio.write_wav(audio.Sound((0.3 * np.sin(np.arange(16000) / 5)).astype(np.float32), 16000))
GOOD: dict[str, Any] = {"input": "Hello.", "voice": "af_sky"}


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ([], "usage", "not a JSON object"),
        ({}, "usage", "input: "),
        ({**GOOD, "input": "  \n"}, "usage", "input: "),
        ({**GOOD, "input": 5}, "usage", "input: "),
        ({**GOOD, "input": "x" * (INPUT_CHARACTERS + 1)}, "too_large", "input: 30001 characters"),
        ({**GOOD, "voice": "nobody"}, "not_found", "voice: 'nobody'"),
        ({**GOOD, "voice": ["af_sky"]}, "usage", "voice: "),
        ({**GOOD, "response_format": "aac"}, "usage", "response_format = 'aac'"),
        ({**GOOD, "response_format": None}, "usage", "response_format = 'None'"),
        ({**GOOD, "speed": 0}, "usage", "speed = '0'"),
        ({**GOOD, "speed": "1"}, "usage", "speed = '1'"),
        ({**GOOD, "speed": True}, "usage", "speed = 'True'"),
        ({**GOOD, "speed": float("nan")}, "usage", "speed = 'nan'"),
        ({**GOOD, "speed": 2.1}, "usage", "speed = '2.1'"),
    ],
)
def test_a_wrong_speech_request_names_its_field(body: Any, code: str, text: str) -> None:
    with pytest.raises(ClawMuxError) as raised:
        read_speech(body)
    assert (raised.value.code, text in raised.value.text) == (code, True), raised.value.text


def test_the_written_text_is_spoken_and_a_spoken_one_left_alone() -> None:
    assert [piece.text for piece in read_speech({**GOOD, "input": "see `app.py`"}).pieces] == ["see app dot py."]
    assert [piece.text for piece in read_speech({**GOOD, "input": "see `app.py`", "spoken": True}).pieces] == ["see `app.py`"]


@pytest.mark.parametrize(
    ("file", "fields", "text"),
    [
        (None, {}, "file: missing"),
        (b"x", {"response_format": "srt"}, "response_format = 'srt'"),
        (b"x", {"temperature": "hot"}, "temperature = 'hot'"),
        (b"x", {"temperature": "1.5"}, "temperature = '1.5'"),
        (b"x", {"temperature": "nan"}, "temperature = 'nan'"),
        (b"x", {"language": "english please"}, "language = 'english please'"),
        (b"x", {"prompt": "x" * 2001}, "prompt: 2001 characters"),
    ],
)
def test_a_wrong_transcription_request_names_its_field(file: bytes | None, fields: dict[str, str], text: str) -> None:
    with pytest.raises(ClawMuxError) as raised:
        read_transcription(file, fields)
    assert text in raised.value.text


@pytest.mark.parametrize(("given", "language"), [("en-US", "en"), ("", None), ("auto", None), ("DE", "de"), ("pt_BR", "pt")])
def test_languages(given: str, language: str | None) -> None:
    assert read_transcription(b"x", {"language": given}).language == language


def session_of(service: Service) -> aiohttp.ClientSession:
    return aiohttp.ClientSession("http://speech", connector=aiohttp.UnixConnector(str(service.socket)))


@pytest.mark.parametrize("response_format", ["pcm", "wav", "mp3", "opus", "flac"])
async def test_every_format_over_http(service: Service, response_format: str) -> None:
    async with (
        session_of(service) as session,
        session.post("/v1/audio/speech", json={**GOOD, "response_format": response_format}) as answer,
    ):
        assert answer.status == 200
        assert answer.content_type == audio.CONTENT_TYPES[response_format]
        data = await answer.read()
    samples = audio.from_pcm16(data) if response_format == "pcm" else audio.decode(data, 24000)
    assert len(samples) / 24000 == pytest.approx(0.12, abs=0.1 if response_format in ("mp3", "opus") else 1e-6)


async def test_the_first_piece_is_sent_before_the_second_is_made(service: Service) -> None:
    engine = await service.engines.tts.use()
    assert isinstance(engine, ToneKokoro)
    chunks = service.client.synthesize("The first sentence stands here. The second sentence stands here.", "bm_fable")
    try:
        first = asyncio.ensure_future(anext(chunks))
        await until(lambda: engine.said)
        await first
        engine.gate.clear()
        await until(lambda: len(engine.said) == 2)
    finally:
        engine.gate.set()
    total = len(await first) + sum([len(chunk) async for chunk in chunks])
    assert total == 2 * (round(31 * 0.02 * 24000) + round(32 * 0.02 * 24000) + round(0.25 * 24000))
    assert {voice for _, voice, _ in engine.said} == {"bm_fable"}


async def test_a_client_that_leaves_stops_the_work(service: Service) -> None:
    engine = await service.engines.tts.use()
    assert isinstance(engine, ToneKokoro)
    engine.gate.clear()
    chunks = service.client.synthesize("This is a sentence of its own. " * 20, "af_sky")
    waiting = asyncio.ensure_future(anext(chunks))
    await until(lambda: engine.said)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await service.client.close()
    await asyncio.sleep(0.1)  # The server has no event to show that it saw the connection close.
    engine.gate.set()
    await until(lambda: service.engines.tts.worker.is_free)
    assert len(engine.said) == 1


async def test_a_fault_in_the_first_piece_is_an_error_object_and_quotes_nothing(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ClawMuxError) as raised:
        [chunk async for chunk in service.client.synthesize("broken secretword", "af_sky")]
    assert raised.value.code == "internal"
    assert "RuntimeError" in caplog.text
    assert "secretword" not in caplog.text + raised.value.text


async def test_a_fault_in_a_later_piece_breaks_the_stream(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    heard = 0
    with pytest.raises(ClawMuxError, match="speaking") as raised:
        async for chunk in service.client.synthesize("This is the good first sentence. This one is broken secretword.", "af_sky"):
            heard += len(chunk)
    assert raised.value.code == "speech_down"
    assert heard > 0
    assert "secretword" not in caplog.text


async def test_nothing_to_say_is_a_short_silence(service: Service) -> None:
    data = b"".join([chunk async for chunk in service.client.synthesize("🎉", "af_sky")])
    assert data == bytes(4800)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, '{"text": "10 tenths"}'),
        ({"response_format": "text", "model": "whisper-1", "temperature": "0"}, "10 tenths\n"),
    ],
)
async def test_transcription_formats(service: Service, fields: dict[str, str], expected: str) -> None:
    form = aiohttp.FormData(fields)
    form.add_field("file", LOUD, filename="a.wav")
    async with session_of(service) as session, session.post("/v1/audio/transcriptions", data=form) as answer:
        assert (answer.status, await answer.text()) == (200, expected)


async def test_verbose_json_tells_where(service: Service) -> None:
    form = aiohttp.FormData({"response_format": "verbose_json", "language": "en"})
    form.add_field("file", LOUD, filename="a.wav")
    async with session_of(service) as session, session.post("/v1/audio/transcriptions", data=form) as answer:
        found = await answer.json()
    assert found["duration"] == 1.0
    assert found["segments"] == [{"id": 0, "start": 0.0, "end": 1.0, "text": "10 tenths"}]


async def post(service: Service, path: str, **content: Any) -> tuple[int, dict[str, Any]]:
    async with session_of(service) as session, session.post(path, **content) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("path", "content", "status", "text"),
    [
        ("/v1/audio/speech", {"data": b"{"}, 400, "not JSON"),
        ("/v1/audio/speech", {"data": b"[" * 100_000}, 400, "not JSON"),
        ("/v1/audio/speech", {"data": b"x" * (JSON_BYTES + 1)}, 413, "limit is 262144"),
        ("/v1/audio/transcriptions", {"data": b"x"}, 415, "multipart/form-data expected"),
        ("/v1/audio/transcriptions", {"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "not multipart"),
        (
            "/v1/audio/transcriptions",
            {"data": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
            400,
            "not multipart",
        ),
        ("/v1/audio/nothing", {"data": b""}, 404, "POST /v1/audio/nothing"),
        ("/health", {"data": b""}, 405, "POST /health"),
    ],
)
async def test_wrong_requests(service: Service, path: str, content: dict[str, Any], status: int, text: str) -> None:
    found, body = await post(service, path, **content)
    assert found == status
    assert body["type"] == "error"
    assert text in body["text"], body


async def test_an_upload_beyond_the_cap_is_refused_while_it_comes(service: Service) -> None:
    async def endless() -> Any:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(UPLOAD_BYTES // 65536 + 2):
            yield bytes(65536)

    content = {"data": endless(), "headers": {"Content-Type": "multipart/form-data; boundary=b"}}
    try:
        status, body = await post(service, "/v1/audio/transcriptions", **content)
        assert (status, body["code"]) == (413, "too_large")
    except aiohttp.ClientError:
        pass  # The refusal closed the connection while the rest was on its way.
    assert (await service.client.health())["ok"]


async def test_lists(service: Service) -> None:
    await service.engines.stt.use()
    await service.engines.tts.use()
    async with session_of(service) as session:
        async with session.get("/v1/models") as answer:
            assert [row["id"] for row in (await answer.json())["data"]] == ["whisper-tiny.en", "kokoro-int8"]
        async with session.get("/v1/audio/voices") as answer:
            voices = (await answer.json())["voices"]
    assert len(voices) == 54
    assert {"id": "bm_fable", "name": "fable", "language": "en-GB", "gender": "male"} in voices


async def test_missing_models_say_what_to_do_and_are_loaded_when_they_appear(tmp_path: Path) -> None:
    files = Files()
    async with serving(tmp_path, files) as service:
        health = await service.client.health()
        assert (health["ok"], health["state"]) == (False, "missing_models")
        for call in (service.client.transcribe(LOUD, "audio/wav"), anext(service.client.synthesize("Hi.", "af_sky"))):
            with pytest.raises(ClawMuxError) as raised:
                await call
            assert (raised.value.code, raised.value.remedy) == ("speech_down", "Run: clawmux models pull --set tiny")
        files.names |= set(TINY)
        for _ in range(200):
            if (await service.client.health())["state"] == "ready":
                break
            await asyncio.sleep(0.02)
        assert await service.client.transcribe(LOUD, "audio/wav") == "10 tenths"


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"bearer {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer é"]
)
@pytest.mark.parametrize("path", ["/health", "/v1/models", "/v1/listen", "/v1/audio/voices", "/nothing"])
async def test_nothing_over_tcp_without_the_token(tmp_path: Path, header: str | None, path: str) -> None:
    async with serving(tmp_path, token=TOKEN) as service, aiohttp.ClientSession() as session:
        headers = {} if header is None else {"Authorization": header}
        async with session.get(service.url + path, headers=headers) as answer:
            assert (answer.status, json.loads(await answer.text())["code"]) == (401, "unauthorized")


async def test_with_the_token_it_serves(tmp_path: Path) -> None:
    async with serving(tmp_path, token=TOKEN) as service:
        assert (await service.client.health())["version"]


# -- qualities --


async def test_health_tells_when_a_smaller_model_serves_in_place_of_the_quality(tmp_path: Path) -> None:
    for names, is_substitute in ((TINY, True), (("whisper-small", *TINY), False)):
        async with serving(tmp_path, Files(*names), Config(quality="low")) as service:

            async def is_ready(service: Service = service) -> bool:
                return bool((await service.client.health())["state"] == "ready")

            await until_answer(is_ready)
            health = await service.client.health()
            assert (health["is_substitute"], health["quality"]) == (is_substitute, "low")


@pytest.mark.parametrize(("names", "heard_by"), [(("whisper-small", *TINY), "whisper-small"), (TINY, "whisper-tiny.en")])
async def test_a_turn_may_ask_for_another_quality(tmp_path: Path, names: tuple[str, ...], heard_by: str) -> None:
    """Its recogniser is loaded beside the usual one; where that cannot be had, the usual one hears."""
    made: list[CountingWhisper] = []

    def recogniser(folder: Path, engine: Engine, beam_size: int) -> CountingWhisper:
        made.append(CountingWhisper(folder, engine, beam_size))
        return made[-1]

    async with serving(tmp_path, Files(*names), with_loaders=replace(loaders(), recogniser=recogniser)) as service:
        for quality, by in (("low", heard_by), ("", "whisper-tiny.en"), ("tiny", "whisper-tiny.en"), ("low", heard_by)):
            for engine in made:
                engine.calls.clear()
            async with service.client.listen(mode="manual", partials=False, quality=quality) as listening:
                await listening.send(audio.to_pcm16((0.3 * np.sin(np.arange(16000) / 5)).astype(np.float32)))
                await listening.end()
                assert [event["type"] async for event in listening][-1] == "final_text"
            assert [engine.name for engine in made if engine.calls] == [by]
        assert len(made) == len({"whisper-tiny.en", heard_by}), "each is loaded once"
        assert (await service.client.health())["model"] == "whisper-tiny.en"


async def test_a_quality_that_there_is_not_is_refused(service: Service) -> None:
    with pytest.raises(ClawMuxError, match="quality = 'best'"):
        async with service.client.listen(quality="best"):
            pass
