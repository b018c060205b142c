"""Pure: one listening stream. Sound and probabilities in; what has been noticed, and what to recognise, out.

Keeps the sound of the open turn (with some before it) and forgets the rest. Time is the stream's own, in samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from clawmux.adapters.speech.audio import LISTEN_RATE, Samples
from clawmux.adapters.speech.vad import FRAME_SAMPLES, FRAME_SECONDS, SPECULATE_SECONDS, Endpointer, Mark

# Kept from before the first frame of speech: soft consonants come before the VAD is sure.
PRE_ROLL_SECONDS = 0.5
# One turn; a microphone left open in a talking room ends here.
TURN_SECONDS = 300.0
# Half of Whisper's window: a stretch this long is recognised for good at its next pause.
SETTLE_SECONDS = 15.0
PARTIAL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Began:
    at_ms: int


@dataclass(frozen=True, slots=True)
class Stopped:
    at_ms: int


@dataclass(frozen=True, slots=True)
class Glimpse:
    """Worth a partial text, if there is time."""

    samples: Samples


@dataclass(frozen=True, slots=True)
class Guess:
    """Perhaps all of the turn: begin to recognise it."""

    samples: Samples
    until: float


@dataclass(frozen=True, slots=True)
class Settle:
    """The speaker went on after a long stretch; its guess (same ``until``) stays, its sound is no longer in later ones."""

    until: float


@dataclass(frozen=True, slots=True)
class Drop:
    """The speaker went on: the guess is not the end."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn is over. A guess with the same ``until`` has recognised the same speech."""

    samples: Samples
    until: float
    audio_ms: int


Effect = Began | Stopped | Glimpse | Guess | Settle | Drop | Turn


# Into an agent's own voice: what is left of its echo is short and unsure, a person who interrupts is neither.
INTERRUPT_THRESHOLD = 0.7
INTERRUPT_SECONDS = 0.25


class Ear:
    def __init__(self, automatic: bool, silence_seconds: float, interrupts: bool = False) -> None:
        """``interrupts``: a voice of its own sounds while it listens."""
        self._automatic = automatic
        self._end = (
            Endpointer(silence_seconds, INTERRUPT_THRESHOLD, INTERRUPT_SECONDS)
            if interrupts
            else Endpointer(silence_seconds if automatic else math.inf)
        )
        self._tape = _Tape()
        self._frames = 0
        self._fed = 0
        self._guessed: float | None = None
        self._began_at: float | None = None
        self._last_glimpse = 0.0
        self._until = 0.0

    @property
    def now(self) -> float:
        return self._frames * FRAME_SECONDS

    def feed(self, samples: Samples, probabilities: list[float]) -> list[Effect]:
        """``probabilities`` are those of the frames completed by these samples."""
        self._tape.append(samples)
        self._fed += len(samples)
        effects: list[Effect] = []
        for probability in probabilities:
            self._frames += 1
            for moment in self._end.feed(probability, self.now):
                effects += self._noticed(moment.mark, moment.at)
        effects += self._too_long() or self._glimpse()
        self._forget()
        return effects

    def finish(self) -> list[Effect]:
        """The speaker has said that this was all. Always ends with a Turn."""
        effects: list[Effect] = [effect for moment in self._end.finish() for effect in self._noticed(moment.mark, moment.at)]
        if not any(isinstance(effect, Turn) for effect in effects):
            effects.append(self._turn(self._until))
        return effects

    def _noticed(self, mark: Mark, at: float) -> list[Effect]:
        if mark is Mark.STARTED:
            self._began_at, self._last_glimpse = at, self.now
            if self._automatic:
                self._drop_before(at - PRE_ROLL_SECONDS)
            return [Began(round(at * 1000))]
        if mark is Mark.PAUSED:
            self._guessed = self._until = at
            return [Guess(self._before(at + SPECULATE_SECONDS), at)]
        if mark is Mark.RESUMED:
            return [self._went_on(at)]
        self._until = at
        return [Stopped(round(at * 1000)), self._turn(at)]

    def _went_on(self, at: float) -> Effect:
        until, self._guessed = self._guessed, None
        assert until is not None
        if until - self._tape.start / LISTEN_RATE < SETTLE_SECONDS:
            return Drop()
        self._drop_before(max(until + SPECULATE_SECONDS, at - PRE_ROLL_SECONDS))
        return Settle(until)

    def _turn(self, until: float) -> Turn:
        start = self._began_at if self._began_at is not None and self._automatic else 0.0
        samples = self._before(until + SPECULATE_SECONDS) if self._automatic else self._tape.until(self._fed)
        turn = Turn(
            samples,
            until,
            max(0, round((max(until, start) - start) * 1000)) if self._automatic else round(self._fed / LISTEN_RATE * 1000),
        )
        self._guessed = self._began_at = None
        if self._automatic:
            self._drop_before(until + SPECULATE_SECONDS)
        return turn

    def _glimpse(self) -> list[Effect]:
        if not self._end.in_turn or self._guessed is not None or self.now - self._last_glimpse < PARTIAL_SECONDS:
            return []
        self._last_glimpse = self.now
        return [Glimpse(self._tape.until(self._fed))]

    def _too_long(self) -> list[Effect]:
        began = self._began_at if self._automatic else 0.0
        if began is None or self.now - began < TURN_SECONDS:
            return []
        return self.finish()

    def _before(self, at: float) -> Samples:
        return self._tape.until(round(at * LISTEN_RATE))

    def _drop_before(self, at: float) -> None:
        self._tape.drop_before(round(at * LISTEN_RATE))

    def _forget(self) -> None:
        if self._automatic and not self._end.in_turn:
            # What may become the start of speech: the pre-roll, and the frames that are not yet enough to be sure.
            self._drop_before(self.now - PRE_ROLL_SECONDS - self._end.min_speech_seconds - FRAME_SAMPLES / LISTEN_RATE)


class _Tape:
    """The newest stretch of a stream. Written once and never moved under a reader, so that what is handed out stays."""

    def __init__(self) -> None:
        self.start = 0
        """The stream's sample that is the first still kept."""
        self._buffer = np.zeros(LISTEN_RATE, dtype=np.float32)
        self._from = self._to = 0

    def append(self, samples: Samples) -> None:
        if self._to + len(samples) > len(self._buffer):
            kept = self._buffer[self._from : self._to]
            self._buffer = np.zeros(2 * (len(kept) + len(samples)) + LISTEN_RATE, dtype=np.float32)
            self._buffer[: len(kept)] = kept
            self._from, self._to = 0, len(kept)
        self._buffer[self._to : self._to + len(samples)] = samples
        self._to += len(samples)

    def until(self, sample: int) -> Samples:
        return self._buffer[self._from : min(self._to, max(self._from, self._from + sample - self.start))]

    def drop_before(self, sample: int) -> None:
        count = min(self._to - self._from, max(0, sample - self.start))
        self._from += count
        self.start += count
