"""Trying a voice on a real hub: on the page that asks, as an agent would speak, and never in the way of one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clawmux.hub.preview import sentence
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.voices import VOICES
from tests.live_hub import LiveHub
from tests.stand_ins.page import StandInPage
from tests.stand_ins.speech_service import RATE

LOUD = b"\x00\x40" * 8000 + bytes(64000)


async def preview(hub: LiveHub, page: StandInPage, voice: str) -> str:
    answer: dict[str, Any] = await hub.call("POST", f"/api/voices/{voice}/preview", {"client": page.client})
    return str(answer["stream"])


async def refusal(hub: LiveHub, client: str, voice: str = "af_sky") -> str:
    with pytest.raises(ClawMuxError) as refused:
        await hub.call("POST", f"/api/voices/{voice}/preview", {"client": client})
    return refused.value.text


def test_every_voice_has_its_sentence() -> None:
    assert all(voice.name.capitalize() in sentence(voice.id) for voice in VOICES.values())


async def test_a_voice_is_heard_whole_on_the_page_that_asks_for_it(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token, lambda _: LOUD) as first, StandInPage(hub.url, hub.token, lambda _: LOUD) as page:
        stream = await preview(hub, page, "bm_fable")
        await page.until(lambda: page.played(stream))
        assert len(page.heard[stream]) // 2 == RATE // 50 * len(sentence("bm_fable"))
        assert first.heard == {} and page.moment("audio_owner", client=page.client)
        again = await preview(hub, page, "af_sky")
        await page.until(lambda: page.played(again))
        assert again != stream
        # It is nobody's conversation.
        assert await hub.call("GET", "/api/sessions") == []


async def test_what_is_refused_says_why(hub: LiveHub) -> None:
    assert await refusal(hub, "nobody") == "This page is not connected to the hub."
    assert await refusal(hub, "nobody", "xx_none") == "there is no voice 'xx_none'."
    session = await hub.spawn()
    async with StandInPage(hub.url, hub.token, lambda _: LOUD, speed=1.0) as page:
        asking = asyncio.create_task(hub.run(session, "converse", "A question that takes more than a moment to say."))
        await page.until(lambda: page.heard)
        assert await refusal(hub, page.client) == "An agent is speaking."
        await page.until(lambda: page.moment("vad", speaking=True))
        assert await refusal(hub, page.client) == "The microphone is open."
        assert (await asking).code == 0
