"""One page's outbox, without a socket."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import pytest
from aiohttp import web

from clawmux.hub.pages import OUTBOX_MESSAGES, Page


class Transport:
    def __init__(self) -> None:
        self.aborts = 0

    def abort(self) -> None:
        self.aborts += 1


async def test_a_page_that_does_not_read_is_cut_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    """One that floods us has sent thousands of messages by then, and each has an answer."""
    transport = Transport()
    page = Page(cast(web.WebSocketResponse, None), "c1", "a phone", cast(asyncio.Transport, transport))
    with caplog.at_level(logging.WARNING):
        for number in range(OUTBOX_MESSAGES + 1000):
            page.send({"type": "pong", "number": number})
    assert (transport.aborts, len(caplog.records)) == (1, 1)
