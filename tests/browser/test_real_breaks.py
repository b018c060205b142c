"""What breaks between page and hub, with real parts: reload, closed tab, pulled cable. Nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests import sound
from tests.browser.chromium import Chromium
from tests.browser.test_real_loop import MIC, Watched, open_page, watch_page
from tests.live_hub import LiveHub, Said, said
from tests.stand_ins.cutting_proxy import CuttingProxy
from tests.waiting import until, until_answer

pytestmark = [pytest.mark.browser, pytest.mark.speech]

# Some 14 seconds: long enough that 20 s without network, five of them buffered, leave a hole to be filled.
LONG = " ".join(f"This is sentence number {word} of a long report." for word in ("one", "two", "three", "four", "five"))
CUT_SECONDS = 20.0


@pytest_asyncio.fixture(loop_scope="session")
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("real") as hub:
        await hub.speech_is("ready")
        yield hub


@pytest.fixture
def microphone(tmp_path: Path) -> Path:
    return sound.write_microphone(tmp_path / "mic.wav", [sound.clip("go-forward", MIC)])


async def playing(watched: Watched, ms: float = 2000.0) -> None:
    """Until so much of the sentence was heard."""
    await until(lambda: any(m["type"] == "playback_progress" and m["ms"] >= ms for m in watched.said), 40)


async def check_answered(hub: LiveHub, sky: str, told: Said) -> None:
    """The words came once to the agent, and the conversation holds each entry once."""
    assert told.code == 0, told
    assert sound.word_error_rate("go forward ten meters", told.out) <= 0.2, told
    entries = (await hub.call("GET", f"/api/history?session_id={sky}"))["entries"]
    assert [entry["type"] for entry in entries] == ["assistant_text", "user_text"]


async def shown(watched: Watched) -> list[str]:
    """The entries of the conversation as the page shows them."""
    ids: list[str] = await watched.page.locator("[role=log] [data-msg]").evaluate_all("all => all.map(one => one.dataset.msg)")
    return ids


async def shown_all(watched: Watched, number: int) -> bool:
    ids = await shown(watched)
    assert len(ids) == len(set(ids)), "nothing twice"
    return len(ids) == number


async def test_a_reload_in_mid_sentence(hub: LiveHub, chromium: Chromium, microphone: Path) -> None:
    watched = await open_page(hub, chromium, microphone)
    sky = await hub.spawn()
    asking = await hub.client(sky, "converse", LONG)
    await playing(watched)
    watched.got.clear()
    await watched.page.reload()
    await watched.page.wait_for_selector("#talk", state="attached")
    await watched.page.locator("body").click(position={"x": 640, "y": 300})
    await check_answered(hub, sky, await said(asking, seconds=120))
    start = next(message for message in watched.got if message["type"] == "speech_start")
    assert start["offset"] >= 24000, "it goes on where the user was, not from the beginning"


async def test_a_tab_closed_in_mid_sentence(hub: LiveHub, chromium: Chromium, microphone: Path) -> None:
    watched = await open_page(hub, chromium, microphone)
    sky = await hub.spawn()
    asking = await hub.client(sky, "converse", LONG)
    await playing(watched)
    await watched.page.close()
    again = await open_page(hub, chromium, microphone)
    await check_answered(hub, sky, await said(asking, seconds=120))
    assert len(await shown(again)) == len(set(await shown(again)))


@pytest.mark.parametrize("moment", ["speaking", "listening"])
async def test_the_network_is_gone_for_20_seconds(hub: LiveHub, chromium: Chromium, microphone: Path, moment: str) -> None:
    async with CuttingProxy(hub.port) as proxy:
        rule = f"--host-resolver-rules=MAP clawmux.localhost:{hub.port} 127.0.0.1:{proxy.port}"
        browser = await chromium.start(microphone, [rule])
        watched = await watch_page(hub, browser)
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", LONG if moment == "speaking" else "Short question?")
        if moment == "speaking":
            await playing(watched)
        else:
            await until(lambda: any(m["type"] == "mic_open" for m in watched.said), 60)
        proxy.cut()
        await asyncio.sleep(CUT_SECONDS)
        proxy.mend()
        await check_answered(hub, sky, await said(asking, seconds=120))
        done = [message for message in watched.said if message["type"] == "playback_done"]
        assert len(done) == 1, "the stream ends once"
        # The agent may have its answer a moment before the page has drawn it.
        await until_answer(lambda: shown_all(watched, 2), 10)
