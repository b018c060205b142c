"""What is told to somebody who looks for a fault: how long a turn took, and the hub; nothing that was said."""

from __future__ import annotations

import json

from tests.live_hub import LiveHub
from tests.stand_ins.page import StandInPage
from tests.stand_ins.speech_service import WORDS

LOUD = b"\x00\x40" * 8000 + bytes(64000)


async def test_a_turn_is_timed_and_the_hub_tells_of_itself(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token, lambda session_id: LOUD) as page:
        sky = await hub.spawn()
        assert (await hub.run(sky, "converse", "What next?")).code == 0
        first = await page.until(lambda: page.moment("turn_timing", session_id=sky))
        assert first["heard_ms"] >= 0 and (first["agent_ms"], first["first_sound_ms"]) == (None, None)
        assert (await hub.run(sky, "converse", "Done with that.", "--no-listen")).code == 0
        whole = await page.until(
            lambda: next((m for m in page.moments if m["type"] == "turn_timing" and m["first_sound_ms"] is not None), None)
        )
        assert whole["turn"] == first["turn"]
        assert all(whole[part] >= 0 for part in ("stt_ms", "agent_ms", "first_sound_ms"))
        told = await hub.call("GET", "/api/debug")
    assert told["timings"] == [{key: value for key, value in whole.items() if key != "type"}]
    assert (told["agents"], told["speech"]["state"]) == (1, "ready")
    assert told["speech"]["speaking"]["work"]["sound_ms"] > 0
    written = json.dumps(told)
    for hidden in (WORDS, "What next?", "Done with that", str(hub.paths.data), hub.token):
        assert hidden not in written


async def test_typed_words_are_timed_from_where_the_agent_has_them(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token) as page:
        sky = await hub.spawn()
        asking = await hub.client(sky, "converse", "Which one?")
        await page.until(lambda: page.moment("listening"))
        await page.say({"type": "text", "id": "x1", "session_id": sky, "text": "the second"})
        first = await page.until(lambda: page.moment("turn_timing", session_id=sky))
        assert (first["turn"], first["heard_ms"], first["stt_ms"], first["agent_ms"]) == ("x1", 0, 0, None)
        await asking.wait()
        assert (await hub.run(sky, "converse", "Done with that.", "--no-listen")).code == 0
        whole = await page.until(
            lambda: next((m for m in page.moments if m["type"] == "turn_timing" and m["first_sound_ms"] is not None), None)
        )
        assert whole["turn"] == "x1" and whole["agent_ms"] > 0
