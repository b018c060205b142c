"""In a real Chromium with the real page: what other pages of this machine get (S11), and text that wants to be code (S9)."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import BrowserContext, Page, async_playwright

from clawmux.hub.login import login_url
from tests.security.guarded import JSON, UPGRADE, ask
from tests.security.real_hub import RealHub
from tests.waiting import until

pytestmark = pytest.mark.browser


@pytest.fixture
async def browser() -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        program = await playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield await program.new_context()
        await program.close()


async def sign_in(hub: RealHub, browser: BrowserContext) -> Page:
    page = await browser.new_page()
    await page.goto(login_url(hub.app))
    await until(lambda: len(hub.runtime.pages) > 0, 15)
    return page


async def test_signing_in_outlives_a_reload_and_a_new_tab(hub: RealHub, browser: BrowserContext) -> None:
    page = await sign_in(hub, browser)
    assert "#" not in page.url
    assert "k=" not in await page.evaluate("location.href + document.documentElement.outerHTML")
    assert await page.evaluate("document.cookie") == ""
    await page.reload()
    await until(lambda: len(hub.runtime.pages) == 1, 15)
    other = await browser.new_page()
    await other.goto(hub.origin)
    await until(lambda: len(hub.runtime.pages) == 2, 15)
    for login in list(json.loads((hub.paths.data / "logins.json").read_text(encoding="utf-8"))["logins"]):
        hub.auth.logins.end(login)
    await until(lambda: len(hub.runtime.pages) == 0, 15)


@dataclass
class Neighbour:
    """A program of somebody else on another port: answers any path with a page, and keeps what it was sent."""

    port: int = 0
    cookies: dict[str, str] = field(default_factory=dict)
    """Host and path -> Cookie header."""

    async def answer(self, request: web.Request) -> web.Response:
        self.cookies[f"{request.headers['Host'].split(':')[0]}{request.path}"] = request.headers.get("Cookie", "")
        script = ""
        if request.path == "/lead-away":
            script = f"location = 'http://clawmux.localhost:{self.port}/catch'"
        if request.path == "/catch":
            script = "fetch('/caught')"
        return web.Response(text=f"<!doctype html><title>x</title><script>{script}</script>", content_type="text/html")


@asynccontextmanager
async def neighbour() -> AsyncIterator[Neighbour]:
    there = Neighbour()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", there.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there.port = runner.addresses[0][1]
    yield there
    await runner.cleanup()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "evil.localhost"])
async def test_s11_a_page_on_another_port_gets_no_cookie_and_no_socket(hub: RealHub, browser: BrowserContext, host: str) -> None:
    await sign_in(hub, browser)
    async with neighbour() as there:
        page = await browser.new_page()
        await page.goto(f"http://{host}:{there.port}/")
        assert there.cookies[f"{host}/"] == ""
        tried = await page.evaluate(
            """async (hub) => {
                const socket = await new Promise((done) => {
                    const s = new WebSocket(hub.replace("http", "ws") + "/ws");
                    s.onopen = () => done("opened");
                    s.onerror = () => done("refused");
                });
                const url = hub + "/api/sessions", credentials = "include";
                const reading = await fetch(url, { credentials }).then((r) => r.status, () => "refused");
                await fetch(url, { credentials, method: "POST", mode: "no-cors", body: "{}" }).catch(() => 0);
                const image = await new Promise((done) => {
                    const i = new Image();
                    i.onload = () => done("loaded");
                    i.onerror = () => done("refused");
                    i.src = hub + "/static/icon.svg";
                });
                const frame = document.createElement("iframe");
                document.body.append(frame);
                await new Promise((done) => { frame.onload = done; frame.src = hub + "/"; });
                const framed = frame.contentDocument === null ? "closed" : "open";
                return { socket, reading, image, framed };
            }""",
            hub.origin,
        )
        assert tried == {"socket": "refused", "reading": "refused", "image": "refused", "framed": "closed"}
        assert len(hub.runtime.pages) == 1
        assert (await hub.ask("GET", "/api/sessions")).json() == []


async def test_s11_a_cookie_got_on_another_port_of_our_own_name_opens_nothing(hub: RealHub, browser: BrowserContext) -> None:
    """No browser keeps cookies apart by port. A page may lead to our name on its port, and is sent the cookie there."""
    await sign_in(hub, browser)
    async with neighbour() as there:
        page = await browser.new_page()
        await page.goto(f"http://localhost:{there.port}/lead-away")
        await until(lambda: "clawmux.localhost/caught" in there.cookies, 10)
        assert there.cookies["clawmux.localhost/catch"] == ""
        stolen = there.cookies["clawmux.localhost/caught"]
        assert stolen.startswith(f"clawmux_{hub.port}=")
        # What the page keeps besides is bound to the port.
        assert await page.evaluate("JSON.stringify(localStorage)") == "{}"
    thief = {"Cookie": stolen, "Origin": hub.origin, "Content-Type": JSON, "Sec-Fetch-Site": "same-origin"}
    for method, path in [("GET", "/api/sessions"), ("GET", "/api/session"), ("POST", "/api/sessions"), ("PUT", "/api/settings")]:
        assert (await ask(hub.port, method, path, thief, b"{}")).status == 403
    assert (await ask(hub.port, "GET", "/ws", {**thief, **UPGRADE})).status == 403


# Text that becomes code where a page is careless: HTML, attributes, URLs, markdown, templates, encodings, DOM clobbering.
XSS = [
    "<script>pwned()</script>",
    "<img src=x onerror=pwned()>",
    "<svg onload=pwned()>",
    "<svg><script>pwned()</script></svg>",
    "<iframe srcdoc='<script>parent.pwned()</script>'></iframe>",
    "<iframe src=javascript:parent.pwned()></iframe>",
    "<body onload=pwned()>",
    "<details open ontoggle=pwned()>",
    "<input autofocus onfocus=pwned()>",
    "<video><source onerror=pwned()></video>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=pwned()>",
    "<form id=test><input name=attributes></form>",
    "<a id=clawmux name=clawmux href=javascript:pwned()>x</a>",
    "<base href=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=javascript:pwned()'>",
    "<object data=javascript:pwned()></object>",
    "<style>@import '//evil.example/x.css';</style>",
    "<template><script>pwned()</script></template>",
    "</textarea><script>pwned()</script>",
    "</code></pre><img src=x onerror=pwned()>",
    "--><script>pwned()</script><!--",
    "]]><script>pwned()</script>",
    "'\"><img src=x onerror=pwned()>",
    "\" onmouseover=\"pwned()\" x=\"",
    "' autofocus onfocus='pwned()",
    "[click](javascript:pwned())",
    "[click](JaVaScRiPt:pwned())",
    "[click]( javascript:pwned())",
    "[click](java\tscript:pwned())",
    "[click](data:text/html,<script>pwned()</script>)",
    "[click](vbscript:pwned())",
    "![x](x\" onerror=\"pwned())",
    "![x](http://evil.example/track.png)",
    "[x](http://evil.example/\"onmouseover=\"pwned())",
    "<http://evil.example/\"onmouseover=\"pwned()>",
    "https://evil.example/\"onmouseover=\"pwned()//",
    "javascript:pwned()",
    "```js\n</code><script>pwned()</script>\n```",
    "```\"><img src=x onerror=pwned()>\nx\n```",
    "`<img src=x onerror=pwned()>`",
    "| a | b |\n|---|---|\n| <img src=x onerror=pwned()> | [x](javascript:pwned()) |",
    "# <img src=x onerror=pwned()>",
    "> <script>pwned()</script>",
    "1. <svg/onload=pwned()>",
    "**<b onclick=pwned()>bold</b>**",
    "${pwned()} {{pwned()}} {{constructor.constructor('pwned()')()}} <%= pwned() %>",
    "&lt;img src=x onerror=pwned()&gt; &#60;script&#62;pwned()&#60;/script&#62;",
    "\\u003cscript\\u003epwned()\\u003c/script\\u003e",
    "+ADw-script+AD4-pwned()+ADw-/script+AD4-",
    "__proto__ constructor toString valueOf hasOwnProperty",
]  # fmt: skip

# Everything in the page that could run or load something, beyond what the page's own files put there.
LOOK = """() => {
  const handlers = [], links = [];
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      if (name.startsWith("on")) handlers.push(`${element.tagName} ${name}`);
      if (["href", "src", "action", "formaction", "data", "srcdoc", "xlink:href"].includes(name)) {
        const url = new URL(value, location.href);
        const here = url.origin === location.origin || (element.tagName === "A" && ["http:", "https:"].includes(url.protocol));
        if (!here && url.protocol !== "blob:") links.push(`${element.tagName} ${name}=${value}`);
      }
    }
  }
  const strange = "script:not([src]), iframe, object, embed, base, meta[http-equiv], link[href*='evil'], form[id=test], style";
  return { handlers, links, strange: [...document.querySelectorAll(strange)].map((e) => e.outerHTML.slice(0, 100)) };
}"""


async def watch(page: Page, told: list[str]) -> None:
    """Write down whatever ran, was refused by the policy, failed, or was asked of another host."""
    await page.expose_function("pwned", lambda: told.append("ran"))
    page.on("dialog", lambda dialog: told.append(f"dialog {dialog.message}"))
    page.on("pageerror", lambda error: told.append(f"error {error}"))
    page.on("request", lambda request: told.append(f"asked {request.url}") if "evil" in request.url else None)
    await page.add_init_script(
        "addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`))"
    )
    page.on("console", lambda message: told.append(message.text) if message.text.startswith("policy:") else None)


async def say(hub: RealHub, session_id: str, text: str) -> None:
    """As the agent; without speech the call fails after the page has the text, which is all that is wanted here."""
    connector = aiohttp.UnixConnector(str(hub.paths.hub_socket))
    words = {"type": "converse", "id": f"q{random.getrandbits(60):x}", "text": text, "listen": False}
    url = f"http://clawmux/cli/{session_id}"
    async with aiohttp.ClientSession(connector=connector) as client, client.post(url, json=words) as answer:
        await answer.read()


def fuzz(seed: int, count: int) -> list[str]:
    """Pieces of the table, cut and joined by chance."""
    chance = random.Random(seed)
    glue = ["", " ", "\n", "\n\n", "`", "```", "*", "](", "<!--", '"', "'", ">", "\0", "\u2028", "&", "\\"]
    texts = []
    for _ in range(count):
        parts = [chance.choice(XSS) for _ in range(chance.randint(2, 4))]
        texts.append("".join(part[: chance.randint(1, len(part))] + chance.choice(glue) for part in parts))
    return texts


async def test_s9_text_stays_text(hub: RealHub, browser: BrowserContext) -> None:
    """As an agent's words, as the user's, as a name of a folder and as an error: nothing runs, nothing is loaded."""
    told: list[str] = []
    page = await browser.new_page()
    await watch(page, told)
    await page.goto(login_url(hub.app))
    await until(lambda: len(hub.runtime.pages) > 0, 15)
    folder = hub.paths.data / "<img src=x onerror=pwned()>"
    folder.mkdir()
    order = json.dumps({"runtime": "quiet", "voice": "af_sky", "name": "sky", "dir": str(folder)}).encode()
    session = (await hub.ask("POST", "/api/sessions", None, order)).json()
    texts = [*XSS, *fuzz(seed=7, count=60)]
    for number, text in enumerate(texts):
        await say(hub, session["id"], f"{text}\n\nmark-{number}-")
    hub.runtime.notice(session["id"], "error", XSS[1], XSS[26])
    hub.runtime.notice(None, "warn", XSS[2])
    last = f"mark-{len(texts) - 1}-"
    await page.wait_for_function("(mark) => document.body.innerText.includes(mark)", arg=last, timeout=20000)
    await page.mouse.move(640, 400)
    await asyncio.sleep(0.5)  # a load that failed tells so a moment later
    assert await page.evaluate(LOOK) == {"handlers": [], "links": [], "strange": []}
    assert told == []
    # And it was really shown, as it was written.
    shown = await page.evaluate("document.body.innerText")
    assert "<script>pwned()</script>" in shown
    assert sum(f"mark-{number}-" in shown for number in range(len(texts))) >= 50
    # The same again from the store, as history.
    await page.reload()
    await page.wait_for_function("(mark) => document.body.innerText.includes(mark)", arg=last, timeout=20000)
    assert await page.evaluate(LOOK) == {"handlers": [], "links": [], "strange": []}
    assert told == []


async def test_s9_the_policy_would_hold_if_the_page_did_not(hub: RealHub, browser: BrowserContext) -> None:
    page = await sign_in(hub, browser)
    told: list[str] = []
    await page.expose_function("pwned", lambda: told.append("ran"))
    # Not eval: what the debugger evaluates may always call it.
    tried = await page.evaluate(
        """() => {
            const refused = [];
            const attempt = (what, act) => { try { act(); } catch { refused.push(what); } };
            attempt("innerHTML", () => { document.body.innerHTML += "<img src=x onerror=pwned()>"; });
            attempt("timer", () => { setTimeout("pwned()", 0); });
            const script = document.createElement("script");
            attempt("script text", () => { script.text = "pwned()"; });
            attempt("worker", () => { new Worker("data:text/javascript,0"); });
            attempt("frame", () => { document.createElement("iframe").srcdoc = "<script>parent.pwned()</script>"; });
            return refused;
        }"""
    )
    assert tried == ["innerHTML", "timer", "script text", "worker", "frame"]
    await asyncio.sleep(0.2)  # for a script that would run now
    assert told == []
