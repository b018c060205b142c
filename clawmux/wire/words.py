"""The closed sets of words that travel: each value is the word on the wire."""

from __future__ import annotations

from enum import StrEnum


class SessionState(StrEnum):
    """Life of one agent session, as first described for the hub."""

    STARTING = "starting"
    READY = "ready"
    ACTIVE = "active"
    DEAD = "dead"


class Activity(StrEnum):
    """What an agent is doing now; ``unknown`` when no evidence says so."""

    IDLE = "idle"
    THINKING = "thinking"
    TOOL = "tool"
    SPEAKING = "speaking"
    LISTENING = "listening"
    WAITING = "waiting"
    NEEDS_YOU = "needs_you"
    UNKNOWN = "unknown"


class Source(StrEnum):
    """Where an observation of an agent comes from, the surest first."""

    PROCESS = "process"
    COMMAND = "command"
    """Its own `clawmux` commands."""
    HOOK = "hook"
    RECORD = "record"
    """What its program writes about itself: transcript, status file, event stream."""
    SCREEN = "screen"


class Kind(StrEnum):
    """What sort of ``thinking`` or ``needs_you`` it is, where that is known."""

    NONE = ""
    PERMISSION = "permission"
    QUESTION = "question"
    LOGIN = "login"
    RATE_LIMIT = "rate_limit"
    TRUST = "trust"
    COMPACTION = "compaction"
    API_ERROR = "api_error"
    INTERRUPTED = "interrupted"


class Need(StrEnum):
    """What an agent calls the user for."""

    QUESTION = "question"
    PERMISSION = "permission"
    DONE = "done"
    ERROR = "error"


class Stage(StrEnum):
    """Where a question of an agent stands."""

    QUEUED = "queued"
    SPEAKING = "speaking"
    LISTENING = "listening"
    WAITING = "waiting"
    """Asked, but the microphone is not open: the user answers when they like."""
    TRANSCRIBING = "transcribing"
    DONE = "done"


class MessageState(StrEnum):
    """How far a message between agents has come."""

    QUEUED = "queued"
    INJECTING = "injecting"
    PENDING = "pending"
    """Typed; not acknowledged yet."""
    ACKNOWLEDGED = "acknowledged"
    RESPONDED = "responded"
    FAILED = "failed"
    UNDELIVERABLE = "undeliverable"
    CANCELLED = "cancelled"


class Tier(StrEnum):
    """Quality tiers of speech recognition."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    TINY = "tiny"


class SpeechState(StrEnum):
    """The speech service as the page shows it."""

    OFF = "off"
    STARTING = "starting"
    READY = "ready"
    MISSING_MODELS = "missing_models"
    DOWNLOADING = "downloading"
    FAILED = "failed"
