"""Pressing a key in an agent's pane: what stops its turn, nothing that answers or submits. Decides nothing about when."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Protocol

from clawmux.wire.errors import ClawMuxError

# An Escape that comes together with other keys is taken for the beginning of theirs; and the second of two counts only once the
# program has drawn that it waits for it.
APART_SECONDS = 0.5


class Server(Protocol):
    async def command(self, *commands: Sequence[str]) -> list[str]: ...


async def press(server: Server, pane_id: str, keys: str, presses: int) -> None:
    """As a paste without brackets, which reaches the program through copy mode too; never into a dead pane, which ends tmux 3.3a.

    Raises ``conflict`` when the program has ended.
    """
    buffer = f"clawmux-{secrets.token_hex(6)}"
    for number in range(presses):
        if number:
            await asyncio.sleep(APART_SECONDS)
        answer = await server.command(
            ["set-buffer", "-b", buffer, "--", keys],
            [
                *("if-shell", "-F", "-t", pane_id, "#{pane_dead}"),
                f"delete-buffer -b {buffer} ; display-message -p refused",
                f"paste-buffer -d -r -b {buffer} -t {pane_id}",
            ],
        )
        if answer:
            raise ClawMuxError("conflict", "no key was pressed in the agent: its program has ended.", "Start it again.")
