"""When the words of a written text sound in its speech. Pure: texts and samples in, times out.

The speech comes piece by piece, a sentence or two each, with exact silence between: so the ends of a piece are known, and
only inside it are the words placed by their length. What is spoken differs from what is written (42 and forty-two, links,
code): the words of both are matched in order, and what has no counterpart gets no time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_](?:[\w'’.-]*[^\W_])?")
# A short word takes longer than its letters.
_WORD_COST = 1.5
# How many written words may have no sound: a table, a block of code, an address.
_LOOK_AHEAD = 400
_NEAR = 2
# Written words that are spoken otherwise, per word that is said for them; more is code.
_OTHERWISE = 3
# Nothing spoken is shorter; inside it no silence is looked for.
_LEAST_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Mark:
    start_ms: int
    end_ms: int
    begin: int
    """Of the word in the written text."""
    end: int


class Marks:
    """Fed with the samples as they come; gives the marks of each piece once its end is there."""

    def __init__(self, text: str, pieces: Sequence[tuple[str, float]], rate: int) -> None:
        """``pieces``: what is said, and the seconds of silence after it; ``rate``: samples a second, 16 bit each."""
        self._written = [(found.start(), found.end(), _plain(found[0])) for found in _WORD.finditer(text)]
        self._pieces = list(pieces)
        self._bytes_a_second = 2 * rate
        self._begin = 0
        """Where the first piece that is left begins, in bytes."""
        self._searched = 0
        self._next = 0
        """The first written word that has not sounded."""

    def feed(self, pcm: bytes | bytearray, complete: bool) -> list[Mark]:
        """``pcm``: all of it so far. The marks that have become known since the last time."""
        marks: list[Mark] = []
        while len(self._pieces) > 1 and (end := self._end_of_piece(pcm)) is not None:
            said, pause_seconds = self._pieces.pop(0)
            marks += self._place(said, self._begin, end)
            self._begin = end + self._bytes(pause_seconds)
            self._searched = self._begin
        if complete and self._pieces:
            # One piece is left, or an engine's own silences cannot be told apart: the rest is placed as a whole.
            marks += self._place(" ".join(said for said, _ in self._pieces), self._begin, len(pcm))
            self._pieces.clear()
        return marks

    def _bytes(self, seconds: float) -> int:
        return 2 * round(seconds * self._bytes_a_second / 2)

    def _end_of_piece(self, pcm: bytes | bytearray) -> int | None:
        silence = bytes(max(2, self._bytes(self._pieces[0][1])))
        start = max(self._begin + self._bytes(_LEAST_SECONDS), self._searched)
        found = pcm.find(silence, start)
        if found < 0:
            self._searched = max(start, len(pcm) - len(silence))
            return None
        return found + found % 2

    def _place(self, said: str, begin: int, end: int) -> list[Mark]:
        start_ms, end_ms = (1000 * at / self._bytes_a_second for at in (begin, end))
        spoken = _timed(said, start_ms, end_ms)
        marks: list[Mark] = []
        unmatched: list[tuple[str, float, float]] = []
        for number, word in enumerate(spoken):
            at = self._find(word[0], spoken[number + 1][0] if number + 1 < len(spoken) else "")
            if at is None:
                unmatched.append(word)
                continue
            marks += self._fill(self._written[self._next : at], unmatched)
            marks.append(_mark(self._written[at], word[1], word[2]))
            self._next, unmatched = at + 1, []
        return marks

    def _find(self, word: str, following: str) -> int | None:
        for at in range(self._next, min(len(self._written), self._next + _LOOK_AHEAD)):
            if self._written[at][2] != word:
                continue
            # Far ahead a word alone proves nothing: most texts have many a "the".
            after = self._written[at + 1][2] if at + 1 < len(self._written) else ""
            if at - self._next <= _NEAR or after == following:
                return at
        return None

    @staticmethod
    def _fill(written: list[tuple[int, int, str]], unmatched: list[tuple[str, float, float]]) -> list[Mark]:
        """Words that are said otherwise than they are written share the time of what is said for them."""
        if not written or not unmatched or len(written) > _OTHERWISE * len(unmatched):
            return []
        start, length = unmatched[0][1], (unmatched[-1][2] - unmatched[0][1]) / len(written)
        return [_mark(word, start + i * length, start + (i + 1) * length) for i, word in enumerate(written)]


def heard_until(text: str, marks: Sequence[Mark], ms: float, words: int = 8) -> str:
    """The last words that sounded before that time."""
    sounded = [mark for mark in marks if mark.start_ms < ms][-words:]
    return " ".join(text[sounded[0].begin : sounded[-1].end].split()) if sounded else ""


def _timed(said: str, start_ms: float, end_ms: float) -> list[tuple[str, float, float]]:
    words = [_plain(found[0]) for found in _WORD.finditer(said)]
    costs = [len(word) + _WORD_COST for word in words]
    unit = (end_ms - start_ms) / (sum(costs) or 1.0)
    timed: list[tuple[str, float, float]] = []
    for word, cost in zip(words, costs, strict=True):
        timed.append((word, start_ms, start_ms + cost * unit))
        start_ms += cost * unit
    return timed


def _mark(word: tuple[int, int, str], start_ms: float, end_ms: float) -> Mark:
    return Mark(round(start_ms), round(end_ms), word[0], word[1])


def _plain(word: str) -> str:
    return word.lower().replace("’", "'")


# What a microphone lags behind the words: synthesis of the sound, the air, recognition's own pauses.
_ECHO_BEFORE_MS = 4000
_ECHO_AFTER_MS = 1000
_ECHO_SHARE = 0.7


def is_echo(text: str, marks: Sequence[Mark], ms: float, heard: str) -> bool:
    """Whether what was heard at that time are the agent's own words, which sounded just then."""
    near = [_plain(text[m.begin : m.end]) for m in marks if ms - _ECHO_BEFORE_MS <= m.start_ms <= ms + _ECHO_AFTER_MS]
    words = [_plain(found[0]) for found in _WORD.finditer(heard)]
    if len(words) < 2:  # a "no" into "yes or no" is an answer
        return False
    return _in_common(words, near) >= _ECHO_SHARE * len(words)


def _in_common(some: Sequence[str], others: Sequence[str]) -> int:
    """How many words both have in the same order."""
    best = [0] * (len(others) + 1)
    for word in some:
        before = 0
        for at, other in enumerate(others, 1):
            before, best[at] = best[at], before + 1 if word == other else max(best[at], best[at - 1])
    return best[-1]
