"""The newest of the messages that are settled, and those of which their senders are still to be told. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from clawmux.core.message import Delivery

SETTLED_KEPT = 2000
"""Settled messages that stay at hand, so that what is said twice needs no look into the store."""
OWED_LIMIT = 500
"""What one sender is told at most; of more, the oldest is left to ``clawmux messages``."""


@dataclass(slots=True)
class Settled:
    _newest: dict[str, Delivery] = field(default_factory=dict)
    _owed: dict[str, dict[str, Delivery]] = field(default_factory=dict)

    def get(self, message_id: str) -> Delivery | None:
        return self._newest.get(message_id)

    def owed(self, sender: str) -> list[Delivery]:
        """What the sender is to be told of, the oldest first."""
        return list(self._owed.get(sender, {}).values())

    def keep(self, delivery: Delivery) -> Delivery | None:
        """It has settled, or changed since. Returns one that its sender is not told of any more, when there are too many."""
        message = delivery.message
        self._put(delivery)
        owed = self._owed.setdefault(message.sender, {})
        owed.pop(message.id, None)
        if delivery.owed:
            owed[message.id] = delivery
        dropped = None
        if len(owed) > OWED_LIMIT:
            dropped = replace(owed.pop(next(iter(owed))), owed=False)
            if dropped.message.id in self._newest:
                self._newest[dropped.message.id] = dropped
        if not owed:
            del self._owed[message.sender]
        return dropped

    def load(self, delivery: Delivery) -> None:
        """An older one, back for a late answer; what is known of it already is newer."""
        if delivery.message.id not in self._newest:
            self._put(delivery)

    def _put(self, delivery: Delivery) -> None:
        self._newest.pop(delivery.message.id, None)
        self._newest[delivery.message.id] = delivery
        if len(self._newest) > SETTLED_KEPT:
            del self._newest[next(iter(self._newest))]
