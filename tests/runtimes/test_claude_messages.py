"""Messages through the real hub into the real Claude Code, its newest version and an older one: any text arrives as that text,
once, whatever the agent and its user are just doing; and no message ever answers a dialog.

The long form sends 100 messages to each version and races 40 more with a dialog; tests/output/claude-messages.txt has its table:
CLAWMUX_TEST_LONG=1 .venv/bin/python -m pytest -q -s tests/runtimes/test_claude_messages.py
"""
# Short looks at files may block a test.

from __future__ import annotations

import asyncio
import statistics
import time
import unicodedata
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from clawmux.adapters.drafts import same_words
from clawmux.wire.cli import clean
from tests.live_hub import ROOT
from tests.long_form import IS_LONG
from tests.runtimes.claude_scene import ARRIVES_SECONDS, SENDERS, Scene, claude
from tests.runtimes.conftest import CLAUDE_VERSION, OLDER_CLAUDE_VERSION, Stage
from tests.runtimes.hostile import TEXTS
from tests.stand_ins.messages_api import Bash
from tests.waiting import until_answer

pytestmark = pytest.mark.runtime

MESSAGES = 100 if IS_LONG else 10
RACES = 40 if IS_LONG else 4
SLOW_SECONDS = 6.0
DRAFTS = [
    "half a thought: $HOME 'q' é漢",
    "a thought\n  of three lines\nand 'quotes'",
    "word " * 60 + "end",
    "mail me @ home, 5 % off; ~ > \\",
    "x",
]


# --- what the agent and its user may be doing: each delivers one message and returns its id ---


async def while_idle(scene: Scene, sender: str, text: str) -> str:
    message_id = await scene.send(sender, text)
    await scene.arrived(message_id)
    return message_id


async def while_thinking(scene: Scene, sender: str, text: str) -> str:
    first = await scene.send(sender, "please think long")
    await scene.arrived(first)
    return await _mid_turn(scene, first, sender, text, scene.model.gate.set)


async def while_a_tool_runs(scene: Scene, sender: str, text: str) -> str:
    go_on = scene.stage.folder / f"go-on-{len(scene.sent)}"
    first = await scene.send(sender, f"please run {go_on}")

    async def runs() -> bool:
        doing = await scene.doing()
        return (doing["activity"], doing["detail"]) == ("tool", "Bash")

    await until_answer(runs, ARRIVES_SECONDS)
    await scene.ack(first)
    return await _mid_turn(scene, first, sender, text, go_on.touch)


async def _mid_turn(scene: Scene, first: str, sender: str, text: str, go_on: Callable[[], None]) -> str:
    message_id = await scene.send(sender, text)

    async def is_typed() -> bool:
        return bool((await scene.view(message_id))["state"] == "pending")

    try:
        await until_answer(is_typed, ARRIVES_SECONDS)
    except AssertionError:
        raise AssertionError(f"it was not typed:\n{await scene.story(message_id)}") from None
    took = time.monotonic() - scene.began
    go_on()
    await scene.arrived(message_id)
    scene.took = took
    return message_id


async def over_a_draft(scene: Scene, sender: str, text: str) -> str:
    """What its user has typed so far is there again afterwards, as it was."""
    draft = DRAFTS[len(scene.sent) % len(DRAFTS)]
    await scene.keys("-l", draft)
    await until_answer(lambda: _shows(scene, draft))
    before = await scene.draft()
    message_id = await scene.send(sender, text)
    await scene.arrived(message_id)
    await until_answer(lambda: _shows(scene, draft))
    assert await scene.draft() == before
    await scene.idle()
    for _ in draft.split("\n"):
        await scene.keys("C-u", "C-u")
    await until_answer(lambda: _is_empty(scene))
    return message_id


async def _shows(scene: Scene, draft: str) -> bool:
    return same_words(await scene.draft() or "", draft)


async def _is_empty(scene: Scene) -> bool:
    return await scene.draft() == ""


async def in_copy_mode(scene: Scene, sender: str, text: str) -> str:
    """Held as long as somebody scrolls; nothing is typed meanwhile."""
    await scene.tmux.command(["copy-mode", "-t", (await scene.pane()).pane_id])
    message_id = await scene.send(sender, text)

    async def is_held() -> bool:
        return bool((await scene.view(message_id))["held"])

    await until_answer(is_held, ARRIVES_SECONDS)
    assert await scene.draft() == ""
    await scene.tmux.command(["send-keys", "-t", (await scene.pane()).pane_id, "-X", "cancel"])
    scene.began = time.monotonic()
    await scene.arrived(message_id)
    return message_id


WHILE: list[Callable[[Scene, str, str], Awaitable[str]]] = [
    while_idle,
    while_thinking,
    while_a_tool_runs,
    over_a_draft,
    in_copy_mode,
]


@pytest.mark.parametrize("version", [CLAUDE_VERSION, OLDER_CLAUDE_VERSION])
async def test_any_text_arrives_as_that_text(stage: Stage, cache: Path, version: str) -> None:
    seconds: dict[str, list[float]] = {step.__name__: [] for step in WHILE}
    async with claude(stage, cache, version) as scene:
        for number in range(MESSAGES):
            deliver = WHILE[number % len(WHILE)]
            # Every text meets every situation in 5 x len(TEXTS) messages; two neighbours never are the same.
            name, text = TEXTS[(number * 7 + number // len(WHILE)) % len(TEXTS)]
            await scene.idle()
            message_id = await deliver(scene, SENDERS[number % len(SENDERS)], text)
            seconds[deliver.__name__].append(scene.took)
            if scene.took > SLOW_SECONDS:
                print(f"slow {deliver.__name__}, {name}: {scene.took:.1f} s\n{await scene.story(message_id)}")
            kept = (await scene.hub.run(scene.sky, "inbox", "show", message_id)).out
            assert kept == clean(text) + "\n", name
        await scene.idle()
        missing, more = _compared(scene)
        table = [f"Claude Code {version}: {len(scene.sent)} messages, {len(missing)} of them not exact", *_latencies(seconds)]
        _print(table)
        print(*map(ascii, [*missing, *more]), sep="\n")
        assert (missing, more) == ([], [])
        assert not any("pasted_content" in text for text in scene.api.user_texts)
        assert list(stage.work.iterdir()) == [], "nothing was run"


def _compared(scene: Scene) -> tuple[list[str], list[str]]:
    """(lines of messages that the model does not have exactly, texts as of a user that nobody sent or that came twice)."""
    # The program puts letters and their marks together, as Unicode's NFC says.
    left = [unicodedata.normalize("NFC", text) for text in scene.api.told]
    missing = []
    for line in (unicodedata.normalize("NFC", line).strip() for line in scene.sent):
        # What comes while it works some versions put into words of their own, and several of them together.
        found = next((text for text in left if text.strip() == line), None) or next((text for text in left if line in text), None)
        if found is None:
            missing.append(line)
            continue
        left.remove(found)
        if rest := found.replace(line, "", 1).strip():
            left.append(rest)
    return missing, [text for text in left if _is_from_nobody(scene, text)]


def _is_from_nobody(scene: Scene, text: str) -> bool:
    is_the_programs = text.startswith(("<system-reminder>", "Greet me by voice"))
    return "[MSG id:" in text or (text in scene.api.user_texts and not is_the_programs)


def _latencies(seconds: dict[str, list[float]]) -> list[str]:
    """From the start of the sender's command until the model had it; in the middle of a turn until the program had taken it, and
    after scrolling from its end."""
    rows = []
    for name, values in seconds.items():
        ordered = sorted(values) or [0.0]
        p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
        rows.append(f"  {name:18} n={len(values):3}  p50 {statistics.median(ordered):5.2f} s  p95 {p95:5.2f} s")
    return rows


def _print(table: list[str]) -> None:
    print("\n" + "\n".join(table))
    target = ROOT / "tests" / "output" / "claude-messages.txt"
    target.parent.mkdir(exist_ok=True)
    with target.open("a") as output:
        output.write(time.strftime("%Y-%m-%d %H:%M ") + "\n".join(table) + "\n")


# --- dialogs ---


@pytest.mark.parametrize("version", [CLAUDE_VERSION, OLDER_CLAUDE_VERSION])
async def test_a_message_that_races_with_a_permission_dialog_answers_none(stage: Stage, cache: Path, version: str) -> None:
    """The dialog opens some time before or after the message begins to be typed. Escape is pressed for the user then."""
    async with claude(stage, cache, version, skip_permissions=False) as scene:
        held = [await _race(scene, number, -1.1 + 1.6 * number / max(1, RACES - 1)) for number in range(RACES)]
        await scene.idle()
        missing, _ = _compared(scene)
        raced = f"{RACES} messages raced with a permission dialog; it came first {sum(held)} times; {len(missing)} lost"
        _print([f"Claude Code {version}: {raced}"])
        assert missing == []
        assert list(stage.work.iterdir()) == [], "nothing was approved"


async def _race(scene: Scene, number: int, offset_seconds: float) -> bool:
    """``offset_seconds``: how long after the message's command the model asks for the tool. Whether the message had to wait."""
    await scene.idle()
    gate = asyncio.Event()
    before = scene.api.model
    scene.api.model = lambda api: (
        Bash(f"touch raced-{number}", gate=gate) if any(first in text for text in api.newest_texts) else before(api)
    )
    first = await scene.send("ann", f"Make file {number}.")
    await scene.arrived(first)
    if offset_seconds < 0:
        gate.set()
        await asyncio.sleep(-offset_seconds)
    sending = asyncio.create_task(scene.send("bob", f"I race {number}."))
    await asyncio.sleep(max(0.0, offset_seconds))
    gate.set()
    message_id = await sending

    async def asks() -> bool:
        return "Do you want to" in await scene.screen()

    try:
        await until_answer(asks, ARRIVES_SECONDS)
    except AssertionError:
        raise AssertionError(f"no dialog:\n{await scene.story(message_id)}") from None
    assert not any(f"raced-{number}" == file.name for file in scene.stage.work.iterdir()), "approved by a message"
    had_to_wait = bool((await scene.view(message_id))["state"] == "queued")
    await scene.keys("Escape")
    await scene.arrived(message_id)
    scene.api.model = before
    return had_to_wait
