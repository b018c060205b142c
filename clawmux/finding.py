"""What a check found: fine, worth knowing, or broken, with what to do about it. Checks sit beside what they check."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    """Works, with something that the user would want to know."""
    FAIL = "fail"
    SKIP = "skip"
    """Not looked at; ``detail`` says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    what: str
    """The thing that was looked at, in two or three words: ``tmux``, ``speech models``."""
    detail: str
    """What is so, in one sentence, with the figures."""
    remedy: str = ""
    """What to do; empty when there is nothing to do."""
