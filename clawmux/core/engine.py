"""The speech service as a child process: off, starting, ready, failed. Decides when to start it again; touches nothing.

A child that was ready for a while and dies is started again at once. One that dies again and again before it is of
any use is given up for a while, with the reason shown, and tried again later.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clawmux.wire.words import SpeechState

# A crash of a child that was ready for so long, or that served anybody, says nothing about the next one.
USEFUL_SECONDS = 3.0
CRASHES_IN_A_ROW = 3
PAUSE_AFTER_CRASHES_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class StartService:
    """Start the child process."""


@dataclass(frozen=True, slots=True)
class Notify:
    """The state changed: tell the pages and whoever waits for speech."""

    state: SpeechState
    reason: str


Effect = StartService | Notify


@dataclass(slots=True)
class Engine:
    state: SpeechState = SpeechState.OFF
    reason: str = ""
    crashes: int = 0
    _ready_since: float | None = None
    _has_served: bool = False
    _start_at: float | None = field(default=None)

    def want(self, now: float) -> list[Effect]:
        """The service is needed."""
        if self.state is not SpeechState.OFF:
            return []
        return self._start()

    def reported(self, state: SpeechState, reason: str, now: float) -> list[Effect]:
        """What the running child's /health says. One that has failed may recover: its remote half comes back."""
        if self.state is SpeechState.OFF or self._start_at is not None:
            return []
        if state is SpeechState.READY and self._ready_since is None:
            self._ready_since = now
        return self._become(state, reason)

    def served(self) -> list[Effect]:
        """The child has spoken or understood something: whatever ends it now, it was not of no use."""
        self._has_served = True
        return []

    def exited(self, reason: str, now: float) -> list[Effect]:
        """The child is gone, for whatever reason."""
        if self.state is SpeechState.OFF:
            return []
        lasted = self._ready_since is not None and now - self._ready_since >= USEFUL_SECONDS
        useful, self._has_served = lasted or self._has_served, False
        self.crashes = 1 if useful else self.crashes + 1
        self._ready_since = None
        if self.crashes < CRASHES_IN_A_ROW:
            return self._start()
        self._start_at = now + PAUSE_AFTER_CRASHES_SECONDS
        return self._become(SpeechState.FAILED, reason)

    def stop(self) -> list[Effect]:
        """The hub is ending: what exits from here on is meant to."""
        self._start_at = None
        return self._become(SpeechState.OFF, "")

    def tick(self, now: float) -> list[Effect]:
        if self._start_at is None or now < self._start_at:
            return []
        return self._start()

    def deadline(self) -> float | None:
        return self._start_at

    def _start(self) -> list[Effect]:
        self._start_at = None
        return [StartService(), *self._become(SpeechState.STARTING, "")]

    def _become(self, state: SpeechState, reason: str) -> list[Effect]:
        if (state, reason) == (self.state, self.reason):
            return []
        self.state, self.reason = state, reason
        return [Notify(state, reason)]
