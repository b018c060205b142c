"""The guard against agents that keep each other going with nobody asking. Decides; touches nothing.

Three signs of it, each with its limit: messages that lead to messages with no person's word in between, a stream of them
from one to another, and a pair that only thank each other. ``now`` is monotonic seconds. The hub forgets all of it when it
starts anew; a loop that goes on then meets its limit again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from clawmux.core.message import USER
from clawmux.wire.errors import ClawMuxError

HOPS_LIMIT = 8
"""Messages that lead to each other before a person has to say something."""
MEMORY_SECONDS = 600.0
"""A message taken longer ago leads to nothing any more."""
RATE_LIMIT = 60
"""Messages from one to another within a minute."""
COURTESIES_LIMIT = 4
"""Messages by turns that say nothing; the last of them is refused."""
STOP_SECONDS = 600.0
"""Such a pair sends no more of them for so long."""

_COURTESY_CHARACTERS = 80
_WORD = re.compile(r"[^\W_]+")
# One of these makes a courtesy, when all its other words are of these or of the next.
_THANKS = frozenset(
    "ack acked acknowledged affirmative anytime awesome bye cheers congrats cool copy excellent fantastic fine goodbye good got"
    " great ok okay k kudos nice noted np perfect pleasure received roger sounds sure ta thank thanks thx understood welcome"
    " wonderful worries yw".split()
)
_FILLERS = frozenset(
    "a again all alright and any appreciate appreciated are as at back be best both by day do everything for from glad"
    " happy have help here i is it later likewise ll loud lot luck m me much my no now of on our over re right same see"
    " so soon speak talk that the then there this to too up ve very was we well will with yep yes you your".split()
)


class LoopError(ClawMuxError):
    """A message that the guard refuses, with code ``too_many``."""

    def __init__(self, text: str, remedy: str, *, is_news: bool) -> None:
        super().__init__("too_many", text, remedy)
        self.is_news = is_news
        """The first refusal of its kind for a while: the page should show it."""


@dataclass(slots=True)
class _Taken:
    hops: int
    at: float
    was_told: bool = False


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class _Talk:
    """What two agents have last said to each other, when it was nothing."""

    courtesies: list[tuple[str, float]] = field(default_factory=list)
    stopped_until: float = float("-inf")


@dataclass(slots=True)
class Loops:
    _taken: dict[str, _Taken] = field(default_factory=dict)
    _buckets: dict[str, dict[str, _Bucket]] = field(default_factory=dict)
    _talks: dict[str, dict[str, _Talk]] = field(default_factory=dict)
    """Under both names."""

    def admit(self, sender: str, recipient: str, text: str, now: float) -> int:
        """The hops of a new message, which may be sent. Raises LoopError."""
        hops = self.hops(sender, now)
        if sender == USER:
            self.person_spoke(recipient)
        else:
            self._check_hops(sender, hops)
            self._check_courtesies(sender, recipient, text, now)
        self._check_rate(sender, recipient, now)
        return hops

    def hops(self, sender: str, now: float) -> int:
        """How many messages have led to what this sender says next. What answers a message is counted, never refused."""
        taken = self._taken.get(sender)
        return taken.hops + 1 if taken is not None and now - taken.at <= MEMORY_SECONDS else 0

    def taken(self, recipient: str, hops: int, now: float) -> None:
        """The recipient has a message with so many hops, or the answer to one of its own."""
        before = self._taken.get(recipient)
        self._taken[recipient] = _Taken(hops, now, before is not None and before.was_told and hops >= HOPS_LIMIT)

    def person_spoke(self, session: str) -> None:
        """What it says now is asked for: by voice, by keyboard, by a message of the user."""
        self._taken.pop(session, None)
        for peer in self._talks.pop(session, {}):
            self._talks.get(peer, {}).pop(session, None)

    def session_ended(self, session: str) -> None:
        """Who has its name next begins anew."""
        self.person_spoke(session)
        self._buckets.pop(session, None)
        for buckets in self._buckets.values():
            buckets.pop(session, None)

    # -- inside --

    def _check_hops(self, sender: str, hops: int) -> None:
        if hops <= HOPS_LIMIT:
            return
        taken = self._taken[sender]
        is_news, taken.was_told = not taken.was_told, True
        raise LoopError(
            f"{HOPS_LIMIT} messages have led to this one without a word from the user; it was not sent.",
            "Tell the user where you stand with `clawmux converse`; with their answer you can send again.",
            is_news=is_news,
        )

    def _check_rate(self, sender: str, recipient: str, now: float) -> None:
        bucket = self._buckets.setdefault(sender, {}).setdefault(recipient, _Bucket(RATE_LIMIT, now))
        bucket.tokens = min(RATE_LIMIT, bucket.tokens + (now - bucket.at) * RATE_LIMIT / 60)
        bucket.at = now
        if bucket.tokens < 1:
            raise LoopError(
                f"more than {RATE_LIMIT} messages a minute to one recipient; this one was not sent.",
                "Put what you have to say into one message.",
                is_news=False,
            )
        bucket.tokens -= 1

    def _check_courtesies(self, sender: str, recipient: str, text: str, now: float) -> None:
        talk = self._talk(sender, recipient)
        if not is_courtesy(text):
            talk.courtesies.clear()
            return
        if now < talk.stopped_until:
            raise self._thanked_enough(is_news=False)
        recent = [(who, at) for who, at in talk.courtesies if now - at <= MEMORY_SECONDS]
        # Said twice in a row it is no exchange.
        talk.courtesies = [*(recent if not recent or recent[-1][0] != sender else []), (sender, now)]
        if len(talk.courtesies) >= COURTESIES_LIMIT:
            talk.courtesies.clear()
            talk.stopped_until = now + STOP_SECONDS
            raise self._thanked_enough(is_news=True)

    def _thanked_enough(self, *, is_news: bool) -> LoopError:
        return LoopError(
            "you two only acknowledge each other; this message was not sent.",
            "Go on with your work; send when you have something to say. `clawmux ack` is all that an answer needs.",
            is_news=is_news,
        )

    def _talk(self, one: str, other: str) -> _Talk:
        talk = self._talks.setdefault(one, {}).get(other)
        if talk is None:
            talk = self._talks[one][other] = self._talks.setdefault(other, {}).setdefault(one, _Talk())
        return talk


def is_courtesy(text: str) -> bool:
    """Whether a text says no more than thanks or understood."""
    if len(text) > _COURTESY_CHARACTERS:
        return False
    words = _WORD.findall(text.lower().replace("no problem", "np"))
    return not words or (any(w in _THANKS for w in words) and all(w in _THANKS or w in _FILLERS for w in words))
