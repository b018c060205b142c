"""Real Claude Codes that talk to each other: one asks, one answers, and one never acknowledges what it is told.

The last takes its four tries a minute apart, so it is tried in the long form alone:
CLAWMUX_TEST_LONG=1 .venv/bin/python -m pytest -q tests/runtimes/test_claude_talk.py
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.live_hub import LiveHub
from tests.long_form import IS_LONG
from tests.runtimes.conftest import CLAUDE_VERSION, Stage, claude_environment, claude_of, make_claude_home
from tests.stand_ins.messages_api import Bash, MessagesApi, Say, Step
from tests.waiting import until_answer

pytestmark = pytest.mark.runtime

REPLY = "Port 8460, \"here\" & 'there' $HOME."


class Models:
    """Each agent's model, told apart by the name in its instructions. Sky asks and tells; adam is polite, cain is not."""

    def __init__(self) -> None:
        self.results: dict[str, list[str]] = {}
        """Name -> what its commands have printed."""
        self.told: dict[str, list[str]] = {}
        """Name -> the messages in its newest request."""

    def __call__(self, api: MessagesApi) -> Step:
        found = re.search(r'You are "(\w+)"', api.system_text)
        name = found[1] if found else ""
        self.results[name] = api.tool_results
        self.told[name] = [text for text in api.told if "[MSG id:" in text]
        newest = "\n".join(api.newest_texts)
        if asked := re.search(r"^ask (.*)$", newest, re.MULTILINE):
            return Bash(asked[1])
        heard = re.search(r"\[MSG id:(\S+) from:sky to:adam expect-response\]", newest)
        if name == "adam" and heard:
            return Bash(f"clawmux ack {heard[1]} && clawmux reply {heard[1]} - <<'END'\n{REPLY}\nEND")
        return Say("Well.")


@asynccontextmanager
async def agents(stage: Stage, cache: Path, *names: str) -> AsyncIterator[tuple[LiveHub, Models, dict[str, str]]]:
    make_claude_home(stage, trusted=True)
    models = Models()
    async with MessagesApi(models) as api:
        environ = claude_environment(stage, claude_of(cache, CLAUDE_VERSION), api.url)
        async with LiveHub("none", environ=environ) as hub:
            ids = {name: await hub.spawn("claude", name=name, dir=str(stage.work)) for name in names}

            async def all_rest() -> bool:
                sessions = await hub.call("GET", "/api/sessions")
                return all(session["doing"]["activity"] == "idle" for session in sessions) and len(models.results) == len(names)

            await until_answer(all_rest, 60)
            yield hub, models, ids


async def tell(hub: LiveHub, name: str, command: str) -> None:
    """The user has an agent run this."""
    assert (await hub.run("", "send", "--to", name, f"Please:\nask {command}")).code == 0


async def test_one_asks_and_the_other_answers(stage: Stage, cache: Path) -> None:
    async with agents(stage, cache, "sky", "adam") as (hub, models, _):
        await tell(hub, "sky", "clawmux send --to adam --wait-response --timeout 30 'Which port?'")

        async def is_answered() -> bool:
            return bool(models.results["sky"])

        await until_answer(is_answered, 30)
        [printed] = models.results["sky"]
        message_id, answer = printed.split("\n", 1)
        assert answer.strip() == REPLY
        view = await hub.call("GET", f"/api/messages/{message_id}")
        assert (view["state"], view["reply"], view["from_name"], view["to_name"], view["tries"]) == (
            "responded", REPLY, "sky", "adam", 1,
        )  # fmt: skip
        assert len(models.told["adam"]) == 1, "it was told once"


@pytest.mark.skipif(not IS_LONG, reason="takes five minutes; see the long form")
async def test_who_never_acknowledges_is_reminded_and_the_sender_is_told_once(stage: Stage, cache: Path) -> None:
    async with agents(stage, cache, "sky", "cain") as (hub, models, ids):
        await tell(hub, "sky", "clawmux send --to cain 'Are you there?'")

        async def is_sent() -> bool:
            return bool(models.results["sky"])

        await until_answer(is_sent, 30)
        message_id = models.results["sky"][0].strip()

        async def has_failed() -> bool:
            return bool((await hub.call("GET", f"/api/messages/{message_id}"))["state"] == "failed")

        await until_answer(has_failed, 300)
        told = models.told["cain"]
        assert sum(f"id:{message_id} " in text and "Are you there?" in text for text in told) == 1, "typed once"
        assert sum(f"id:{message_id} " in text and " reminder]" in text for text in told) == 3
        first, second = await hub.run(ids["sky"], "status"), await hub.run(ids["sky"], "status")
        notice = "to cain did not arrive"
        assert message_id in first.out and notice in first.out and notice not in second.out
