"""A message to everybody reaches those who have room for it, and its sender is told who has none."""

from __future__ import annotations

import pytest

from clawmux.core.broker import QUEUE_LIMIT, Broker
from clawmux.core.message import Message
from clawmux.core.session import Session
from clawmux.hub.message_recipients import admitted
from clawmux.wire.errors import ClawMuxError
from tests.hub.messengers import add_messengers, inputs, spawn
from tests.live_hub import LiveHub
from tests.waiting import until, until_answer


def session(name: str) -> Session:
    return Session(name, name, name, "shell", "/", created=0.0, first_n=1)


def full(*names: str) -> Broker:
    broker = Broker()
    for name in names:
        for number in range(QUEUE_LIMIT):
            broker.send(Message(f"{name}-{number}", "sky", name, "x"), 0.0)
    return broker


def guard(one: Session) -> int:
    if one.name == "looping":
        raise ClawMuxError("too_many", "it says nothing new.", "")
    return 2


MEANT = [session(name) for name in ("adam", "full", "looping")]


def test_everybody_who_has_room_is_admitted_and_the_others_are_named() -> None:
    found = admitted(MEANT, full("full"), guard, to_all=True)
    assert found.admitted == [(MEANT[0], 2)]
    assert found.left_out == ("full (too many messages wait for it already)", "looping (it says nothing new)")


@pytest.mark.parametrize(
    ("meant", "to_all", "text"),
    [
        (MEANT[:2], False, "too many messages wait for full already; nothing was sent"),
        (MEANT[1:2], True, "too many messages wait for full already; nothing was sent"),
        (MEANT[2:], True, "it says nothing new"),
        (MEANT[1:], True, "it says nothing new"),
        ([MEANT[0], MEANT[2]], False, "it says nothing new"),
    ],
)
def test_what_reaches_nobody_or_not_those_who_were_named_is_refused(meant: list[Session], to_all: bool, text: str) -> None:
    with pytest.raises(ClawMuxError, match=text) as refused:
        admitted(meant, full("full"), guard, to_all=to_all)
    assert refused.value.code == "too_many"


async def test_one_who_gets_too_many_keeps_a_message_from_nobody_else() -> None:
    async with LiveHub("none") as hub:
        add_messengers(hub)
        await spawn(hub, "nothing", name="adam")
        eve = await spawn(hub, "nothing", name="eve")

        async def leaves_one_out() -> bool:
            """Some room comes back with every second."""
            with pytest.raises(ClawMuxError, match="messages a minute"):
                while True:
                    await hub.call("POST", "/api/messages", {"to": ["adam"], "text": "x"})
            sent = await hub.run("", "send", "--to", "all", "To everybody.")
            assert sent.code == 0
            return len(sent.out.split()) == 1 and "not sent to adam (more than 60 messages a minute" in sent.err

        await until_answer(leaves_one_out, 30)
        await until(lambda: any("To everybody." in text for text in inputs(hub, eve)), 15)
