"""The way to one recipient: what waits for it, what was typed to it, and a clock that stands while it does not read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from clawmux.core.message import Reading

# A try follows when the one before was not acknowledged for so long, of the time in which the recipient could read.
TRY_SECONDS = 60.0
# One that can read again gets so long to acknowledge what it has before it is typed to once more.
GRACE_SECONDS = 15.0
# More than the error of adding up seconds, less than anybody notices.
_SLACK_SECONDS = 0.001


@dataclass(slots=True)
class Lane:
    since: float
    """When ``reading`` became so, or the lane was made; in the hub's seconds, as all times here but the dues."""
    reading: Reading = Reading.OPEN
    queued: dict[str, None] = field(default_factory=dict)
    """Never typed, in their order; those being typed stay here until they were."""
    pending: dict[str, float] = field(default_factory=dict)
    """Typed: when each is due again, in the lane's own seconds; in order of that."""
    typing: tuple[str, ...] = ()
    """What is being typed now, or looked for."""
    look_at: float | None = None
    """It could not be typed to; nothing is tried before then."""
    why: str = ""
    """Why it could not."""
    _ran: float = 0.0
    _grace: float = 0.0

    def clock(self, now: float) -> float:
        """Seconds for which the recipient could read."""
        return self._ran + (now - self.since if self.reading is Reading.OPEN else 0.0)

    def turn(self, reading: Reading, now: float) -> None:
        """It reads, or does not, from now on."""
        self._ran, self.since, self.reading = self.clock(now), now, reading
        if reading is Reading.OPEN:
            self._grace = self._ran + GRACE_SECONDS
        if reading is not Reading.CLOSED:
            self.look_at, self.why = None, ""

    def is_free(self, now: float) -> bool:
        """Whether something may be typed now."""
        if self.look_at is not None and now >= self.look_at:
            self.look_at = None
        return not self.typing and self.reading is not Reading.CLOSED and self.look_at is None

    def was_typed(self, message_id: str, now: float) -> None:
        """It is due again after a full time."""
        self.drop(message_id)
        self.pending[message_id] = self.clock(now) + TRY_SECONDS

    def drop(self, message_id: str) -> None:
        self.queued.pop(message_id, None)
        self.pending.pop(message_id, None)

    def late(self, now: float) -> Iterator[str]:
        """What is due again, the oldest first. The lane must not be changed meanwhile."""
        if self.reading is not Reading.OPEN:
            return
        clock = self.clock(now) + _SLACK_SECONDS
        for message_id, due in self.pending.items():
            if self._ripe(due) > clock:
                return
            yield message_id

    def wake(self) -> float | None:
        """When there is something to do by itself."""
        if self.typing or self.reading is Reading.CLOSED:
            return None
        if self.look_at is not None or self.reading is not Reading.OPEN or not self.pending:
            return self.look_at
        return self.since + self._ripe(next(iter(self.pending.values()))) - self._ran

    def _ripe(self, due: float) -> float:
        """A grace puts a try off, but not for ever: one that is busy every few seconds gets its due as well."""
        return min(max(due, self._grace), due + GRACE_SECONDS)
