"""Agents' terminals over the socket of a page: what is drawn, who types, and what a flood or an end does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from clawmux.adapters.terminal import CHUNK_BYTES
from clawmux.core import keyboards
from clawmux.hub import terminals
from clawmux.hub.agents import Order
from clawmux.hub.terminals import FRAMES_AHEAD
from tests.hub.messengers import add_messengers, comes_to, read_ids, spawn, view
from tests.live_hub import LiveHub
from tests.long_form import IS_LONG
from tests.security.real_hub import RealHub, real_hub
from tests.stand_ins.term_page import TermPage
from tests.waiting import until_answer

# A shell that looks the same everywhere and reads no start files; and one that shows every byte it gets.
SHELL = """
title = "Plain shell"
program = "env"
arguments = ["-i", "PATH=/usr/bin:/bin", "TERM=screen-256color", "PS1=$ ", "/bin/sh"]
foreground = true
ready = '\\$'
"""
# tmux takes some 3 MB/s of such short lines on a slow machine.
FLOOD_BYTES = 100_000_000 if IS_LONG else 5_000_000
BYTES = """
title = "Bytes"
program = "/bin/sh"
arguments = ["-c", "stty -icanon -echo -isig -ixon -icrnl min 1; printf '%b' \\"$MODES\\"; echo ready; exec od -An -v -tx1 -w1"]
foreground = true
ready = "ready"
"""


@pytest.fixture
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealHub]:
    async with real_hub(tmp_path_factory.mktemp("h")) as hub:
        (hub.paths.user_runtimes / "plain.toml").write_text(SHELL, encoding="utf-8")
        yield hub


@contextlib.asynccontextmanager
async def page(hub: RealHub, client: str = "one") -> AsyncIterator[TermPage]:
    async with TermPage(f"http://127.0.0.1:{hub.port}", hub.auth.token.text(), client) as page:
        yield page


async def shell(hub: RealHub) -> str:
    session = await hub.runtime.agents.spawn(Order(runtime="plain"))
    await until_answer(shows(hub, session.id, "$"))
    return session.id


async def bytes_shown(hub: RealHub, modes: str) -> str:
    """An agent that asked for these modes of its terminal, and prints what it gets, two hex digits a line."""
    text = BYTES.replace("$MODES", modes)
    (hub.paths.user_runtimes / "bytes.toml").write_text(text.replace("\\033", "\\\\033"), encoding="utf-8")
    session = await hub.runtime.agents.spawn(Order(runtime="bytes"))
    await until_answer(shows(hub, session.id, "ready"))
    return session.id


def pane(hub: RealHub, session_id: str) -> str:
    return hub.runtime.agents.get(session_id).pane_id


async def run(hub: RealHub, session_id: str, command: str) -> None:
    await hub.runtime.tmux.press(pane(hub, session_id), f"{command}\r")


def shows(hub: RealHub, session_id: str, words: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return words in await hub.runtime.tmux.capture(pane(hub, session_id))

    return check


async def assert_shows(hub: RealHub, session_id: str, words: str) -> None:
    await until_answer(shows(hub, session_id, words))


async def size(hub: RealHub, session_id: str) -> tuple[int, int]:
    window = await hub.runtime.tmux.window(pane(hub, session_id))
    return window.cols, window.rows


async def viewers(hub: RealHub) -> list[str]:
    lines = await hub.runtime.tmux.command(["list-clients", "-F", "#{client_tty} #{client_flags}"])
    return [line for line in lines if line.startswith("/")]


async def test_a_page_sees_the_terminal_and_leaves_its_size_alone(hub: RealHub) -> None:
    sky = await shell(hub)
    before = await size(hub, sky)
    async with page(hub) as one:
        await one.open(sky)
        told = one.of("term_size")[-1]
        assert (told["cols"], told["rows"], told["above"], told["below"]) == (*before, 0, 1)
        await run(hub, sky, "echo so'me 'words")
        await one.until(lambda: b"some words" in one.drawn)
        assert one.frames[0].flags == 1
        assert [frame.seq for frame in one.frames] == list(range(len(one.frames)))
        assert await size(hub, sky) == before


async def test_a_view_follows_a_window_that_somebody_else_resizes(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub) as one:
        await one.open(sky)
        await hub.runtime.tmux.command(["resize-window", "-t", pane(hub, sky), "-x", "90", "-y", "30"])
        await one.until(lambda: (one.of("term_size")[-1]["cols"], one.of("term_size")[-1]["rows"]) == (90, 30))
        await until_answer(lambda: _has(viewers_sizes(hub), "90x31"))
        assert await size(hub, sky) == (90, 30)


async def viewers_sizes(hub: RealHub) -> list[str]:
    return await hub.runtime.tmux.command(["list-clients", "-F", "#{client_width}x#{client_height}"])


async def _has(lines: Awaitable[list[str]], line: str) -> bool:
    return line in await lines


async def test_nothing_is_typed_without_the_keyboard(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub) as one:
        await one.open(sky)
        await one.type("touch typed\r")
        assert (await one.until(lambda: one.of("error")))[0]["code"] == "conflict"
        await one.say("term_paste", slot=one.slot, text="touch pasted")
        await one.until(lambda: len(one.of("error")) == 2)
        await one.take()
        await one.type("echo a$((40+2))b\r")
        await one.until(lambda: b"a42b" in one.drawn)
        await one.take(False)
        await one.type("echo no\r")
        await one.until(lambda: len(one.of("error")) == 3)
        assert not await shows(hub, sky, "touch")()


async def test_the_prefix_key_goes_to_the_agent_and_not_to_tmux(hub: RealHub) -> None:
    sky = await bytes_shown(hub, "")
    async with page(hub) as one:
        await one.open(sky)
        await one.take()
        await one.type("\x02d\x03\x1b")
        await until_answer(shows(hub, sky, " 02\n 64\n 03\n 1b"))
        assert len(await viewers(hub)) == 1


@pytest.mark.parametrize(("modes", "up"), [("", "1b\n 5b\n 41"), ("\\033[?1h", "1b\n 4f\n 41")], ids=["normal", "application"])
async def test_cursor_keys_are_spelt_as_the_program_wants_them(hub: RealHub, modes: str, up: str) -> None:
    sky = await bytes_shown(hub, modes)
    async with page(hub) as one:
        await one.open(sky)
        await one.take()
        await one.type("x\x1bOAy")
        await assert_shows(hub, sky, f" 78\n {up}\n 79")
        await one.type("x\x1b[Az")
        await assert_shows(hub, sky, f" 78\n {up}\n 7a")


@pytest.mark.parametrize(("modes", "got"), [("", "61\n 0d\n 62"), ("\\033[?2004h", "1b\n 5b\n 32\n 30\n 30\n 7e\n 61\n 0d\n 62")])
async def test_a_paste_is_one_and_cannot_end_its_brackets(hub: RealHub, modes: str, got: str) -> None:
    sky = await bytes_shown(hub, modes)
    async with page(hub) as one:
        await one.open(sky)
        await one.take()
        await one.say("term_paste", slot=one.slot, text="a\r\n\x1bb\x00\x9b")
        await until_answer(shows(hub, sky, got))
        end = " 1b\n 5b\n 32\n 30\n 31\n 7e"
        screen = (await hub.runtime.tmux.capture(pane(hub, sky))).rstrip()
        assert screen.endswith(end if modes else " 62")
        assert screen.count("1b") == (2 if modes else 0)


async def test_one_page_types_and_another_may_take_over(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub, "desk") as desk, page(hub, "phone") as phone:
        await desk.open(sky)
        await phone.open(sky)
        await desk.take()
        await phone.until(lambda: phone.of("term_keyboard")[-1]["device"] == "device of desk")
        await phone.take()
        await desk.until(lambda: desk.of("term_keyboard")[-1]["client"] == "phone")
        await desk.type("echo desk\r")
        assert (await desk.until(lambda: desk.of("error")))[0]["code"] == "conflict"
        await phone.type("echo ph''one\r")
        await desk.until(lambda: b"phone" in desk.drawn)
        assert not await shows(hub, sky, "desk")()
        assert len(await viewers(hub)) == 2


async def test_a_page_that_goes_gives_the_keyboard_back_and_leaves_no_client(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub, "desk") as desk:
        await desk.open(sky)
        async with page(hub, "phone") as phone:
            await phone.open(sky)
            await phone.take()
        await desk.until(lambda: desk.of("term_keyboard")[-1]["client"] is None)
        await until_answer(lambda: _count(hub, 1))
        await desk.say("term_close", slot=desk.slot)
        await until_answer(lambda: _count(hub, 0))
        assert desk.of("term_keyboard")[-1]["client"] is None


async def _count(hub: RealHub, count: int) -> bool:
    return len(await viewers(hub)) == count


async def test_messages_wait_while_somebody_types() -> None:
    async with LiveHub("none") as hub:
        add_messengers(hub)
        adam = await spawn(hub, "ack", voice="am_adam")
        async with TermPage(hub.url, hub.token, "one") as one:
            await one.open(adam)
            await one.take()
            message_id = (await hub.run("", "send", "--to", "adam", "hello")).out.strip()

            async def is_held() -> bool:
                return "from a page" in ((await view(hub, message_id))["held"] or "")

            await until_answer(is_held, 10)
            await one.type("mine")
            await one.until(lambda: b"mine" in one.drawn)
            assert read_ids(hub, adam) == []
            await one.type("\x15")
            await one.take(False)

            await comes_to(hub, message_id, "acknowledged")
            assert read_ids(hub, adam) == [message_id]


async def test_a_forgotten_keyboard_goes_back(hub: RealHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyboards, "IDLE_SECONDS", 0.3)
    monkeypatch.setattr(terminals, "LOOK_SECONDS", 0.1)
    sky = await shell(hub)
    async with page(hub) as one:
        await one.open(sky)
        await one.say("term_take", slot=one.slot, on=True)
        await one.until(lambda: one.of("term_keyboard")[-1]["client"] == "one")
        told = await one.until(lambda: [m for m in one.of("term_keyboard") if m["why"]])
        assert told[0]["client"] is None


async def test_the_end_of_the_agent_is_told(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub) as one:
        await one.open(sky)
        await one.take()
        slot = one.slot
        await hub.runtime.agents.kill(sky, "It was asked to end.")
        closed = (await one.until(lambda: one.of("term_closed")))[0]
        assert (closed["slot"], closed["session_id"], closed["why"]) == (slot, sky, "ended")
        assert not hub.runtime.terminals.is_taken(sky)
        await one.say("term_open", session_id=sky)
        assert (await one.until(lambda: one.of("error")))[0]["code"] == "not_found"


async def test_a_view_that_tmux_ends_can_be_opened_again(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub) as one:
        await one.open(sky)
        tty = (await viewers(hub))[0].split()[0]
        await hub.runtime.tmux.command(["detach-client", "-t", tty])
        assert (await one.until(lambda: one.of("term_closed")))[0]["why"] == "closed"
        await one.open(sky)
        await run(hub, sky, "echo a''gain")
        await one.until(lambda: b"again" in one.drawn)


async def test_a_page_that_does_not_draw_is_sent_no_more(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub, "slow") as slow, page(hub, "fast") as fast:
        slow.reads = False
        await slow.open(sky)
        await fast.open(sky)
        await run(hub, sky, "yes | head -c 2000000; echo fl''ood over")
        await fast.until(lambda: b"flood over" in fast.drawn, 60)
        assert len(slow.frames) <= FRAMES_AHEAD
        assert all(len(frame.payload) <= CHUNK_BYTES for frame in fast.frames)
        slow.reads = True
        await slow.confirm()
        await slow.until(lambda: b"flood over" in slow.drawn)


async def test_a_flood_does_not_hold_up_the_hub(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub) as one:
        await one.open(sky)
        await run(hub, sky, f"yes | head -c {FLOOD_BYTES}; echo fl''ood over")
        await one.until(lambda: b"y" in one.frames[-1].payload)
        late = 0.0
        while b"flood over" not in b"".join(frame.payload for frame in one.frames[-20:]):
            before = time.monotonic()
            await one.say("ping")
            count = len(one.of("pong"))
            await one.until(lambda count=count: len(one.of("pong")) > count)
            late = max(late, time.monotonic() - before)
            await asyncio.sleep(0.02)
        assert late < 1.0
        assert len(one.drawn) < FLOOD_BYTES / 2


async def test_what_an_agent_prints_reaches_the_page_as_letters_only(hub: RealHub) -> None:
    """S9: clipboard, title, links, questions to the terminal and tmux's own passthrough."""
    sky = await shell(hub)
    hostile = (
        r"\033]52;c;aGFja2Vk\007 \033]0;evil title\007 \033]8;;javascript:alert(1)\007link\033]8;;\007 \033[c \033[6n"
        r" \033P$qm\033\\\\ \033Ptmux;\033\033]52;c;aGFja2Vk\007\033\\\\ \033]10;?\007 \033[21t \033]1337;File=:AAAA\007"
    )
    (Path(hub.paths.data) / "hostile").write_bytes(hostile.replace("\\\\\\\\", "\\\\").encode().decode("unicode_escape").encode())
    async with page(hub) as one:
        await one.open(sky)
        start = len(one.drawn)
        await run(hub, sky, f"cat {hub.paths.data}/hostile; echo; echo ov''er")
        await one.until(lambda: b"over" in one.drawn[start:])
        drawn = one.drawn[start:]
        assert b"link" in drawn
        assert b"aGFja2Vk" not in drawn and b"javascript" not in drawn
        assert not re.search(rb"\x1b[\]P_^X]", drawn)
        assert not re.search(rb"\x1b\[[?>=]?[0-9;]*[cnt]", drawn)


async def test_a_hub_that_is_gone_leaves_no_client_behind(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub) as one:
        await one.open(sky)
        assert len(await viewers(hub)) == 1
        hub.runtime.leave()
        await hub.runtime.terminals.stop()
        await until_answer(lambda: _count(hub, 0))


async def test_a_hub_that_is_killed_leaves_no_client_behind() -> None:
    async with LiveHub("none") as hub:
        sky = await hub.spawn()
        tmux = ["tmux", "-S", os.fspath(hub.paths.tmux_socket), "list-clients", "-F", "#{client_flags}"]

        async def looking() -> int:
            process = await asyncio.create_subprocess_exec(*tmux, stdout=asyncio.subprocess.PIPE)
            flags, _ = await process.communicate()
            return flags.count(b"read-only")

        async with TermPage(hub.url, hub.token, "one") as one:
            await one.open(sky)
            assert await looking() == 1
            await hub.kill()
            await until_answer(lambda: _is(looking(), 0))
        await hub.start()
        async with TermPage(hub.url, hub.token, "one") as one:
            await one.open(sky)
            assert await looking() == 1


async def _is(answer: Awaitable[int], wanted: int) -> bool:
    return await answer == wanted


@pytest.mark.parametrize(
    ("kind", "facts", "code"),
    [
        ("term_open", {"session_id": "nobody"}, "not_found"),
        ("term_open", {}, "usage"),
        ("term_take", {"slot": "1", "on": True}, "usage"),
    ],
)
async def test_bad_messages_are_explained(hub: RealHub, kind: str, facts: dict[str, object], code: str) -> None:
    async with page(hub) as one:
        await one.say(kind, **facts)
        assert (await one.until(lambda: one.of("error")))[0]["code"] == code


async def test_a_frame_that_was_never_sent_cannot_be_drawn(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub) as one:
        await one.open(sky)
        await one.say("term_seen", slot=one.slot, seq=99)
        assert (await one.until(lambda: one.of("error")))[0]["code"] == "usage"
        await one.say("term_seen", slot=one.slot + 1, seq=99)  # of a view that is over: no news
        await one.take()
        await one.type("x" * (terminals.INPUT_LIMIT_BYTES + 1))
        await one.until(lambda: [error for error in one.of("error") if error["code"] == "too_large"])


async def test_no_view_is_opened_twice_for_one_page(hub: RealHub) -> None:
    sky, nova = await shell(hub), await shell(hub)
    async with page(hub) as one:
        await one.open(sky)
        await one.open(nova)
        await until_answer(lambda: _count(hub, 1))
        await run(hub, sky, "echo not he''re")
        await run(hub, nova, "echo he''re")
        await one.until(lambda: b"here" in one.drawn)
        assert b"not here" not in one.drawn


async def test_what_has_gone_off_the_top_can_be_read(hub: RealHub) -> None:
    sky = await shell(hub)
    async with page(hub) as one:
        await one.open(sky)
        await one.say("term_earlier", slot=one.slot)
        assert (await one.until(lambda: one.of("term_earlier")))[0]["lines"] == []
        await run(hub, sky, "printf '\\033[31mfirst\\033[0m\\n'; seq 1 3000; echo do''ne")
        await one.until(lambda: b"done" in one.drawn)
        await one.say("term_earlier", slot=one.slot)
        lines = (await one.until(lambda: one.of("term_earlier")[1:]))[0]["lines"]
        assert len(lines) == terminals.EARLIER_LINES
        top = int((await hub.runtime.tmux.capture(pane(hub, sky))).split("\n")[0])
        assert lines[-1] == str(top - 1)
        await run(hub, sky, "clear; tput smcup 2>/dev/null || printf '\\033[?1049h'; echo al''ternate")
        await one.until(lambda: b"alternate" in one.drawn)
        await one.say("term_earlier", slot=one.slot)
        assert (await one.until(lambda: one.of("term_earlier")[2:]))[0]["lines"] == []


def test_very_colourful_lines_are_fewer() -> None:
    assert terminals._newest(["a" * 9, "b" * 9, "c" * 9], 20) == ["b" * 9, "c" * 9]
    assert terminals._newest(["a" * 9, "b"], 20) == ["a" * 9, "b"]
    assert terminals._newest(["a" * 30], 20) == []
    assert terminals._newest([], 20) == []
