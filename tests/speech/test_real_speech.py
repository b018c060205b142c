"""The real models: human speech and noise in, Kokoro out and back in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from clawmux.adapters.models import ModelStore
from clawmux.adapters.speech import audio
from clawmux.adapters.speech.audio import LISTEN_RATE, Samples
from clawmux.adapters.speech.client import SpeechClient
from clawmux.adapters.speech.engines import Loaders
from tests.sound import CLIPS, WORDS, clip
from tests.speech.conftest import Service, serving
from tests.speech.wer import errors, wer, words

pytestmark = [pytest.mark.speech, pytest.mark.asyncio(loop_scope="module")]

# What tiny.en hears in these short or mumbled ones ("we're right", "old-sposed") is its own limit.
HARD = {"Rear_Right": 0.5, "austen-young-man": 0.25}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with serving(tmp_path_factory.mktemp("s"), store, with_loaders=Loaders()) as service:
        await service.engines.stt.use()
        await service.engines.tts.use()
        yield service


def has(name: str) -> bool:
    return any((folder / f"{name}.wav").is_file() for folder in CLIPS)


def human(name: str) -> Samples:
    if not has(name):
        pytest.skip(f"{name}.wav is not there: install the package alsa-utils")
    return clip(name, LISTEN_RATE)


async def listened(client: SpeechClient, sound: Samples, step: int = 1024, end: bool = True) -> list[dict[str, object]]:
    pcm = audio.to_pcm16(sound)
    async with client.listen() as ears:

        async def send() -> None:
            for at in range(0, len(pcm), step):
                await ears.send(pcm[at : at + step])
            if end:
                await ears.end()

        sending = asyncio.create_task(send())
        events = [event async for event in ears if event["type"] != "partial_text"]
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        return events


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * LISTEN_RATE), dtype=np.float32)


@pytest.mark.parametrize("name", sorted(WORDS))
async def test_human_speech_as_a_file(real: Service, name: str) -> None:
    heard = await real.client.transcribe(audio.write_wav(audio.Sound(human(name), LISTEN_RATE)), "audio/wav")
    assert wer(WORDS[name], heard) <= HARD.get(name, 0.2), heard


@pytest.mark.parametrize("name", sorted(WORDS))
async def test_human_speech_as_one_turn_faster_than_real_time(real: Service, name: str) -> None:
    """Kennedy pauses for up to 1.15 s in his sentence: at 1.2 s that stays one turn."""
    sound = np.concatenate([silence(0.7), human(name), silence(2.0)])
    events = await listened(real.client, sound, end=False)
    assert [event["type"] for event in events] == ["speech_started", "speech_ended", "final_text"]
    assert wer(WORDS[name], str(events[-1]["text"])) <= HARD.get(name, 0.2), events[-1]["text"]


async def test_all_human_speech_together(real: Service) -> None:
    said = {name: text for name, text in WORDS.items() if has(name)}
    heard = {n: await real.client.transcribe(audio.write_wav(audio.Sound(human(n), LISTEN_RATE)), "audio/wav") for n in said}
    assert sum(errors(said[n], heard[n]) for n in said) / sum(len(words(text)) for text in said.values()) <= 0.1


def without_words() -> dict[str, Samples]:
    random, count = np.random.default_rng(1), 4 * LISTEN_RATE
    time = np.arange(count) / LISTEN_RATE
    return {
        "digital silence": np.zeros(count),
        "white noise, loud": random.normal(0, 0.25, count),
        "white noise, faint": random.normal(0, 0.01, count),
        "hum": 0.3 * np.sin(2 * np.pi * 50 * time) + 0.1 * np.sin(2 * np.pi * 150 * time),
        "rumble": np.cumsum(random.normal(0, 0.003, count)) * 0.1,
        "clicks": (random.random(count) > 0.9995) * 0.8,
        "tone": 0.5 * np.sin(2 * np.pi * 1000 * time),
        "nearly nothing": random.normal(0, 1e-5, count),
    }


@pytest.mark.parametrize("name", [*without_words(), "Noise"])
async def test_noise_and_silence_give_no_words(real: Service, name: str) -> None:
    sound = human("Noise") if name == "Noise" else np.clip(without_words()[name], -1, 1).astype(np.float32)
    assert await real.client.transcribe(audio.write_wav(audio.Sound(sound, LISTEN_RATE)), "audio/wav") == ""
    events = await listened(real.client, sound)
    assert (events[-1]["type"], events[-1]["text"]) == ("final_text", "")
    async with real.client.listen(mode="manual") as ears:
        await ears.send(audio.to_pcm16(sound))
        await ears.end()
        assert [event["text"] async for event in ears if event["type"] == "final_text"] == [""]


@pytest.mark.parametrize("voice", ["af_sky", "af_sarah", "am_adam", "am_onyx", "bf_emma", "bm_fable"])
async def test_what_kokoro_says_whisper_hears(real: Service, voice: str) -> None:
    said = "The tests pass now. Shall I merge the branch and start the server?"
    sound = b"".join([chunk async for chunk in real.client.synthesize(said, voice, format="wav")])
    samples = audio.read_wav(sound)
    assert 3 < samples.seconds < 8
    assert float(np.abs(samples.samples[: round(0.1 * samples.rate)]).max()) > 0.003, "a long lead of silence"
    assert wer(said, await real.client.transcribe(sound, "audio/wav")) <= 0.2


@pytest.mark.parametrize("voice", ["ef_dora", "ff_siwis", "hf_alpha", "if_sara", "jf_alpha", "pm_alex", "zm_yunxi"])
async def test_every_language_makes_sound(real: Service, voice: str) -> None:
    greetings = {"e": "Hola a todos.", "f": "Bonjour à tous.", "h": "नमस्ते दुनिया।", "i": "Ciao a tutti.", "j": "こんにちは。"}
    text = (greetings | {"p": "Olá a todos.", "z": "你好世界。"})[voice[0]]
    sound = b"".join([chunk async for chunk in real.client.synthesize(text, voice)])
    assert 0.4 < len(sound) / 48000 < 5


async def test_speed(real: Service) -> None:
    lengths = []
    for speed in (0.5, 1.0, 2.0):
        lengths.append(
            sum([len(chunk) async for chunk in real.client.synthesize("Speed is a matter of taste.", "af_sky", speed)])
        )
    assert lengths[0] > lengths[1] * 1.5 > lengths[2] * 2


async def test_the_first_sentence_is_there_before_the_last_is_made(real: Service) -> None:
    text = "The first sentence is short. " + "Then comes a rather longer one that takes its time to be made. " * 4
    stream = real.client.synthesize(text, "af_sky")
    await anext(stream)
    assert not real.engines.tts.worker.is_free, "the service is still at work"
    await stream.aclose()


@pytest.mark.parametrize("response_format", ["wav", "mp3", "opus", "flac"])
async def test_every_format_holds_the_same_speech(real: Service, response_format: str) -> None:
    text = "All formats say the same."
    plain = sum([len(chunk) async for chunk in real.client.synthesize(text, "am_adam")]) / 48000
    data = b"".join([chunk async for chunk in real.client.synthesize(text, "am_adam", format=response_format)])
    assert len(audio.decode(data, 24000)) / 24000 == pytest.approx(plain, abs=0.12)
    assert wer(text, await real.client.transcribe(data, audio.CONTENT_TYPES[response_format])) <= 0.2


async def test_a_flipped_byte_in_a_model_is_an_error_and_not_a_crash(store: ModelStore, tmp_path: Path) -> None:
    class Broken:
        def path(self, name: str) -> Path | None:
            if name != "voices":
                return store.path(name)
            (tmp_path / "voices-v1.0.bin").write_bytes(b"PK\x03\x04" + bytes(1000))
            return tmp_path / "voices-v1.0.bin"

    async with serving(tmp_path, Broken(), with_loaders=Loaders()) as service:
        for _ in range(600):
            health = await service.client.health()
            if health["tts"]["state"] == "failed" and health["stt"]["state"] == "ready":
                break
            await asyncio.sleep(0.05)
        assert "kokoro-int8 cannot be loaded" in health["tts"]["reason"]
        assert health["stt"]["state"] == "ready"
