"""Firefox, driven by WebDriver BiDi over its own WebSocket (https://www.w3.org/TR/webdriver-bidi/): no geckodriver is needed."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests.browser.other.engine import Engine
from tests.waiting import until

PREFERENCES = {
    "media.navigator.permission.disabled": True,  # the microphone is granted unasked
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.search.update": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
}
LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


class Firefox(Engine):
    name = "firefox"
    program = "firefox-esr"

    async def start(self) -> None:
        self.waiting: dict[int, asyncio.Future[Any]] = {}
        self.ids = itertools.count(1)
        profile = self.folder / "profile"
        profile.mkdir()
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()]
        (profile / "user.js").write_text("".join(lines))
        options = ("--headless", "--no-remote", "--new-instance", "--remote-debugging-port", "0", "--profile", str(profile))
        await self.launch(self.program, *options, "about:blank")
        found = await until(lambda: LISTENS.search(self.output()), 60)
        assert found is not None
        self.session = aiohttp.ClientSession()
        self.socket = await self.session.ws_connect(f"{found[1]}/session", max_msg_size=0)
        self.reader = asyncio.create_task(self.read())
        await self.say("session.new", capabilities={})
        await self.say("session.subscribe", events=["log.entryAdded"])
        tree = await self.say("browsingContext.getTree")
        self.context = tree["contexts"][0]["context"]

    async def close(self) -> None:
        await self.say("browser.close")
        self.reader.cancel()
        await self.socket.close()
        await self.session.close()

    async def say(self, method: str, **params: Any) -> Any:
        number = next(self.ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting[number] = answer
        await self.socket.send_json({"id": number, "method": method, "params": params})
        return await asyncio.wait_for(answer, 60)

    async def read(self) -> None:
        async for message in self.socket:
            told = json.loads(message.data)
            if told["type"] == "event":
                self.note(told["params"])
                continue
            answer = self.waiting.pop(told["id"])
            if told["type"] == "success":
                answer.set_result(told["result"])
            else:
                answer.set_exception(AssertionError(f"{told['error']}: {told['message']}"))
        for answer in self.waiting.values():
            answer.set_exception(AssertionError("Firefox has gone"))

    def note(self, entry: dict[str, Any]) -> None:
        if entry["level"] == "error":
            self.logged.append(str(entry["text"]))

    async def errors(self) -> list[str]:
        return self.logged

    async def open(self, url: str) -> None:
        await self.say("browsingContext.navigate", context=self.context, url=url, wait="complete")

    async def run_script(self, script: str) -> str:
        target = {"context": self.context}
        told = await self.say("script.evaluate", expression=script, target=target, awaitPromise=True)
        assert told["type"] == "success", told["exceptionDetails"]["text"]
        return str(told["result"]["value"])

    async def perform(self, sources: Sequence[dict[str, Any]]) -> None:
        await self.say("input.performActions", context=self.context, actions=list(sources))

    async def screenshot(self, file: Path) -> None:
        told = await self.say("browsingContext.captureScreenshot", context=self.context)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(told["data"]))

    async def resize(self, width: int, height: int) -> None:
        await self.say("browsingContext.setViewport", context=self.context, viewport={"width": width, "height": height})
        await self.until(f"innerWidth === {width}")
