"""The quality is changed on the settings page in the middle of a conversation, with real parts only; what fails says why.

Chromium with a recording for a microphone, the page, the hub, the engines. The tier that is chosen is another model where the
machine has one, else the same one again in a new process. The tier that fails comes from a host of the test's own.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from clawmux.adapters.models import ModelStore
from clawmux.adapters.speech.client import SpeechClient
from tests import sound
from tests.browser.chromium import Chromium
from tests.browser.test_real_loop import MIC, Watched, watch_page
from tests.live_hub import LiveHub, said
from tests.stand_ins.file_host import FileHost
from tests.stand_ins.file_host import Page as Served
from tests.stand_ins.low_hub import model
from tests.stand_ins.medium_hub import CONTENTS
from tests.waiting import until, until_answer

pytestmark = [pytest.mark.browser, pytest.mark.speech]

HEARD = "go forward"
CHANGE_MS = 60_000


class QualityHub(LiveHub):
    """Models of its own, linked to those of the machine: what is fetched here stays here."""

    module = "tests.stand_ins.medium_hub"

    def __init__(self, host: str, models: Path) -> None:
        super().__init__("real", 0, {"CLAWMUX_TEST_HOST": host, "CLAWMUX_MODELS_DOWNLOAD": "true"})
        launcher = self.home / "launcher"
        launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -m {self.module} "$@"\n')
        launcher.chmod(0o700)
        own = self.home / "models" / "ready"
        own.mkdir(parents=True)
        for folder in (models / "ready").iterdir():
            (own / folder.name).symlink_to(folder)
        self.paths = self.paths.__class__(self.paths.config, self.paths.data, self.paths.state, own.parent)
        self.environ |= {"CLAWMUX_LAUNCHER": str(launcher), "CLAWMUX_MODELS": str(own.parent)}

    def services(self) -> list[int]:
        """Numbers of the speech services that live."""
        return sorted(int(file.stem.removeprefix("speech-")) for file in self.paths.run.glob("speech-*.sock"))


async def choose(page: Page, tier: str) -> None:
    await page.locator(f'[data-tier="{tier}"]').click()
    await page.locator("[data-do=use]").click()


async def answered(asking: asyncio.Task[Any]) -> str:
    told = await asking
    assert told.code == 0, told
    return str(told.out).lower()


async def ask(hub: LiveHub, session: str, question: str) -> asyncio.Task[Any]:
    return asyncio.create_task(said(await hub.client(session, "converse", question), seconds=150))


async def listens(watched: Watched) -> None:
    """The microphone is open."""
    happened = "__clawmux_test.events.some(e => e.type === 'mode' && e.mode === 'listening')"
    await until_answer(lambda: watched.page.evaluate(happened), 60)


async def test_the_quality_changes_in_a_turn_and_what_fails_leaves_it_serving(chromium: Chromium, tmp_path: Path) -> None:
    folder = Path(os.environ.get("CLAWMUX_MODELS") or "none")
    if ModelStore(folder).missing("tiny"):
        pytest.skip("CLAWMUX_MODELS names no folder with the tiny set (clawmux models pull --set tiny)")
    pieces = [sound.clip("go-forward", MIC)]
    microphone = sound.write_microphone(tmp_path / "mic.wav", pieces)
    with FileHost() as host:
        port = int(host.name.rpartition(":")[2])
        for name, content in CONTENTS.items():
            host.pages[f"/{name}"] = Served(bytes(len(content)))  # of the right size
        async with QualityHub(host.url(""), folder) as hub:
            await hub.speech_is("ready")
            sky = await hub.spawn()
            watched = await watch_page(hub, await chromium.start(microphone))
            page, told = watched.page, watched.page.locator(".told")

            await page.keyboard.press("a")  # by hand: the turn is open until it is sent
            first = await ask(hub, sky, "What next?")
            await until(lambda: [m for m in watched.said if m["type"] == "playback_done"], 60)
            await page.keyboard.press("Space")
            await listens(watched)
            await page.locator("[data-open=settings]").click()
            await choose(page, "low")
            await expect(told).to_contain_text("Low is in use", timeout=CHANGE_MS)
            assert hub.services() == [1, 2] and not first.done(), "the turn that is open stays with the old one"
            await page.get_by_role("button", name="Back to the conversation").first.click()
            await page.locator("#log").focus()
            await page.keyboard.press("Space")
            assert HEARD in await answered(first)
            await until(lambda: hub.services() == [2], 30)

            await page.keyboard.press("a")
            await page.reload()  # its microphone plays from the beginning again
            await page.locator("[data-open=settings]").click()
            second = await ask(hub, sky, "And now?")
            await listens(watched)
            async with SpeechClient(hub.paths.run / "speech-2.sock") as client:
                assert (await client.health())["model"] == model(folder)
            assert HEARD in await answered(second)
            assert await page.locator("[data-tier=low] input").is_checked()

            await choose(page, "medium")
            failed = page.locator("[data-tier=medium] .failed")
            await expect(failed).to_contain_text("Could not be used", timeout=CHANGE_MS)
            await expect(failed).to_contain_text("content")
            await expect(told).to_contain_text("Low still serves.")
            assert hub.services() == [2]
            await fails_for_other_reasons(hub, page, port, host)
            third = asyncio.create_task(said(await hub.client(sky, "converse", "Still there?", "--no-listen"), seconds=60))
            assert await answered(third) == "" and hub.services() == [2]
    assert [text for text in watched.errors if "ERR_CONNECTION" not in text] == []


async def fails_for_other_reasons(hub: QualityHub, page: Page, port: int, host: FileHost) -> None:
    """The host is gone, and then it is back with files of which no engine can be made."""
    failed, retry = page.locator("[data-tier=medium] .failed"), page.locator("[data-do=retry]")
    host.__exit__(None, None, None)
    before = await failed.inner_text()
    await retry.click()
    await expect(failed).not_to_have_text(before, timeout=CHANGE_MS)
    await expect(failed).to_contain_text("Could not be used")
    gone = await failed.inner_text()
    with FileHost(port) as back:
        for name, content in CONTENTS.items():
            back.pages[f"/{name}"] = Served(content)
        await retry.click()
        await expect(page.locator("[data-tier=medium]")).to_contain_text("Installed", timeout=CHANGE_MS)
        await expect(failed).to_contain_text("Could not be used", timeout=CHANGE_MS)
        broken = await failed.inner_text()
    assert len({before, gone, broken}) == 3, (before, gone, broken)
    print(before, gone, broken, sep="\n")
