"""A hub with the real engines, and its speech service asked directly, as the floor of what goes through the hub."""

from __future__ import annotations

import asyncio
import importlib.util
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from clawmux.adapters.models import ModelStore
from clawmux.adapters.speech.client import Listening, SpeechClient
from tests.bench.figure import Unmeasured
from tests.live_hub import LiveHub
from tests.stand_ins.page import FRAME_SAMPLES

VOICE = "af_sky"
# What the hub asks of the ear unless a setting says otherwise.
SILENCE_SECONDS = 1.2
MODELS = "tiny"


@dataclass(frozen=True, slots=True)
class Speaking:
    hub: LiveHub
    service: SpeechClient
    session: str
    """An agent that does nothing, for which we speak."""
    http: aiohttp.ClientSession

    async def converse(self, text: str, listen: bool) -> str:
        """A converse call from its request to its answer, without the start of a command."""
        body = {"type": "converse", "id": secrets.token_hex(16), "text": text, "listen": listen}
        async with self.http.post(f"http://clawmux/cli/{self.session}", json=body) as response:
            answer: dict[str, Any] = await response.json()
        if answer.get("type") != "converse_result":
            raise AssertionError(f"converse was answered {answer}")
        return str(answer["text"])

    async def first_chunk_ms(self, text: str) -> float:
        """Until the service's first sound; then hears the rest, so that no work is left over for whoever comes next."""
        started, first = time.perf_counter(), 0.0
        async for _ in self.service.synthesize(text, VOICE):
            first = first or time.perf_counter()
        return (first - started) * 1000

    async def speak(self, text: str) -> None:
        async for _ in self.service.synthesize(text, VOICE):
            pass

    async def hear(self, pcm: bytes) -> str:
        """The words of a turn that the ear ends by itself."""
        async with self.service.listen("en", "auto", SILENCE_SECONDS) as listening:
            feeding = asyncio.create_task(_feed(listening, pcm))
            words = [event["text"] async for event in listening if event["type"] == "final_text"]
            await feeding
        return str(words[-1])


@asynccontextmanager
async def speaking(speech: str = "real") -> AsyncIterator[Speaking]:
    """A hub that is ready to speak: with the engines, or with tones in place of them."""
    hub = LiveHub(speech)
    if speech == "real" and (lacking := _lacking(hub)):
        await hub.__aexit__()
        raise Unmeasured(lacking)
    connector = aiohttp.UnixConnector(str(hub.paths.hub_socket))
    async with hub, SpeechClient(hub.paths.run / "speech-1.sock") as service, aiohttp.ClientSession(connector=connector) as http:
        await hub.speech_is("ready")
        yield Speaking(hub, service, await hub.spawn(voice=VOICE), http)


def _lacking(hub: LiveHub) -> str:
    if importlib.util.find_spec("kokoro_onnx") is None:
        return "the speech engines are not installed (extra `speech`)"
    missing = ModelStore(hub.paths.models).missing(MODELS)
    return f"no models; clawmux models pull --set {MODELS}, and name them by CLAWMUX_MODELS" if missing else ""


async def _feed(listening: Listening, pcm: bytes) -> None:
    """In the frames that a page sends."""
    size = FRAME_SAMPLES * 2
    for at in range(0, len(pcm), size):
        await listening.send(pcm[at : at + size])
        await asyncio.sleep(0)
