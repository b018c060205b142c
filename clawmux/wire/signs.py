"""What is observed of an agent program: by its hooks, its own records, its screen, its process. Values only.

Adapters make them, ``core.state`` weighs them. Times are seconds of the clock that the hub passes around (monotonic).
"""

from __future__ import annotations

from dataclasses import dataclass

from clawmux.wire.words import Activity, Kind, Source


@dataclass(frozen=True, slots=True)
class Sign:
    """One observation: what the agent does, as ``source`` tells it."""

    source: Source
    activity: Activity
    kind: Kind = Kind.NONE
    detail: str = ""
    """The tool's name, the question's text, the reason."""
    request: str = ""
    """Id of the permission request that a waiting hook, or the program's own interface, can decide; empty: its terminal alone."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The program has this text as a prompt: ``text`` as it stands in a hook or record, with any message headers in it."""

    source: Source
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the program keeps what it writes about this session."""

    session: str
    """The program's own id of it, which changes with /clear."""
    transcript: str = ""
    """Full path, or empty."""


@dataclass(frozen=True, slots=True)
class ToolBegan:
    use: str
    """The program's own id of this use."""
    tool: str
    detail: str = ""
    """What it is to do, in the one field of its input that tells it best."""


@dataclass(frozen=True, slots=True)
class ToolEnded:
    use: str
    tool: str
    ok: bool


@dataclass(frozen=True, slots=True)
class ToolFailed:
    """Of a program whose hooks tell an end and not what it came to; before that end or after it."""

    use: str


Observation = Sign | Taken | Place | ToolBegan | ToolEnded | ToolFailed
