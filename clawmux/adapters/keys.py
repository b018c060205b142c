"""Pressing keys in an agent's pane, and pasting there. Decides nothing about which and when."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from typing import Protocol

from clawmux.wire.errors import ClawMuxError

# An Escape that comes together with other keys is taken for the beginning of theirs; and the second of two counts only once the
# program has drawn that it waits for it.
APART_SECONDS = 0.5
# Cursor keys have two spellings (DECCKM); a terminal that shows tmux's drawing knows only which of them tmux wants.
_CURSOR_KEY = re.compile(r"\x1b[O\[]([ABCDHF])")


class Server(Protocol):
    async def command(self, *commands: Sequence[str]) -> list[str]: ...


async def press(server: Server, pane_id: str, keys: str, presses: int) -> None:
    """As a paste without brackets, which reaches the program through copy mode too; never into a dead pane, which ends tmux 3.3a.

    Raises ``conflict`` when the program has ended.
    """
    for number in range(presses):
        if number:
            await asyncio.sleep(APART_SECONDS)
        await _put(server, pane_id, keys, "-r")


async def type_keys(server: Server, pane_id: str, keys: str) -> None:
    """What somebody types at a terminal, with the cursor keys as the pane's program wants them at the moment. As ``press``."""
    if _CURSOR_KEY.search(keys):
        (flag,) = await server.command(["display-message", "-p", "-t", pane_id, "#{keypad_cursor_flag}"])
        keys = _CURSOR_KEY.sub("\x1bO\\1" if flag == "1" else "\x1b[\\1", keys)
    await _put(server, pane_id, keys, "-r")


async def paste(server: Server, pane_id: str, text: str) -> None:
    """A text as one paste: between brackets when the program has asked for them, its lines ended as Enter does. As ``press``."""
    await _put(server, pane_id, text, "-p")


async def _put(server: Server, pane_id: str, text: str, option: str) -> None:
    buffer = f"clawmux-{secrets.token_hex(6)}"
    answer = await server.command(
        ["set-buffer", "-b", buffer, "--", text],
        [
            *("if-shell", "-F", "-t", pane_id, "#{pane_dead}"),
            f"delete-buffer -b {buffer} ; display-message -p refused",
            f"paste-buffer -d {option} -b {buffer} -t {pane_id}",
        ],
    )
    if answer:
        raise ClawMuxError("conflict", "no key was pressed in the agent: its program has ended.", "Start it again.")
