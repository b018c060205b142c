"""The commands that wait for what becomes of a message, without a hub."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from clawmux.core.message import Delivery, Message
from clawmux.hub.waiters import Waiters
from clawmux.wire.words import MessageState

ASKED = Delivery(Message("msg-1", "sky", "adam", "Which port?", expects_response=True), state=MessageState.PENDING)
ANSWERED = replace(ASKED, state=MessageState.RESPONDED, reply="8080")
SECONDS = 0.05


@pytest.fixture
def waiters() -> Waiters:
    return Waiters()


async def test_what_is_not_known_when_the_time_is_over_is_left_out(waiters: Waiters) -> None:
    assert await waiters.wait([ASKED], "response", SECONDS) == {}
    waiters.release(ANSWERED)
    assert len(waiters) == 0 and not waiters.is_reply_awaited("msg-1")


async def test_a_reply_that_is_being_stored_when_the_time_is_over_is_waited_for(waiters: Waiters) -> None:
    """It was decided that the command prints it, so it is typed to nobody."""
    waiting = asyncio.create_task(waiters.wait([ASKED], "response", SECONDS))
    await asyncio.sleep(0)
    assert waiters.is_reply_awaited("msg-1")
    waiters.reply_comes("msg-1")
    await asyncio.sleep(3 * SECONDS)
    waiters.release(ANSWERED)
    assert await waiting == {"msg-1": ANSWERED}


async def test_a_reply_that_could_not_be_stored_holds_nobody(waiters: Waiters) -> None:
    waiting = asyncio.create_task(waiters.wait([ASKED], "response", SECONDS))
    await asyncio.sleep(0)
    waiters.reply_comes("msg-1")
    waiters.reply_failed("msg-1")
    assert await asyncio.wait_for(waiting, 1) == {}
