"""What who tries messages first meets: the demo agent, which needs no account, and a shell."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub.messengers import spawn
from tests.live_hub import LiveHub, said
from tests.stand_ins.page import StandInPage
from tests.waiting import until_answer

OWNER = ""


@pytest.fixture
async def hub() -> AsyncIterator[LiveHub]:
    async with LiveHub("none") as hub:
        yield hub


async def doing(hub: LiveHub, session_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = await hub.call("GET", "/api/sessions")
    return dict(next(session["doing"] for session in found if session["id"] == session_id))


async def comes_to_do(hub: LiveHub, session_id: str, activity: str, detail: str = "") -> None:
    async def does() -> bool:
        now = await doing(hub, session_id)
        return (now["activity"], now["detail"]) == (activity, detail)

    await until_answer(does, 10)


async def test_the_demo_rests_and_answers_where_nobody_can_hear_it(hub: LiveHub) -> None:
    sky = await spawn(hub, "demo")
    await comes_to_do(hub, sky, "idle")
    told = await hub.run(OWNER, "send", "--to", "sky", "--wait-response", "Hello there!")
    assert (told.code, told.out.splitlines()[1:]) == (0, ["I heard: Hello there."])


async def test_the_demo_answers_messages_and_typed_words_while_it_waits_for_its_user(hub: LiveHub) -> None:
    async with StandInPage(hub.url, hub.token) as page:
        sky = await spawn(hub, "demo")
        await page.until(lambda: page.texts("assistant_text"))
        told = await hub.run(OWNER, "send", "--to", "sky", "--wait-response", "list your folder")
        assert told.code == 0 and "My folder has" in told.out
        await page.say({"type": "text", "id": "x1", "session_id": sky, "text": "Still there?"})
        await page.until(lambda: "I heard: Still there. What else?" in page.texts("assistant_text"))


async def test_two_demos_do_not_keep_each_other_going(hub: LiveHub) -> None:
    sky, adam = await spawn(hub, "demo"), await spawn(hub, "demo", name="adam")
    told = await hub.run(sky, "send", "--to", "adam", "--wait-ack", "Hello!")
    asked = await hub.run(adam, "send", "--to", "sky", "--wait-response", "Hello?")
    assert (told.code, asked.code, asked.out.splitlines()[1:]) == (0, 0, ["I heard: Hello."])
    assert len((await hub.call("GET", "/api/messages"))["messages"]) == 2


async def press(hub: LiveHub, session_id: str, *keys: str) -> None:
    where = ["-t", f"=clawmux-{session_id}:"]
    process = await asyncio.create_subprocess_exec("tmux", "-S", str(hub.paths.tmux_socket), "send-keys", *where, *keys)
    assert await process.wait() == 0


async def test_a_shell_rests_at_its_prompt_and_shows_what_it_runs(hub: LiveHub) -> None:
    sky = await spawn(hub, "shell")
    await comes_to_do(hub, sky, "idle")
    await press(hub, sky, "sleep 600", "Enter")
    await comes_to_do(hub, sky, "tool", "sleep")
    shown = await hub.run(OWNER, "status", "sky")
    assert "running sleep" in shown.out and "known from: process" in shown.out
    stopped = await hub.run(OWNER, "interrupt", "sky")
    assert (stopped.code, stopped.out) == (0, "sky is idle\n")
    # A script of the same shell is no prompt. The pane's own $SHELL may be another: tmux asks the list of users for one.
    shell = os.environ.get("SHELL") or "/bin/sh"
    (hub.home / "script").write_text("while true; do read -t 600 line; done < fifo\n")
    await press(hub, sky, f"cd {hub.home}; mkfifo fifo; {shell} script", "Enter")
    await comes_to_do(hub, sky, "tool", Path(shell).name)


async def test_a_message_to_a_shell_waits_in_its_inbox_and_the_sender_hears_so(hub: LiveHub) -> None:
    sky = await spawn(hub, "shell")
    told = await hub.run(OWNER, "send", "--to", "sky", "Are you there?")
    assert told.code == 0 and "clawmux inbox shows it there" in told.err
    message_id = told.out.strip()
    waiting = await hub.run(sky, "inbox")
    assert message_id in waiting.out and "clawmux reply ID" in waiting.err
    assert (await hub.run(sky, "reply", message_id, "Yes.")).code == 0
    assert (await hub.run(sky, "inbox")).out == "nothing waits for you\n"
    assert "Are you there? -> Yes." in (await hub.run(OWNER, "messages")).out


async def test_an_answer_stands_behind_its_message_also_where_it_is_what_shows_that_it_was_read(hub: LiveHub) -> None:
    sky, adam = await spawn(hub, "shell"), await spawn(hub, "demo", name="adam")
    waiting = await hub.client(adam, "send", "--to", "sky", "--wait-response", "Which port?")
    await until_answer(lambda: has_message(hub))
    (message,) = (await hub.call("GET", "/api/messages"))["messages"]
    assert message["state"] == "queued"
    assert (await hub.run(sky, "reply", message["id"], "Port 80.")).code == 0
    assert (await said(waiting)).out.splitlines()[1:] == ["Port 80."]
    history = await hub.call("GET", f"/api/history?session_id={sky}")
    shown = [(e["direction"], e["text"]) for e in history["entries"] if e["type"] == "agent_message"]
    assert shown == [("in", "Which port?"), ("out", "Port 80.")]


async def has_message(hub: LiveHub) -> bool:
    return bool((await hub.call("GET", "/api/messages"))["messages"])
