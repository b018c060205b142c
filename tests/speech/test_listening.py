from __future__ import annotations

import contextlib
import json
from typing import Any

import aiohttp
import numpy as np
import pytest

from clawmux.adapters.speech import audio
from clawmux.adapters.speech.listening import FRAME_BYTES
from clawmux.wire.errors import ClawMuxError
from tests.speech.conftest import Service
from tests.stand_ins.speech_engines import CountingWhisper
from tests.waiting import until

START = {"type": "start"}


def loud(seconds: float) -> bytes:
    return audio.to_pcm16((0.3 * np.sin(np.arange(round(seconds * 16000)) / 5)).astype(np.float32))


def quiet(seconds: float) -> bytes:
    return bytes(2 * round(seconds * 16000))


async def heard(service: Service, pcm: bytes, end: bool = True, step: int = 1024, **start: Any) -> list[dict[str, Any]]:
    async with service.client.listen(**start) as ears:
        for at in range(0, len(pcm), step):
            await ears.send(pcm[at : at + step])
        if end:
            await ears.end()
        return [event async for event in ears if event["type"] != "partial_text"]


def shape(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


async def test_a_turn_ends_itself(service: Service) -> None:
    events = await heard(service, quiet(1) + loud(1) + quiet(1.5), end=False)
    assert shape(events) == ["speech_started", "speech_ended", "final_text"]
    assert events[0]["at_ms"] == pytest.approx(1000, abs=40)
    assert events[1]["at_ms"] == pytest.approx(2000, abs=40)
    assert events[2]["text"] == "16 tenths"
    assert events[2]["audio_ms"] == pytest.approx(1000, abs=70)


@pytest.mark.parametrize("step", [62, 640, 1024, 1998, 32768])
async def test_the_turn_is_the_same_however_it_is_cut(service: Service, step: int) -> None:
    pcm = quiet(1) + loud(0.5) + quiet(1.15) + loud(0.5) + quiet(2)
    events = await heard(service, pcm, step=step)
    assert shape(events) == ["speech_started", "speech_ended", "final_text"]
    assert events[1]["at_ms"] == pytest.approx(3150, abs=40)


async def test_end_always_gives_exactly_one_final_text(service: Service) -> None:
    for pcm, mode in [(b"", "auto"), (quiet(2), "auto"), (quiet(2), "manual"), (b"", "manual")]:
        events = await heard(service, pcm, mode=mode)
        assert (shape(events), events[0]["text"]) == (["final_text"], "")
    events = await heard(service, quiet(0.5) + loud(1), mode="auto")
    assert shape(events) == ["speech_started", "speech_ended", "final_text"]


async def test_manual_waits_for_its_end(service: Service) -> None:
    events = await heard(service, loud(1) + quiet(4) + loud(1) + quiet(4), mode="manual")
    assert shape(events) == ["speech_started", "speech_ended", "final_text"]
    assert events[-1]["text"] == "13 tenths 16 tenths"
    assert events[-1]["audio_ms"] == 10_000


async def test_noise_is_no_turn_and_listening_goes_on(service: Service) -> None:
    engine = await service.engines.stt.use()
    assert isinstance(engine, CountingWhisper)
    engine.hears_nothing = True
    async with service.client.listen(silence_seconds=0.5) as ears:
        events = aiter(ears)
        await ears.send(loud(0.5) + quiet(1))
        assert [(await anext(events))["type"] for _ in range(2)] == ["speech_started", "speech_ended"]
        await until(lambda: engine.calls and service.engines.stt.worker.is_free)
        engine.hears_nothing = False
        await ears.send(loud(0.5) + quiet(1))
        assert [event["type"] async for event in events if event["type"] != "partial_text"] == [
            "speech_started",
            "speech_ended",
            "final_text",
        ]


async def test_recognition_is_done_before_the_turn_ends(service: Service) -> None:
    engine = await service.engines.stt.use()
    assert isinstance(engine, CountingWhisper)
    events = await heard(service, loud(1) + quiet(1.5), end=False, partials=False)
    assert len(engine.calls) == 1, "the guess at the pause is the final text"
    assert events[-1]["stt_ms"] < 1000


async def test_cancel_ends_without_words(service: Service) -> None:
    async with service.client.listen() as ears:
        await ears.send(loud(0.5))
        await ears.cancel()
        assert "final_text" not in [event["type"] async for event in ears]


async def raw(service: Service, *messages: Any) -> list[dict[str, Any]]:
    """What is answered to these messages; a str goes as text, bytes as binary, a dict as JSON."""
    connector = aiohttp.UnixConnector(str(service.socket))
    async with aiohttp.ClientSession(connector=connector) as session, session.ws_connect("http://speech/v1/listen") as socket:
        for message in messages:
            if isinstance(message, bytes):
                await socket.send_bytes(message)
            else:
                await socket.send_str(message if isinstance(message, str) else json.dumps(message))
        return [json.loads(answer.data) async for answer in socket if answer.type is aiohttp.WSMsgType.TEXT]


@pytest.mark.parametrize(
    ("messages", "code", "text"),
    [
        ([b"ab"], "usage", "first message = 'binary'"),
        (["hello"], "usage", "not JSON"),
        (["[1]"], "usage", "a JSON list"),
        (["[" * 4000], "usage", "not JSON"),
        (["x" * 5000], "too_large", "a text message of 5000 characters"),
        ([{"type": "begin"}], "usage", "type = 'begin'"),
        ([{}], "usage", "type = 'None'"),
        ([{**START, "langauge": "en"}], "usage", "unknown field 'langauge'"),
        ([{**START, "language": 5}], "usage", "language = '5'"),
        ([{**START, "mode": "sometimes"}], "usage", "mode = 'sometimes'"),
        ([{**START, "silence_seconds": 0.1}], "usage", "silence_seconds = '0.1'"),
        ([{**START, "silence_seconds": "1"}], "usage", "silence_seconds = '1'"),
        ([{**START, "silence_seconds": True}], "usage", "silence_seconds = 'True'"),
        ([{**START, "partials": 1}], "usage", "partials = '1'"),
        ([START, b"abc"], "usage", "an odd byte count"),
        ([START, bytes(FRAME_BYTES + 2)], "too_large", "65538 bytes; the limit is 65536"),
        ([START, START], "usage", "type = 'start': end or cancel"),
        ([START, "nonsense"], "usage", "not JSON"),
        ([{**START, "language": "de"}], "speech_down", "understands English only"),
    ],
)
async def test_broken_input_is_named_and_the_service_lives_on(
    service: Service, messages: list[Any], code: str, text: str
) -> None:
    error = (await raw(service, *messages))[-1]
    assert (error["type"], error["code"]) == ("error", code)
    assert text in error["text"], error
    assert shape(await heard(service, loud(1))) == ["speech_started", "speech_ended", "final_text"]


async def test_a_message_beyond_every_limit_closes_that_socket_alone(service: Service) -> None:
    with contextlib.suppress(ConnectionError):  # It may close while the message is still on its way.
        await raw(service, START, bytes(1 << 20))
    assert (await service.client.health())["vad"]


async def test_the_client_hears_the_error(service: Service) -> None:
    with pytest.raises(ClawMuxError, match="understands English only"):
        async with service.client.listen(language="de"):
            pass
