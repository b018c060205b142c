"""Messages, states, a permission and an interrupt on the page, with the real hub, real tmux and the real commands."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.chromium import Chromium
from tests.browser.test_real_loop import Watched, watch_page
from tests.hub.messengers import add_messengers, read_ids, spawn
from tests.hub.showing import KNOWN_SECONDS, SHOWING, Agent
from tests.live_hub import LiveHub, said

pytestmark = pytest.mark.browser


@pytest_asyncio.fixture(loop_scope="session")
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        add_messengers(hub)
        (hub.paths.user_runtimes / "showing.toml").write_text(SHOWING)
        yield hub


@pytest_asyncio.fixture(loop_scope="session")
async def watched(hub: LiveHub, chromium: Chromium) -> AsyncIterator[Watched]:
    watched = await watch_page(hub, await chromium.start())
    yield watched
    assert watched.errors == []


def tmux(hub: LiveHub, session_id: str, command: str, *arguments: str) -> None:
    words = ["tmux", "-S", str(hub.paths.tmux_socket), command, "-t", f"=clawmux-{session_id}:", *arguments]
    subprocess.run(words, check=True, timeout=5)


async def open_log(page: Page) -> None:
    await page.locator("[data-open=messages]").click()
    await page.locator(".mscroll[aria-busy=false]").wait_for()


async def test_a_question_and_its_answer_are_seen_as_they_come(hub: LiveHub, watched: Watched) -> None:
    page = watched.page
    adam = await spawn(hub, "answer", voice="am_adam")
    sky = await spawn(hub, "ack", voice="af_sky")
    await page.locator(f'[data-session="{sky}"] .row').click()
    await open_log(page)
    told = await hub.run(sky, "send", "--to", "adam", "--wait-response", "Does the client <b>cope</b>?")
    message_id, answer = told.out.splitlines()
    row = page.locator(f'[data-message="{message_id}"]')
    await expect(row.locator(".mrow")).to_contain_text("Sky to Adam")
    await expect(row.locator(".words")).to_have_text("Does the client <b>cope</b>?")
    await expect(row.locator(".tag")).to_have_text("answered")
    await expect(page.locator(f'.log [data-msg="{message_id}"][data-direction=out] .tag')).to_have_text("answered")
    await row.locator(".mrow").click()
    await expect(row.locator(".answer")).to_contain_text(answer)
    steps = [step.split("\n")[0] for step in await row.locator(".steps li > span").all_inner_texts()]
    # An agent may acknowledge what it has read before the typing is over.
    assert [step for step in steps if step in ("Stored", "Being typed", "Acknowledged", "Answered")] == [
        "Stored", "Being typed", "Acknowledged", "Answered"
    ]  # fmt: skip
    await page.locator(f'[data-session="{adam}"] .row').click()
    await expect(page.locator(f'.log [data-msg="{message_id}"][data-direction=in] .tag')).to_have_text("answered")
    await page.reload()
    await expect(page.locator(f'[data-message="{message_id}"] .tag')).to_have_text("answered")
    await page.get_by_label("Search messages").fill("COPE")
    await expect(page.locator(".mlog > li")).not_to_have_count(0)
    await page.get_by_label("Search messages").fill("nobody said this")
    await page.get_by_text("No message is like that.").wait_for()


async def test_a_held_message_says_why_and_can_be_taken_back(hub: LiveHub, watched: Watched) -> None:
    page = watched.page
    adam = await spawn(hub, "ack", voice="am_adam")
    await asyncio.to_thread(tmux, hub, adam, "copy-mode")
    kept, dropped = [(await hub.run("", "send", "--to", "adam", text)).out.strip() for text in ("first", "second")]
    badge = page.locator(f'[data-session="{adam}"] .badge.wait')
    await expect(badge).to_contain_text("2")
    waiting = page.locator("[data-line=waiting]")
    await expect(waiting).to_contain_text("2 messages wait for Adam: ")
    await expect(waiting).to_contain_text("copy mode")
    await waiting.get_by_role("button", name="Show").click()
    row = page.locator(f'[data-message="{dropped}"]')
    await row.locator(".mrow").click()
    await row.get_by_role("button", name="Take it back").click()
    await expect(row.locator(".tag")).to_have_text("cancelled")
    await asyncio.to_thread(tmux, hub, adam, "send-keys", "-X", "cancel")
    await expect(page.locator(f'[data-message="{kept}"] .tag')).to_have_text("read", timeout=20000)
    await expect(badge).to_have_count(0)
    await expect(waiting).to_have_count(0)
    assert read_ids(hub, adam) == [kept]


async def test_a_permission_is_given_and_a_turn_interrupted_from_the_page(hub: LiveHub, watched: Watched) -> None:
    page = watched.page
    agent = Agent(hub, await hub.spawn("showing"))
    await agent.show(screen="> ")
    pill, limit = page.locator(".pill"), 1000 * KNOWN_SECONDS
    await expect(pill).to_have_text("Ready", timeout=10000)
    await agent.hook("UserPromptSubmit", prompt="build it")
    await expect(pill).to_contain_text("Thinking", timeout=limit)
    process = await agent.asks("rm -r build")
    card = page.locator("[data-card=permission]")
    await expect(card).to_contain_text("wants to use Bash", timeout=limit)
    await expect(card.locator("pre")).to_have_text("rm -r build")
    await expect(pill).to_have_text("Needs your permission")
    await card.locator("[data-do=approve]").click()
    decision = json.loads((await said(process)).out)["hookSpecificOutput"]["decision"]
    assert decision == {"behavior": "allow"}
    await expect(card).to_have_count(0)
    process = await agent.asks("rm -r /")
    await card.get_by_role("textbox").fill("not on my machine")
    await card.locator("[data-do=deny]").click()
    decision = json.loads((await said(process)).out)["hookSpecificOutput"]["decision"]
    assert decision == {"behavior": "deny", "message": "not on my machine"}
    await agent.show(screen="busy", after_escape="> ")
    await page.locator("[data-do=interrupt]").click()
    await expect(page.locator(".now-line")).to_contain_text("has stopped", timeout=6000)
    await expect(pill).to_contain_text("eady", timeout=limit)
    assert await page.locator("[data-do=interrupt]").count() == 0


async def test_an_agent_that_ends_is_seen_to_have_ended_and_so_are_its_messages(hub: LiveHub, watched: Watched) -> None:
    page = watched.page
    quiet = await hub.spawn("quiet", voice="am_adam")
    sky = await spawn(hub, "ack", voice="af_sky")
    await open_log(page)
    message_id = (await hub.run(sky, "send", "--to", "adam", "are you there?")).out.strip()
    row = page.locator(f'[data-message="{message_id}"]')
    await expect(row).to_be_visible()
    await asyncio.to_thread(tmux, hub, quiet, "kill-session")
    await expect(page.locator(f'[data-session="{quiet}"]')).to_have_count(0, timeout=1000 * KNOWN_SECONDS + 1000)
    await expect(row.locator(".tag")).to_have_text("not delivered")
    await page.get_by_text("Adam has ended.").wait_for()
