"""The answers to commands that wait, without a hub: which are printed, and which are sent instead."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import pytest

from clawmux.core.broker import Broker
from clawmux.core.message import Delivery, Effect, Message
from clawmux.hub import message_answers
from clawmux.hub.message_answers import MessageAnswers
from clawmux.hub.message_store import Kept
from clawmux.hub.waiters import Waiters
from tests.waiting import until

SOON_SECONDS = 0.05
ASKED = Message("m1", "sky", "adam", "Ready?")


class World:
    """What surrounds them: one message, typed, for which a command waits."""

    def __init__(self) -> None:
        self.broker = Broker()
        self.broker.send(ASKED, 0.0)
        self.broker.typed("adam", ("m1",), True, 0.0)
        self.waiters = Waiters()
        self.shown: list[tuple[str, ...]] = []
        self.sent: list[str] = []
        self.answers = MessageAnswers(cast(Any, self), self.broker, self.waiters, cast(Any, self), {}, self.get, self.send)
        self.answers.command_came(["m1"])

    @property
    def delivery(self) -> Delivery:
        return self.broker.get("m1")

    def get(self, message_id: str) -> Kept:
        return Kept(self.broker.get(message_id), "sky", "adam", 0.0, 0.0)

    def send(self, kept: Kept) -> list[Effect]:
        self.sent.append(kept.delivery.reply)
        return []

    def perform(self, effects: Iterable[Effect]) -> None:
        """The broker holds what has changed."""

    def said(self, *line: str) -> None:
        self.shown.append(line)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(message_answers, "RETURN_SECONDS", SOON_SECONDS)
    return World()


async def test_an_answer_that_was_printed_is_shown_and_owed_no_longer(world: World) -> None:
    world.broker.reply("m1", "adam", "Yes.", 1.0, is_awaited=True)
    world.answers.command_went(["m1"], [world.delivery])
    await until(lambda: not world.delivery.owed)
    assert world.sent == [] and world.shown == [("sky", "in", "adam", "Yes.", "m1", "m1")]


async def test_an_answer_that_comes_while_the_acknowledgment_is_printed_is_sent(world: World) -> None:
    world.broker.ack("m1", "adam", 1.0)
    acknowledged = world.delivery
    world.broker.reply("m1", "adam", "Yes.", 1.0, is_awaited=True)
    world.answers.command_went(["m1"], [acknowledged])
    assert world.delivery.owed and world.shown == []
    await until(lambda: not world.delivery.owed)
    assert world.sent == ["Yes."]


async def test_an_answer_waits_for_a_command_that_is_back(world: World) -> None:
    world.broker.reply("m1", "adam", "Yes.", 1.0, is_awaited=True)
    world.answers.command_went(["m1"])
    world.answers.command_came(["m1"])
    await asyncio.sleep(2 * SOON_SECONDS)  # nothing is sent meanwhile
    assert world.delivery.owed and world.sent == []
    world.answers.command_went(["m1"])
    await until(lambda: world.sent)
    assert world.sent == ["Yes."]


async def test_what_was_not_answered_is_not_sent(world: World) -> None:
    world.answers.command_went(["m1"])
    await asyncio.sleep(2 * SOON_SECONDS)  # nothing is sent meanwhile
    assert world.sent == []
