"""Measuring on a real hub: figures that stay, refusals in words, giving way to people and to changes of the quality."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from clawmux.wire.errors import ClawMuxError
from tests.stand_ins.page import StandInPage
from tests.tier_hub import TierHub
from tests.waiting import until, until_answer

LOUD = b"\x00\x40" * 8000 + bytes(64000)


@pytest.fixture
async def hub() -> AsyncIterator[TierHub]:
    async with TierHub() as hub:
        await hub.speech_is("ready")
        yield hub


async def measure(hub: TierHub) -> None:
    await hub.call("POST", "/api/tiers/measure", {})


def last(page: StandInPage) -> Any:
    told = [moment for moment in page.moments if moment["type"] == "measuring"]
    return told[-1] if told else {}


def reason(page: StandInPage) -> str:
    return f"{last(page).get('state')}: {last(page).get('reason')}"


async def refused(hub: TierHub) -> str:
    with pytest.raises(ClawMuxError) as refusal:
        await measure(hub)
    assert refusal.value.code == "conflict"
    return refusal.value.text


async def test_it_tells_how_far_it_is_and_its_figures_stay_over_a_restart(hub: TierHub) -> None:
    async with StandInPage(hub.url, hub.token, lambda _: LOUD) as page:
        await measure(hub)
        assert await refused(hub) == "It is being measured already."
        assert (await hub.tiers())["measuring"]["of"] == 7
        await page.until(lambda: last(page).get("state") == "done", 40)
        told = [moment["done"] for moment in page.moments if moment["type"] == "measuring"]
        assert told == sorted(told) and told[-1] == 7
    await hub.stop()
    await hub.start()

    async def tiny() -> Any:
        told = await hub.tiers()
        return told["tiers"][-1] if told["measuring"] is None else None

    row = await until_answer(tiny, 20)
    assert row["is_measured"] is True and row["delay_seconds"] == row["measured"]["delay_seconds"] > 0
    assert row["memory_bytes"] == row["measured"]["memory_bytes"] > 10 << 20


async def test_it_is_stopped_by_hand_and_by_who_begins_to_talk(hub: TierHub) -> None:
    session = await hub.spawn()
    async with StandInPage(hub.url, hub.token, lambda _: LOUD, speed=1.0) as page:
        await measure(hub)
        await hub.call("DELETE", "/api/tiers/measure")
        await page.until(lambda: last(page).get("state") == "stopped")
        assert (await hub.tiers())["measuring"] is None
        await measure(hub)
        asking = asyncio.create_task(hub.run(session, "converse", "Shall I go on?"))
        await page.until(lambda: reason(page).startswith("stopped: Stopped, because"))
        await page.until(lambda: page.moment("vad", speaking=True))
        assert await refused(hub) in (
            "You are talking; measure it when that is over, because both would be slower.",
            "An agent is speaking; measure it when that is over, because both would be slower.",
        )
        assert (await asking).code == 0


async def test_a_change_of_the_quality_ends_it_and_refuses_it(hub: TierHub) -> None:
    hub.behaves(low={"loads_seconds": 1.0})
    async with StandInPage(hub.url, hub.token, lambda _: LOUD) as page:
        await measure(hub)
        await until(lambda: len(hub.worked()) > 2)
        await hub.choose("low")
        await page.until(lambda: reason(page) == "stopped: Stopped, because the quality is being changed.")
        assert await refused(hub) == "The quality is being changed; measure it when that is done."
        await hub.serves("low")
        await measure(hub)
        await page.until(lambda: last(page) and last(page)["tier"] == "low")
