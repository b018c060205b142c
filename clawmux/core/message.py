"""What a message between agents is made of: its words, how far it has come, and the effects Broker asks for. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from clawmux.wire.words import MessageState

LIVING = (MessageState.QUEUED, MessageState.INJECTING, MessageState.PENDING)
"""States of a message that something can still happen to by itself."""

USER = "user"
"""The sender of what a person sends: from the page, or from a shell that belongs to no session."""
EVERYBODY = "all"
"""A recipient that stands for every living agent but the sender."""
ANNOUNCED_BYTES = 2048
"""A text of more UTF-8 bytes is kept, and only announced in the recipient's input."""
# A header is about 60 characters with names of eight; an announcement or a reminder some 140.
_HEADER_CHARACTERS = 80
_ANNOUNCEMENT_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    sender: str
    """A session's id, or USER."""
    recipient: str
    """A session's id."""
    text: str
    expects_response: bool = False
    re: str = ""
    """The message that this one answers. Such a one is done when it was taken: nobody has to acknowledge an answer."""
    hops: int = 0
    """How many messages led to it since a person spoke (``core.loops``)."""

    @property
    def is_announced(self) -> bool:
        return len(self.text) > ANNOUNCED_BYTES or len(self.text.encode(errors="replace")) > ANNOUNCED_BYTES

    @property
    def typed_characters(self) -> int:
        """About how much of it is typed."""
        return _ANNOUNCEMENT_CHARACTERS if self.is_announced else _HEADER_CHARACTERS + len(self.text)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far one message has come. Frozen: every change is a new value, stored and shown as one."""

    message: Message
    order: int = 0
    """Place among the living messages; given by the broker."""
    state: MessageState = MessageState.QUEUED
    tries: int = 0
    """How often it, or a reminder of it, was typed."""
    is_taken: bool = False
    """The recipient's program is known to have it."""
    reply: str = ""
    reason: str = ""
    """Why it came to nothing."""
    owed: bool = False
    """The sender has not been told yet of what became of it: no command has printed its reply, say."""

    @property
    def is_living(self) -> bool:
        return self.state in LIVING


class Reading(Enum):
    """Whether a recipient reads what is typed to it."""

    OPEN = "open"
    """It does: its messages are typed, and the time until the next try runs."""
    BUSY = "busy"
    """It takes new messages in the middle of a turn; for what it has already, the time stands."""
    CLOSED = "closed"
    """In a dialog, in copy mode, in a call of its own: nothing is typed, and the time stands."""


# -- effects --


@dataclass(frozen=True, slots=True)
class Inject:
    """Type these into the recipient's input: answer ``typed`` or ``held`` with the same ids, or ``session_ended``."""

    recipient: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Remind:
    """Type a line for each of these, which the recipient has: answer as for ``Inject``."""

    recipient: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LookFor:
    """The hub ended while this may have been typed; see whether it was: answer ``found``."""

    recipient: str
    id: str


@dataclass(frozen=True, slots=True)
class Changed:
    """Store it, show it, and release who waits for what it has become. It stands before the typing that it allows."""

    delivery: Delivery


Effect = Inject | Remind | LookFor | Changed
