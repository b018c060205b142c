"""What a conversation is made of: questions, turns, and the effects that Conversation asks for. Pure values."""

from __future__ import annotations

from dataclasses import dataclass

from clawmux.wire.words import Stage

# -- effects --


@dataclass(frozen=True, slots=True)
class Show:
    """Put the agent's text into the conversation; comes once for each question."""

    question_id: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Say the question, from where its stream stands."""

    question_id: str


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    question_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Listen:
    """Tell the page it is the user's turn; it opens the microphone when ``auto``."""

    question_id: str
    session_id: str
    auto: bool


@dataclass(frozen=True, slots=True)
class EndTurn:
    """Close a turn of the microphone from our side, its words no longer wanted."""

    turn: str
    why: str


@dataclass(frozen=True, slots=True)
class Words:
    """The user's words belong into the conversation of this session."""

    session_id: str
    text: str
    via: str
    source_id: str
    """Id of the turn or of the typed text they came from: said twice, shown once."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Words that answer no question: type them to the agent."""

    session_id: str
    text: str
    via: str
    source_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The one end of a question. ``code`` is "ok" or an error code."""

    question_id: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The session's question or its stage changed: store it and show it."""

    session_id: str
    question_id: str


Effect = Show | Speak | StopSpeaking | Listen | EndTurn | Words | Deliver | Answer | Changed

# -- state --


@dataclass(frozen=True, slots=True)
class Request:
    """What an agent asks for."""

    id: str
    session_id: str
    text: str
    listen: bool = True
    goodbye: bool = False
    timeout_seconds: float = 0.0
    """Answer time limit of this question; 0 = the setting's."""
    auto: bool = True
    """The microphone may open by itself for the answer, when the page's switch says so, too."""
    fleeting: bool = False
    """A replay: spoken and forgotten, never stored, never answered to anybody."""


@dataclass(slots=True)
class Question:
    """One request under way; only Conversation changes it."""

    request: Request
    order: int
    answer_by: float
    stage: Stage = Stage.QUEUED
    shown: bool = False
    spoken: bool = False
    parked: bool = False
    """Its command ended at the runtime's time limit and will come back with --resume."""
    page_by: float | None = None
    """When nobody has heard or seen it by then: no_page."""
    attached_by: float | None = None
    """When its command has not come back by then: cancelled."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An open microphone."""

    id: str
    session_id: str
    question_id: str | None
    closed: bool = False
    """Sent; its words are being made out."""
    overhears: bool = False
    """It is open while an agent speaks, and holds no floor: only words make it a turn."""


@dataclass(slots=True)
class Page:
    """What is known of the page that plays and records."""

    present: bool = False
    muted: bool = False
    auto: bool = True
