"""Who is told that an agent needs the user, and when: once for each need, never while somebody looks. Decides; touches nothing.

A need stands in a *place* of its session (one for each question, one for the dialog at its terminal, one for a fault, one for
work that is done) until it is met. It is told of when it has stood unseen for a moment, so that an immediate answer sends
nothing; a conversation in view on any device holds it back, and so does an agent that speaks or listens just then. What was told
is withdrawn when the need is met, wherever that was, or its conversation comes into view.

``Tell`` means: store it as told, then tell. What was stored is given to ``restore`` after a restart, and not told again.
Inputs return effects; ``now`` is monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from clawmux.wire.words import Need

# Long enough for the answer of somebody who sits there; short enough that a push arrives before a question that nobody has seen
# is given up (core/conversation.py: PAGE_GRACE_SECONDS).
GRACE_SECONDS = 4.0
# It was in view when it came: whoever turned away from it knows of it, or has only looked away. Then once, and not at once.
AWAY_SECONDS = 60.0
# What is observed of a terminal may waver for a moment: the same need again is no new one.
WAVER_SECONDS = 10.0
# After a restart of the hub its agents are looked at within seconds; what does not show again by then has been met meanwhile.
RESTART_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Attention:
    """One need of one agent."""

    id: str
    """Unlike that of every other need; what is shown of it on devices carries it."""
    session_id: str
    place: str
    kind: Need
    text: str
    """The agent's own words."""
    source: str = ""
    """Id of the question or request behind it, where there is one."""

    @property
    def key(self) -> tuple[str, str]:
        return self.session_id, self.place

    def is_same(self, other: Attention) -> bool:
        """Whether both are the same need: some of what is observed knows no id, and has other words for it."""
        return self.kind is other.kind and (not self.source or not other.source or self.source == other.source)


@dataclass(frozen=True, slots=True)
class Tell:
    attention: Attention


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Devices show nothing of it any more."""

    attention: Attention


@dataclass(frozen=True, slots=True)
class Forget:
    """It need not be stored any more."""

    attention: Attention


Effect = Tell | Withdraw | Forget


@dataclass(slots=True)
class _Standing:
    attention: Attention
    is_ripe: bool
    is_told: bool = False
    is_shown: bool = False
    """Told, and not withdrawn since."""
    was_seen: bool = False
    due: float | None = None


@dataclass(slots=True)
class _Lately:
    """Told of, and does not stand: any more, or not yet again after a restart."""

    attention: Attention
    until: float
    is_shown: bool


@dataclass(slots=True)
class Needs:
    """What all agents need now, and what was told of it."""

    in_view: frozenset[str] = frozenset()
    """Sessions whose conversation somebody has before their eyes, on any device."""
    _standing: dict[tuple[str, str], _Standing] = field(default_factory=dict)
    _lately: dict[tuple[str, str], _Lately] = field(default_factory=dict)

    # -- what agents need --

    def raised(self, attention: Attention, now: float, is_ripe: bool = True) -> list[Effect]:
        """It stands, or stands still. ``is_ripe``: nobody deals with it at this very moment."""
        known = self._standing.get(attention.key)
        effects: list[Effect] = []
        if known is not None and not known.attention.is_same(attention):
            effects = self.met(*attention.key, now)
            known = None
        if known is None and attention.kind is Need.DONE and attention.session_id in self.in_view:
            return effects
        if known is None:
            effects += self._begin(attention, now)
            known = self._standing[attention.key]
        known.is_ripe = is_ripe
        self._arm(known, now)
        return effects

    def met(self, session_id: str, place: str, now: float) -> list[Effect]:
        """It stands no more: answered, taken back, over."""
        standing = self._standing.pop((session_id, place), None)
        if standing is None or not standing.is_told:
            return []
        self._lately[standing.attention.key] = _Lately(standing.attention, now + WAVER_SECONDS, False)
        return [Withdraw(standing.attention)] if standing.is_shown else []

    def ended(self, session_id: str, now: float) -> list[Effect]:
        """The agent is no more, and needs nothing."""
        return [effect for key in self._keys_of({session_id}) for effect in self.met(*key, now)]

    def looked_at(self, in_view: frozenset[str], now: float) -> list[Effect]:
        """These conversations, and no others, are before somebody's eyes."""
        self.in_view = in_view
        effects: list[Effect] = []
        for key in self._keys_of(in_view):
            standing = self._standing[key]
            standing.was_seen = True
            if standing.attention.kind is Need.DONE:
                effects += self.met(*key, now)  # to be seen was all it needed
            elif standing.is_shown:
                standing.is_shown = False
                effects.append(Withdraw(standing.attention))
        for standing in self._standing.values():
            self._arm(standing, now)
        return effects

    def restore(self, told: Iterable[Attention], now: float) -> None:
        """What was told of before a restart of the hub."""
        for attention in told:
            if attention.kind is Need.DONE:  # nothing shows it again
                self._standing[attention.key] = _Standing(attention, True, is_told=True, is_shown=True)
            else:
                self._lately[attention.key] = _Lately(attention, now + RESTART_SECONDS, True)

    # -- time --

    def tick(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        for standing in self._standing.values():
            if standing.due is not None and now >= standing.due:
                standing.due, standing.is_told, standing.is_shown = None, True, True
                effects.append(Tell(standing.attention))
        for key, lately in list(self._lately.items()):
            if now >= lately.until:
                effects += self._forget(key)
        return effects

    def deadline(self) -> float | None:
        times = [s.due for s in self._standing.values() if s.due is not None]
        return min([*times, *(lately.until for lately in self._lately.values())], default=None)

    # -- reading --

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._standing

    def places(self, session_id: str) -> list[str]:
        return [place for session, place in self._standing if session == session_id]

    def sessions(self) -> frozenset[str]:
        """Those that cannot go on without the user."""
        return frozenset(s.attention.session_id for s in self._standing.values() if s.attention.kind is not Need.DONE)

    # -- inside --

    def _begin(self, attention: Attention, now: float) -> list[Effect]:
        lately = self._lately.get(attention.key)
        if lately is not None and lately.attention.is_same(attention):
            del self._lately[attention.key]
            self._standing[attention.key] = _Standing(lately.attention, True, is_told=True, is_shown=lately.is_shown)
            return []
        effects = self._forget(attention.key)
        self._standing[attention.key] = _Standing(attention, True, was_seen=attention.session_id in self.in_view)
        return effects

    def _forget(self, key: tuple[str, str]) -> list[Effect]:
        lately = self._lately.pop(key, None)
        if lately is None:
            return []
        withdrawn: list[Effect] = [Withdraw(lately.attention)] if lately.is_shown else []
        return [*withdrawn, Forget(lately.attention)]

    def _arm(self, standing: _Standing, now: float) -> None:
        if standing.is_told or not standing.is_ripe or standing.attention.session_id in self.in_view:
            standing.due = None
        elif standing.due is None:
            standing.due = now + (AWAY_SECONDS if standing.was_seen else GRACE_SECONDS)

    def _keys_of(self, session_ids: Iterable[str]) -> list[tuple[str, str]]:
        wanted = frozenset(session_ids)
        return [key for key in self._standing if key[0] in wanted]


# -- to whom --


@dataclass(frozen=True, slots=True)
class Window:
    """An open page."""

    client: str
    login: str
    """Of its device."""
    is_visible: bool


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A device that has asked for push messages."""

    id: str
    login: str
    kinds: frozenset[Need]


def recipients(kind: Need, windows: Iterable[Window], subscribers: Iterable[Subscriber]) -> tuple[list[str], list[str]]:
    """Who is told of such a need: pages by their client, and subscribers by their id.

    A device with a visible page shows the need there, with its sound; any other is told by push when it has asked for that, and
    else by its open pages, of which each knows by itself what its device wants to be told.
    """
    windows, subscribers = list(windows), list(subscribers)
    watching = {window.login for window in windows if window.is_visible}
    pushed = {subscriber.login for subscriber in subscribers}
    pages = [w.client for w in windows if w.login not in watching and w.login not in pushed]
    return pages, [s.id for s in subscribers if kind in s.kinds and s.login not in watching]
