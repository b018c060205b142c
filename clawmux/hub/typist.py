"""Typing into agents, messages and the user's words alike: one text at a time for each, in the way its program prefers.

Knows how to type; what is typed and when is decided elsewhere.
"""

from __future__ import annotations

import asyncio

from clawmux.adapters import headers
from clawmux.adapters.injection import Found
from clawmux.adapters.tmux import Tmux
from clawmux.core.session import Session
from clawmux.hub.agents import Agents
from clawmux.wire.errors import ClawMuxError


class Typist:
    def __init__(self, agents: Agents, tmux: Tmux) -> None:
        self._agents = agents
        self._tmux = tmux
        self._locks: dict[str, asyncio.Lock] = {}

    def can_type(self, session: Session) -> bool:
        """Whether its program takes typed text at all."""
        runtime = self._agents.runtime_of(session)
        return runtime is not None and runtime.input is not None

    async def type(self, session_id: str, text: str, over_scrolling: bool = False) -> bool:
        """Hand the text to the agent as one prompt; True when its program is known to have it. ``over_scrolling``: also while
        somebody scrolls in its terminal.

        Raises ``conflict`` with the reason while nothing of it has been submitted, ``not_found`` when the session has ended.
        """
        session = self._agents.get(session_id)
        runtime = self._agents.runtime_of(session)
        if runtime is None or runtime.input is None:
            raise ClawMuxError("conflict", f"{session.name.capitalize()} takes words only when it asks something.")
        async with self._locks.setdefault(session_id, asyncio.Lock()):
            sent = await self._tmux.inject(session.pane_id, text, runtime.input, over_scrolling)
        ids = headers.ids_in(text)
        return bool(ids) and sent.issuperset(ids)

    async def look_for(self, session_id: str, message_id: str) -> bool:
        """Whether the message stands on the agent's screen as sent: it was typed before the hub ended."""
        session = self._agents.get(session_id)
        runtime = self._agents.runtime_of(session)
        if runtime is None or runtime.input is None:
            return False
        found = await self._tmux.look_for(session.pane_id, [message_id], runtime.input)
        return found[message_id] is Found.SENT

    def forget(self, session_id: str) -> None:
        """The session has ended."""
        self._locks.pop(session_id, None)
