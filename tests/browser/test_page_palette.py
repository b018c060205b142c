"""The palette: agents, commands and all that was said, from one field."""

from __future__ import annotations

import itertools
import re

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.page_fixtures import DESKTOP, OUTPUT, PHONE, OpenPage, mode
from tests.browser.test_page_history import Busy, fill
from tests.browser.test_page_look import furnish
from tests.stand_ins.machines import CARD, answer
from tests.stand_ins.page_hub import PageHub, doing, session

pytestmark = pytest.mark.browser
QUICK_MS = 200.0
FIELD = "[role=combobox]"
HOSTILE = "needle <img src=x onerror=alert(1)> \u202egnp.exe javascript:alert(1) \x1b[31m"


async def opened(page: Page) -> Page:
    await page.keyboard.press("Control+k")
    await expect(page.locator(FIELD)).to_be_focused()
    return page


async def choices(page: Page) -> list[str]:
    """What is offered, by name."""
    found: list[str] = await page.locator("[data-choice]").evaluate_all("rows => rows.map((row) => row.dataset.choice)")
    return found


async def chosen(page: Page) -> str:
    """What Enter would choose, as a screen reader is told."""
    name: str = await page.locator(FIELD).evaluate(
        "field => document.getElementById(field.getAttribute('aria-activedescendant')).dataset.choice"
    )
    assert await page.locator(f'[data-choice="{name}"]').get_attribute("aria-selected") == "true"
    assert await page.locator("[aria-selected=true]", has=page.locator("xpath=self::*[@role='option']")).count() == 1
    return name


async def test_agents_are_gone_to_by_name_folder_or_state(hub: PageHub, open_page: OpenPage) -> None:
    await furnish(hub)
    page = await opened(await open_page())
    assert (await choices(page))[:5] == [f"agent-{i}" for i in range(5)]
    await expect(page.locator('[data-choice="agent-1"]')).to_contain_text("Running Bash")
    for words, number in (("infra", 2), ("ech", 3), ("starting", 4)):
        await page.locator(FIELD).fill(words)
        await expect(page.locator(f'[data-choice="agent-{number}"]')).to_be_visible()
        assert await chosen(page) == f"agent-{number}"
    await page.keyboard.press("Enter")
    await expect(page.locator(".head h1")).to_have_text("Onyx")
    await expect(page.locator(FIELD)).to_have_count(0)
    await expect(page.locator("#log")).to_be_focused()


async def test_keys_lead_through_the_list_and_round_it(hub: PageHub, open_page: OpenPage) -> None:
    await furnish(hub)
    page = await opened(await open_page())
    order = await choices(page)
    assert await chosen(page) == order[0]
    for key, name in (("ArrowDown", order[1]), ("ArrowUp", order[0]), ("ArrowUp", order[-1]), ("ArrowDown", order[0]),
                      ("PageDown", order[8]), ("PageUp", order[0])):  # fmt: skip
        await page.keyboard.press(key)
        assert await chosen(page) == name, key
        await expect(page.locator(f'[data-choice="{name}"]')).to_be_in_viewport(ratio=1)
    await page.keyboard.press("Escape")
    await expect(page.locator("dialog")).to_have_count(0)
    assert hub.all("mic_open") == []


async def test_commands_are_given_and_say_why_they_cannot_be(hub: PageHub, open_page: OpenPage) -> None:
    hub.tiers = answer(CARD, ("tiny",))
    page = await opened(await open_page())
    field = page.locator(FIELD)
    skip = page.locator('[data-choice="skip"]')
    await expect(skip).to_have_attribute("aria-disabled", "true")
    await expect(skip).to_contain_text("No agent is speaking")
    await skip.click(force=True)
    await expect(field).to_be_visible()
    await field.fill("mute")
    await page.keyboard.press("Enter")
    await mode(page, "muted")
    await opened(page)
    await field.fill("unmute")
    await expect(page.locator('[data-choice="mute"]')).to_be_visible()
    await field.fill("write to")
    await page.keyboard.press("Enter")
    await expect(page.locator("#typebox")).to_be_focused()
    await opened(page)  # from within a text box, too
    await field.fill("settings")
    await page.keyboard.press("Enter")
    await page.locator(".sets").wait_for()
    await opened(page)
    await field.fill("debug")
    await page.keyboard.press("Enter")
    await page.locator(".dbox").wait_for()
    await expect(page.locator(".sets")).to_have_count(0)


async def test_every_key_and_every_entry_of_the_menu_is_a_command(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.locator("[data-open=more]").click()
    menu = await page.locator("#more button").evaluate_all("rows => rows.map((row) => row.dataset.do)")
    await page.keyboard.press("Escape")
    await opened(page)
    offered = await choices(page)
    assert [name for name in menu if name not in offered] == ["find-all"]  # this is the palette itself
    keys = await page.evaluate(
        """async () => {
          const { HELP } = await import('/static/keys.js');
          const { COMMANDS } = await import('/static/commands.js');
          return [HELP.flatMap(([keys]) => keys), COMMANDS.flatMap(({ keys = [] }) => keys)];
        }"""
    )
    # Agents have their numbers beside their names; a slash is another T.
    assert set(keys[0]) - set(keys[1]) == {"1", "…", "9", "/"}
    assert set(keys[1]) - set(keys[0]) == set()


async def test_what_was_said_is_found_everywhere_and_shown_in_its_conversation(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("am_adam"))
    fill(hub, 600)
    for event in hub.events[:300]:
        event["session_id"] = "am_adam"
    hub.events[99] = {**hub.events[99], "type": "assistant_text", "text": "A **Needle** in Adam's hay"}
    for number in range(25):
        await hub.say("af_sky", f"needle number {number}")
    page = await opened(await open_page())
    field = page.locator(FIELD)
    await field.fill("NEEDLE")
    hits = page.locator('[data-choice^="said-"]')
    await expect(hits).to_have_count(20)
    await expect(hits.first).to_contain_text("needle number 24")
    await expect(hits.first.locator("mark")).to_have_text("needle")
    assert re.search(r"\d:\d\d", await hits.first.locator("time").inner_text())
    await expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("22 found")
    await page.locator('[data-choice="more"]').click()
    await expect(hits).to_have_count(26)
    last = hits.last
    await expect(last).to_contain_text("Adam")
    await expect(last.locator(".pal-words")).to_have_text("A Needle in Adam's hay")
    await last.click()
    found = page.locator("[data-found]")
    await expect(found).to_have_attribute("data-n", "100")
    await expect(found).to_be_in_viewport()
    await expect(page.locator(".head h1")).to_have_text("Adam")
    around = await page.locator("#log").evaluate("log => [...log.querySelectorAll('[data-n]')].map((e) => Number(e.dataset.n))")
    assert around[0] < 90 and around[-1] > 110
    # Who goes elsewhere and comes back finds the place that was left, and no mark.
    await page.locator("#log").evaluate("log => log.scrollBy(0, -600)")
    await expect(found).not_to_be_in_viewport()
    await page.keyboard.press("1")
    await page.get_by_text("needle number 24").wait_for()
    await page.keyboard.press("2")
    await expect(page.locator(".head h1")).to_have_text("Adam")
    await expect(found).to_have_count(0)


async def test_the_same_words_are_found_in_this_conversation_only(hub: PageHub, open_page: OpenPage) -> None:
    for number in range(3):
        await hub.say("af_sky", f"needle {number}")
    page = await opened(await open_page())
    await page.locator(FIELD).fill("needle")
    await page.keyboard.press("Control+k")
    find = page.locator(".find")
    await expect(find.locator("input")).to_have_value("needle")
    await expect(find.locator("input")).to_be_focused()
    await expect(find.locator(".count")).to_have_text("1 of 3")
    await opened(page)
    await expect(page.locator(FIELD)).to_have_value("needle")  # and back, with the words


async def test_nothing_found_and_a_hub_that_is_gone_are_said(hub: PageHub, open_page: OpenPage) -> None:
    page = await opened(await open_page())
    field = page.locator(FIELD)
    await field.fill("nobody has said this")
    await expect(page.locator(".palette .nothing")).to_contain_text("Nothing found: no agent and no command of that name")
    await expect(field).to_have_attribute("aria-expanded", "false")
    await expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("Nothing found")
    await page.keyboard.press("Enter")
    await expect(field).to_be_visible()
    await page.route("**/api/history?q=*", lambda route: route.abort())
    await field.fill("anything else")
    await expect(page.locator(".palette .refusal")).to_contain_text("could not be searched")


async def test_hostile_words_are_only_words(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions[0]["name"] = "<b>sky</b>"
    await hub.say("af_sky", HOSTILE)
    page = await opened(await open_page())
    await page.locator(FIELD).fill("needle <img")
    words = page.locator('[data-choice="said-1"] .pal-words')
    await expect(words).to_contain_text("needle <img src=x onerror=alert(1)> ‹U+202E›gnp.exe")
    assert await page.locator(".palette img, .palette a, .palette b b").count() == 0
    assert "\x1b" not in await words.inner_text()


async def test_it_is_quick_with_many_agents_and_entries(hub: PageHub, open_page: OpenPage) -> None:
    for number in range(49):
        hub.sessions.append(session(f"am_agent{number}", dir=f"/home/ann/project-{number}", doing=doing("tool", detail="Bash")))
    fill(hub, 10_000)
    page = await open_page()
    await page.get_by_text("Answer 10000").wait_for()
    await opened(page)
    busy = await Busy.of(page)
    took = []
    for words, row in (
        ("agent4", "agent-41"),
        ("answer 103 ", "said-103"),
        ("export", "export-json"),
        ("make 1002", "said-1002"),
    ):
        before = await busy.ms()
        await page.locator(FIELD).fill(words)
        await page.locator(f'[data-choice="{row}"]').wait_for()
        took.append(await busy.ms() - before)
    print("searches", [round(ms) for ms in took])
    assert sorted(took)[2] < QUICK_MS, took


async def test_on_a_phone_it_fills_the_screen(hub: PageHub, open_page: OpenPage) -> None:
    await furnish(hub)
    page = await open_page(viewport={"width": 320, "height": 568}, has_touch=True)
    await page.locator("[data-open=more]").tap()
    await page.locator("[data-do=find-all]").tap()
    box = await page.locator("dialog").bounding_box()
    assert box == {"x": 0, "y": 0, "width": 320, "height": 568}
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    await page.locator('[data-choice="agent-2"]').tap()
    await expect(page.locator(".head h1")).to_have_text("Nova")
    await page.locator("[data-open=more]").tap()
    await page.locator("[data-do=find-all]").tap()
    await page.get_by_role("button", name="Close", exact=True).tap()
    await expect(page.locator("dialog")).to_have_count(0)


async def test_it_is_accessible(browser: Browser, hub: PageHub, open_page: OpenPage, axe: str) -> None:
    await furnish(hub)
    for (size, viewport), scheme in itertools.product({"desktop": DESKTOP, "phone": PHONE}.items(), ["light", "dark"]):
        hub.key, hub.owner = "one-time-key", None
        hub.received.clear()
        context = await browser.new_context(viewport=viewport, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
        page = await opened(await open_page(context=context))
        await page.evaluate(axe)
        for words, row in (("", "help"), ("retry", "said-5"), ("zzz", "")):
            await page.locator(FIELD).fill(words)
            await page.locator(f'[data-choice="{row}"]' if row else ".palette .nothing").wait_for()
            OUTPUT.joinpath("screens").mkdir(parents=True, exist_ok=True)
            await page.screenshot(path=OUTPUT / "screens" / f"palette-{words or 'empty'}-{size}-{scheme}.png")
            found = await page.evaluate("axe.run('dialog')")
            faults = [(fault["id"], [node["target"] for node in fault["nodes"]]) for fault in found["violations"]]
            assert faults == [], f"{words} {size} {scheme}"
        await context.close()
