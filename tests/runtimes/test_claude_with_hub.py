"""The whole loop with a real agent TUI: Claude Code under the real hub, spoken to with a recorded human voice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests import sound
from tests.live_hub import LiveHub
from tests.runtimes.conftest import Stage, claude_environment, make_claude_home
from tests.stand_ins.messages_api import Bash, MessagesApi, Say, Step
from tests.stand_ins.page import StandInPage

pytestmark = [pytest.mark.runtime, pytest.mark.speech]


def recording(name: str) -> bytes:
    samples = np.concatenate([sound.silence(0.3, 16000), sound.clip(name, 16000), sound.silence(2.5, 16000)])
    return bytes((samples * 32767).astype("<i2").tobytes())


async def test_claude_code_converses_by_voice_and_takes_words_between(stage: Stage, claude_program: Path) -> None:
    """Started by the hub it asks, reads the spoken answer on stdout, goes on; later typed words reach its input box."""
    make_claude_home(stage, trusted=True)
    script: list[Step] = [Bash("clawmux converse 'Hello. Which way shall I go?'"), Say("I am on my way."), Say("Understood.")]
    async with MessagesApi(script) as api:
        environ = claude_environment(stage, claude_program, api.url)
        environ["PATH"] = f"{claude_program}:{environ['PATH']}"
        async with LiveHub("real", environ=environ) as hub:
            await hub.speech_is("ready")
            pcm = recording("go-forward")
            async with StandInPage(hub.url, hub.token, lambda session_id: pcm, speed=8.0) as page:
                sky = await hub.spawn("claude", dir=str(stage.work))
                await api.wait_for(lambda api: len(api.tool_results) == 1, 60)
                assert sound.word_error_rate("go forward ten meters", api.tool_results[0]) <= 0.2
                assert page.texts("assistant_text") == ["Hello. Which way shall I go?"]
                await page.until(lambda: page.moment("session_status", session_id=sky, status="ready"))
                await page.say({"type": "text", "id": "x1", "session_id": sky, "text": "and then turn left"})
                acknowledged = await page.until(lambda: page.moment("text_ack", id="x1"), 30)
                assert acknowledged["state"] == "delivered", acknowledged
                await api.wait_for(lambda api: any("and then turn left" in text for text in api.user_texts), 30)
                assert "and then turn left" in page.texts("user_text")
    settings = json.loads((stage.home / ".claude.json").read_text())
    assert "clawmux" not in json.dumps(settings), "the user's own settings know nothing of us"
