"""WebKitGTK's own small browser, driven by WebDriver over HTTP (https://www.w3.org/TR/webdriver2/), on a screen of its own."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests.browser.other.engine import Engine
from tests.waiting import until, until_answer

# Its bar of buttons would keep the window wider than a phone.
NARROW = """headerbar, headerbar *, toolbar, toolbar *, entry, button, box {
  min-width: 0; min-height: 0; padding: 0; margin: 0; border: 0; font-size: 1px; -gtk-icon-transform: scale(0);
}
"""
# In automation the console goes nowhere; so the page notes what it logs, from the moment it is loaded.
NOTE = """(() => {
  const noted = (globalThis.noted = []);
  addEventListener("error", ({ message, filename, lineno }) => noted.push(`${message} (${filename}:${lineno})`));
  addEventListener("unhandledrejection", ({ reason }) => noted.push(`unhandled: ${reason}`));
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
    noted.push(`policy: ${violatedDirective} ${blockedURI}`));
  const { error } = console;
  console.error = (...words) => (noted.push(words.join(" ")), error(...words));
})()"""
SCREEN = "1600x1200x24"
STARTED = re.compile(r"^(\d+)$", re.MULTILINE)
RUN = """const done = arguments[arguments.length - 1];
(%s).then((value) => done({ value }), (error) => done({ error: String(error) }))"""


class WebKit(Engine):
    name = "webkitgtk"
    program = "WebKitWebDriver"

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        super().__init__(environ, folder)
        self.environ |= {
            # Its sandbox needs rights that root in a container does not have; the pages are our own.
            "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
            "GDK_BACKEND": "x11",
            "GSETTINGS_BACKEND": "memory",
            "NO_AT_BRIDGE": "1",
        }
        self.screen: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        await self.start_screen()
        style = self.folder / "home" / "config" / "gtk-3.0" / "gtk.css"
        style.parent.mkdir()
        style.write_text(NARROW)
        port = free_port()
        await self.launch(self.program, f"--port={port}")
        self.session = aiohttp.ClientSession(f"http://127.0.0.1:{port}")
        await until_answer(self.is_ready, 60)
        wishes = {"webkitgtk:browserOptions": {"binary": browser(), "args": ["--automation"]}}
        told = await self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wishes}})
        self.path = f"/session/{told['sessionId']}"

    async def start_screen(self) -> None:
        """Xvfb takes a number that is free and says which."""
        with (self.folder / "screen").open("wb") as output:
            self.screen = await asyncio.create_subprocess_exec(
                "Xvfb", "-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp",
                env=self.environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        found = await until(lambda: STARTED.search(self.output("screen")), 30)
        assert found is not None
        self.environ["DISPLAY"] = f":{found[1]}"

    async def close(self) -> None:
        await self.ask("DELETE", self.path)
        await self.session.close()
        assert self.process is not None
        self.process.terminate()

    async def end(self) -> None:
        await super().end()
        if self.screen is not None:
            self.screen.terminate()
            await self.screen.wait()

    async def is_ready(self) -> bool:
        try:
            return bool((await self.ask("GET", "/status"))["ready"])
        except aiohttp.ClientConnectionError:
            return False

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self.session.request(method, path, json=body, timeout=aiohttp.ClientTimeout(60)) as response:
            told = (await response.json())["value"]
        assert response.ok, f"{path}: {told.get('error')}: {told.get('message')}"
        return told

    async def errors(self) -> list[str]:
        self.logged += await self.evaluate("globalThis.noted?.splice(0) ?? []")
        return self.logged

    async def open(self, url: str) -> None:
        await self.errors()
        await self.ask("POST", f"{self.path}/url", {"url": url})
        await self.evaluate(NOTE)

    async def run_script(self, script: str) -> str:
        told = await self.ask("POST", f"{self.path}/execute/async", {"script": RUN % script, "args": []})
        assert "value" in told, told["error"]
        return str(told["value"])

    async def perform(self, sources: Sequence[dict[str, Any]]) -> None:
        await self.ask("POST", f"{self.path}/actions", {"actions": list(sources)})

    async def screenshot(self, file: Path) -> None:
        picture = base64.b64decode(await self.ask("GET", f"{self.path}/screenshot"))
        await asyncio.to_thread(file.write_bytes, picture)

    async def resize(self, width: int, height: int) -> None:
        """The window is larger than the page by its bars."""
        for _ in range(3):
            inner = await self.evaluate("[innerWidth, innerHeight]")
            if inner == [width, height]:
                return
            window = await self.ask("GET", f"{self.path}/window/rect")
            size = {"width": window["width"] + width - inner[0], "height": window["height"] + height - inner[1]}
            await self.ask("POST", f"{self.path}/window/rect", size)
        await self.until(f"innerWidth === {width}")


def browser() -> str:
    """Debian keeps it beside its library."""
    return next((str(path) for path in Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser")), "")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
