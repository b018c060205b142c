"""A real Chromium for the page's tests, with a microphone that plays a file."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from playwright.async_api import Browser, Playwright

# Debian's name first; the others are what the same browser is called elsewhere.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str:
    """The one on PATH."""
    found = [path for path in map(shutil.which, NAMES) if path]
    assert found, f"none of {', '.join(NAMES)} is on PATH; install the package chromium"
    return found[0]


@dataclass(slots=True)
class Chromium:
    """Starts browsers and ends those that it has started."""

    playwright: Playwright
    program: str = field(default_factory=program)
    browsers: list[Browser] = field(default_factory=list)

    async def start(self, microphone: Path | None = None, arguments: Sequence[str] = (), workers: bool = False) -> Browser:
        """A headless browser; with ``microphone`` (tests.sound.write_microphone) pages may record and hear that file.

        Without ``workers`` its pages get no service worker, which would answer requests that a test counts or holds up.
        """
        more = [*fake_microphone(microphone), *arguments] if microphone else list(arguments)
        browser = await self.playwright.chromium.launch(executable_path=self.program, args=more)
        self.browsers.append(browser)
        if not workers:
            for make in ("new_context", "new_page"):
                setattr(browser, make, partial(getattr(browser, make), service_workers="block"))
        return browser

    async def close(self) -> None:
        for browser in self.browsers:
            await browser.close()


def fake_microphone(file: Path) -> list[str]:
    """What makes Chromium hear the file, once from its beginning at each getUserMedia, and grant the permission unasked."""
    return [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={file}%noloop",
    ]
