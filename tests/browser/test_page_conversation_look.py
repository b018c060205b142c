"""How a conversation looks that holds everything there is: accessible, within its column, light and dark, wide and narrow.

Screenshots land in tests/output/screens for a person to look at.
"""

from __future__ import annotations

import itertools

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.page_fixtures import DESKTOP, OUTPUT, PHONE, OpenPage
from tests.stand_ins.page_hub import PageHub

pytestmark = pytest.mark.browser

ANSWER = """# What was wrong

The job timed out on the **tax lookup** in `billing/tax.py`; see [the notes](https://example.com/notes).

1. The retry loop has *no* upper bound
   - so one slow response blocks the batch
   - and nothing is ~~logged~~ told
2. The batch is not resumed

- [x] bound the loop
- [ ] resume the batch

> Never retry without a bound.

| file | lines | what it does for the batch of the night |
|---|---:|:---:|
| billing/tax.py | 12 | looks the tax up, with a very long explanation behind it that no phone has room for |

```diff billing/tax.py
@@ -1,2 +1,2 @@
- while not ok:
-     ok = lookup(item)
+ for attempt in range(3):
+     if lookup(item, timeout=5): break
```

---

```python
def total(items): return sum(item.price for item in items if item.is_billed)  # the whole of a line that is very long indeed
```
"""
DEEDS = [
    {"tool": "Read", "detail": "/home/ann/billing-api/billing/tax.py", "seconds": 0.1, "ok": True},
    {"tool": "Edit", "detail": "/home/ann/billing-api/billing/tax.py", "seconds": 0.3, "ok": True},
    {"tool": "Edit", "detail": "/home/ann/billing-api/billing/run.py", "seconds": 0.2, "ok": True},
    {"tool": "Bash", "detail": "pytest -q billing/tests ⏎ git diff --stat " + "x" * 120, "seconds": 14.2, "ok": False},
]


async def furnish(hub: PageHub) -> None:
    said = {"session_id": "af_sky", "via": "typed"}
    await hub.send({"type": "user_text", "msg_id": "u1", "text": "Why did the nightly invoice job fail?", **said})
    await hub.send({"type": "work", "session_id": "af_sky", "items": DEEDS[:1], "seconds": 0.1, "left": 0})
    await hub.say("af_sky", ANSWER)
    await hub.send({"type": "work", "session_id": "af_sky", "items": DEEDS, "seconds": 75, "left": 2})
    await hub.send({"type": "user_text", "msg_id": "u2", "text": "Line over line\n" * 400, **said})
    await hub.say("af_sky", "Two files are changed, the tax lookup and the batch runner.")


async def show(page: Page, view: str) -> None:
    await page.get_by_text("Two files are changed").wait_for()
    if view == "work":
        await page.locator("[data-kind=work] summary").last.click()
        await page.get_by_text("billing/run.py").wait_for()
    elif view == "find":
        await page.keyboard.press("Control+k")
        await page.locator("[role=combobox]").press("Control+k")
        await page.locator(".find input").fill("tax lookup")
        await expect(page.locator(".find .count")).to_have_text("1 of 2")
        await page.keyboard.press("Enter")
        await expect(page.locator("[data-found] .heading")).to_be_attached()
    elif view == "earlier":
        await page.locator("#log").evaluate("log => log.scrollTo(0, 0)")
        await page.locator("[data-do=latest]").wait_for()


EVERYWHERE = [*itertools.product(["desktop", "phone"], ["light", "dark"])]
SOMEWHERE = [("desktop", "dark"), ("phone", "light")]
LOOKS = {"work": EVERYWHERE, "find": SOMEWHERE, "earlier": SOMEWHERE}


@pytest.mark.parametrize("view", LOOKS)
async def test_a_conversation_is_accessible(browser: Browser, hub: PageHub, open_page: OpenPage, axe: str, view: str) -> None:
    await furnish(hub)
    for size, scheme in LOOKS[view]:
        viewport = DESKTOP if size == "desktop" else PHONE
        hub.key, hub.owner = "one-time-key", None
        hub.received.clear()
        context = await browser.new_context(viewport=viewport, color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
        page = await open_page(context=context)
        await show(page, view)
        OUTPUT.joinpath("screens").mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=OUTPUT / "screens" / f"conversation-{view}-{size}-{scheme}.png")
        await page.evaluate(axe)
        found = await page.evaluate("axe.run()")
        faults = [(fault["id"], [node["target"] for node in fault["nodes"]]) for fault in found["violations"]]
        assert faults == [], f"{view} {size} {scheme}"
        await context.close()


@pytest.mark.parametrize("width", [320, 721])
async def test_nothing_of_it_sticks_out(hub: PageHub, open_page: OpenPage, width: int) -> None:
    await furnish(hub)
    page = await open_page(viewport={"width": width, "height": 700})
    await show(page, "work")
    assert await page.evaluate("document.documentElement.scrollWidth") == width
    log = await page.locator("#log").evaluate("n => [n.scrollWidth, n.clientWidth]")
    assert log[0] == log[1]
    small = """() => [...document.querySelectorAll('#log :is(button, summary)')].filter((node) => {
      const { width, height } = node.getBoundingClientRect();
      return width < 24 || height < 24;
    }).map((node) => node.className)"""
    assert await page.evaluate(small) == []
