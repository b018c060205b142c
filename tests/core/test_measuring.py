"""When the quality may be measured, and what its figures are."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from clawmux.core.measuring import STEPS, Facts, Runs, progress, why_not
from clawmux.wire.words import SpeechState, Tier

QUIET = Facts(SpeechState.READY, Tier.TINY, Tier.TINY, False, False, False, False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"is_person_talking": True}, "You are talking"),
        ({"is_agent_speaking": True}, "An agent is speaking"),
        ({"wanted": Tier.LOW}, "The quality is being changed"),
        ({"is_fetching": True}, "The quality is being changed"),
        ({"serving": None, "state": SpeechState.STARTING}, "Speech is not ready"),
        ({"state": SpeechState.FAILED}, "Speech is not ready"),
        ({"is_elsewhere": True}, "Another server"),
    ],
)
def test_it_is_refused_in_words_while_it_would_be_in_the_way(changes: dict[str, Any], words: str) -> None:
    reason = why_not(dataclasses.replace(QUIET, **changes))
    assert reason.startswith(words) and bool(reason) is bool(words)
    assert not reason or reason.endswith(".")


def test_the_first_of_each_does_not_count_and_one_odd_one_does_no_harm() -> None:
    runs = Runs(
        [9.0, 0.3, 0.5],
        [(9.0, 5.0), (1.0, 2.0), (1.0, 2.0)],
        [(9.0, 9.0, 5.0), (0.3, 0.25, 5.0), (4.0, 4.0, 5.0), (0.2, 0.2, 5.0)],
    )
    assert runs.figures() == {"delay_seconds": 0.3, "hearing_factor": 0.05, "first_sound_seconds": 0.4, "speaking_factor": 0.5}
    assert progress(Tier.TINY, runs) == {"tier": "tiny", "doing": "hearing", "done": STEPS, "of": STEPS}
