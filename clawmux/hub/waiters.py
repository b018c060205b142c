"""The commands that stand and wait for what becomes of a message. Waits; decides nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from clawmux.core.message import Delivery
from clawmux.wire.words import MessageState

Wait = Literal["ack", "response"]
_ENDED = frozenset({MessageState.FAILED, MessageState.UNDELIVERABLE, MessageState.CANCELLED, MessageState.RESPONDED})
ENDS: dict[Wait, frozenset[MessageState]] = {"ack": _ENDED | {MessageState.ACKNOWLEDGED}, "response": _ENDED}
"""The states in which nobody waits any longer."""
# More than a disk takes that is not broken.
STORED_SECONDS = 10.0


class Waiters:
    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[asyncio.Future[Delivery], Wait]]] = {}
        self._coming: set[str] = set()
        self._standing: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, deliveries: Sequence[Delivery], mode: Wait, seconds: float) -> dict[str, Delivery]:
        """What became of them, by id, as far as it is known when the time is over.

        Cancelling this (the caller's connection broke) forgets the waiter.
        """
        futures = {delivery.message.id: self._future(delivery, mode) for delivery in deliveries}
        try:
            await asyncio.wait(futures.values(), timeout=seconds)
            if coming := [future for i, future in futures.items() if i in self._coming and not future.done()]:
                await asyncio.wait(coming, timeout=STORED_SECONDS)
            return {message_id: future.result() for message_id, future in futures.items() if future.done()}
        finally:
            for message_id, future in futures.items():
                self._forget(message_id, future)

    def release(self, delivery: Delivery) -> None:
        """It has come so far, durably."""
        if delivery.state in _ENDED:
            self._coming.discard(delivery.message.id)
        for future, mode in self._waiting.get(delivery.message.id, []):
            if delivery.state in ENDS[mode] and not future.done():
                future.set_result(delivery)

    def is_reply_awaited(self, message_id: str) -> bool:
        """Whether a command stands there that prints the reply, be it in place of the acknowledgment."""
        return any(not future.done() for future, _ in self._waiting.get(message_id, []))

    def reply_comes(self, message_id: str) -> None:
        """A reply that is awaited is being stored. It goes nowhere else, so nobody's time is over until it is."""
        self._coming.add(message_id)

    def reply_failed(self, message_id: str) -> None:
        """It could not be stored."""
        self._coming.discard(message_id)

    def came(self, ids: Iterable[str]) -> None:
        """A command stands there that prints what becomes of these, until it ``went``."""
        self._standing.update(ids)

    def went(self, ids: Iterable[str]) -> None:
        for message_id in ids:
            self._standing[message_id] -= 1
            if not self._standing[message_id]:
                del self._standing[message_id]

    def has_command(self, message_id: str) -> bool:
        """Whether a command stands there, be its own wait over."""
        return message_id in self._standing

    def leave(self) -> None:
        """Let all of them go; they come back when there is a hub again."""
        for waiting in self._waiting.values():
            for future, _ in waiting:
                future.cancel()

    def _future(self, delivery: Delivery, mode: Wait) -> asyncio.Future[Delivery]:
        future: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        if delivery.state in ENDS[mode]:
            future.set_result(delivery)
        else:
            self._waiting.setdefault(delivery.message.id, []).append((future, mode))
        return future

    def _forget(self, message_id: str, future: asyncio.Future[Delivery]) -> None:
        left = [waiter for waiter in self._waiting.get(message_id, []) if waiter[0] is not future]
        if left:
            self._waiting[message_id] = left
        else:
            self._waiting.pop(message_id, None)
