"""Whether the speech on this machine may be measured now, and how far that has come. Decides; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from clawmux.wire.words import SpeechState, Tier

# The first of each finds nothing in the caches, and is not counted.
SPEAKING_RUNS, HEARING_RUNS = 3, 4
STEPS = SPEAKING_RUNS + HEARING_RUNS


@dataclass(frozen=True, slots=True)
class Facts:
    """How things stand with speech."""

    state: SpeechState
    serving: Tier | None
    wanted: Tier | None
    is_fetching: bool
    is_elsewhere: bool
    """A half of it is done by another server."""
    is_person_talking: bool
    is_agent_speaking: bool


def why_not(facts: Facts) -> str:
    """One sentence; empty when it may be measured."""
    if facts.is_elsewhere:
        return "Another server does the hearing or the speaking; only speech on this machine can be measured."
    if facts.is_fetching or (facts.serving is not None and facts.serving is not facts.wanted):
        return "The quality is being changed; measure it when that is done."
    if facts.state is not SpeechState.READY or facts.serving is None:
        return "Speech is not ready, so there is nothing to measure."
    if facts.is_person_talking:
        return "You are talking; measure it when that is over, because both would be slower."
    if facts.is_agent_speaking:
        return "An agent is speaking; measure it when that is over, because both would be slower."
    return ""


@dataclass(slots=True)
class Runs:
    """What was timed so far, in seconds."""

    first_sound: list[float]
    """From a text to its first sound."""
    spoken: list[tuple[float, float]]
    """Work, and the length of the sound made by it."""
    heard: list[tuple[float, float, float]]
    """From the end of the sound to its words; work; the length of the sound."""

    @property
    def done(self) -> int:
        return len(self.spoken) + len(self.heard)

    def figures(self) -> dict[str, float]:
        """The middle of those that count."""
        spoken, heard = self.spoken[1:], self.heard[1:]
        return {
            "delay_seconds": round(median(delay for delay, _, _ in heard), 3),
            "hearing_factor": round(median(work / sound for _, work, sound in heard), 3),
            "first_sound_seconds": round(median(self.first_sound[1:]), 3),
            "speaking_factor": round(median(work / sound for work, sound in spoken), 3),
        }


def progress(tier: Tier, runs: Runs) -> dict[str, Any]:
    """For the pages."""
    doing = "speaking" if len(runs.spoken) < SPEAKING_RUNS else "hearing"
    return {"tier": tier.value, "doing": doing, "done": runs.done, "of": STEPS}
