"""``clawmux tier`` with a hub and without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from clawmux import settings
from tests.tier_hub import GB, TierHub


@pytest.fixture
async def hub() -> AsyncIterator[TierHub]:
    async with TierHub(here=("tiny",)) as hub:
        await hub.speech_is("ready")
        yield hub


@pytest.fixture
async def stopped() -> AsyncIterator[TierHub]:
    """A home whose hub does not run."""
    hub = TierHub(here=("tiny",))
    yield hub
    await hub.__aexit__()


def quality(hub: TierHub) -> str:
    return settings.load(hub.paths.config_file, {}).speech_quality


async def test_the_table_tells_what_fits_what_is_here_and_what_serves(hub: TierHub) -> None:
    said = await hub.owner("tier")
    lines = said.out.splitlines()
    assert said.code == 0 and lines[0].split() == ["TIER", "MODEL", "FITS", "RUNS", "ON", "DELAY", "HERE", "NOW"]
    assert [line.split()[0] for line in lines[1:]] == ["high", "medium", "low", "tiny"]
    assert " MB to fetch" in lines[3] and " yes " in lines[4] and lines[4].endswith(" serves")
    assert all("measured" in line or "estimate" in line for line in lines[1:])
    best = (await hub.tiers())["recommendation"]
    assert f"Recommended here: {best['tier']}. {best['reasons'][0]}" in said.err


async def test_without_a_hub_the_table_is_of_this_machine(stopped: TierHub) -> None:
    said = await stopped.owner("tier", "--json")
    told = json.loads(said.out)["result"]
    assert told["serving"] is None and told["wanted"] == "tiny" and told["is_running"] is False
    assert told["hardware"]["cpu_name"] == "Eight of them" and [row["installed"] for row in told["tiers"]] == [False] * 3 + [True]


async def test_a_change_through_the_hub_fetches_shows_progress_and_waits_until_it_serves(hub: TierHub) -> None:
    hub.pulls(seconds=2.0)
    said = await hub.owner("tier", "low")
    assert (said.code, said.out) == (0, "low serves now.\n")
    assert " MB of " in said.err and "whisper-small" in said.err
    assert (await hub.tiers())["serving"] == quality(hub) == "low"
    again = await hub.owner("tier", "low", "--json")
    assert json.loads(again.out)["result"] == {"tier": "low", "serving": "low", "wanted": "low"}


async def test_a_change_that_fails_ends_with_its_reason(hub: TierHub) -> None:
    hub.behaves(low={"loads_seconds": 9, "dies_seconds": 0.5})
    said = await hub.owner("tier", "low")
    assert said.code == 8 and said.out == ""
    assert "low could not be used, so tiny stays: The speech service was ended by signal 6." in said.err
    assert "The last change failed: The speech service was ended by signal 6." in (await hub.owner("tier")).err
    assert quality(hub) == "tiny"


async def test_who_is_overtaken_by_another_choice_is_told(hub: TierHub) -> None:
    hub.behaves(low={"loads_seconds": 60})
    waiting = asyncio.create_task(hub.owner("tier", "low"))
    await hub.serves("tiny", wanted="low")
    await hub.choose("tiny")
    said = await waiting
    assert said.code == 13 and "somebody else has chosen tiny" in said.err


async def test_the_one_in_use_is_measured(hub: TierHub) -> None:
    said = await hub.owner("tier", "--measure", "--json", seconds=60)
    assert said.code == 0 and "measuring tiny, speaking: 0 of 7\n" in said.err
    told = json.loads(said.out)["result"]
    assert told["tier"] == "tiny" and told["delay_seconds"] > 0
    assert f"{told['delay_seconds']:.2g} s, measured" in (await hub.owner("tier")).out


async def test_what_cannot_be_measured_says_why(hub: TierHub, stopped: TierHub) -> None:
    assert "a hub that runs is needed" in (await stopped.owner("tier", "--measure")).err
    assert "--measure measures the one in use" in (await hub.owner("tier", "low", "--measure")).err
    await hub.call("POST", "/api/tiers/measure", {})
    said = await hub.owner("tier", "--measure")
    assert said.code == 13 and "It is being measured already." in said.err


async def test_one_that_does_not_fit_is_refused_unless_forced(hub: TierHub) -> None:
    hub.is_machine(memory_bytes=int(1.5 * GB), memory_free_bytes=1 * GB)
    await hub.stop()
    await hub.start()
    await hub.serves("tiny")
    assert "high does not fit: " in (await hub.owner("tier")).err
    said = await hub.owner("tier", "high")
    assert said.code == 13 and "high does not fit this machine" in said.err and "--force" in said.err
    assert (await hub.tiers())["wanted"] == "tiny"
    assert (await hub.owner("tier", "high", "--force")).out == "high serves now.\n"


async def test_names_that_there_are_not_are_refused_with_those_that_there_are(stopped: TierHub) -> None:
    said = await stopped.owner("tier", "best")
    assert said.code == 2 and "high, medium, low, tiny" in said.err


async def test_without_a_hub_it_fetches_and_notes_the_wish(stopped: TierHub) -> None:
    said = await stopped.owner("tier", "low")
    assert (said.code, said.out) == (0, "low will serve when the hub is started.\n")
    assert quality(stopped) == "low" and (stopped.paths.models / "ready" / "whisper-small" / "model.bin").exists()
    await stopped.start()
    await stopped.serves("low")


async def test_without_a_hub_a_download_that_fails_changes_nothing(stopped: TierHub) -> None:
    stopped.pulls(error="No source could be reached.")
    said = await stopped.owner("tier", "low")
    assert said.code == 22 and "No source could be reached." in said.err
    assert quality(stopped) == "tiny"


async def test_an_environment_that_says_otherwise_is_named(stopped: TierHub) -> None:
    stopped.environ["CLAWMUX_SPEECH_QUALITY"] = "tiny"
    said = await stopped.owner("tier", "low")
    assert said.code == 0 and "The environment says tiny" in said.err


async def test_where_others_do_the_speech_nothing_is_said_to_be_here(stopped: TierHub) -> None:
    stopped.paths.config.mkdir(parents=True, exist_ok=True)
    stopped.paths.config_file.write_text('[speech]\nwhisper_url = "http://127.0.0.1:9"\nkokoro_url = "http://127.0.0.1:9"\n')
    said = await stopped.owner("tier")
    assert [" not needed" in line for line in said.out.splitlines()[1:]] == [True] * 4
    assert "counts without it" in said.err and "Recommended here" not in said.err
