"""The settings in a running hub: what the page is given to draw them, and what a change does to the file and the hub."""

from __future__ import annotations

from typing import Any

import pytest

from clawmux.wire.errors import ClawMuxError
from tests.live_hub import LiveHub


async def rows(hub: LiveHub) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in await hub.call("GET", "/api/settings")}


async def test_a_change_is_saved_and_taken_over_and_can_be_taken_back() -> None:
    async with LiveHub("none", speech_listen_seconds="90") as hub:
        before = await rows(hub)
        speed = {"type": "float", "value": 1.0, "default": 1.0, "source": "default", "low": 0.5, "high": 2.0, "project": True}
        assert before["speech.speed"].items() >= speed.items() and before["speech.speed"]["title"] == "Speaking speed"
        assert before["hub.port"]["source"] == "start of the hub", "--port 0"
        assert before["speech.listen_seconds"]["source"] == "environment CLAWMUX_SPEECH_LISTEN_SECONDS"
        assert {"claude", "demo", "quiet"} <= set(before["agents.runtime"]["choices"])

        await hub.call("PUT", "/api/settings", {"speech.speed": 1.5, "speech.listen_seconds": 30, "hub.port": 4000})
        after = await rows(hub)
        assert (after["speech.speed"]["value"], after["speech.speed"]["source"]) == (1.5, "config.toml")
        assert (after["speech.listen_seconds"]["value"], after["speech.listen_seconds"]["source"]) == (30.0, "config.toml")
        saved = {"value": 4000, "source": "config.toml", "live": False}
        assert after["hub.port"].items() >= saved.items(), "that waits for the next start, and can be seen and taken back"

        await hub.call("PUT", "/api/settings", {"speech.speed": None, "speech.listen_seconds": None, "hub.port": None})
        assert await rows(hub) == before
        assert "speed" not in hub.paths.config_file.read_text()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"agents.runtime": "nosuch"}, "'nosuch' is not one of claude"),
        ({"hub.prot": None}, "no setting 'hub.prot'"),
        ({"hub.host": "0.0.0.0"}, "hub.tls_certificate is not set"),
    ],
)
async def test_what_is_not_there_is_refused(hub: LiveHub, change: dict[str, Any], text: str) -> None:
    with pytest.raises(ClawMuxError, match=text):
        await hub.call("PUT", "/api/settings", change)
    assert not hub.paths.config_file.exists()
