"""Hubs and pages for the tests of the hub."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.live_hub import LiveHub


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    """A real hub with the stand-in for speech."""
    async with LiveHub("stand-in") as hub:
        await hub.speech_is("ready")
        yield hub
