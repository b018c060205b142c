"""Brokers of messages in every situation, for the tests of the broker."""

from __future__ import annotations

from collections.abc import Callable

from clawmux.core.broker import TRIES, TRY_SECONDS, Broker
from clawmux.core.message import Changed, Effect, Message, Reading
from clawmux.wire.words import MessageState

QUEUED, INJECTING, PENDING, ACKNOWLEDGED, RESPONDED, FAILED, UNDELIVERABLE, CANCELLED = MessageState
OPEN, BUSY, CLOSED = Reading
LIVING = {QUEUED, INJECTING, PENDING}
M1 = ("m1",)


def message(message_id: str = "m1", sender: str = "sky", recipient: str = "echo", text: str = "", re: str = "") -> Message:
    return Message(message_id, sender, recipient, text or f"text of {message_id}", re=re)


def sent(*ids: str) -> Broker:
    broker = Broker()
    for message_id in ids or M1:
        broker.send(message(message_id), 0.0)
    return broker


def state(broker: Broker, message_id: str = "m1") -> MessageState:
    return broker.get(message_id).state


def changes(effects: list[Effect]) -> list[tuple[str, MessageState]]:
    return [(e.delivery.message.id, e.delivery.state) for e in effects if isinstance(e, Changed)]


def injecting() -> Broker:
    return sent()


def queued() -> Broker:
    broker = Broker()
    broker.reading("echo", CLOSED, 0.0)
    broker.send(message(), 0.0)
    return broker


def pending() -> Broker:
    broker = sent()
    broker.typed("echo", M1, False, 0.0)
    return broker


def acknowledged() -> Broker:
    broker = pending()
    broker.ack("m1", "echo", 1.0)
    return broker


def responded() -> Broker:
    broker = pending()
    broker.reply("m1", "echo", "yes", 1.0)
    return broker


def failed() -> Broker:
    broker = pending()
    for n in range(1, TRIES):
        broker.tick(n * TRY_SECONDS)
        broker.typed("echo", M1, False, n * TRY_SECONDS)
    broker.tick(TRIES * TRY_SECONDS)
    return broker


def undeliverable() -> Broker:
    broker = pending()
    broker.session_ended("echo")
    return broker


def cancelled() -> Broker:
    broker = queued()
    broker.cancel("m1", "sky")
    return broker


SITUATIONS: dict[MessageState, Callable[[], Broker]] = {
    QUEUED: queued,
    INJECTING: injecting,
    PENDING: pending,
    ACKNOWLEDGED: acknowledged,
    RESPONDED: responded,
    FAILED: failed,
    UNDELIVERABLE: undeliverable,
    CANCELLED: cancelled,
}
