"""What an agent, its program's hooks or the owner's shell ask of the hub, as values: one for each verb of ``wire.cli``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Converse:
    """Say ``text`` to the user and answer with what they say; or wait on for the answer of ``resume``."""

    text: str
    """Cleaned; empty only with ``resume``."""
    listen: bool = True
    goodbye: bool = False
    timeout_seconds: float = 0.0
    """0: as long as settings and runtime allow."""
    resume: str = ""
    """Id of an earlier converse that ended with ``still_listening``."""


@dataclass(frozen=True, slots=True)
class Status:
    """The caller's own session in words, with what it has not been told yet; or another one, or all."""

    name: str = ""
    all: bool = False
    json: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """A message to other agents, each of whom gets one of their own."""

    to: tuple[str, ...]
    """Names or ids as they were given; ``all``: every other living agent."""
    text: str
    wait: Literal["", "ack", "response"] = ""
    timeout_seconds: float = 0.0
    """0: 30 s for an acknowledgment, 120 s for a response."""


@dataclass(frozen=True, slots=True)
class Ack:
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Messages:
    """The newest messages that the caller has sent or got; all of them for the owner."""

    with_name: str = ""
    limit: int = 20
    json: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """Every step of one message."""

    id: str
    json: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take back a message that was not typed yet."""

    id: str


@dataclass(frozen=True, slots=True)
class Inbox:
    """The whole text of one message to the caller; without an id, a list of what waits for them."""

    id: str = ""
    json: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What the caller works on, for status and page."""

    text: str


@dataclass(frozen=True, slots=True)
class Decide:
    """approve and deny: answer the permission question that ``name`` waits with."""

    name: str
    allow: bool
    text: str = ""
    """Why not; told to the agent."""
    request: str = ""
    """The question that is meant; empty: the one that stands now."""


@dataclass(frozen=True, slots=True)
class InterruptTurn:
    """Stop the turn of ``name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Hook:
    """What an agent program's own hook says: its JSON, unread, perhaps cut at its end."""

    body: str


@dataclass(frozen=True, slots=True)
class CancelConverse:
    id: str


@dataclass(frozen=True, slots=True)
class Help:
    verb: str
    """Empty: all verbs."""


Request = (
    Converse | Status | CancelConverse | Help
    | Send | Ack | Reply | Messages | Trace | Cancel | Inbox | Report | Decide | InterruptTurn | Hook
)  # fmt: skip
