"""What the tests ask of a browser that Playwright does not drive, and what is the same in all of them.

A driver brings how a script is run and how fingers and keys move (firefox.py, webkit.py); everything else is made of that.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.waiting import until_answer

Action = dict[str, Any]
# Names of keys as the page knows them, and their code points in WebDriver (https://www.w3.org/TR/webdriver2/#keyboard-actions).
KEYS = {"Shift": "\ue008", "Control": "\ue009", "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "Backspace": "\ue003"}
# The middle of the element, once nothing covers it; null until then.
PLACE = """(() => {
  const found = document.querySelector(%s);
  if (!found || found.disabled) return null;
  found.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
  const box = found.getBoundingClientRect();
  const [x, y] = [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
  const there = box.width && box.height && document.elementFromPoint(x, y);
  return there && (found.contains(there) || found.labels?.[0]?.contains(there)) ? [x, y] : null;
})()"""
# Every value as JSON, whatever it takes to get it: drivers have notations of their own for everything else.
ANSWER = "Promise.resolve(%s).then((value) => JSON.stringify(value === undefined ? null : value))"


class Engine:
    """``async with Firefox(environ, folder) as page``: one browser with one page."""

    name = ""
    program = ""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self.environ = {**environ, **self.own_world(folder)}
        self.folder = folder
        self.logged: list[str] = []
        self.process: asyncio.subprocess.Process | None = None

    @staticmethod
    def own_world(folder: Path) -> dict[str, str]:
        """A home of its own: nothing of the user's is read, nothing is left behind."""
        world = {"HOME": folder / "home", "XDG_RUNTIME_DIR": folder / "run", "TMPDIR": folder / "tmp"}
        world |= {f"XDG_{kind}_HOME": folder / "home" / kind.lower() for kind in ("CONFIG", "DATA", "CACHE", "STATE")}
        for place in world.values():
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {name: str(place) for name, place in world.items()}

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
        await self.end()

    # -- a driver brings these --

    async def errors(self) -> list[str]:
        """What the page logged as an error, or threw, and breaches of its policy."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the program and open its page."""
        raise NotImplementedError

    async def close(self) -> None:
        """Say goodbye, as long as it listens."""
        raise NotImplementedError

    async def open(self, url: str) -> None:
        """Go there, until it is loaded."""
        raise NotImplementedError

    async def run_script(self, script: str) -> str:
        """The text that a promise of the page comes to. Raises AssertionError with what it threw."""
        raise NotImplementedError

    async def perform(self, sources: Sequence[dict[str, Any]]) -> None:
        """Input as of the WebDriver standard."""
        raise NotImplementedError

    async def screenshot(self, file: Path) -> None:
        raise NotImplementedError

    async def resize(self, width: int, height: int) -> None:
        """So much room for the page, in its own pixels."""
        raise NotImplementedError

    # -- the same in all of them --

    async def launch(self, *argv: str, log: str = "log") -> asyncio.subprocess.Process:
        """The program, in a group of its own: it has children."""
        with (self.folder / log).open("wb") as output:
            self.process = await asyncio.create_subprocess_exec(
                *argv, env=self.environ, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        return self.process

    def output(self, log: str = "log") -> str:
        """What it has printed so far."""
        return (self.folder / log).read_text(errors="replace")

    async def end(self) -> None:
        """Whatever state it is in."""
        process, self.process = self.process, None
        if process is None:
            return
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            pass
        try:
            os.killpg(process.pid, signal.SIGKILL)  # helpers that outlive it
        except ProcessLookupError:
            pass
        await process.wait()

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression, or of the promise that it is."""
        return json.loads(await self.run_script(ANSWER % expression))

    async def until(self, expression: str, seconds: float = 10.0) -> Any:
        """Its first true value."""
        try:
            return await until_answer(lambda: self.evaluate(expression), seconds)
        except AssertionError as error:
            raise AssertionError(f"{self.name}: {expression} is {error}; the page logged {await self.errors()}") from None

    async def wait_for(self, selector: str, seconds: float = 10.0) -> None:
        await self.until(f"document.querySelector({json.dumps(selector)}) !== null", seconds)

    async def count(self, selector: str) -> int:
        return int(await self.evaluate(f"document.querySelectorAll({json.dumps(selector)}).length"))

    async def text(self, selector: str) -> str:
        """What it says, as it is shown."""
        await self.wait_for(selector)
        return str(await self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    async def says(self, selector: str, words: str, seconds: float = 10.0) -> None:
        """Wait until these words stand there."""
        await self.until(
            f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(words)}) ?? false", seconds
        )

    async def click(self, selector: str) -> None:
        """With the pointer, where the page shows it: what lies under something else is waited for."""
        x, y = await self.until(PLACE % json.dumps(selector))
        await self.click_at(x, y)

    async def click_at(self, x: int, y: int) -> None:
        steps: list[Action] = [
            {"type": "pointerMove", "x": x, "y": y, "duration": 0, "origin": "viewport"},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        await self.perform([{"type": "pointer", "id": "hand", "parameters": {"pointerType": "mouse"}, "actions": steps}])

    async def press(self, keys: str) -> None:
        """``"a"``, ``"Escape"``, ``"Control+k"``."""
        names = [KEYS.get(name, name) for name in keys.split("+")] if keys != "+" else ["+"]
        await self.strike([("keyDown", name) for name in names] + [("keyUp", name) for name in reversed(names)])

    async def key_down(self, key: str) -> None:
        await self.strike([("keyDown", KEYS.get(key, key))])

    async def key_up(self, key: str) -> None:
        await self.strike([("keyUp", KEYS.get(key, key))])

    async def type(self, text: str) -> None:
        await self.strike([(way, letter) for letter in text for way in ("keyDown", "keyUp")])

    async def strike(self, steps: Sequence[tuple[str, str]]) -> None:
        await self.perform([{"type": "key", "id": "keys", "actions": [{"type": way, "value": key} for way, key in steps]}])

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """What the page noted under ``?test=1``."""
        found: list[dict[str, Any]] = await self.evaluate(
            f"__clawmux_test.events.filter((event) => event.type === {json.dumps(kind)})"
        )
        return found
