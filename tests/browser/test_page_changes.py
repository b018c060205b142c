"""What an agent has changed in its folder, on the page: the files, their lines, and that their names and lines stay text."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.page_fixtures import OpenPage
from tests.stand_ins.page_hub import PageHub, changed_file, doing, session

pytestmark = pytest.mark.browser

LINES = [["@", 10, 10, "def f():"], [" ", 10, 10, "    kept"], ["-", 11, 0, "    old"], ["+", 0, 11, "\tnew"]]
HOSTILE = '<img src=x onerror="harmed=1">\u202egnp.\u0007\x1b]0;x\x07.txt'


async def open_changes(page: Page) -> None:
    await page.locator("[data-open=changes]").click()
    await page.locator(".cscroll[aria-busy=false]").wait_for()


async def test_files_are_listed_and_opened(hub: PageHub, open_page: OpenPage) -> None:
    hub.changes["files"] = [
        changed_file("billing/tax.py", added=2, removed=1, staged=True),
        changed_file("logo.png", "added", None, None),
        changed_file("new name.py", "renamed", 0, 0, before="old.py", before_key="old.py"),
        changed_file("notes.md", "untracked", None, None),
    ]
    hub.patches["billing/tax.py"] = {"lines": LINES, "cut": False}
    hub.patches["logo.png"] = {"lines": [], "cut": False}
    page = await open_page()
    await open_changes(page)
    await expect(page.locator(".chead p")).to_have_text("billing-api on main · 4 files +2 −1")
    rows = page.locator(".crow")
    words = ["billing/tax.pystaged+2 −1", "logo.pngnew", "new name.py was old.pyrenamed", "notes.mduntracked"]
    assert [text.strip() for text in await rows.all_text_contents()] == words
    await rows.first.click()
    await expect(rows.first).to_have_attribute("aria-expanded", "true")
    shown = page.get_by_role("region", name="Lines of billing/tax.py")
    await shown.wait_for()
    assert await shown.locator("code").all_text_contents() == ["line 10 def f():", "     kept", "-    old", "+\tnew"]
    assert await shown.locator(".no").all_text_contents() == ["…", "10", "11", "11"]
    await rows.nth(1).click()
    await page.get_by_text("Not a text: its lines are not shown.").wait_for()
    await rows.nth(3).click()
    await page.get_by_text("Its folder is not in a git repository.").wait_for()
    await rows.first.click()
    await expect(shown).to_have_count(0)


async def test_it_looks_again_when_a_tool_has_ended(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions.append(session("am_adam"))
    page = await open_page()
    await open_changes(page)
    await page.get_by_text("Nothing has changed since the last commit.").wait_for()
    await hub.status("af_sky", doing=doing("tool", detail="Edit"))
    hub.changes["files"] = [changed_file("a.py")]
    hub.patches["a.py"] = {"lines": LINES, "cut": False}
    await hub.status("af_sky", doing=doing("thinking"))
    row = page.locator(".crow")
    await expect(row).to_contain_text("a.py")
    await row.click()
    await page.locator(".patch").wait_for()
    hub.patches["a.py"] = {"lines": [["@", 1, 1, ""], ["+", 0, 1, "another line"]], "cut": True}
    await hub.status("af_sky", doing=doing("tool", detail="Bash"))
    await expect(page.locator(".patch")).to_contain_text("+another line")
    await page.get_by_text("The rest is left out").wait_for()
    hub.changes = {**hub.changes, "files": [], "why": "Its folder is not in a git repository.", "repository": ""}
    await page.locator('[data-session="am_adam"] .row').click()
    await page.get_by_text("Its folder is not in a git repository.").wait_for()
    assert hub.requests[-1][1] == "/api/sessions/am_adam/changes"
    await page.get_by_role("tab", name="Messages").click()
    asked = len(hub.requests)
    await hub.status("am_adam", doing=doing("tool", detail="Edit"))
    await page.locator('[data-session="am_adam"]').get_by_text("Running Edit").wait_for()
    assert len(hub.requests) == asked, "nobody looks, so nobody asks"


async def test_hostile_names_and_lines_stay_text(hub: PageHub, open_page: OpenPage) -> None:
    hub.changes["files"] = [changed_file(HOSTILE)]
    hub.changes["branch"] = HOSTILE
    many = [["+", 0, number, f"{HOSTILE} {number}"] for number in range(1, 1001)]
    hub.patches[HOSTILE] = {"lines": [["@", 0, 1, HOSTILE], *many, ["+", 0, 1001, "x" * 2000]], "cut": False}
    page = await open_page()
    await open_changes(page)
    await page.locator(".crow").click()
    lines = page.locator(".patch code")
    await expect(lines).to_have_count(400)
    await page.get_by_role("button", name="Show all 1002 lines").click()
    await expect(lines).to_have_count(1002)
    assert (await lines.nth(1).text_content()) == '+<img src=x onerror="harmed=1">‹U+202E›gnp.‹U+0007›‹U+001B›]0;x‹U+0007›.txt 1'
    assert "‹U+202E›gnp" in (await page.locator(".cpath").inner_text())
    assert await page.locator(".panel img").count() == 0
    assert await page.evaluate("typeof harmed") == "undefined"
    inner = await page.locator(".cscroll").evaluate("n => [n.scrollWidth, n.clientWidth]")
    assert inner[0] == inner[1], "long lines scroll by themselves"


async def test_tabs_share_one_place_in_the_history(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.locator(".log").focus()
    await page.keyboard.press("d")
    tab = page.get_by_role("tab", selected=True)
    await expect(tab).to_have_text("Changes")
    await expect(page.get_by_role("tabpanel", name="Changes")).to_be_focused()
    await tab.focus()
    await page.keyboard.press("ArrowLeft")
    await expect(tab).to_have_text("Messages")
    await expect(tab).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await expect(tab).not_to_have_text("Messages")
    await page.go_back()
    await expect(page.locator(".panel")).to_have_count(0)
    await expect(page.locator(".log")).to_be_focused()
