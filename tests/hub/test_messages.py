"""Messages between agents through a real hub and the real client, to programs with an input box in real tmux."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.hub.messengers import add_messengers, has_read, spawn
from tests.live_hub import LiveHub


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        add_messengers(hub)
        yield hub


async def test_a_question_between_agents_is_read_and_its_answer_printed(hub: LiveHub) -> None:
    sky, adam = await spawn(hub, "nothing"), await spawn(hub, "answer", name="adam")
    told = await hub.run(sky, "send", "--to", "adam", "--wait-response", "Which port?")
    message_id, *answer = told.out.splitlines()
    assert (told.code, told.err) == (0, "")
    assert answer == ["sky said: Which port?"]
    line = await has_read(hub, adam, message_id)
    assert line == f"[MSG id:{message_id} from:sky to:adam expect-response] Which port?"
