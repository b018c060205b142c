"""Typing messages into an agent's input box as a person would, and being sure of it. Decides nothing about which messages.

What was sent stands on the screen, outside the box: that is the proof of it, also for a hub that was ended meanwhile. What
stands in the box under a header of ours is our own half-typed text. Everything else in the box is somebody's draft, which is
put away and comes back, or waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from clawmux.adapters import headers
from clawmux.adapters.pasting import Drafted, Held, Pasting, Server
from clawmux.adapters.screen import InputRules
from clawmux.wire.errors import ClawMuxError

# What a program draws around what is typed: frames and hints below, some of what was said above; and beside it.
ROWS_AROUND = 8
MARGIN = 6


class Found(StrEnum):
    """Where a message is seen in a pane."""

    NOWHERE = "nowhere"
    BOX = "box"
    """Typed at least in part, and not sent."""
    SENT = "sent"


@dataclass(slots=True)
class Keyboard:
    """What belongs to one pane between two typings: only one types at a time, and knows what the last one left in the box."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    unfinished: list[str] = field(default_factory=list)


async def inject(
    server: Server,
    pane_id: str,
    text: str,
    rules: InputRules,
    keyboard: Keyboard | None = None,
    over_scrolling: bool = False,
    is_new: bool = False,
) -> frozenset[str]:
    """Type a message, or a batch of them in as few inputs as the box takes well, and send it. Answers the ids of those that
    then stand on the screen as taken; one that stands there already is not typed again. Raises ``Held`` with the reason while
    it may not be done. ``over_scrolling``: also while somebody scrolls in the pane, or has just pressed a key there. ``is_new``:
    no hub has ever begun to type any of it, so it is not searched for in what has scrolled off."""
    keyboard = keyboard or Keyboard()
    left = [_checked(message, rules) for message in headers.apart(headers.sanitise(text))]
    wanted = frozenset(headers.ids_in(text))
    sent: frozenset[str] = frozenset()
    try:
        while True:
            pasting = Pasting(server, pane_id, rules, headers.batch(left), over_scrolling)
            screen = await pasting.look(history=not is_new)
            if is_new and screen.draft:
                # Perhaps an older message, which was sent, and which an Escape has put back into the box.
                screen = await pasting.look()
            sent |= wanted.intersection(headers.ids_in(screen.above))
            left = headers.without(sent, left)
            if not left:
                return await pasting.known(sent)
            group = _first_of(left, rules, pasting.width, pasting.height)
            known = [*left, *keyboard.unfinished]
            before, keyboard.unfinished = keyboard.unfinished, group
            try:
                await pasting.type(screen, headers.batch(group), known)
            except Drafted:
                keyboard.unfinished = before
                raise
            sent |= await pasting.send(headers.ids_in(headers.batch(group)))
            keyboard.unfinished = []
            left = left[len(group) :]
            if not left:
                return await pasting.known(sent)
    except Held as held:
        held.sent |= sent
        raise


async def look_for(server: Server, pane_id: str, ids: Collection[str], rules: InputRules) -> dict[str, Found]:
    """Whether messages that may have been typed by a hub that was ended since stand in this pane."""
    seen = await Pasting(server, pane_id, rules).read()
    above, box = headers.ids_in(seen.screen.above), headers.ids_in(seen.screen.draft)
    return {id: Found.SENT if id in above else Found.BOX if id in box else Found.NOWHERE for id in ids}


def _first_of(messages: list[str], rules: InputRules, width: int, height: int) -> list[str]:
    """So many as fit into one input, of which all can be seen in a pane of this size; at least one."""
    most_rows = min(rules.most_lines, height - ROWS_AROUND)
    chars = rows = 0
    for number, message in enumerate(messages):
        chars += len(message) + 1
        rows += sum(1 + len(line) // max(width - MARGIN, 1) for line in message.split("\n"))
        if number and (chars > rules.most_chars or rows > most_rows):
            return messages[:number]
    return messages


def _checked(message: str, rules: InputRules) -> str:
    if not message:
        raise ClawMuxError("usage", "the message is empty.", "Say something.")
    if len(message) > rules.most_chars:
        raise ClawMuxError(
            "too_large", f"the message has {len(message)} characters; {rules.most_chars} fit.", "Send less at a time."
        )
    if message[0] in rules.commands:
        raise Held(f"a message that begins with {message[0]} would be run as a command")
    return message
