"""What an agent does with its tools, gathered to one line of its conversation. Pure: signs and time come in, bursts go out.

A burst is told once: when the agent says something, is told something, rests, or has been at it for long. What talks through
clawmux itself is no work: the conversation shows it anyway.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from clawmux.wire.signs import ToolBegan, ToolEnded, ToolFailed

MOST_ITEMS = 60
"""Of one burst; what is beyond is counted only."""
MOST_RUNNING = 60
LONG_SECONDS = 120.0
"""A burst that goes on for longer is told in pieces, so that somebody who looks sees it go on."""
_OWN_TOOLS = re.compile(r"mcp__clawmux(?:__|$)")
_OWN_COMMANDS = re.compile(r"""(?:^|[|;&]\s*)["']?(?:[^\s"'|;&]*/)?clawmux["']?\s+[a-z]""")


@dataclass(frozen=True, slots=True)
class Burst:
    items: tuple[dict[str, Any], ...]
    """``{tool, detail, seconds, ok}`` each, in the order of their ends."""
    seconds: float
    """From the beginning of the first to the end of the last."""
    left: int
    """So many more have no item of their own."""


class Work:
    """Of one agent. Times are seconds of the caller's clock."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[ToolBegan, float]] = {}
        """By the id of the use, oldest first: what, and since when."""
        self._failed: set[str] = set()
        """Of those that run."""
        self._items: list[dict[str, Any]] = []
        self._uses: list[str] = []
        """The ids of the items' uses."""
        self._left = 0
        self._first = 0.0
        self._last = 0.0

    def began(self, tool: ToolBegan, now: float) -> None:
        if is_talk(tool.tool, tool.detail) or len(self._running) >= MOST_RUNNING:
            return
        self._running.setdefault(tool.use, (tool, now))

    def ended(self, tool: ToolEnded, now: float) -> None:
        # The id stands behind the tool's output, and may be cut off with it.
        same = (use for use, (running, _) in self._running.items() if running.tool == tool.tool)
        use = tool.use if tool.use in self._running else next(same, "")
        if found := self._running.pop(use, None):
            self._add(use, *found, now, tool.ok and use not in self._failed)
            self._failed.discard(use)

    def failed(self, tool: ToolFailed) -> None:
        """What was told already stays as it is."""
        if tool.use in self._running:
            self._failed.add(tool.use)
        elif tool.use in self._uses:
            self._items[self._uses.index(tool.use)]["ok"] = False

    def stopped(self, now: float) -> None:
        """The agent rests: what has not ended was interrupted, and nobody tells of its end."""
        for use, (tool, since) in self._running.items():
            self._add(use, tool, since, now, ok=False)
        self._running.clear()
        self._failed.clear()

    def is_long(self, now: float) -> bool:
        """Nothing runs just now, and a piece is due."""
        return bool(self._items) and not self._running and now - self._first > LONG_SECONDS

    def look(self) -> Burst | None:
        """What has ended since the last one was taken; None: nothing."""
        if not self._items:
            return None
        return Burst(tuple(self._items), round(self._last - self._first, 1), self._left)

    def take(self) -> Burst | None:
        """The same, and it counts as told."""
        burst = self.look()
        self._items, self._uses, self._left = [], [], 0
        return burst

    def _add(self, use: str, tool: ToolBegan, since: float, now: float, ok: bool) -> None:
        self._first = min(self._first, since) if self._items else since
        self._last = now
        if len(self._items) < MOST_ITEMS:
            self._items.append({"tool": tool.tool, "detail": tool.detail, "seconds": round(now - since, 1), "ok": ok})
            self._uses.append(use)
        else:
            self._left += 1


def is_talk(tool: str, detail: str) -> bool:
    return bool(_OWN_TOOLS.match(tool) or _OWN_COMMANDS.search(detail))
