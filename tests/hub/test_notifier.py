"""What agents do, as it is brought to those who decide and send: dialogs, faults and finished work, in a real hub's runtime."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from clawmux.core import attention
from clawmux.core.state import Doing
from clawmux.hub import notifier
from clawmux.hub.notification import WORDS_CHARACTERS, view
from clawmux.hub.push import Push
from clawmux.hub.subscriptions import Subscription
from clawmux.wire.words import Activity, Kind, Need, Source
from tests.security.real_hub import RealHub, real_hub
from tests.stand_ins.push_service import HERE, Device, PushService

BUSY = Doing(Activity.THINKING, source=Source.HOOK)
REST = Doing(Activity.IDLE, source=Source.HOOK)
ASKS = Doing(Activity.NEEDS_YOU, Kind.PERMISSION, "Bash: rm -r build", Source.HOOK, request="r1")
GRACE_SECONDS = 0.2


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RealHub]:
    monkeypatch.setattr(attention, "GRACE_SECONDS", GRACE_SECONDS)
    monkeypatch.setattr(notifier, "WORK_SECONDS", 0.0)
    with TemporaryDirectory(prefix="cm-") as folder:
        async with real_hub(Path(folder)) as hub:
            yield hub


@pytest.fixture
async def phone(hub: RealHub) -> AsyncIterator[Device]:
    """One that is in and subscribed to everything, with the agents' words."""
    async with PushService() as service:
        await hub.log_in()
        [login] = hub.auth.logins.devices(hub.auth.clock())
        device = service.device()
        body = device.subscription
        hub.runtime.notifier.push = Push(hub.paths.data / "push_key.pem", HERE)
        hub.runtime.notifier.subscriptions.put(
            Subscription(body["endpoint"], body["p256dh"], body["auth"], login, tuple(Need), words=True)
        )
        device.until = service.until  # type: ignore[attr-defined]
        yield device


async def agent(hub: RealHub) -> Callable[[Doing], None]:
    """Tells the hub what a new agent does."""
    body = json.dumps({"runtime": "quiet", "dir": str(hub.paths.data), "name": "sky"}).encode()
    session = (await hub.ask("POST", "/api/sessions", None, body)).json()["id"]
    return lambda doing: hub.runtime.notifier.doing_changed(session, doing)


async def got(phone: Device, count: int) -> list[dict[str, Any]]:
    await phone.until(lambda: len(phone.messages) >= count)  # type: ignore[attr-defined]
    return phone.messages


async def test_a_dialog_is_told_and_withdrawn(hub: RealHub, phone: Device) -> None:
    does = await agent(hub)
    does(BUSY)
    does(ASKS)
    [told] = await got(phone, 1)
    assert (told["kind"], told["title"], told["words"]) == ("permission", "Sky needs your permission", "Bash: rm -r build")
    # Its screen knows other words for it, and its program goes on asking.
    does(Doing(Activity.NEEDS_YOU, Kind.PERMISSION, "Allow rm?", Source.SCREEN))
    does(BUSY)
    _, over = await got(phone, 2)
    assert over == {"type": "clear", "id": told["id"], "badge": 0}
    does(Doing(Activity.NEEDS_YOU, Kind.PERMISSION, "Bash: make", Source.HOOK, request="r2"))
    assert (await got(phone, 3))[2]["words"] == "Bash: make"


async def test_a_fault_is_told(hub: RealHub, phone: Device) -> None:
    does = await agent(hub)
    does(BUSY)
    does(Doing(Activity.NEEDS_YOU, Kind.LOGIN, "Please run /login", Source.SCREEN))
    [told] = await got(phone, 1)
    assert (told["kind"], told["title"], told["words"], told["badge"]) == ("error", "Sky cannot go on", "Please run /login", 1)
    does(REST)
    assert (await got(phone, 2))[1]["type"] == "clear"


async def test_finished_work_is_told_until_it_works_again(hub: RealHub, phone: Device) -> None:
    does = await agent(hub)
    does(REST)
    does(BUSY)
    does(Doing(Activity.IDLE, Kind.INTERRUPTED, source=Source.HOOK))  # somebody stood before it
    does(BUSY)
    does(REST)
    [told] = await got(phone, 1)
    assert (told["kind"], told["title"], told["badge"]) == ("done", "Sky is done", 0)
    does(REST)
    does(BUSY)
    assert [message["type"] for message in await got(phone, 2)] == ["notify", "clear"]


async def test_short_work_and_a_short_dialog_are_not_told(hub: RealHub, phone: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "WORK_SECONDS", 60.0)
    does = await agent(hub)
    for doing in (BUSY, REST, BUSY, ASKS, BUSY, REST):
        does(doing)
    await asyncio.sleep(3 * GRACE_SECONDS)
    assert phone.messages == []
    does(ASKS)
    await got(phone, 1)
    assert len(phone.messages) == 1


@pytest.mark.parametrize(
    ("name", "title"),
    [("sky", "Sky asks"), ("sky\nasks you\u202e", "Sky ⏎ asks you‹U+202E› asks"), ("x" * 200, "X" + "x" * 58 + "… asks")],
)
def test_what_a_notification_says_is_bounded_and_plain(name: str, title: str) -> None:
    text = "Run \u200bthis:\n\n" + "rm -rf / " * 1000
    shown = view(attention.Attention("n1", "s", "p", Need.QUESTION, text), name)
    assert shown["title"] == title and len(shown["words"]) == WORDS_CHARACTERS
    assert shown["words"].startswith("Run ‹U+200B›this: ⏎ rm -rf / rm")
    assert len(json.dumps(shown, ensure_ascii=False).encode()) < 3000
