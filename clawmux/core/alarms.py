"""Times at which something is to be looked at, one for each name; the next is at hand however many there are. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

# Some entries of the heap count no more; more of them than this, and than those that count, are swept out.
_STALE = 64


@dataclass(slots=True)
class Alarms:
    _times: dict[str, float] = field(default_factory=dict)
    _heap: list[tuple[float, str]] = field(default_factory=list)
    """An entry counts while its time is that of its name."""

    def set(self, name: str, time: float | None) -> None:
        """From now on this name's only time; None: none."""
        if time == self._times.get(name):
            return
        if time is None:
            del self._times[name]
            return
        self._times[name] = time
        heappush(self._heap, (time, name))
        if len(self._heap) > 2 * len(self._times) + _STALE:
            self._heap = [(time, name) for name, time in self._times.items()]
            heapify(self._heap)

    def next(self) -> float | None:
        """The earliest time of all."""
        while self._heap:
            time, name = self._heap[0]
            if self._times.get(name) == time:
                return time
            heappop(self._heap)
        return None

    def ring(self, now: float) -> str | None:
        """One name whose time has come; it has none any more."""
        time = self.next()
        if time is None or time > now:
            return None
        name = heappop(self._heap)[1]
        del self._times[name]
        return name
