"""Page <-> hub on ``/ws``, the extension that a page asks for with ``hello``. Binary frames are in ``frames``.

Messages with ``n`` are kept in the store and replayed after a reconnect; the others describe the moment.
The protocol for clients that never say hello is in ``classic``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from clawmux.wire.codec import table


@dataclass(frozen=True, slots=True)
class Hello:
    """First message of a page. ``last`` is the number of the newest event it has, null for none."""

    TYPE: ClassVar[str] = "hello"
    v: Literal[2]
    client: str
    device: str = "browser"
    audio_in: list[Any] = field(default_factory=list)
    audio_out: list[Any] = field(default_factory=list)
    marks: bool = False
    last: int | None = None
    muted: bool = False
    auto: bool = True
    in_view: str | None = None
    """As ``in_view`` says it."""
    visible: bool = False
    streams: dict[str, Any] = field(default_factory=dict)
    """Streams the page holds: ``{"<stream>": {"received": samples, "done": bool}}``."""
    turns: list[Any] = field(default_factory=list)
    """Turns whose recording the page still holds and will send again."""


@dataclass(frozen=True, slots=True)
class Prefs:
    """The page's mute and auto switches."""

    TYPE: ClassVar[str] = "prefs"
    muted: bool
    auto: bool


@dataclass(frozen=True, slots=True)
class Text:
    """Typed words; ``id`` is chosen by the page and repeated until ``text_ack``."""

    TYPE: ClassVar[str] = "text"
    id: str
    session_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The user stops the speaking agent; ``at_ms`` of the stream were heard."""

    TYPE: ClassVar[str] = "interrupt"
    session_id: str
    stream: str
    at_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Cancel:
    """The user dismisses the open question of a session."""

    TYPE: ClassVar[str] = "cancel"
    session_id: str


@dataclass(frozen=True, slots=True)
class Replay:
    """Speak an entry of the conversation again."""

    TYPE: ClassVar[str] = "replay"
    session_id: str
    msg_id: str


@dataclass(frozen=True, slots=True)
class AudioOwnerClaim:
    """This page wants to be the one that plays and records."""

    TYPE: ClassVar[str] = "audio_owner"
    claim: Literal[True]


@dataclass(frozen=True, slots=True)
class Seen:
    """The user is looking at this session's conversation."""

    TYPE: ClassVar[str] = "seen"
    session_id: str


@dataclass(frozen=True, slots=True)
class InView:
    """Session whose conversation is before the user's eyes, null for none, and whether the page can be seen at all."""

    TYPE: ClassVar[str] = "in_view"
    visible: bool
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class MicOpen:
    """A turn begins, or is announced again after a reconnect; its frames carry ``slot`` and start at seq 0."""

    TYPE: ClassVar[str] = "mic_open"
    session_id: str
    turn: str
    slot: int
    why: Literal["hold", "tap", "auto", "barge", "overheard"]
    """``overheard``: while an agent speaks; it is a turn only when somebody talks into that, and words come of it."""
    pre_ms: float = 0.0
    review: bool = False
    """Its words go back to the page, where the user corrects and sends them, and to nobody else."""


@dataclass(frozen=True, slots=True)
class MicClose:
    """The page ends a turn: send it, or drop it."""

    TYPE: ClassVar[str] = "mic_close"
    turn: str
    why: Literal["send", "discard", "mute", "lost"]


@dataclass(frozen=True, slots=True)
class PlaybackStarted:
    TYPE: ClassVar[str] = "playback_started"
    stream: str
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class PlaybackProgress:
    TYPE: ClassVar[str] = "playback_progress"
    stream: str
    ms: float


@dataclass(frozen=True, slots=True)
class PlaybackPaused:
    """The stream stands still at ``ms``, for as long as the user likes, or goes on from there."""

    TYPE: ClassVar[str] = "playback_paused"
    stream: str
    on: bool
    ms: float = 0.0


@dataclass(frozen=True, slots=True)
class PlaybackDone:
    """Exactly once per stream, at its true end."""

    TYPE: ClassVar[str] = "playback_done"
    session_id: str
    stream: str
    ms: float = 0.0
    why: Literal["ended", "interrupted", "failed", "not_owner"] = "ended"


@dataclass(frozen=True, slots=True)
class TermOpen:
    """Show this agent's terminal, as large as it is; one at a time for each page. Answered with ``term_opened``."""

    TYPE: ClassVar[str] = "term_open"
    session_id: str


@dataclass(frozen=True, slots=True)
class TermClose:
    """Show it no more; the keyboard goes back with it."""

    TYPE: ClassVar[str] = "term_close"
    slot: int


@dataclass(frozen=True, slots=True)
class TermTake:
    """Take the agent's keyboard, or give it back. Without it frames of kind 4 are refused."""

    TYPE: ClassVar[str] = "term_take"
    slot: int
    on: bool


@dataclass(frozen=True, slots=True)
class TermPaste:
    """A text that the user pastes into the terminal."""

    TYPE: ClassVar[str] = "term_paste"
    slot: int
    text: str


@dataclass(frozen=True, slots=True)
class TermSeen:
    """The frame ``seq`` of a terminal, and all before it, are drawn: more may come."""

    TYPE: ClassVar[str] = "term_seen"
    slot: int
    seq: int


@dataclass(frozen=True, slots=True)
class TermEarlier:
    """Show the lines that have gone off the top; answered with ``term_earlier``."""

    TYPE: ClassVar[str] = "term_earlier"
    slot: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Sign of life from a page that has nothing else to say; answered with ``pong``."""

    TYPE: ClassVar[str] = "ping"


TO_HUB = table(
    Hello, Prefs, Text, Interrupt, Cancel, Replay, AudioOwnerClaim, Seen, InView,
    MicOpen, MicClose, PlaybackStarted, PlaybackProgress, PlaybackPaused, PlaybackDone,
    TermOpen, TermClose, TermTake, TermPaste, TermSeen, TermEarlier, Ping,
)  # fmt: skip

DURABLE_TO_PAGE: dict[str, str] = {
    "assistant_text": "An agent said this; `question` tells whether it waits for an answer.",
    "user_text": "The user's words, `via` voice or typed.",
    "notice": "Something the user should know: `level`, `text`, `remedy`.",
    "not_spoken": "The entry `msg_id` was shown but not spoken, with the reason.",
    "session_terminated": "A session ended, with the reason.",
    "work": "What an agent did with its tools: `items` of `{tool, detail, seconds, ok}`, `seconds` of all, `left` out.",
    "agent_message": "The session sent (`direction` out) or got (in) a message: `msg_id`, `peer`, `peer_name`, `text`, `re`.",
}
"""Events with a number ``n``, kept in the store."""

MOMENTARY_TO_PAGE: dict[str, str] = {
    "welcome": "Answer to hello: version, build of the page's files, settings of the page, state of speech.",
    "resync": "The page's last event is too old: fetch the history again.",
    "session_list": "All sessions.",
    "session_status": "One session changed.",
    "audio_owner": "Which page plays and records.",
    "devices": "A device was paired, or one is out: GET /api/devices lists them anew.",
    "speech_state": "State of the speech service: the tier that serves, the one wanted, download progress.",
    "measuring": "Measuring the quality that serves: `tier`, `doing`, `done` of `of`, `state` running, done, stopped or failed, "
    "and the `reason` of the last two.",
    "attention": "A session needs the user: `kind` is question, permission, done, error, or what a dialog is about.",
    "attention_clear": "It no longer does.",
    "notify": "Show a notification, on a device without push: `id`, `kind`, `agent`, `title`, `body`, and the agent's `words`.",
    "notify_clear": "Show the notification `id` no more.",
    "status": "One line about what a session does now.",
    "text_ack": "What became of typed words.",
    "message": "A message between agents is new or has come further: `message`, as GET /api/messages/{id} shows it.",
    "speech_start": "A stream begins or continues; binary frames with its slot follow.",
    "speech_marks": "When words of a stream sound: `words` are [start_ms, end_ms, from, to], characters of its `text`.",
    "speech_end": "The stream is complete: number of samples.",
    "speech_cancel": "The stream is dropped.",
    "listening": "A question was asked: open the microphone when `auto`.",
    "vad": "Voice activity in a turn.",
    "partial_text": "What a turn's words are so far.",
    "turn_end": "The turn is over: stop sending, keep the recording.",
    "turn_done": "The turn's words are settled: drop the recording. With `review` they are the user's to correct and send.",
    "turn_timing": "How long the parts of a turn took so far, in milliseconds: `heard_ms` the pause after the last word, "
    "`stt_ms`, `agent_ms`, `first_sound_ms`; null for what has not come yet.",
    "term_opened": "The terminal of `session_id` comes in frames of kind 3 with this `slot`: the first draws it whole.",
    "term_size": "How large it is: `cols`, `rows`, and the lines of tmux's bar `above` and `below` them, which come as well.",
    "term_keyboard": "Which page has its keyboard: `client` and `device`, null for none, and `why` when it changed by itself.",
    "term_earlier": "The newest of the `lines` that have gone off its top, with their colours as tmux writes them.",
    "term_closed": "It is shown no more: `why` is ended, closed or failed, and `text` says it in words.",
    "pong": "Answer to ping.",
    "error": "The last message was refused: code, text, remedy.",
}
"""Messages that describe the moment and are not replayed."""
