"""Typing a message into an agent's input box as a person would, and being sure of it. Decides nothing about which message.

Everything goes in by paste-buffer: it reaches the agent even while somebody scrolls in the pane (copy mode). Every paste
stands in an if-shell of the same command list that asks first whether the pane is alive, because a paste into a dead pane ends
tmux 3.3a; the Enter asks for dialogs as well, because Enter in a permission dialog approves it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from clawmux.adapters.screen import REFUSALS, Box, InputRules, Screen, chunks, read_screen, same_words, sanitise
from clawmux.wire.errors import ClawMuxError

MOST_ENTERS = 3
# A busy screen shows a paste or takes an Enter within half a second; 8 KB of text were measured to take 2.5 s.
SHOWN_SECONDS = 3.0
LOOK_AGAIN_SECONDS = 0.03


class Server(Protocol):
    async def command(self, *commands: Sequence[str]) -> list[str]: ...

    async def capture(self, pane_id: str) -> str: ...


async def inject(server: Server, pane_id: str, text: str, rules: InputRules) -> None:
    """Raises ``conflict`` with the reason while nothing of the message has been submitted; returns when it has been."""
    message = _checked(text, rules)
    pasting = Pasting(server, pane_id, rules, message)
    screen = await pasting.look()
    # A refused Enter has left the message in the box; then it only needs its Enter now.
    if not same_words(screen.draft, message):
        if screen.draft:
            await pasting.stash()
        await pasting.type()
    await asyncio.sleep(rules.settle_ms / 1000)
    for _ in range(MOST_ENTERS):
        await pasting.enter()
        if await pasting.wait(lambda screen: screen.box is not Box.OPEN or not same_words(screen.draft, message)):
            return
    raise _refused("it did not take the Enter; the message stands in its input box")


class Pasting:
    """One message on its way into one pane, through a buffer of its own."""

    def __init__(self, server: Server, pane_id: str, rules: InputRules, message: str) -> None:
        self._message = message
        self._server = server
        self._pane_id = pane_id
        self._rules = rules
        self._buffer = f"clawmux-{secrets.token_hex(6)}"

    async def look(self) -> Screen:
        """The screen with its open box; raises when there is none."""
        answer = await self._server.command(["display-message", "-p", "-t", self._pane_id, "#{pane_dead}"])
        if answer != ["0"]:
            raise _refused("its program has ended")
        screen = await self._read()
        if screen.box is not Box.OPEN:
            raise _refused(REFUSALS[screen.box])
        return screen

    async def stash(self) -> None:
        """Put the draft away. Never on an empty box: there the same key brings an old draft back."""
        if not self._rules.stash_key:
            raise _refused("somebody has typed into its input box")
        await self.paste(self._rules.stash_key, "-r")
        if not await self.wait(lambda screen: screen.box is Box.OPEN and not screen.draft):
            raise _refused("the half-typed text in its input box could not be put away")

    async def type(self) -> None:
        whole = self._message + (" " if self._rules.trailing_space else "")
        for number, piece in enumerate(chunks(whole, self._rules)):
            if number:
                await asyncio.sleep(self._rules.chunk_pause_ms / 1000)
            await self.paste(piece, "-p", "-r")
        if not await self.wait(lambda screen: screen.box is not Box.OPEN or same_words(screen.draft, self._message)):
            raise _refused("its input box does not show the message")

    async def enter(self) -> None:
        await self.look()
        await self.paste("\r", "-r", unless_shown=self._rules.dialogs)

    async def wait(self, happened: Callable[[Screen], bool]) -> bool:
        deadline = time.monotonic() + SHOWN_SECONDS
        while not happened(await self._read()):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        return True

    async def _read(self) -> Screen:
        return read_screen(await self._server.capture(self._pane_id), self._rules, self._message)

    async def paste(self, data: str, *options: str, unless_shown: Sequence[str] = ()) -> None:
        refused = "#{pane_dead}"
        for words in unless_shown:
            escaped = words.replace("#", "##").replace(",", "#,").replace("}", "#}")
            refused = f"#{{||:{refused},#{{C:{escaped}}}}}"
        answer = await self._server.command(
            ["set-buffer", "-b", self._buffer, "--", data],
            [
                *("if-shell", "-F", "-t", self._pane_id, refused),
                f"delete-buffer -b {self._buffer} ; display-message -p refused",
                f"paste-buffer -d {' '.join(options)} -b {self._buffer} -t {self._pane_id}",
            ],
        )
        if answer:
            raise _refused("its program has ended or has opened a dialog")


def _checked(text: str, rules: InputRules) -> str:
    message = sanitise(text)
    if not message:
        raise ClawMuxError("usage", "the message is empty.", "Say something.")
    if len(message) > rules.most_chars:
        raise ClawMuxError(
            "too_large", f"the message has {len(message)} characters; {rules.most_chars} fit.", "Send less at a time."
        )
    if message[0] in rules.commands:
        raise _refused(f"a message that begins with {message[0]} would be run as a command")
    return message


def _refused(reason: str) -> ClawMuxError:
    return ClawMuxError("conflict", f"nothing was typed into the agent: {reason}.", "Try again when it is ready for text.")
