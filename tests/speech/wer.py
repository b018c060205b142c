"""Word error rate: how far a recognised text is from what was said, after normalisation."""

from __future__ import annotations

import re

_SAME = {"mr": "mister", "10": "ten", "okay": "ok"}


def words(text: str) -> list[str]:
    """Small letters, no signs, hyphens apart, digits' thousands joined."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text.lower().replace("-", " "))
    return [_SAME.get(word, word) for word in re.sub(r"[^a-z0-9' ]", " ", text).split()]


def errors(said: str, heard: str) -> int:
    """Words to change, add or take away."""
    reference, hypothesis = words(said), words(heard)
    row = list(range(len(hypothesis) + 1))
    for number, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], number
        for at, other in enumerate(hypothesis, 1):
            diagonal, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, diagonal + (word != other))
    return row[-1]


def wer(said: str, heard: str) -> float:
    return errors(said, heard) / len(words(said))
