"""Typing into agents, messages and the user's words alike: one text at a time for each, in the way its program prefers.

Knows how to type; what is typed and when is decided elsewhere.
"""

from __future__ import annotations

import asyncio

from clawmux.adapters.injection import Found
from clawmux.adapters.screen import InputRules
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

    async def type(self, session_id: str, text: str, over_scrolling: bool = False) -> frozenset[str]:
        """Hand the text to the agent as one prompt, or as few as it takes well; ``over_scrolling``: also while somebody scrolls
        in its terminal.

        Answers the ids of the messages in it that its program is known to have. Raises ``Held`` with the reason, and with the
        same of what was handed over before, ``conflict`` when it takes no text, ``not_found`` when it has ended.
        """
        session, rules = self._keyboard(session_id)
        async with self._locks.setdefault(session_id, asyncio.Lock()):
            return await self._tmux.inject(session.pane_id, text, rules, over_scrolling)

    async def look_for(self, session_id: str, message_id: str) -> bool:
        """Whether a message that may have been typed before the hub ended was, and sent. What stands in the input box only
        in part is finished when it is typed again."""
        session, rules = self._keyboard(session_id)
        found = await self._tmux.look_for(session.pane_id, [message_id], rules)
        return found[message_id] is Found.SENT

    def _keyboard(self, session_id: str) -> tuple[Session, InputRules]:
        session = self._agents.get(session_id)
        runtime = self._agents.runtime_of(session)
        if runtime is None or runtime.input is None:
            raise ClawMuxError("conflict", f"{session.name.capitalize()} takes words only when it asks something.")
        return session, runtime.input

    def forget(self, session_id: str) -> None:
        """The session has ended."""
        self._locks.pop(session_id, None)
