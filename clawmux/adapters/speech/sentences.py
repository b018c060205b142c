"""Pure: spoken text in pieces that are synthesised one by one, so that the first is heard while the rest is made.

A piece is one sentence; very short ones are joined, very long ones are cut at a clause mark, and the first piece
is kept short because the listener waits for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Synthesis runs at about a fifth of real time and a second holds 15 characters: 100 characters wait about 1.2 s.
FIRST_LIMIT = 100
# Kokoro takes 510 phonemes; memory and lag grow with the length of a piece.
LIMIT = 240
# Below this a sentence of its own sounds clipped ("OK.").
SHORT = 24

SENTENCE_PAUSE_SECONDS = 0.25
PARAGRAPH_PAUSE_SECONDS = 0.4
CLAUSE_PAUSE_SECONDS = 0.08


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    pause_seconds: float
    """Silence after it; none after the last."""


def split_pieces(text: str) -> list[Piece]:
    """The pieces of a spoken text whose lines are paragraphs, headings or list items."""
    pieces: list[Piece] = []
    for line in text.splitlines():
        parts = [part for sentence in join_short(split_sentences(line)) for part in _cut(sentence, bool(pieces))]
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            pause = PARAGRAPH_PAUSE_SECONDS if last else SENTENCE_PAUSE_SECONDS if _ENDED.search(part) else CLAUSE_PAUSE_SECONDS
            pieces.append(Piece(part, pause))
    pieces = _shorten_first(pieces)
    return [*pieces[:-1], Piece(pieces[-1].text, 0.0)] if pieces else []


_ABBREVIATION_LIST = (
    "mr mrs ms dr prof st jr sr vs etc e.g i.e cf al approx fig no vol pp p ca inc ltd co corp dept est min max sec "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun a.m p.m u.s u.k ph.d"
)
_ABBREVIATIONS = frozenset(_ABBREVIATION_LIST.split())
# These may end a sentence: the next word's capital decides.
_MAY_END_LIST = "etc al inc ltd co corp jr sr a.m p.m u.s u.k ph.d min max sec no"
_MAY_END = frozenset(_MAY_END_LIST.split())
# Nothing is given back and no run is entered in its middle: a long one that ends no sentence must not cost its square.
_BOUNDARY = re.compile(r"(?:(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s)|[。！？｡।]+[」』”’）]*)\s*")
_ENDED = re.compile(r"[.!?…。！？｡।:][\"'”’»)\]」』）]*$")


def split_sentences(line: str) -> list[str]:
    sentences: list[str] = []
    start = 0
    for mark in _BOUNDARY.finditer(line):
        if _ends_sentence(line, mark.start(), mark[0].strip(), line[mark.end() : mark.end() + 2]):
            sentences.append(line[start : mark.end()].strip())
            start = mark.end()
    sentences.append(line[start:].strip())
    return [sentence for sentence in sentences if any(c.isalnum() for c in sentence)]


def _ends_sentence(line: str, at: int, mark: str, following: str) -> bool:
    first = following.lstrip("\"'“‘«([")[:1]
    if mark[0] in "。！？｡।":
        return True
    if first.islower() and (mark[0] == "…" or mark.startswith("..") or mark[0] == "."):
        return False
    if mark[0] != ".":
        return not first.islower()
    word = re.search(r"[\w.]{0,12}$", line[max(0, at - 12) : at])
    token = word[0].lower() if word else ""
    if len(token) == 1 and token.isalpha() and line[at - 1].isupper() and token != "i":
        return False  # An initial, as in J. Smith.
    return token not in _ABBREVIATIONS or (token in _MAY_END and first.isupper())


def join_short(sentences: list[str]) -> list[str]:
    joined: list[str] = []
    for sentence in sentences:
        if joined and min(len(joined[-1]), len(sentence)) < SHORT and len(joined[-1]) + len(sentence) < FIRST_LIMIT:
            joined[-1] += " " + sentence
        else:
            joined.append(sentence)
    return joined


_MARK = re.compile(r"[,;:—–)]\s+|[，、；：]|\s(?=[—–(])")
_CONJUNCTION = re.compile(r"\s(?=(?:and|but|because|which|while|so|or|then|if|when)\s)")


def _cut(sentence: str, started: bool) -> list[str]:
    limit = LIMIT if started else FIRST_LIMIT + FIRST_LIMIT // 4
    parts: list[str] = []
    while len(sentence) > limit:
        at = _cut_at(sentence, limit if parts or started else FIRST_LIMIT)
        parts.append(sentence[:at].strip())
        sentence, limit = sentence[at:].strip(), LIMIT
    return [*parts, sentence] if sentence else parts


def _cut_at(sentence: str, limit: int) -> int:
    """The last clause mark in reach, else a conjunction, else the last space, else (no spaces at all) the limit itself."""
    for pattern in (_MARK, _CONJUNCTION):
        ends = [mark.end() for mark in pattern.finditer(sentence, 0, limit)]
        if fitting := [end for end in ends if min(end, len(sentence) - end) >= SHORT]:
            return fitting[-1]
    space = sentence.rfind(" ", SHORT, limit)
    return space if space > 0 else limit


def _shorten_first(pieces: list[Piece]) -> list[Piece]:
    if not pieces or len(pieces[0].text) <= FIRST_LIMIT:
        return pieces
    parts = _cut(pieces[0].text, started=False)
    head = [Piece(part, CLAUSE_PAUSE_SECONDS) for part in parts[:-1]]
    return [*head, Piece(parts[-1], pieces[0].pause_seconds), *pieces[1:]]
