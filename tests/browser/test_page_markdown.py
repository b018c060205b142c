# ruff: noqa: F811 (fixtures are imported by name)
"""What agents write, as the page shows it: markdown in its sorts, long texts folded, and nothing of it ever more than text."""

from __future__ import annotations

import itertools
import re
import time
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.page_fixtures import (  # noqa: F401
    OpenPage,
    blank_page,
    browser,
    hub,
    microphone_file,
    microphone_source,
    open_page,
)
from tests.stand_ins.page_hub import PageHub

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
    "|a|b|\n|-|-:|\n|1|2|": '<div class="tableframe" tabindex="0" role="group" aria-label="Table"><table> <thead> <tr> <th>a</th> '
    '<th align="right">b</th> </tr> </thead> <tbody><tr> <td>1</td> <td align="right">2</td> </tr> </tbody></table></div>',
    "```py\nx\n\ny\n```": code("py", "x  y"),
    "```\nnever closed": code("code", "never closed"),
    "```diff a/b.py\n-x\n+y\n z\n```": code("a/b.py", '<span class="del">-x</span> <span class="add">+y</span> z'.replace("> z", ">  z")),
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
