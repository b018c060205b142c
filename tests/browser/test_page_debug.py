"""The tab for who looks for a fault: the last turn's parts, link, microphone, engines and hub; and the same as text."""

from __future__ import annotations

import itertools

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.page_fixtures import OpenPage, mode
from tests.stand_ins.page_hub import DEBUG, PageHub, session

pytestmark = pytest.mark.browser

TIMING = {"session_id": "af_sky", "turn": "t1", "heard_ms": 520, "stt_ms": 270, "agent_ms": None, "first_sound_ms": None}


async def open_debug(page: Page) -> None:
    await page.locator("[data-open=more]").click()
    await page.locator("#more [data-do=debug]").click()
    await page.locator(".facts2").get_by_text("up 3 h, 5 agents, 1 page").wait_for()


async def fact(page: Page, label: str) -> str:
    row = page.locator(".facts2 > div").filter(has=page.locator("dt", has_text=label))
    return (await row.locator("dd").text_content()) or ""


@pytest.mark.parametrize("width", [320, 1280])
async def test_the_menu_stands_under_its_button(hub: PageHub, open_page: OpenPage, width: int) -> None:
    page = await open_page(viewport={"width": width, "height": 700})
    await page.locator("[data-open=more]").click()
    menu, button = await page.locator("#more").bounding_box(), await page.locator("[data-open=more]").bounding_box()
    assert menu is not None and button is not None
    assert menu["x"] >= 0 and menu["y"] >= button["y"] + button["height"]
    assert abs(menu["x"] + menu["width"] - button["x"] - button["width"]) < 1


async def test_the_last_turn_is_a_waterfall(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("am_adam"))
    hub.debug = {**DEBUG, "timings": [{**TIMING, "session_id": "am_adam", "heard_ms": 12345}]}
    page = await open_page()
    await open_debug(page)
    await page.get_by_text("Talk with an agent, and how long each part took is shown here.").wait_for()
    values = page.locator(".waterfall b")
    await hub.send({"type": "turn_timing", **TIMING})
    await expect(values).to_have_text(["0.52 s", "0.27 s", "…", "…"])
    await hub.send({"type": "turn_timing", **TIMING, "agent_ms": 740, "first_sound_ms": 330})
    await expect(values).to_have_text(["0.52 s", "0.27 s", "0.74 s", "0.33 s"])
    bars = await page.locator(".waterfall i").evaluate_all(
        "all => all.map((bar) => { const { left, right } = bar.getBoundingClientRect(); return [left, right]; })"
    )
    for (_, end), (begin, _) in itertools.pairwise(bars):
        assert abs(end - begin) < 1, "each begins where the one before has ended"
    assert all(end - begin > 3 for begin, end in bars)
    await page.locator('[data-session="am_adam"] .row').click()
    await expect(values.first).to_have_text("12 s")


async def test_every_part_says_how_it_stands(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await open_debug(page)
    assert await fact(page, "Microphone") == "not open"
    assert await fact(page, "Hearing") == "faster-whisper medium, cuda float16, 3.20 s in 0.27 s (0.08 of real time)"
    assert await fact(page, "Speaking") == "kokoro-onnx kokoro-fp16, cuda float16"
    assert await fact(page, "Speech") == "ready, Medium"
    assert await fact(page, "Version") == "0.1.0, Python 3.12.4, linux x86_64"
    await expect(page.locator(".facts2")).to_contain_text(" ms, 0 dropped frames", timeout=15000)
    assert await fact(page, "Reconnects") == "0"
    await page.locator(".mic").click()
    await hub.expect("mic_open")
    await mode(page, "listening")
    await expect(page.locator(".facts2")).to_contain_text("kHz, echo cancelling", timeout=15000)
    await hub.drop()
    await expect(page.locator(".facts2 > div").filter(has_text="Reconnects")).to_contain_text("1", timeout=15000)


async def test_all_of_it_is_copied_as_text(hub: PageHub, browser: Browser, open_page: OpenPage) -> None:
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await open_page(context=context)
    await hub.say("af_sky", "A secret plan in /home/ann")
    await hub.send({"type": "turn_timing", **TIMING})
    await open_debug(page)
    await page.get_by_role("button", name="Copy as text").click()
    await page.get_by_role("button", name="Copied").wait_for()
    text = await page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("ClawMux\nPause heard: 0.52 s\nSpeech to text: 0.27 s\nAgent thinks: -\n")
    assert "Hub: up 3 h, 5 agents, 1 page\n" in text
    for hidden in ("secret plan", "/home/ann", "one-time-key", hub.csrf, *hub.cookies, hub.url):
        assert hidden not in text


async def test_without_a_clipboard_the_text_is_shown(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page(init_script="Object.defineProperty(navigator, 'clipboard', { value: undefined });")
    await page.locator(".log").focus()
    await page.keyboard.press("b")
    await page.locator("[data-do=copy]").click()
    assert (await page.get_by_label("The same as text").input_value()).startswith("ClawMux\n")
