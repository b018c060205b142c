"""The quality tier changes while agents talk: nothing is cut, nothing doubled, and what fails is put back and told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from clawmux import settings
from tests.stand_ins.page import StandInPage
from tests.stand_ins.speech_service import RATE, WORDS
from tests.tier_hub import GB, TierHub
from tests.waiting import until, until_answer

LOUD = b"\x00\x40" * 8000 + bytes(64000)
LONG = "This answer is long enough to be in the middle of it while the tier changes behind it."
SLOWLY = {"tiny": {"pause_seconds": 0.1}}


@pytest.fixture
async def hub() -> AsyncIterator[TierHub]:
    async with TierHub() as hub:
        await hub.speech_is("ready")
        yield hub


def processes(hub: TierHub) -> list[str]:
    """The tiers of the services that run, oldest first."""
    assert hub.process is not None
    children = Path(f"/proc/{hub.process.pid}/task/{hub.process.pid}/children").read_text().split()
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children if Path(f"/proc/{pid}").exists()]
    return [line[line.index(b"--quality") + 1].decode() for line in lines if b"--quality" in line]


def wanted_in_file(hub: TierHub) -> str:
    return settings.load(hub.paths.config_file, {}).speech_quality


def notices(page: StandInPage) -> list[str]:
    return page.texts("notice")


async def ask(hub: TierHub, session: str, text: str) -> str:
    return (await hub.run(session, "converse", text)).out


async def test_the_route_tells_machine_tiers_and_how_it_stands(hub: TierHub) -> None:
    told = await hub.tiers()
    assert set(told) == {
        "hardware", "recommendation", "tiers", "wanted", "serving", "state", "reason", "failed", "progress",
        "remote", "measuring",
    }  # fmt: skip
    assert told["hardware"]["cpu_name"] == "Eight of them"
    assert set(told["recommendation"]) == {"mode", "tier", "reasons"}
    assert [row["tier"] for row in told["tiers"]] == ["high", "medium", "low", "tiny"]
    assert {row["tier"]: row["installed"] for row in told["tiers"]} == {"high": False, "medium": True, "low": True, "tiny": True}
    for row in told["tiers"]:
        assert set(row) == {
            "tier", "title", "model", "fits", "device", "delay_seconds", "is_measured", "measured", "stale",
            "memory_bytes", "download_bytes", "installed", "reason",
        }  # fmt: skip
        assert (row["download_bytes"] == 0) is row["installed"]
    assert (told["wanted"], told["serving"], told["state"], told["remote"]) == ("tiny", "tiny", "ready", None)


async def test_a_change_in_the_middle_of_an_answer_cuts_and_doubles_nothing(hub: TierHub) -> None:
    await hub.stop()
    hub.behaves(**SLOWLY)
    await hub.start()
    session = await hub.spawn()
    async with StandInPage(hub.url, hub.token, lambda _: LOUD) as page:
        await hub.speech_is("ready")
        asking = asyncio.create_task(ask(hub, session, LONG))
        await until(lambda: hub.worked() == [f"tiny begins {LONG}"])
        await hub.choose("low")
        await hub.serves("low")
        assert hub.worked() == [f"tiny begins {LONG}"] and processes(hub) == ["tiny", "low"], "the old one goes on"
        assert await asking == f"{WORDS}\n"
        assert hub.worked() == [f"tiny begins {LONG}", f"tiny ends {LONG}"]
        await until(lambda: processes(hub) == ["low"])
        assert await ask(hub, session, "Again?") == f"{WORDS}\n"
        assert hub.worked()[2:] == ["low begins Again?", "low ends Again?"]
        assert [len(pcm) // 2 for pcm in page.heard.values()] == [RATE // 50 * len(LONG), RATE // 50 * len("Again?")]
        assert all(len(page.played(stream)) == 1 for stream in page.heard)
        assert page.texts("user_text") == [WORDS, WORDS] and notices(page) == []
    assert wanted_in_file(hub) == "low"


async def test_a_change_in_the_middle_of_a_turn_keeps_its_words(hub: TierHub) -> None:
    session = await hub.spawn()
    async with StandInPage(hub.url, hub.token, lambda _: LOUD, speed=1.0) as page:
        asking = asyncio.create_task(ask(hub, session, "What next?"))
        await page.until(lambda: page.moment("vad", speaking=True))
        await hub.choose("low")
        await hub.serves("low")
        assert await asking == f"{WORDS}\n"
        assert page.texts("user_text") == [WORDS] and notices(page) == []


async def test_where_memory_holds_one_the_old_one_ends_first_and_who_asks_waits() -> None:
    async with TierHub(free_bytes=1 * GB) as hub:
        hub.behaves(**SLOWLY)
        await hub.stop()
        await hub.start()
        await hub.speech_is("ready")
        hub.behaves(low={"loads_seconds": 1.0})
        session, other = await hub.spawn(), await hub.spawn()
        async with StandInPage(hub.url, hub.token, lambda _: LOUD) as page:
            first = asyncio.create_task(ask(hub, session, LONG))
            await until(lambda: hub.worked() == [f"tiny begins {LONG}"])
            await hub.choose("low")
            second = asyncio.create_task(ask(hub, other, "And I?"))
            await page.until(lambda: page.moment("speech_state", serving=None, wanted="low"))
            seen = set()
            while not second.done():
                seen.add(tuple(processes(hub)))
                await asyncio.sleep(0.02)
            assert await first == await second == f"{WORDS}\n"
            assert seen - {()} == {("tiny",), ("low",)}, "never both at once"
            assert hub.worked() == [f"tiny begins {LONG}", f"tiny ends {LONG}", "low begins And I?", "low ends And I?"]
            assert notices(page) == []


async def test_missing_models_are_fetched_while_the_old_tier_serves() -> None:
    async with TierHub(here=("tiny",)) as hub:
        await hub.speech_is("ready")
        hub.pulls(seconds=2.0)
        session = await hub.spawn()
        async with StandInPage(hub.url, hub.token, lambda _: LOUD) as page:
            await hub.choose("low")
            shown = await page.until(lambda: [m for m in page.moments if m["type"] == "speech_state" and m["progress"]])
            assert shown[0]["state"] == "ready" and shown[0]["serving"] == "tiny" and shown[0]["wanted"] == "low"
            assert await ask(hub, session, "Meanwhile?") == f"{WORDS}\n"
            told = await hub.serves("low")
            assert told["progress"] is None and told["reason"] == ""


def failing(kind: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """How the download goes, how the service of the wanted tier behaves, and what is said about it."""
    cases: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
        "download": ({"error": "No source could be reached."}, {}, "No source could be reached."),
        "dies": ({}, {"loads_seconds": 9, "dies_seconds": 0.5}, "The speech service was ended by signal 6."),
        "cannot load": ({}, {"state": "failed", "reason": "out of memory"}, "Out of memory."),
        "serves less": ({}, {"is_substitute": True, "reason": "whisper-tiny.en serves"}, "Whisper-tiny.en serves."),
    }
    return cases[kind]


@pytest.mark.parametrize("free_bytes", [12 * GB, 1 * GB], ids=["beside", "instead"])
@pytest.mark.parametrize("kind", ["download", "dies", "cannot load", "serves less"])
async def test_what_fails_is_put_back_and_told(kind: str, free_bytes: int) -> None:
    pull, behaves, reason = failing(kind)
    async with TierHub(here=("tiny",), free_bytes=free_bytes) as hub:
        await hub.speech_is("ready")
        hub.pulls(**pull)
        hub.behaves(low=behaves)
        session = await hub.spawn()
        async with StandInPage(hub.url, hub.token, lambda _: LOUD) as page:
            await hub.choose("low")
            await page.until(lambda: notices(page))
            told = await hub.serves("tiny")
            assert notices(page) == [f"Speech stays at quality tiny: low could not be used. {reason}"]
            assert told["reason"] == reason
            assert wanted_in_file(hub) == "tiny"
            rows = await hub.call("GET", "/api/settings")
            assert next(row["value"] for row in rows if row["name"] == "speech.quality") == "tiny"
            assert await ask(hub, session, "Still there?") == f"{WORDS}\n"
            await until(lambda: processes(hub) == ["tiny"])


@pytest.mark.parametrize("free_bytes", [12 * GB, 1 * GB], ids=["beside", "instead"])
async def test_a_hub_killed_in_the_middle_of_a_change_comes_up_with_what_works(free_bytes: int) -> None:
    async with TierHub(free_bytes=free_bytes) as hub:
        await hub.serves("tiny")
        await until(hub.paths.speech_tier.exists)
        hub.behaves(low={"loads_seconds": 60})
        await hub.choose("low")
        await until(lambda: "low" in processes(hub))
        await hub.kill()
        hub.behaves(low={"state": "failed", "reason": "out of memory"})
        await hub.start()
        told = await hub.serves("tiny")
        assert told["reason"] == "Out of memory." and wanted_in_file(hub) == "tiny"


async def test_a_change_that_a_killed_hub_left_undone_goes_on(hub: TierHub) -> None:
    hub.behaves(low={"loads_seconds": 60})
    await hub.choose("low")
    await until(lambda: "low" in processes(hub))
    await hub.kill()
    hub.behaves(low={"loads_seconds": 2})
    await hub.start()
    await hub.serves("tiny", wanted="low")
    await hub.serves("low")
    assert wanted_in_file(hub) == "low"


async def test_the_last_of_two_quick_changes_counts(hub: TierHub) -> None:
    hub.behaves(low={"loads_seconds": 60}, medium={"loads_seconds": 0.2})
    await asyncio.gather(hub.choose("low"), hub.choose("medium"))
    wanted = wanted_in_file(hub)
    await hub.choose("low")
    await hub.choose("medium")
    await hub.serves("medium")
    await until(lambda: processes(hub) == ["medium"])
    assert wanted in ("low", "medium") and wanted_in_file(hub) == "medium"


async def test_choosing_what_serves_cancels_the_change(hub: TierHub) -> None:
    hub.behaves(low={"loads_seconds": 60})
    await hub.choose("low")
    await until(lambda: processes(hub) == ["tiny", "low"])
    await hub.choose("tiny")
    await hub.serves("tiny")
    await until(lambda: processes(hub) == ["tiny"])
    assert wanted_in_file(hub) == "tiny"


async def test_a_cancelled_download_stops() -> None:
    async with TierHub(here=("tiny",)) as hub:
        await hub.speech_is("ready")
        hub.pulls(seconds=60)
        await hub.choose("low")

        async def progress(is_there: bool) -> bool:
            return bool((await hub.tiers())["progress"]) is is_there

        await until_answer(lambda: progress(True))
        await hub.choose("tiny")
        await until_answer(lambda: progress(False))
        assert processes(hub) == ["tiny"]


async def in_project(hub: TierHub, quality: str) -> str:
    """A session in a project of that quality."""
    folder = hub.home / f"project-{quality}"
    folder.mkdir()
    (folder / "clawmux.toml").write_text(f"[speech]\nquality = '{quality}'\n")
    return await hub.spawn(dir=str(folder))


async def test_a_project_of_another_quality_has_its_own_recogniser_in_the_service_that_serves(hub: TierHub) -> None:
    own, usual = await in_project(hub, "low"), await hub.spawn()
    async with StandInPage(hub.url, hub.token, lambda _: LOUD) as page:
        for session in (own, usual):
            assert await ask(hub, session, "What next?") == f"{WORDS}\n"
        assert (hub.paths.run / "asked").read_text().splitlines() == ["en 1.2 low", "en 1.2"]
        assert notices(page) == [] and processes(hub) == ["tiny"]


@pytest.mark.parametrize(
    ("here", "free_bytes", "why"),
    [
        (("tiny",), 12 * GB, "whisper-small is not on this machine."),
        (("tiny", "low"), 512 << 20, "a second recogniser needs 866 MB of memory, and 512 MB are free."),
    ],
    ids=["missing", "no room"],
)
async def test_a_project_whose_quality_cannot_be_had_is_told_why_once(here: tuple[str, ...], free_bytes: int, why: str) -> None:
    async with TierHub(here=here, free_bytes=free_bytes) as hub:
        await hub.speech_is("ready")
        session = await in_project(hub, "low")
        async with StandInPage(hub.url, hub.token, lambda _: LOUD) as page:
            for _ in range(2):
                assert await ask(hub, session, "What next?") == f"{WORDS}\n"
            assert (hub.paths.run / "asked").read_text().splitlines() == ["en 1.2", "en 1.2"]
            assert notices(page) == [f"The project asks for quality low, and tiny understands it: {why}"]
            assert page.events[-1]["session_id"] == session


async def test_a_first_start_whose_wanted_models_are_missing_serves_with_what_is_here() -> None:
    async with TierHub(here=("tiny",), speech_quality="low") as hub:
        hub.pulls(seconds=1.0)
        await hub.serves("tiny", wanted="low")
        await hub.serves("low")
        assert "low" in processes(hub)
