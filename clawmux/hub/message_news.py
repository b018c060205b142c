"""What pages are told of messages: lines in the conversations of both sides, and notices of what did not arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from clawmux.core.message import USER, Delivery
from clawmux.hub.joining import Joining
from clawmux.hub.message_store import Kept
from clawmux.wire.words import MessageState


@dataclass(frozen=True, slots=True)
class Line:
    """An effect: a line in the conversation of one side. It stands behind what the effects before it say."""

    session_id: str
    direction: str
    peer: str
    text: str
    message_id: str
    re: str


class MessageNews:
    def __init__(self, hub: Joining, told: Callable[[Iterable[Delivery]], None]) -> None:
        """``told``: takes the messages of whose end the user has been told."""
        self._hub = hub
        self._told = told
        self._ended: list[Kept] = []
        """What is owed to their senders, and not shown yet."""

    def name_of(self, side: str) -> str:
        session = self._hub.agents.alive(side)
        return session.name if session else side

    def arrived(self, delivery: Delivery) -> None:
        """Once it was typed, or read without that, it belongs into its recipient's conversation."""
        message = delivery.message
        if delivery.tries or delivery.state in (MessageState.ACKNOWLEDGED, MessageState.RESPONDED):
            self.said(message.recipient, "in", message.sender, message.text, message.id, message.re)

    def line(self, line: Line) -> None:
        self.said(line.session_id, line.direction, line.peer, line.text, line.message_id, line.re)

    def said(self, session_id: str, direction: str, peer: str, text: str, message_id: str, re: str) -> None:
        """A line in the conversation of one side; the user has none."""
        if session_id != USER:
            self._hub.journal.event(
                "agent_message", session_id, msg_id=message_id, direction=direction, peer=peer,
                peer_name=self.name_of(peer), text=text, re=re,
            )  # fmt: skip

    def ended(self, kept: Kept) -> None:
        """Its sender is owed the word of what became of it."""
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._tell)
        self._ended.append(kept)

    def _tell(self) -> None:
        """One notice for all that failed in one moment between the same two."""
        ended, self._ended = self._ended, []
        together: dict[tuple[str, str, str], list[Kept]] = {}
        for kept in [kept for kept in ended if kept.delivery.state in (MessageState.FAILED, MessageState.UNDELIVERABLE)]:
            together.setdefault((kept.message.sender, kept.message.recipient, kept.delivery.reason), []).append(kept)
        for (sender, _, reason), some in together.items():
            whose = "of yours" if sender == USER else f"from {some[0].sender_name.capitalize()}"
            number = "A message" if len(some) == 1 else f"{len(some)} messages"
            self._hub.notice(
                None if sender == USER else sender, "warn",
                f"{number} {whose} to {some[0].recipient_name.capitalize()} did not arrive. {reason}",
                f"See `clawmux trace {some[-1].message.id}`.",
            )  # fmt: skip
        # With a page open that was the user's telling; else, like an agent, they are told by their next `clawmux status`.
        if len(self._hub.pages):
            self._told(kept.delivery for kept in ended if kept.message.sender == USER)
