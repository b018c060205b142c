"""Messages as they are now: those that go on in memory, all of them in the store. What the disk refuses is tried again.

Whoever is told of a change is told after it is durable.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from clawmux.core.broker import Broker
from clawmux.core.message import Changed, Delivery, Effect
from clawmux.hub.joining import Joining
from clawmux.hub.message_store import Kept, MessageStore, keep
from clawmux.hub.waiters import Waiters
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import MessageState

# After a write that the disk has refused.
SAVE_AGAIN_SECONDS = 2.0


class MessageLedger:
    def __init__(self, hub: Joining, broker: Broker, waiters: Waiters, store: MessageStore) -> None:
        self.living: dict[str, Kept] = {}
        """Those that go on, and those that the disk has not taken yet."""
        self.on_changed: Callable[[Kept, Delivery], None] = lambda kept, before: None
        """(message, what was known of it before), while the change is being collected for the store."""
        self.on_answer_refused: Callable[[str], None] = lambda message_id: None
        """(message) whose answer was to become a message of its own, which the disk has refused."""
        self._hub = hub
        self._broker = broker
        self._waiters = waiters
        self._store = store
        self._to_save_again: set[str] = set()

    # -- reading --

    def find(self, message_id: str) -> Kept | None:
        """As it is now."""
        return self.living.get(message_id) or self._store.get(message_id)

    def get(self, message_id: str) -> Kept:
        """The same. Raises ``not_found``."""
        kept = self.find(message_id)
        if kept is None:
            raise ClawMuxError("not_found", f"there is no message {message_id!r:.80}.", "`clawmux messages` lists them.")
        return kept

    def unsaved(self, message_id: str) -> list[Effect]:
        """What the disk has refused of it before: said again, it has to be kept."""
        kept = self.living.get(message_id)
        return [Changed(kept.delivery)] if kept is not None and not kept.is_saved else []

    # -- performing --

    def changed(self, effect: Changed) -> None:
        delivery = effect.delivery
        message = delivery.message
        kept = self.living.get(message.id)
        if kept is None:  # one that was settled already
            kept = self.living[message.id] = self.get(message.id)
        is_new, before, kept.delivery = not kept.stored, kept.delivery, delivery
        if delivery.state is not MessageState.INJECTING:
            kept.held = self._broker.why_held(message.recipient) if delivery.state is MessageState.QUEUED else ""
        if not keep(self._hub.journal, kept, time.time()):
            return
        self.on_changed(kept, before)
        view = kept.view()
        self._hub.journal.then(lambda: self._settled(kept, delivery, view), lambda error: self._not_saved(kept, is_new))

    def _settled(self, kept: Kept, delivery: Delivery, view: dict[str, object]) -> None:
        """It is durable: show it, and release who waits for it."""
        self._hub.pages.broadcast({"type": "message", "message": view})
        self._waiters.release(delivery)
        if kept.is_saved and kept.delivery is delivery and not delivery.is_living:
            self.living.pop(delivery.message.id, None)

    def _not_saved(self, kept: Kept, is_new: bool) -> None:
        kept.is_saved = False
        if is_new:
            self._broker.forget(kept.message.id)
            self.living.pop(kept.message.id, None)
            # Should the disk have taken what came after it.
            self._hub.journal.statement("DELETE FROM messages WHERE id = ?", kept.message.id)
            if kept.message.re:
                self.on_answer_refused(kept.message.re)
        elif kept.message.id not in self._to_save_again:
            self._to_save_again.add(kept.message.id)
            asyncio.get_running_loop().call_later(SAVE_AGAIN_SECONDS, self._save_again, kept)

    def _save_again(self, kept: Kept) -> None:
        self._to_save_again.discard(kept.message.id)
        if not kept.is_saved:
            self.changed(Changed(kept.delivery))
            self._hub.perform([])

    # -- durability --

    async def perform(self, effects: Iterable[object] = ()) -> None:
        """Perform, and return when what was stored by then is durable. Raises what the disk said."""
        self._hub.perform(effects)
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(error: Exception | None) -> None:
            if stored.done():
                return  # the caller has gone
            if error is None:
                stored.set_result(None)
            else:
                stored.set_exception(error)

        self._hub.journal.then(lambda: settle(None), settle)
        self._hub.perform([])
        await stored
