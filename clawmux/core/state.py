"""What one agent does, weighed from all that is observed of it. Decides; touches nothing.

Observations are of two sorts. A hook says that something has happened: it is sure at that moment, and nothing takes it back, not
even an Escape that ends what it told of. Records and the screen are looked at again and again: each look says what is so now, a
little late. So a hook counts at once, and until what is looked at has contradicted it for a while; what neither has told for long
is unknown. The agent's own ``converse`` calls stand above both, but not above a dialog at its terminal, which keeps it from all.

Inputs never wait and never look at a clock: ``now`` is monotonic seconds. Each returns whether what is shown has changed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from clawmux.wire.signs import Sign
from clawmux.wire.words import Activity, Kind, Source, Stage

# What is looked at, the surer first: what the kernel says, what a program writes about itself, then what it draws.
LEVELS = (Source.PROCESS, Source.RECORD, Source.SCREEN)
# A change after the hook counts when it was seen in two looks; one could be in the middle of a redraw.
CHANGED_SECONDS = 0.25
# Claude Code calls it a dialog for half a second after some turns; those that last, hooks mostly tell of by themselves.
CHANGED_TO_DIALOG_SECONDS = 0.9
# What has not changed since before the hook may only be late: programs write and draw later than they tell.
UNCHANGED_SECONDS = 1.2
# While a hook waits for the answer to its question, only a dialog that takes very long to be drawn looks like none.
UNCHANGED_QUESTION_SECONDS = 5.0
# Looked at several times a second; when nobody can look any more it says nothing.
LEVEL_AGE_SECONDS = 4.0
# A hook that nothing confirms any more: a long command may be silent for minutes.
HOOK_AGE_SECONDS = 600.0
# Words that were first seen so long before the event which they are to explain belong to an earlier one.
WORDS_SLACK_SECONDS = 2.0

_ACTIVITY_OF_STAGE: dict[Stage, Activity] = {
    Stage.QUEUED: Activity.WAITING,
    Stage.SPEAKING: Activity.SPEAKING,
    Stage.LISTENING: Activity.LISTENING,
    Stage.WAITING: Activity.NEEDS_YOU,
    Stage.TRANSCRIBING: Activity.LISTENING,
}
# Dialogs in which typed keys would be an answer.
DIALOGS = frozenset({Kind.PERMISSION, Kind.TRUST, Kind.QUESTION})
# The turn is over, and the reason is the user's affair: its prompt is there, as in an agent that rests.
_STUCK = frozenset({Kind.LOGIN, Kind.RATE_LIMIT, Kind.API_ERROR})
_SORT = {Activity.IDLE: "rest", Activity.THINKING: "busy", Activity.TOOL: "busy", Activity.NEEDS_YOU: "asks"}


@dataclass(frozen=True, slots=True)
class Doing:
    """What an agent does, and how that is known."""

    activity: Activity = Activity.UNKNOWN
    kind: Kind = Kind.NONE
    detail: str = ""
    source: Source | None = None
    """None: nothing was ever observed."""
    since: float = 0.0
    """When it began, as far as can be told."""
    seen: float = 0.0
    """When it was last confirmed."""
    request: str = ""
    """Of a permission question that can be answered from here: by a hook that waits, or by the program's own interface."""

    @property
    def is_busy(self) -> bool:
        return _SORT.get(self.activity) == "busy"

    @property
    def is_resting(self) -> bool:
        """At its prompt, for whatever reason."""
        return _sort(self.activity, self.kind) == "rest"

    @property
    def is_dialog(self) -> bool:
        return self.activity is Activity.NEEDS_YOU and self.source is not Source.COMMAND and not self.is_resting


@dataclass(frozen=True, slots=True)
class _Evidence:
    sign: Sign
    since: float
    seen: float

    @property
    def sort(self) -> str:
        return _sort(self.sign.activity, self.sign.kind)

    @property
    def has_words(self) -> bool:
        return bool(self.sign.kind or self.sign.detail)


class AgentState:
    def __init__(self, now: float) -> None:
        self._evidence: dict[Source, _Evidence] = {}
        self._stage: Stage | None = None
        self._staged = now
        self._before_question: Sign | None = None
        """What the hooks had told of when a permission was asked for: what goes on when it is given."""
        self._silence = ""
        self._shown = Doing(since=now)

    @property
    def doing(self) -> Doing:
        return self._shown

    # -- inputs --

    def observe(self, sign: Sign, now: float) -> bool:
        """One observation; the same again confirms it."""
        before = self._evidence.get(sign.source)
        if sign.source is Source.HOOK:
            self._hooked(sign, before)
        elif sign.activity is Activity.UNKNOWN:
            self._evidence.pop(sign.source, None)
            return self.tick(now)
        # Other words for the same, such as seconds that are counted down, are no change.
        is_same = before and (before.sign.activity, before.sign.kind) == (sign.activity, sign.kind)
        since = before.since if before and is_same and sign.source is not Source.HOOK else now
        self._evidence[sign.source] = _Evidence(sign, since, now)
        self._confirm_hook(sign.source, now)
        return self.tick(now)

    def stage(self, stage: Stage | None, now: float) -> bool:
        """Where the agent's ``converse`` call stands; None: it has none."""
        if stage is not self._stage:
            self._stage, self._staged = stage, now
        return self.tick(now)

    def answered(self, request: str, now: float) -> bool:
        """The permission question ``request`` stands no more, whoever answered it, and however."""
        hook = self._evidence.get(Source.HOOK)
        if hook is not None and request and hook.sign.request == request:
            self._resume(hook, now)
        return self.tick(now)

    def silent(self, reason: str, now: float) -> bool:
        """Nobody can look at it, for this reason; empty: that is over."""
        self._silence = reason
        return self.tick(now)

    def ended(self, reason: str, now: float) -> bool:
        self._evidence.clear()
        self._stage = None
        return self.silent(reason, now)

    def tick(self, now: float) -> bool:
        """Time has passed: a contradiction may have lasted, evidence may have grown old."""
        shown = self._weigh(now)
        if (shown.activity, shown.kind, shown.detail, shown.request) == _said(self._shown):
            is_new = shown.source is not self._shown.source
            self._shown = replace(shown, since=self._shown.since)
            return is_new
        is_counting = shown.is_busy and shown.kind is not Kind.NONE and shown.kind is self._shown.kind
        self._shown = replace(shown, since=self._shown.since if is_counting else max(shown.since, self._shown.since))
        return True

    # -- weighing --

    def _weigh(self, now: float) -> Doing:
        if self._silence:
            return Doing(detail=self._silence, source=Source.PROCESS, since=now, seen=now)
        seen = self._by_evidence(now)
        activity = _ACTIVITY_OF_STAGE.get(self._stage) if self._stage else None
        if activity is None or seen.is_dialog:
            return seen
        kind = Kind.QUESTION if activity is Activity.NEEDS_YOU else Kind.NONE
        return Doing(activity, kind, source=Source.COMMAND, since=self._staged, seen=now)

    def _by_evidence(self, now: float) -> Doing:
        hook, level = self._fresh_hook(now), self._level(now)
        if hook and level and level.sort != hook.sort and _held(level, hook) and not self._is_late(level, hook, now):
            self._resume(hook, level.since, level.sort)
            hook = self._fresh_hook(now)
        deciding = hook or level
        if deciding is None:
            last = max(self._evidence.values(), key=lambda e: e.seen, default=None)
            return Doing(source=last.sign.source if last else None, since=now, seen=last.seen if last else 0.0)
        telling = self._telling(deciding, now)
        seen = max(e.seen for e in self._evidence.values() if e.sort == deciding.sort)
        return Doing(
            telling.sign.activity, telling.sign.kind, telling.sign.detail, telling.sign.source, deciding.since, seen,
            telling.sign.request,
        )  # fmt: skip

    def _fresh_hook(self, now: float) -> _Evidence | None:
        hook = self._evidence.get(Source.HOOK)
        return hook if hook and now - hook.seen <= HOOK_AGE_SECONDS else None

    def _is_late(self, level: _Evidence, hook: _Evidence, now: float) -> bool:
        """It has not changed since the hook, and something else that is looked at says what the hook has said."""
        if level.since > hook.since:
            return False
        others = [e for e in map(self._evidence.get, LEVELS) if e and e is not level and now - e.seen <= LEVEL_AGE_SECONDS]
        return any(e.sort == hook.sort for e in others)

    def _level(self, now: float) -> _Evidence | None:
        """What is so now by what is looked at: a program's own records are surer than its screen."""
        return next((e for e in map(self._evidence.get, LEVELS) if e and now - e.seen <= LEVEL_AGE_SECONDS), None)

    def _telling(self, deciding: _Evidence, now: float) -> _Evidence:
        """Of those that agree with what decides, the one that says most: records know what is so, the screen knows the words."""
        if deciding.has_words and (deciding.sign.source is not Source.RECORD or deciding.sign.request):
            return deciding
        for e in filter(None, (self._evidence.get(source) for source in (Source.SCREEN, Source.RECORD))):
            is_fresh = now - e.seen <= LEVEL_AGE_SECONDS and e.since >= deciding.since - WORDS_SLACK_SECONDS
            is_sure = deciding.sign.source is not Source.HOOK or _held(e, deciding)
            if e.sort == deciding.sort and e.has_words and is_fresh and is_sure:
                return e
        return deciding

    # -- the hooks' word --

    def _hooked(self, sign: Sign, before: _Evidence | None) -> None:
        if sign.activity is not Activity.NEEDS_YOU:
            self._before_question = None
        elif before and before.sort == "busy":
            self._before_question = before.sign

    def _resume(self, hook: _Evidence, since: float, sort: str = "busy") -> None:
        """What the hook has said is over. When it was a question, what it interrupted may go on."""
        before, self._before_question = self._before_question, None
        if hook.sort == "asks" and before is not None and sort == "busy":
            self._evidence[Source.HOOK] = _Evidence(before, since, max(since, hook.seen))
        else:
            self._evidence.pop(Source.HOOK, None)

    def _confirm_hook(self, source: Source, now: float) -> None:
        hook, looked = self._evidence.get(Source.HOOK), self._evidence[source]
        if hook and source is not Source.HOOK and looked.sort == hook.sort:
            self._evidence[Source.HOOK] = replace(hook, seen=now)


def _sort(activity: Activity, kind: Kind) -> str:
    return "rest" if activity is Activity.NEEDS_YOU and kind in _STUCK else _SORT.get(activity, "")


def _held(looked: _Evidence, told: _Evidence) -> bool:
    """Whether what is looked at has been seen so for long enough after the other was told."""
    if looked.since > told.since:
        return looked.seen - looked.since >= (CHANGED_TO_DIALOG_SECONDS if looked.sort == "asks" else CHANGED_SECONDS)
    return looked.seen - told.since >= (UNCHANGED_QUESTION_SECONDS if told.sign.request else UNCHANGED_SECONDS)


def _said(doing: Doing) -> tuple[Activity, Kind, str, str]:
    return doing.activity, doing.kind, doing.detail, doing.request
