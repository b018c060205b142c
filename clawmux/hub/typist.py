"""Typing into agents, messages and the user's words alike: one text at a time for each, in the way its program prefers.

Knows how to type; what is typed and when is decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from clawmux.adapters import headers
from clawmux.adapters.injection import Found
from clawmux.adapters.pasting import Held
from clawmux.adapters.runtimes.channels import Channel, Decides, open_channel
from clawmux.adapters.runtimes.manifest import Runtime
from clawmux.adapters.tmux import Tmux
from clawmux.core.session import Session
from clawmux.hub.agents import Agents
from clawmux.hub.programs import program_of
from clawmux.paths import Paths
from clawmux.wire.errors import ClawMuxError


class Typist:
    def __init__(self, agents: Agents, tmux: Tmux, paths: Paths, is_taken: Callable[[str], bool] = lambda _: False) -> None:
        """``is_taken``: whether somebody has an agent's keyboard in a page."""
        self._is_taken = is_taken
        self._agents = agents
        self._tmux = tmux
        self._paths = paths
        self._locks: dict[str, asyncio.Lock] = {}
        self._channels: dict[str, tuple[int, Channel | None]] = {}
        """By session, with the process that it leads to."""

    def can_type(self, session: Session) -> bool:
        """Whether its program takes texts at all."""
        runtime = self._agents.runtime_of(session)
        return runtime is not None and (runtime.input is not None or runtime.channel is not None)

    def has_channel(self, session: Session) -> bool:
        """Whether it can be handed a text while somebody scrolls in its terminal."""
        runtime = self._agents.runtime_of(session)
        return runtime is not None and runtime.channel is not None

    def writes_records(self, session_id: str) -> bool:
        """Whether its program writes down the prompts that it takes."""
        session = self._agents.alive(session_id)
        runtime = self._agents.runtime_of(session) if session else None
        return runtime is not None and bool(runtime.records)

    async def type(self, session_id: str, text: str, over_scrolling: bool = False, is_new: bool = False) -> frozenset[str]:
        """Hand the text to the agent as one prompt, or as few as it takes well; ``over_scrolling``: also while somebody scrolls
        or types in its terminal; ``is_new``: no hub has ever begun to hand over any of it.

        Answers the ids of the messages in it that its program is known to have. Raises ``Held`` with the reason, and with the
        same of what was handed over before, ``conflict`` when it takes no text, ``not_found`` when it has ended.
        """
        session, runtime = self._reader(session_id)
        async with self._locks.setdefault(session_id, asyncio.Lock()):
            if self._is_taken(session_id) and not over_scrolling:
                raise Held("somebody types in its terminal from a page")
            if runtime.channel is not None and runtime.channel.first:
                return await self._by_channel_or_box(session, runtime, text, over_scrolling)
            return await self._by_box_or_channel(session, runtime, text, over_scrolling, is_new)

    async def look_for(self, session_id: str, message_id: str) -> bool:
        """Whether a message that may have been typed before the hub ended was, and sent. What stands in the input box only
        in part is finished when it is typed again."""
        session, runtime = self._reader(session_id)
        channel = self._channel(session, runtime)
        if channel is not None and await channel.has(message_id):
            return True
        if runtime.input is None:
            return False
        found = await self._tmux.look_for(session.pane_id, [message_id], runtime.input)
        return found[message_id] is Found.SENT

    def has_left(self, session_id: str, lines: Iterable[str]) -> None:
        """These may stand in its input box, typed and not sent by a hub that has ended."""
        self._tmux.has_left(self._agents.get(session_id).pane_id, lines)

    def decides(self, session_id: str) -> bool:
        """Whether its program has an interface by which its permission questions can be answered."""
        session, runtime = self._reader(session_id)
        return isinstance(self._channel(session, runtime), Decides)

    async def decide(self, session_id: str, request: str, allow: bool, text: str) -> None:
        """Answer such a question in the user's stead. Raises ``conflict`` when it is not open any more."""
        session, runtime = self._reader(session_id)
        channel = self._channel(session, runtime)
        assert isinstance(channel, Decides)
        await channel.decide(request, allow, text)

    def forget(self, session_id: str) -> None:
        """The session has ended."""
        self._locks.pop(session_id, None)
        self._channels.pop(session_id, None)

    # -- ways --

    async def _by_channel_or_box(self, session: Session, runtime: Runtime, text: str, over_scrolling: bool) -> frozenset[str]:
        """A program without a conversation has none to hand the text to; then it is typed, which begins one."""
        try:
            return await self._by_channel(session, runtime, text)
        except ClawMuxError:
            if runtime.input is None:
                raise
        return await self._by_box(session, runtime, text, over_scrolling)

    async def _by_box_or_channel(
        self, session: Session, runtime: Runtime, text: str, over_scrolling: bool, is_new: bool
    ) -> frozenset[str]:
        try:
            return await self._by_box(session, runtime, text, over_scrolling, is_new)
        except Held as held:
            # What stands in the box already would come twice.
            if runtime.channel is None or held.sent or self._tmux.has_unfinished(session.pane_id):
                raise
            try:
                return await self._by_channel(session, runtime, text)
            except ClawMuxError:
                raise held from None

    async def _by_box(
        self, session: Session, runtime: Runtime, text: str, over_scrolling: bool, is_new: bool = False
    ) -> frozenset[str]:
        if runtime.input is None:
            raise _takes_none(session)
        return await self._tmux.inject(session.pane_id, text, runtime.input, over_scrolling, is_new)

    async def _by_channel(self, session: Session, runtime: Runtime, text: str) -> frozenset[str]:
        channel = self._channel(session, runtime)
        if channel is None:
            raise _takes_none(session)
        await channel.deliver(text)
        return frozenset(headers.ids_in(text))

    def _channel(self, session: Session, runtime: Runtime) -> Channel | None:
        pid, channel = self._channels.get(session.id, (0, None))
        if runtime.channel is not None and pid != session.pid:
            channel = open_channel(runtime.channel.kind, program_of(session, self._paths))
            self._channels[session.id] = (session.pid, channel)
        return channel

    def _reader(self, session_id: str) -> tuple[Session, Runtime]:
        session = self._agents.get(session_id)
        runtime = self._agents.runtime_of(session)
        if runtime is None or not self.can_type(session):
            raise _takes_none(session)
        return session, runtime


def _takes_none(session: Session) -> ClawMuxError:
    return ClawMuxError("conflict", f"{session.name.capitalize()} takes words only when it asks something.")
