"""What agents write, as the page shows it: markdown in its sorts, long texts folded, and nothing of it ever more than text."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.page_fixtures import OpenPage, blank_page
from tests.stand_ins.page_hub import PageHub
from tests.waiting import until_answer

pytestmark = pytest.mark.browser

WRITTEN = "(texts) => import('/static/md.js').then(({ written }) => texts.map(at))"
# The markup of what was written, without the button's drawing.
MARKUP = """async (texts) => {
  const { written } = await import('/static/md.js');
  return texts.map((text) => {
    const box = document.createElement('div');
    box.append(written(text));
    box.querySelectorAll('svg').forEach((drawing) => drawing.remove());
    return box.innerHTML;
  });
}"""
LINK = 'rel="noopener noreferrer nofollow" target="_blank"'


def code(label: str, text: str) -> str:
    """A block of code with its head."""
    head = f'<div class="codehd"><span dir="auto">{label}</span>'
    button = f'<button class="btn small" data-copy="" aria-label="Copy {label}"><span>Copy</span></button></div>'
    return f'{head}{button}<pre tabindex="0" role="group" aria-label="Code: {label}"><code>{text}</code></pre>'


SORTS = {
    "plain": "<p>plain</p>",
    "": "",
    "a\nb\n\nc": "<p>a<br> b</p> <p>c</p>",
    "## T": '<p class="heading h2">T</p>',
    "- a\n  1. b\n- [x] c": "<ul> <li>a<ol> <li>b</li> </ol> </li> <li>☑ c</li> </ul>",
    "3. a": '<ol start="3"> <li>a</li> </ol>',
    "a `b` **c** *d* ~~e~~": "<p>a <code>b</code> <strong>c</strong> <em>d</em> <del>e</del></p>",
    "> a": "<blockquote> <p>a</p> </blockquote>",
    "|a|b|\n|-|-:|\n|1|2|": '<div class="tableframe" tabindex="0" role="group" aria-label="Table"><table> <thead> <tr> '
    '<th>a</th> <th align="right">b</th> </tr> </thead> <tbody><tr> <td>1</td> <td align="right">2</td> </tr> </tbody></table>'
    "</div>",
    "```py\nx\n\ny\n```": code("py", "x  y"),
    "```\nnever closed": code("code", "never closed"),
    "```diff a/b.py\n-x\n+y\n z\n```": code("a/b.py", '<span class="del">-x</span> <span class="add">+y</span>  z'),
    "```python:a/b.py\nx\n```": code("a/b.py", "x"),
    '```js title="a.js"\nx\n```': code("a.js", "x"),
    "[a](https://b.example/)": f'<p><a href="https://b.example/" {LINK} title="https://b.example/">a</a></p>',
    "[a](mailto:b@c.example)": f'<p><a href="mailto:b@c.example" {LINK} title="mailto:b@c.example">a</a></p>',
    "![a](https://b.example/c.png)": f'<p><a href="https://b.example/c.png" {LINK} title="https://b.example/c.png">a</a></p>',
}  # fmt: skip


async def test_every_sort_of_markdown(browser: Browser, hub: PageHub) -> None:
    page = await browser.new_page()
    await page.goto(f"{hub.origin}/blank")
    got = await page.evaluate(MARKUP, list(SORTS))
    assert [re.sub(r"\s", " ", markup).strip() for markup in got] == list(SORTS.values())


HOSTILE = {
    "html": '<img src=x onerror="window.evil=1"><script>window.evil=1</script><style>*{display:none}</style>',
    "frame": "<iframe src=//e></iframe><svg/onload=evil()>\n\n<details open ontoggle=evil()>",
    "html in markdown": "**<b onclick=evil()>x</b>** `<script>evil()</script>`",
    "script link": "[a](javascript:window.evil=1) [b](JaVaScRiPt&colon;evil) [c](  javascript:evil) <javascript:evil>",
    "script link, broken": "[d](java\tscript:evil) [e](java&#10;script:evil) [f](%6Aavascript:evil)",
    "other link": "[a](data:text/html,<script>window.evil=1</script>) [b](vbscript:x) [c](file:///etc/passwd) [d](//e.example)",
    "own link": "[e](/api/stop) [f](#settings) [g](?test=1)",
    "picture": "![a](javascript:window.evil=1) ![b](data:image/svg+xml,<svg onload=evil()>) ![c](x.png)",
    "attributes": '[a](https://b.example "t\\" onmouseover=\\"evil()") ![x"onload="evil()](https://b.example)',
    "reference": "[a][1]\n\n[1]: javascript:window.evil=1",
    "code": '```"><img src=x onerror=window.evil=1>\nx\n```',
    "code's end": "```js onerror=evil()\n</code></pre><script>window.evil=1</script>\n```",
    "table": "|<script>window.evil=1</script>|\n|-|\n|[a](javascript:evil)|",
    "clobbering": '<form id=app><input name=body></form> <a id=log name=log>x</a> <p id="main">y</p>',
    "direction": "abc\u202edcba\u202c \u2066x\u2069 `if (a\u202e) \u2066b\u200b`",
    "escapes": "\x1b[31mred\x1b]0;title\x07 \x1b]52;c;ZXZpbA==\x07 \x9b2J \x00 \x7f",
}
# What is not on the list of md.js, and what a link must not be.
ODD = """(root) => {
  const tags = new Set(('article div p br hr em strong del code pre blockquote ul ol li table thead tbody tr th td a span button '
    + 'svg use b time').split(' '));
  const names = /^(?:on.*|style|id|name|src|srcdoc|action|formaction)$/;
  return [...root.querySelectorAll('*')].filter((node) => !tags.has(node.localName)
    || node.getAttributeNames().some((name) => names.test(name))
    || (node.localName === 'a' && !/^(?:https?:[/][/]|mailto:)/.test(node.getAttribute('href') ?? 'none')))
    .map((node) => node.outerHTML);
}"""
UNRULY = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


async def test_nothing_that_an_agent_writes_is_more_than_text(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    for words in HOSTILE.values():
        await hub.say("af_sky", words)
        await hub.send({"type": "user_text", "session_id": "af_sky", "msg_id": "u", "text": words, "via": "voice"})
        item = {"tool": words, "detail": words, "seconds": 1, "ok": False}
        await hub.send({"type": "work", "session_id": "af_sky", "items": [item], "seconds": 1, "left": 0})
        await hub.send({"type": "notice", "session_id": "af_sky", "level": "warn", "text": words, "remedy": words})
    await hub.say("af_sky", "The last one")
    await page.get_by_text("The last one").wait_for()
    assert await page.locator(".msg.bot").count() == len(HOSTILE) + 1
    assert await page.evaluate("window.evil") is None
    for selector in (".msg.bot", ".msg.user", ".mail"):
        assert await page.locator(selector).evaluate_all(f"all => all.flatMap({ODD})") == [], selector
    text = await page.locator("#log").evaluate("log => log.textContent")
    assert UNRULY.search(text) is None, UNRULY.findall(text)
    assert "‹U+202E›" in text and "‹U+001B›[31mred" in text
    assert '<img src=x onerror="window.evil=1">' in text
    hidden = await page.locator(".md code").evaluate_all("all => all.map((code) => code.textContent)")
    assert "if (a‹U+202E›) ‹U+2066›b‹U+200B›" in hidden


LONG = 1_000_000
ENDLESS = {
    "one line": "x" * LONG,
    "words": "word " * (LONG // 5),
    "lines": "line\n" * (LONG // 5),
    "stars": "*" * LONG,
    "emphasis": "*a _b " * (LONG // 6),
    "brackets": "[" * LONG,
    "links": "[a](" * (LONG // 4),
    "ticks": "`a``" * (LONG // 4),
    "quotes": ">" * LONG,
    "list": "- " * (LONG // 2),
    "table": "|" * LONG + "\n" + "|-" * (LONG // 100),
    "html": "<a " * (LONG // 3),
    "entities": "&#x" * (LONG // 3),
    "address": "a@" * (LONG // 2),
    "fence": "```" + "x" * LONG,
}
FAST = """async (texts) => {
  const { written } = await import('/static/md.js');
  const took = [];
  for (const text of texts) {
    const began = performance.now();
    written(text);
    took.push(performance.now() - began);
  }
  return took;
}"""
FOLDED = 7200
READABLE = 60000


async def test_very_long_texts_are_folded_and_hold_nothing_up(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    for words in ENDLESS.values():
        await hub.say("af_sky", words)
    await hub.say("af_sky", "The last one")
    await page.get_by_text("The last one").wait_for()
    assert await page.locator(".fold").count() == len(ENDLESS)
    sizes = await page.locator(".msg.bot").evaluate_all("all => all.map((one) => one.textContent.length)")
    assert max(sizes) < FOLDED * 1.5
    fold = page.locator(".msg.bot").first.locator(".fold")
    await expect(fold).to_have_text("Show all (1.0M characters)")
    await fold.click()
    await expect(fold).to_have_text("Show less")
    assert await page.locator(".msg.bot").first.evaluate("one => one.textContent.length") > LONG
    await fold.click()
    await expect(fold).to_have_attribute("aria-expanded", "false")
    assert await page.locator(".msg.bot").first.evaluate("one => one.textContent.length") < FOLDED * 1.5


async def test_no_text_makes_markdown_slow(browser: Browser, hub: PageHub) -> None:
    page = await blank_page(browser, hub)
    took = await page.evaluate(FAST, [words[:READABLE] for words in ENDLESS.values()])
    by_name = dict(zip(ENDLESS, (round(ms) for ms in took), strict=True))
    print(by_name)
    assert max(took) < 1500, by_name
    took = await page.evaluate(FAST, [words[:FOLDED] for words in ENDLESS.values()])
    assert max(took) < 400, dict(zip(ENDLESS, took, strict=True))


async def test_code_is_copied_as_it_was_written(hub: PageHub, open_page: OpenPage) -> None:
    page = await open_page()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await hub.say("af_sky", "```diff a.py\n-x\n+y\n```\n\n- in a list:\n  ```\n  a\n\n  b\n  ```")
    button = page.get_by_role("button", name="Copy a.py")
    await button.click()
    await expect(button).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "-x\n+y"
    await page.get_by_role("button", name="Copy code").click()

    async def is_copied() -> bool:
        return bool(await page.evaluate("navigator.clipboard.readText()") == "a\n\nb")

    await until_answer(is_copied)
