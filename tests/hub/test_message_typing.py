"""What the typing is told of the messages that it gets: whether any hub has ever begun to type them. A stand-in types."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, cast

from clawmux.adapters.pasting import Held
from clawmux.core.broker import LOOK_SECONDS, Broker
from clawmux.core.message import Changed, Inject, Message
from clawmux.hub.joining import Joining
from clawmux.hub.message_store import Kept
from clawmux.hub.message_typing import MessageTyping
from clawmux.hub.typist import Typist


class Joined:
    """What typing needs of a hub: a disk that takes everything at once, a clock that stands, and the broker's effects."""

    def __init__(self) -> None:
        self.now = 0.0
        self.broker = Broker()
        self.living: dict[str, Kept] = {}
        self.journal = self
        self.tasks: list[asyncio.Task[None]] = []
        self.told: list[bool] = []
        """For each typing, whether all of it was said to be new."""
        self.typing = MessageTyping(cast(Joining, self), self.broker, cast(Typist, self), self.living, self.living.get)

    def send(self, message_id: str, is_new: bool = True) -> None:
        message = Message(message_id, "sky", "adam", "hello")
        effects = self.broker.send(message, self.now)
        first = next(effect.delivery for effect in effects if isinstance(effect, Changed))
        self.living[message_id] = Kept(first, "sky", "adam", 1.0, 1.0, is_new=is_new)
        self.perform(effects)

    async def type(self, session_id: str, text: str, *, is_new: bool) -> frozenset[str]:
        self.told.append(is_new)
        raise Held("a dialog is open in it")

    async def later(self) -> None:
        """Until the next try, and through it."""
        await asyncio.gather(*self.tasks)
        self.now += LOOK_SECONDS
        self.perform(self.broker.tick(self.now))
        await asyncio.gather(*self.tasks)

    # -- as the hub has it --

    def then(self, act: Callable[[], None], refused: Callable[[Exception], None]) -> None:
        act()

    def start_task(self, work: Any, name: str) -> None:
        self.tasks.append(asyncio.create_task(work, name=name))

    def perform(self, effects: Iterable[object]) -> None:
        for effect in effects:
            if isinstance(effect, Changed):
                self.living[effect.delivery.message.id].delivery = effect.delivery
            elif isinstance(effect, Inject):
                self.typing.performers[Inject](effect)


async def test_a_message_is_new_the_first_time_that_it_is_typed_and_never_again() -> None:
    hub = Joined()
    hub.send("msg-1")
    await hub.later()
    await hub.later()
    assert hub.told == [True, False, False]


async def test_a_batch_is_new_only_when_all_of_it_is() -> None:
    hub = Joined()
    hub.send("msg-1")
    await asyncio.gather(*hub.tasks)
    hub.send("msg-2")
    await hub.later()
    assert hub.told == [True, False]


async def test_a_message_from_before_a_restart_is_not_new() -> None:
    hub = Joined()
    hub.send("msg-1", is_new=False)
    await hub.later()
    assert hub.told[0] is False
