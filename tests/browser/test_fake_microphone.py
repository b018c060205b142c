"""The tools of the page's tests: what the fake microphone plays reaches a page, and a tap holds what a page played."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests import sound

if TYPE_CHECKING:
    from tests.browser.chromium import Chromium

pytestmark = pytest.mark.browser

# Records for the given seconds at the context's own rate, without the browser's processing of voices.
RECORD = """async (seconds) => {
  const off = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const context = new AudioContext({ sampleRate: 48000 });
  await context.audioWorklet.addModule('/tap.js');
  const tap = new AudioWorkletNode(context, 'clawmux-tap');
  const blocks = [];
  tap.port.onmessage = ({ data }) => blocks.push(data);
  const stream = await navigator.mediaDevices.getUserMedia({ audio: off });
  context.createMediaStreamSource(stream).connect(tap).connect(context.destination);
  await new Promise((done) => setTimeout(done, seconds * 1000));
  return blocks;
}"""

PLAY = """async ([numbers, rate]) => {
  const context = new AudioContext({ sampleRate: 48000 });
  await context.audioWorklet.addModule('/tap.js');
  const tap = new AudioWorkletNode(context, 'clawmux-tap');
  const blocks = [];
  tap.port.onmessage = ({ data }) => blocks.push(data);
  tap.connect(context.destination);
  const buffer = context.createBuffer(1, numbers.length, rate);
  buffer.copyToChannel(new Float32Array(numbers), 0);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(tap);
  source.start();
  await new Promise((done) => { source.onended = () => setTimeout(done, 300); });
  return blocks;
}"""

TAP = Path(__file__).parents[2] / "static" / "audio" / "tap-worklet.js"


@pytest_asyncio.fixture(loop_scope="session")
async def address() -> AsyncIterator[str]:
    """A page on loopback, because only there a browser gives microphones away."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><title>probe</title>", content_type="text/html")

    async def tap(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(TAP)

    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/tap.js", tap)])
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def run(browser: Any, address: str, script: str, argument: Any) -> sound.Samples:
    page = await browser.new_page()
    await page.goto(address)
    return sound.from_tap(await page.evaluate(script, argument))


async def test_a_page_hears_the_file(chromium: Chromium, address: str, tmp_path: Path) -> None:
    spoken = sound.clip("go-forward", sound.MICROPHONE_RATE)
    file = sound.write_microphone(tmp_path / "m.wav", [spoken], lead_seconds=0.5, tail_seconds=1)
    heard = await run(await chromium.start(microphone=file), address, RECORD, 5)
    assert float(np.median(sound.window_scores(spoken, heard, sound.MICROPHONE_RATE))) >= 0.97


async def test_a_tap_holds_what_was_played(chromium: Chromium, address: str) -> None:
    played = sound.clip("austen-young-man", 24000)
    heard = await run(await chromium.start(), address, PLAY, [played.tolist(), 24000])
    assert sound.find(sound.resample(played, 24000, 48000), heard).score >= 0.99
    assert sound.find(sound.resample(sound.clip("go-forward", 24000), 24000, 48000), heard).score < 0.5
