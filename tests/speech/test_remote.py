from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from clawmux.adapters.speech import audio
from clawmux.adapters.speech.engines import Config
from clawmux.adapters.speech.remote import Breaker, Remote
from clawmux.adapters.speech.server_url import base_of, choose_model
from clawmux.adapters.speech.voices import VOICES
from clawmux.wire.errors import ClawMuxError
from tests.speech.conftest import serving
from tests.stand_ins.speech_engines import TINY, Files

LOUD = (0.3 * np.sin(np.arange(16000) / 5)).astype(np.float32)
PCM = audio.to_pcm16(LOUD)


def test_the_breaker_waits_longer_each_time_and_one_success_heals_it() -> None:
    breaker = Breaker()
    assert breaker.allows(0)
    breaker.failed(0, "gone")
    assert not breaker.allows(4.9)
    assert breaker.allows(5)
    breaker.failed(5, "gone again")
    assert not breaker.allows(14.9)
    for _ in range(20):
        breaker.failed(100, "still")
    assert breaker.allows(160)
    breaker.succeeded()
    assert breaker.allows(100)
    assert breaker.reason == ""


@pytest.mark.parametrize(
    ("url", "base"),
    [("http://box:8000", "http://box:8000/"), ("http://box:8000/v1/", "http://box:8000/"), ("https://b/x/v1/audio/speech", "https://b/x"),
     ("http://box/v1/audio/transcriptions", "http://box/")],
)  # fmt: skip
def test_base_of(url: str, base: str) -> None:
    assert str(base_of(url)) == base


@pytest.mark.parametrize("url", ["box:8000", "ftp://box", "http://", "nonsense"])
def test_a_wrong_address_is_named(url: str) -> None:
    with pytest.raises(ClawMuxError, match="not an http"):
        base_of(url)


@pytest.mark.parametrize(
    ("ids", "half", "model"),
    [([], "stt", "whisper-1"), ([], "tts", "kokoro"), (["a/Kokoro-82M", "b/faster-whisper-base"], "stt", "b/faster-whisper-base"),
     (["a/Kokoro-82M", "x"], "tts", "a/Kokoro-82M"), (["parakeet"], "stt", "parakeet")],
)  # fmt: skip
def test_choose_model(ids: list[str], half: str, model: str) -> None:
    assert choose_model(ids, half) == model


@asynccontextmanager
async def stranger(routes: dict[str, object]) -> AsyncIterator[str]:
    """Another server: a status, a JSON value or bytes for each path."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        found = routes.get(request.path, 404)
        if isinstance(found, int):
            return web.Response(status=found)
        if isinstance(found, bytes):
            return web.Response(body=found, content_type="audio/wav" if found[:4] == b"RIFF" else "audio/pcm")
        return web.json_response(found)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "routes",
    [
        {"/v1/models": {"data": [{"id": "whisper-1"}]}, "/v1/audio/transcriptions": {"text": " hello  there\n"}},
        {"/inference": {"text": " hello there\n"}},  # whisper.cpp's server
    ],
)
async def test_recognition_of_others(routes: dict[str, object]) -> None:
    async with stranger(routes) as url:
        remote = Remote(url, "stt")
        assert await remote.transcribe(LOUD, "en", "") == "hello there"
        await remote.close()


@pytest.mark.parametrize("answer", [PCM, audio.write_wav(audio.Sound(LOUD, 24000))])
async def test_speaking_of_others_in_pcm_or_a_container(answer: bytes) -> None:
    async with stranger({"/v1/audio/speech": answer}) as url:
        remote = Remote(url, "tts")
        assert len(await remote.speak("hello", VOICES["af_sky"], 1.0)) == 16000
        await remote.close()


@pytest.mark.parametrize(
    ("routes", "reason"),
    [
        ({"/v1/audio/transcriptions": 500}, "answered 500"),
        ({"/v1/models": 401}, "refused the token of speech.token_file (401)"),
        ({"/v1/audio/transcriptions": {"no": "text"}}, "answered without a text"),
        ({"/v1/audio/transcriptions": {"text": 5}}, "a text that is no text"),
        ({"/v1/audio/transcriptions": b"abc"}, "answered without a text"),
    ],
)
async def test_the_reason_of_a_failure(routes: dict[str, object], reason: str) -> None:
    async with stranger(routes) as url:
        remote = Remote(url, "stt")
        with pytest.raises(ClawMuxError) as raised:
            await remote.transcribe(LOUD, "en", "")
        assert reason in raised.value.text
        assert reason in remote.breaker.reason
        await remote.close()


async def test_a_password_in_the_address_is_not_shown() -> None:
    assert Remote("http://me:secret@box:1/v1", "stt").shown_url == "http://box:1"


async def test_both_halves_on_our_own_server_over_tcp(tmp_path: Path) -> None:
    async with serving(tmp_path, token="a-token-for-tests-0123456789") as far:
        config = Config(whisper_url=far.url, kokoro_url=far.url + "/v1", remote_token="a-token-for-tests-0123456789")
        async with serving(tmp_path, Files(), config) as near:
            chunks = [chunk async for chunk in near.client.synthesize("Hello there.", "am_adam")]
            assert sum(map(len, chunks)) > 10_000
            assert await near.client.transcribe(audio.write_wav(audio.Sound(LOUD, 16000)), "audio/wav") == "10 tenths"
            health = await near.client.health()
            assert (health["state"], health["stt"]["engine"], health["stt"]["url"]) == ("ready", "remote", far.url)
            async with near.client.listen(silence_seconds=0.5) as ears:
                await ears.send(PCM + bytes(32000))
                assert [event["type"] async for event in ears] == ["speech_started", "speech_ended", "final_text"]


async def test_the_local_engine_answers_for_a_dead_server_and_health_says_why(tmp_path: Path) -> None:
    config = Config(whisper_url="http://127.0.0.1:9", kokoro_url="http://127.0.0.1:9")
    async with serving(tmp_path, Files(*TINY), config) as service:
        assert [chunk async for chunk in service.client.synthesize("Hello.", "af_sky")]
        assert await service.client.transcribe(audio.write_wav(audio.Sound(LOUD, 16000)), "audio/wav") == "10 tenths"
        health = await service.client.health()
        assert health["state"] == "ready"
        assert "cannot be reached" in health["stt"]["reason"]
        assert "whisper-tiny.en serves here meanwhile" in health["stt"]["reason"]


async def test_without_a_local_engine_the_error_names_both(tmp_path: Path) -> None:
    async with serving(tmp_path, Files(), Config(kokoro_url="http://127.0.0.1:9")) as service:
        with pytest.raises(ClawMuxError) as raised:
            [chunk async for chunk in service.client.synthesize("Hello.", "af_sky")]
        assert raised.value.code == "speech_down"
        assert "not installed" in raised.value.text
        assert "127.0.0.1:9 cannot be reached: connect" in raised.value.text and "Connector" not in raised.value.text
        assert (await service.client.health())["state"] in ("failed", "missing_models")
