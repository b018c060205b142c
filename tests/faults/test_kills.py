"""kill -9 of the hub and of the speech child at each stage of a converse: one answer or one clear error, every time.

Real engines, real tmux, the real client; the page is a stand-in that talks from recorded speech. The kills come ten times
for each stage; one hub lives through the ten, so that what one kill leaves behind would show in the next.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import numpy as np
import pytest

from tests import sound
from tests.live_hub import LiveHub, Said, said
from tests.stand_ins.page import Event, StandInPage
from tests.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.speech]

ROUNDS = 10
QUESTION = "This question takes some seconds to say. What shall I do?"
STAGES = ("speaking", "listening", "transcribing")


def recording() -> bytes:
    samples = np.concatenate([sound.silence(0.3, 16000), sound.clip("go-forward", 16000), sound.silence(2.0, 16000)])
    return bytes((samples * 32767).astype("<i2").tobytes())


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("real") as hub:
        await hub.speech_is("ready")
        yield hub


@pytest.mark.parametrize("victim", ["hub", "speech"])
@pytest.mark.parametrize("stage", STAGES)
async def test_ten_kills_each_end_with_one_answer(hub: LiveHub, victim: str, stage: str) -> None:
    pcm = recording()
    async with StandInPage(hub.url, hub.token, lambda session_id: pcm, speed=6.0) as page:
        sky = await hub.spawn()
        for number in range(ROUNDS):
            told = await one_kill(hub, page, sky, victim, stage, f"Number {number}. {QUESTION}")
            assert told.code == 0, f"round {number}: {told}"
            assert "forward" in told.out.lower(), f"round {number}: {told}"
            questions = [event for event in page.events if event["type"] == "assistant_text"]
            assert len(questions) == number + 1, "shown once"
            await page.until(lambda number=number: len(page.texts("user_text")) == number + 1)  # type: ignore[misc]
            stream = questions[-1]["msg_id"]
            assert page.played(stream) == [stream], "heard once, to its end"
        assert await hub.call("GET", "/api/sessions"), "the agent lived through all of it"


async def one_kill(hub: LiveHub, page: StandInPage, sky: str, victim: str, stage: str, text: str) -> Said:
    """Ask, kill at that stage, and what the command came to."""
    seen = len(page.moments)
    asking = await hub.client(sky, "converse", text)
    await page.until(lambda: reached(page.moments[seen:], stage))
    if victim == "hub":
        await hub.kill()
        await hub.start()
    else:
        before = hub.speech_pid()
        os.kill(before, signal.SIGKILL)
        await until(lambda: hub.speech_pid() not in (0, before), 20)
    return await said(asking, seconds=90)


def reached(moments: list[Event], stage: str) -> bool:
    kinds = [moment["type"] for moment in moments]
    return {"speaking": "speech_start", "listening": "vad", "transcribing": "turn_end"}[stage] in kinds


async def test_kills_in_quick_succession_are_survived_too(hub: LiveHub) -> None:
    """The hub is killed again while it is still taking up the work of the one before."""
    pcm = recording()
    async with StandInPage(hub.url, hub.token, lambda session_id: pcm, speed=6.0) as page:
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", QUESTION)
        await page.until(lambda: page.moment("speech_start"))
        for pause in (0.0, 0.2, 0.5, 1.0, 1.5):
            await hub.kill()
            await hub.start()
            await asyncio.sleep(pause)
        told = await said(asking, seconds=90)
        assert told.code == 0 and "forward" in told.out.lower(), told
        assert page.texts("assistant_text") == [QUESTION]
        assert len(page.texts("user_text")) == 1
