"""The page's codec against the vectors that the hub's codec is tested with, and its table of messages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from clawmux.wire.browser import DURABLE_TO_PAGE, MOMENTARY_TO_PAGE, TO_HUB
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.frames import decode_frame, encode_frame
from tests.browser.page_fixtures import blank_page
from tests.stand_ins.page_hub import PageHub

pytestmark = pytest.mark.browser
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text(encoding="utf-8"))

RUN = """async (vectors) => {
  const { encodeFrame, decodeFrame } = await import('/static/protocol.js');
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (b) => parseInt(b, 16));
  const hex = (array) => Array.from(array, (b) => b.toString(16).padStart(2, '0')).join('');
  const good = vectors.good.map((v) => {
    const { payload, ...head } = decodeFrame(bytes(v.hex));
    return { ...head, payload_hex: hex(payload), hex: hex(encodeFrame(head, payload)) };
  });
  const bad = vectors.bad.map((v) => {
    const data = new Uint8Array(v.hex.length / 2 + (v.zeros ?? 0));
    data.set(bytes(v.hex));
    try { decodeFrame(data); return 'accepted'; } catch (error) { return error.word; }
  });
  return { good, bad };
}"""


async def test_page_codec_agrees_with_the_vectors(browser: Browser, hub: PageHub) -> None:
    page = await blank_page(browser, hub)
    got = await page.evaluate(RUN, VECTORS)
    assert got["good"] == [{k: v for k, v in vector.items() if k != "name"} for vector in VECTORS["good"]]
    assert got["bad"] == [vector["error"] for vector in VECTORS["bad"]]


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda v: v["name"])
def test_hub_codec_agrees_with_the_good_vectors(vector: dict[str, Any]) -> None:
    frame = decode_frame(bytes.fromhex(vector["hex"]))
    assert {field: getattr(frame, field) for field in ("kind", "flags", "slot", "seq", "clock_ms")} == {
        field: vector[field] for field in ("kind", "flags", "slot", "seq", "clock_ms")
    }
    assert frame.payload.hex() == vector["payload_hex"]
    assert encode_frame(frame).hex() == vector["hex"]


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda v: v["name"])
def test_hub_codec_refuses_the_bad_vectors(vector: dict[str, Any]) -> None:
    with pytest.raises(ClawMuxError, match=vector["field"]):
        decode_frame(bytes.fromhex(vector["hex"]) + bytes(vector.get("zeros", 0)))


async def test_page_and_hub_know_the_same_messages(browser: Browser, hub: PageHub) -> None:
    page = await blank_page(browser, hub)
    tables = await page.evaluate(
        "import('/static/protocol.js').then(({FROM_HUB, FROM_PAGE}) => [Object.keys(FROM_HUB), Object.keys(FROM_PAGE)])"
    )
    assert set(tables[0]) == set(DURABLE_TO_PAGE) | set(MOMENTARY_TO_PAGE)
    assert set(tables[1]) == set(TO_HUB)


async def test_messages_that_mean_nothing_are_refused_by_word(browser: Browser, hub: PageHub) -> None:
    page = await blank_page(browser, hub)
    words = await page.evaluate(
        """async (texts) => {
          const { decodeMessage } = await import('/static/protocol.js');
          return texts.map((text) => { try { decodeMessage(text); return ''; } catch (error) { return error.word; } });
        }""",
        [
            "{",
            "[]",
            "null",
            "{}",
            '{"type":"nonsense"}',
            '{"type":"toString"}',
            '{"type":"turn_end"}',
            '{"type":"turn_end","turn":"t"}',
        ],
    )
    assert words == ["json", "json", "json", "type", "type", "type", "field", ""]
