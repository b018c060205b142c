"""Names and words from others, wherever the page shows them: nothing turns the order of the letters round or hides among them."""

from __future__ import annotations

import pytest

from tests.browser.page_fixtures import OpenPage, comes_true
from tests.stand_ins.page_hub import PageHub, changed_file, doing, session

pytestmark = pytest.mark.browser

H = 'a\u202edcb\u2066x\x1b[31m<img src=x onerror="window.evil=1">'
# Every text and every attribute that is read or read out, where it holds what is never to be shown.
DISGUISED = """() => {
  const unruly = /[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069]/;
  const found = unruly.test(document.title) ? ['title'] : [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (unruly.test(node.data)) found.push(node.parentElement.outerHTML.slice(0, 90));
    } else for (const name of ['title', 'aria-label', 'placeholder', 'alt'])
      if (unruly.test(node.getAttribute(name) ?? '')) found.push(`${name} of ${node.className}`);
  }
  return found;
}"""


async def test_nothing_on_any_view_is_disguised(hub: PageHub, open_page: OpenPage) -> None:
    hub.sessions = [session("af_sky", dir=f"/tmp/{H}", runtime=H), session("bm_fable", dir=f"/x/{H}", name="fable")]
    page = await open_page()

    async def look(view: str, sign: str) -> None:
        await comes_true(page, f"document.body.innerText.includes({sign!r})")
        assert await page.evaluate(DISGUISED) == [], view

    await look("start", "‹U+202E›")
    await hub.status("af_sky", doing=doing("tool", detail=H), report={"text": f"reported {H}", "at": 1}, reason=H)
    await hub.send({"type": "status", "session_id": "af_sky", "text": H})
    permission = {"request": "r", "tool": f"tool {H}", "text": f"command {H}", "decidable": True}
    await hub.status("bm_fable", permission=permission, doing=doing("needs_you", kind="permission", detail=H))
    await hub.send({"type": "notice", "session_id": None, "level": "warn", "text": f"noticed {H}", "remedy": H})
    for sign in ("reported a", "noticed a", "command a"):
        await look("banners", sign)
    await page.locator("[data-session=bm_fable] .row").click()
    await page.locator("[data-card=permission]").wait_for()
    await look("a permission", "command a")
    await page.locator("[data-session=af_sky] .row").click()
    await hub.message("m1", text=f"words {H}", reply=f"reply {H}", held=f"held {H}", reason=H, detail=f"step {H}")
    await page.locator("[data-open=messages]").click()
    await page.locator("[data-message=m1] .mrow").click()
    for sign in ("words a", "reply a", "step a"):
        await look("messages", sign)
    hub.changes = {**hub.changes, "repository": f"/x/{H}", "branch": H, "files": [changed_file(f"file {H}")]}
    await page.locator("#tab-changes").click()
    await look("changes", "file a")
    await hub.send({"type": "error", "code": "internal", "text": f"failed {H}"})
    await look("a note", "failed a")
    await page.locator("[data-session=bm_fable]").hover()
    await page.locator("[data-session=bm_fable] .close").click()
    await look("a dialog", "Its program in")
    assert await page.evaluate("window.evil") is None
