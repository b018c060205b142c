"""Answers to commands that wait: each is printed by its command or, when that has gone, sent to its asker as a message.

An answer that a command is to print is owed to its asker until it was handed over; a hub that ends before leaves that in the
store. Decides nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from clawmux.core.broker import Broker
from clawmux.core.message import Delivery, Effect
from clawmux.hub.joining import Joining
from clawmux.hub.message_news import MessageNews
from clawmux.hub.message_reading import RETURN_SECONDS
from clawmux.hub.message_store import Kept
from clawmux.hub.waiters import Waiters
from clawmux.wire.words import MessageState


class MessageAnswers:
    def __init__(
        self,
        hub: Joining,
        broker: Broker,
        waiters: Waiters,
        news: MessageNews,
        living: Mapping[str, Kept],
        get: Callable[[str], Kept],
        as_message: Callable[[Kept], list[Effect]],
    ) -> None:
        """``get``: any message by its id. ``as_message``: sends the answer to this one to who asked."""
        self._hub = hub
        self._broker = broker
        self._waiters = waiters
        self._news = news
        self._living = living
        self._get = get
        self._as_message = as_message

    def restored(self) -> None:
        """After a start of the hub: the commands that waited are back soon, or never."""
        self._look_later(list(self._living))

    def command_came(self, ids: Sequence[str]) -> None:
        """It prints the answers to these, be it here again after a restart in which they became messages."""
        self._waiters.came(ids)
        for kept in list(self._living.values()):
            asked = kept.message.re
            if asked in ids and kept.delivery.state is MessageState.QUEUED:
                self._broker.load(self._get(asked).delivery)
                self._hub.perform([*self._broker.cancel(kept.message.id, ""), *self._broker.awaited_again(asked)])

    def command_went(self, ids: Sequence[str], printed: Iterable[Delivery] = ()) -> None:
        """What it has not printed goes another way, unless it is back soon: one that is stopped asks once more."""
        self._waiters.went(ids)
        effects: list[Effect] = []
        # One that was acknowledged when it was printed may have its reply by now, which was not.
        for delivery in [d for d in printed if d.state is self._get(d.message.id).delivery.state]:
            message = delivery.message
            if self._is_owed(message.id):
                self._news.said(message.sender, "in", message.recipient, delivery.reply, message.id, message.id)
            effects += self._broker.told(message.sender, [message.id])
        if effects:
            self._hub.perform(effects)
        self._look_later(ids)

    def not_stored(self, message_id: str) -> None:
        """The message that its answer had become was refused by the disk: it is tried again."""
        self._broker.load(self._get(message_id).delivery)
        self._hub.perform(self._broker.awaited_again(message_id))
        self._look_later([message_id])

    # -- inside --

    def _look_later(self, ids: Iterable[str]) -> None:
        owed = [message_id for message_id in ids if self._is_owed(message_id)]
        if owed:
            asyncio.get_running_loop().call_later(RETURN_SECONDS, self._look, owed)

    def _look(self, ids: Sequence[str]) -> None:
        left = [i for i in ids if not self._waiters.has_command(i) and self._is_owed(i)]
        effects: list[Effect] = []
        for kept in map(self._get, left):
            effects += [*self._as_message(kept), *self._broker.told(kept.message.sender, [kept.message.id])]
        if effects:
            self._hub.perform(effects)

    def _is_owed(self, message_id: str) -> bool:
        delivery = self._get(message_id).delivery
        return delivery.owed and delivery.state is MessageState.RESPONDED
