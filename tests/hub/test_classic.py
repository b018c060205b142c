"""The protocol that the hub was first described with, end to end with the real engines: JSON, base64, no hello."""

from __future__ import annotations

import asyncio
import base64
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from clawmux.adapters.models import ModelStore
from clawmux.adapters.speech.audio import Encoder, decode
from tests import sound
from tests.live_hub import LiveHub, said
from tests.stand_ins.classic_client import ClassicClient

pytestmark = [pytest.mark.speech, pytest.mark.asyncio(loop_scope="module")]
RATE = 16000
# What the first description says of each message, and nothing else.
FIELDS = {
    "session_list": {"sessions"},
    "session_status": {"session_id", "status"},
    "session_terminated": {"session_id"},
    "assistant_text": {"session_id", "text"},
    "user_text": {"session_id", "text"},
    "audio": {"session_id", "data"},
    "listening": {"session_id"},
    "status": {"session_id", "text"},
    "done": {"session_id"},
    "error": {"code", "text", "remedy"},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub() -> AsyncIterator[LiveHub]:
    folder = os.environ.get("CLAWMUX_MODELS")
    if not folder or ModelStore(Path(folder)).missing("tiny"):
        pytest.skip("CLAWMUX_MODELS names no folder with the tiny set (clawmux models pull --set tiny)")
    async with LiveHub("real") as hub:
        await hub.speech_is("ready")
        yield hub


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(hub: LiveHub) -> AsyncIterator[ClassicClient]:
    """One that says nothing until it is asked, and then no hello."""
    async with ClassicClient(hub.url, hub.token) as client:
        await client.get("session_list", seconds=8)
        yield client
        for message in client.messages:
            assert set(message) - {"type"} == FIELDS[message["type"]], message


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(hub: LiveHub, client: ClassicClient) -> AsyncIterator[str]:
    """A session with a question that has been played and waits for its answer."""
    session_id = await hub.spawn()
    asking = await hub.client(session_id, "converse", "Go?")
    await client.get("audio", session_id=session_id)
    await client.playback_done(session_id)
    await client.get("listening", session_id=session_id)
    yield session_id
    await hub.call("DELETE", f"/api/sessions/{session_id}")
    await said(asking)


def wav(samples: sound.Samples, folder: Path, rate: int = RATE) -> bytes:
    return sound.write_wav(folder / "sound.wav", sound.resample(samples, RATE, rate), rate).read_bytes()


def spoken() -> sound.Samples:
    return sound.clip("go-forward", RATE)


def encoded(format: str) -> bytes:
    encoder = Encoder(format)
    pcm = (sound.resample(spoken(), RATE, 24000) * 32767).astype("<i2").tobytes()
    return encoder.feed(pcm) + encoder.finish()


async def test_from_question_to_answer_in_the_words_of_the_first_description(
    hub: LiveHub, client: ClassicClient, tmp_path: Path
) -> None:
    session_id = await hub.spawn()
    await client.get("session_status", session_id=session_id)
    since = len(client.messages)
    asking = await hub.client(session_id, "converse", "Where shall I go now?")
    shown = await client.get("assistant_text", since)
    assert shown == {"type": "assistant_text", "session_id": session_id, "text": "Where shall I go now?"}
    await client.get("status", since, session_id=session_id, text="Speaking...")
    heard = base64.b64decode((await client.get("audio", since, session_id=session_id))["data"], validate=True)
    assert heard[:3] == b"ID3" or (heard[0] == 0xFF and heard[1] & 0xE0 == 0xE0), "MP3"
    samples = decode(heard, RATE)
    assert 0.8 < len(samples) / RATE < 5 and abs(samples).max() > 0.1
    assert "listening" not in client.kinds()[since:], "not before it was played"
    await client.playback_done(session_id)
    assert await client.get("listening", since) == {"type": "listening", "session_id": session_id}
    await client.audio(session_id, wav(spoken(), tmp_path))
    words = await client.get("user_text", since, session_id=session_id)
    await client.get("done", since, session_id=session_id)
    told = await said(asking)
    assert (told.code, told.out, told.err) == (0, words["text"] + "\n", "")
    assert "forward" in told.out.lower()
    kinds = [kind for kind in client.kinds()[since:] if kind not in ("session_status", "session_list")]
    assert kinds == ["assistant_text", "status", "audio", "listening", "user_text", "done"]


async def test_what_wants_no_answer_ends_when_it_was_played(hub: LiveHub, client: ClassicClient) -> None:
    session_id = await hub.spawn()
    since = len(client.messages)
    asking = await hub.client(session_id, "converse", "Done with that.", "--no-listen")
    await client.get("audio", since, session_id=session_id)
    assert asking.returncode is None
    await client.playback_done(session_id)
    assert (await said(asking)).code == 0
    assert "listening" not in client.kinds()[since:]


async def test_played_in_another_session_is_not_played_here(hub: LiveHub, client: ClassicClient) -> None:
    first, second = await hub.spawn(), await hub.spawn()
    since = len(client.messages)
    asking = await hub.client(first, "converse", "Hm?")
    await client.get("audio", since, session_id=first)
    await client.playback_done(second)
    await client.audio(second, b"no sound")
    await client.get("done", since, session_id=second)
    assert "listening" not in client.kinds()[since:], "the first is still being played"
    await hub.call("DELETE", f"/api/sessions/{first}")
    assert (await said(asking)).code == 7


@pytest.mark.parametrize("seconds", [0.0, 1.5])
async def test_silence_is_nothing_heard(hub: LiveHub, client: ClassicClient, tmp_path: Path, seconds: float) -> None:
    """As the first description has it, a muted page sends silence."""
    session_id = await hub.spawn()
    since = len(client.messages)
    asking = await hub.client(session_id, "converse", "Anybody?")
    await client.get("audio", since, session_id=session_id)
    await client.playback_done(session_id)
    await client.get("listening", since, session_id=session_id)
    await client.audio(session_id, wav(sound.silence(seconds, RATE), tmp_path))
    assert (await said(asking)).code == 5
    await client.get("done", since, session_id=session_id)
    assert "user_text" not in client.kinds()[since:]


async def test_words_that_nobody_asked_for_are_not_lost_in_silence(hub: LiveHub, client: ClassicClient, tmp_path: Path) -> None:
    session_id = await hub.spawn()
    since = len(client.messages)
    await client.audio(session_id, wav(spoken(), tmp_path))
    status = await client.get("status", since, session_id=session_id)
    assert "orward" in status["text"] and "Not delivered" in status["text"]


async def test_the_end_of_a_session_is_told(hub: LiveHub, client: ClassicClient) -> None:
    session_id = await hub.spawn()
    await hub.call("DELETE", f"/api/sessions/{session_id}")
    assert await client.get("session_terminated", session_id=session_id)


@pytest.mark.parametrize("rate", [8000, 11025, 12345, 22050, 44100, 48000, 96000])
async def test_an_answer_may_have_any_rate(hub: LiveHub, client: ClassicClient, tmp_path: Path, rate: int) -> None:
    await assert_answered(hub, client, wav(spoken(), tmp_path, rate))


@pytest.mark.parametrize("format", ["mp3", "opus", "flac"])
async def test_an_answer_may_come_in_any_container(hub: LiveHub, client: ClassicClient, format: str) -> None:
    await assert_answered(hub, client, encoded(format))


async def test_an_answer_may_have_two_channels(hub: LiveHub, client: ClassicClient, tmp_path: Path) -> None:
    pcm = wav(spoken(), tmp_path)[44:]
    stereo = b"".join(pcm[at : at + 2] * 2 for at in range(0, len(pcm), 2))
    await assert_answered(hub, client, riff(channels=2, block=4, byte_rate=4 * RATE, data_bytes=len(stereo)) + stereo)


async def assert_answered(hub: LiveHub, client: ClassicClient, data: bytes) -> None:
    session_id = await hub.spawn()
    since = len(client.messages)
    asking = await hub.client(session_id, "converse", "Go?")
    await client.get("audio", since, session_id=session_id)
    await client.playback_done(session_id)
    await client.get("listening", since, session_id=session_id)
    await client.audio(session_id, data)
    assert "forward" in (await said(asking)).out.lower()
    await hub.call("DELETE", f"/api/sessions/{session_id}")


def riff(
    channels: int = 1,
    rate: int = RATE,
    bits: int = 16,
    block: int = 2,
    byte_rate: int = 2 * RATE,
    format: int = 1,
    data_bytes: int = 3200,
) -> bytes:
    """The header of a WAV, with whatever is wrong in it."""
    fmt = struct.pack("<HHIIHH", format, channels, rate, byte_rate, block, bits)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", 36 + data_bytes, b"WAVE", b"fmt ", 16) + fmt + struct.pack("<4sI", b"data", data_bytes)
    )


TENTH = bytes(3200)
NO_SOUND: dict[str, tuple[bytes, str]] = {
    "a text": (b"this is no sound at all, whatever the name says", "file"),
    "one byte": (b"R", "file"),
    "only RIFF": (b"RIFF", "file"),
    "a header cut off": (riff()[:30], "WAV"),
    "a header and nothing more": (riff()[:36], "WAV"),
    "data cut off": (riff(data_bytes=64000) + TENTH, "truncated"),
    "half a sample": (riff(data_bytes=3201) + TENTH + b"\0", "frames"),
    "RIFF of something else": (b"RIFF\x24\0\0\0AVI " + TENTH, "file"),
    "no channel": (riff(channels=0) + TENTH, "channel"),
    "70 channels": (riff(channels=70, block=140) + TENTH, "channel"),
    "a rate of 0": (riff(rate=0, byte_rate=0) + TENTH, "rate"),
    "a rate of 1": (riff(rate=1, byte_rate=2) + TENTH, "rate"),
    "a rate of 4 billion": (riff(rate=0xFFFFFFFF) + TENTH, "rate"),
    "13 bits": (riff(bits=13) + TENTH, "bits"),
    "an unknown coding": (riff(format=0x4242) + TENTH, "format"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + TENTH, "file"),
    "MP3 cut in its header": (b"ID3\x04\0\0\0\0", "file"),
    "Ogg cut in its header": (b"OggS\0\x02", "file"),
    "zeros": (bytes(5000), "file"),
}


@pytest.mark.parametrize(("data", "says"), NO_SOUND.values(), ids=NO_SOUND)
async def test_what_is_no_sound_is_named_and_the_question_stays_open(
    client: ClassicClient, asked: str, data: bytes, says: str
) -> None:
    since = len(client.messages)
    await client.audio(asked, data)
    error = await client.get("error", since, seconds=20)
    assert error["code"] in ("unsupported", "usage") and says in error["text"], error
    await client.get("done", since, session_id=asked)


async def test_after_all_that_was_no_sound_the_question_is_stillassert_answered(
    hub: LiveHub, client: ClassicClient, asked: str, tmp_path: Path
) -> None:
    since = len(client.messages)
    await client.audio(asked, wav(spoken(), tmp_path))
    assert "forward" in (await client.get("user_text", since, session_id=asked))["text"].lower()
    sessions = await hub.call("GET", "/api/sessions")
    assert next(s for s in sessions if s["id"] == asked)["question"] is None
    await asyncio.sleep(0)
