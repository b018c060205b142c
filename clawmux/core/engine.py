"""The speech service as child processes: which tier serves, which is wanted, what happens next. Touches nothing.

One service serves. When another tier is wanted its missing models are fetched, a second service is started beside the
first, and new work goes to it once it is ready; the first ends when the work it has is done. Where memory cannot hold
both, the first ends before the second is started, and whoever needs speech waits. A tier that fails is put back to the
one that served before. A service that was of use and dies is started again at once; one that dies again and again
before that is given up for a while, with the reason shown, and tried again later.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clawmux.wire.words import SpeechState, Tier

# A crash of a service that was ready for so long, or that served anybody, says nothing about the next one.
USEFUL_SECONDS = 3.0
CRASHES_IN_A_ROW = 3
PAUSE_AFTER_CRASHES_SECONDS = 30.0
# The largest model takes 6 s to load on two cores (measured); from a cold disk on a busy machine many times that.
LOADING_SECONDS = 180.0
SERVICES = 2
"""At any time, those that are ending included."""


@dataclass(frozen=True, slots=True)
class Look:
    """Find out whether this tier's models are here, and whether memory holds it beside what runs: answer ``looked``."""

    tier: Tier


@dataclass(frozen=True, slots=True)
class Fetch:
    """Fetch the missing models of this tier: answer ``fetched`` or ``fetch_failed``."""

    tier: Tier


@dataclass(frozen=True, slots=True)
class StopFetch:
    """Nobody wants them any more; what came is kept."""


@dataclass(frozen=True, slots=True)
class StartService:
    number: int
    tier: Tier


@dataclass(frozen=True, slots=True)
class SwitchTo:
    """New work goes to this service from now on; work under way stays where it is."""

    number: int


@dataclass(frozen=True, slots=True)
class StopService:
    """No new work for it; it ends when the work it has is done: answer ``exited``."""

    number: int


@dataclass(frozen=True, slots=True)
class Keep:
    """This tier has proved itself: after a restart of the hub it is what can be relied on."""

    tier: Tier


@dataclass(frozen=True, slots=True)
class PutBack:
    """The change has failed: this tier is the wanted one again, in the settings too, and the user is told why."""

    tier: Tier
    failed: Tier
    reason: str


@dataclass(frozen=True, slots=True)
class Notify:
    """How it stands: for the pages and whoever waits for speech."""

    state: SpeechState
    reason: str
    serving: Tier | None
    """None while nothing can be spoken or understood."""
    wanted: Tier | None


Effect = Look | Fetch | StopFetch | StartService | SwitchTo | StopService | Keep | PutBack | Notify


@dataclass(slots=True)
class Service:
    """One child process, from its start until it is told to end."""

    number: int
    tier: Tier
    ready_by: float
    state: SpeechState = SpeechState.STARTING
    reason: str = ""
    ready_since: float | None = None
    has_served: bool = False

    def was_useful(self, now: float) -> bool:
        return self.has_served or (self.ready_since is not None and now - self.ready_since >= USEFUL_SECONDS)


@dataclass(slots=True)
class Engine:
    good: Tier | None = None
    """The tier that proved itself last: what is gone back to."""
    wanted: Tier | None = None
    """None: the hub is ending, or has not begun."""
    serving: Service | None = None
    coming: Service | None = None
    """Loads beside the one that serves."""
    ending: set[int] = field(default_factory=set)
    fetching: Tier | None = None
    crashes: int = 0
    failure: str = ""
    """Why the last change was put back."""
    failed: Tier | None = None
    """To which it was."""
    _is_installed: bool | None = None
    """Of the wanted tier; None: not known yet."""
    _is_fetched: bool = False
    _holds_two: bool = True
    _start_at: float | None = None
    _gave_up: str = ""
    _count: int = 0
    told: Notify = field(default=Notify(SpeechState.OFF, "", None, None))
    """What the pages know."""

    @property
    def state(self) -> SpeechState:
        if self.wanted is None:
            return SpeechState.OFF
        if self.serving is not None:
            return self.serving.state
        return SpeechState.STARTING if self._start_at is None else SpeechState.FAILED

    @property
    def is_replacing(self) -> bool:
        """Nothing serves because one tier gives way to another."""
        return self.state is SpeechState.STARTING and self.good not in (None, self.wanted)

    # -- what is wanted --

    def want(self, tier: Tier, now: float) -> list[Effect]:
        """This tier shall serve. One that is wanted already changes nothing; any other replaces a change under way."""
        if tier is self.wanted:
            return []
        self.wanted, self._is_installed, self._is_fetched, self.failure, self.failed = tier, None, False, "", None
        self._start_at, self.crashes = None, 0
        runs = self.serving.tier if self.serving else self.good
        looking: list[Effect] = [] if runs in (None, tier) else [Look(tier)]
        return [*looking, *self._go_on(now)]

    def looked(self, tier: Tier, is_installed: bool, holds_two: bool, now: float) -> list[Effect]:
        if tier is not self.wanted:
            return []
        self._is_installed, self._holds_two = is_installed, holds_two
        return self._go_on(now)

    def fetched(self, tier: Tier, now: float) -> list[Effect]:
        if self.fetching is tier:
            self.fetching = None
        if tier is not self.wanted or not self._is_changing:
            return []  # the one that serves finds its own models by itself
        # The memory may have changed meanwhile.
        self._is_installed, self._is_fetched = None, True
        return [Look(tier)]

    def fetch_failed(self, tier: Tier, reason: str, now: float) -> list[Effect]:
        if self.fetching is tier:
            self.fetching = None
        return self._put_back(reason, now) if tier is self.wanted and self._is_changing else []

    def stop(self) -> list[Effect]:
        """The hub is ending: what exits from here on is meant to."""
        self.wanted = self.serving = self.coming = self._start_at = self.fetching = None
        self.ending.clear()
        return self._tell()

    # -- what the services come to --

    def reported(self, number: int, state: SpeechState, reason: str, is_whole: bool, now: float) -> list[Effect]:
        """What a service's /health says. ``is_whole``: with the models of its tier, and not smaller ones in their place."""
        if self.coming is not None and self.coming.number == number:
            return self._coming_reported(self.coming, state, reason, is_whole, now)
        if self.serving is None or self.serving.number != number:
            return []
        serving, first = self.serving, self.serving.ready_since is None
        works = state is SpeechState.STARTING or (state is SpeechState.READY and is_whole)
        if self._is_on_trial and not works:
            return self._trial_failed(_said(state, reason), now)
        serving.state, serving.reason = state, reason
        effects: list[Effect] = []
        if state is SpeechState.READY and first:
            serving.ready_since = now
            effects.append(SwitchTo(number))
        if state is SpeechState.READY and is_whole and self.good is None:
            effects += self._prove(serving)
        is_short = state is SpeechState.MISSING_MODELS or not is_whole
        if is_short and serving.tier is self.wanted and self.fetching is None:
            self.fetching = serving.tier
            effects.append(Fetch(serving.tier))
        return [*effects, *self._tell()]

    def served(self, number: int) -> list[Effect]:
        """It has spoken or understood something: whatever ends it now, it was not of no use."""
        if self.serving is None or self.serving.number != number:
            return []
        self.serving.has_served = True
        return self._prove(self.serving)

    def exited(self, number: int, reason: str, now: float) -> list[Effect]:
        """It is gone, for whatever reason."""
        if number in self.ending:
            self.ending.remove(number)
            return self._go_on(now)
        if self.coming is not None and self.coming.number == number:
            self.coming = None
            return self._put_back(reason, now)
        if self.serving is None or self.serving.number != number:
            return []
        gone, on_trial = self.serving, self._is_on_trial
        if gone.was_useful(now):
            self.serving, self.crashes = None, 1
            return [*self._prove(gone), *self._go_on(now)]
        if on_trial:
            return self._trial_failed(reason, now, has_exited=True)
        self.serving = None
        self.crashes += 1
        if self.crashes >= CRASHES_IN_A_ROW:
            self._start_at, self._gave_up = now + PAUSE_AFTER_CRASHES_SECONDS, reason
        return self._go_on(now)

    # -- time --

    def tick(self, now: float) -> list[Effect]:
        if self._start_at is not None and now >= self._start_at:
            self._start_at = None
            return self._go_on(now)
        if self.coming is not None and now >= self.coming.ready_by:
            return self._coming_failed(self.coming, _TOO_SLOW, now)
        if self.serving is not None and self._is_on_trial:
            if self.serving.was_useful(now):
                return self._prove(self.serving)
            if self.serving.ready_since is None and now >= self.serving.ready_by:
                return self._trial_failed(_TOO_SLOW, now)
        return []

    def deadline(self) -> float | None:
        times = [self._start_at, self.coming.ready_by if self.coming else None]
        if self.serving is not None and self._is_on_trial:
            since = self.serving.ready_since
            times.append(self.serving.ready_by if since is None else since + USEFUL_SECONDS)
        return min((time for time in times if time is not None), default=None)

    # -- inside --

    @property
    def _is_changing(self) -> bool:
        """Another tier than the wanted one serves, or would have to."""
        runs = self.serving.tier if self.serving else self.good
        return self.wanted is not None and runs not in (None, self.wanted)

    @property
    def _is_on_trial(self) -> bool:
        """It serves and has not proved itself, and there is one that did."""
        return self.serving is not None and self.good not in (None, self.serving.tier)

    def _go_on(self, now: float) -> list[Effect]:
        """From how things stand towards what is wanted, as far as it goes without waiting."""
        if self.wanted is None:
            return []
        effects = self._drop()
        if self.serving is None and self.coming is not None:
            # Its successor loads already: that is the shortest way back to a voice.
            self.serving, self.coming = self.coming, None
        elif self.serving is None and self._start_at is None:
            effects += self._start_serving(now)
        if self.serving is not None and self.coming is None and self.serving.tier is not self.wanted:
            effects += self._advance(self.serving, self.wanted, now)
        return [*effects, *self._tell()]

    def _drop(self) -> list[Effect]:
        """What an earlier wish began and nobody wants any more."""
        effects: list[Effect] = []
        if self.coming is not None and self.coming.tier is not self.wanted:
            effects += self._end(self.coming)
            self.coming = None
        if self.fetching is not None and self.fetching is not self.wanted:
            self.fetching = None
            effects.append(StopFetch())
        return effects

    def _start_serving(self, now: float) -> list[Effect]:
        assert self.wanted is not None
        instead = self._is_installed is True and not self._holds_two
        tier = self.wanted if self.good is None or instead else self.good
        if len(self.ending) >= (SERVICES if self._holds_two else 1):
            return []
        self.serving = self._new(tier, now)
        return [StartService(self.serving.number, tier)]

    def _advance(self, serving: Service, wanted: Tier, now: float) -> list[Effect]:
        """The next step of a change."""
        if self._is_installed is None:
            return []
        if not self._is_installed:
            if self._is_fetched:
                return self._put_back("Its models are not there although they were fetched.", now)
            if self.fetching is wanted:
                return []
            self.fetching = wanted
            return [Fetch(wanted)]
        if not self._holds_two:
            self.serving = None
            return self._end(serving)
        if len(self.ending) >= SERVICES - 1:
            return []
        self.coming = self._new(wanted, now)
        return [StartService(self.coming.number, wanted)]

    def _coming_reported(self, coming: Service, state: SpeechState, reason: str, is_whole: bool, now: float) -> list[Effect]:
        if state is SpeechState.STARTING:
            return []
        if state is not SpeechState.READY or not is_whole:
            return self._coming_failed(coming, _said(state, reason), now)
        before = self.serving
        coming.state, coming.reason, coming.ready_since = state, reason, now
        self.serving, self.coming, self.crashes = coming, None, 0
        effects: list[Effect] = [SwitchTo(coming.number), *(self._end(before) if before else [])]
        if self.good is None:
            effects += self._prove(coming)
        return [*effects, *self._tell()]

    def _coming_failed(self, coming: Service, reason: str, now: float) -> list[Effect]:
        self.coming = None
        return [*self._end(coming), *self._put_back(reason, now)]

    def _trial_failed(self, reason: str, now: float, has_exited: bool = False) -> list[Effect]:
        failed = self.serving
        assert failed is not None
        self.serving = None
        effects = [] if has_exited else self._end(failed)
        # A third tier may be wanted by now: then this one's failure is nobody's loss.
        return [*effects, *(self._put_back(reason, now) if failed.tier is self.wanted else self._go_on(now))]

    def _put_back(self, reason: str, now: float) -> list[Effect]:
        back = self.serving.tier if self.serving is not None and self.serving.tier is not self.wanted else self.good
        failed = self.wanted
        if back is None or failed is None or back is failed:
            return self._go_on(now)
        self.wanted, self.failure, self.failed, self._is_installed, self.crashes = back, reason, failed, None, 0
        return [PutBack(back, failed, reason), *self._go_on(now)]

    def _new(self, tier: Tier, now: float) -> Service:
        self._count += 1
        return Service(self._count, tier, now + LOADING_SECONDS)

    def _end(self, service: Service) -> list[Effect]:
        self.ending.add(service.number)
        return [StopService(service.number)]

    def _prove(self, service: Service) -> list[Effect]:
        if service.tier is self.good:
            return []
        self.good = service.tier
        return [Keep(service.tier)]

    def _tell(self) -> list[Effect]:
        state, serving = self.state, self.serving
        reason = serving.reason if serving else self._gave_up if state is SpeechState.FAILED else ""
        told = Notify(state, reason, serving.tier if serving and state is SpeechState.READY else None, self.wanted)
        if told == self.told:
            return []
        self.told = told
        return [told]


_TOO_SLOW = f"It was not ready after {LOADING_SECONDS:g} s."


def _said(state: SpeechState, reason: str) -> str:
    """As a sentence."""
    text = reason or {SpeechState.MISSING_MODELS: "its models are missing"}.get(state, "it failed without saying why")
    return f"{text[0].upper()}{text[1:].rstrip('.')}."
