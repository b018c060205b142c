"""The speech services' life in thousands of chance histories. Time is an argument."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clawmux.core.engine import (
    LOADING_SECONDS,
    PAUSE_AFTER_CRASHES_SECONDS,
    SERVICES,
    USEFUL_SECONDS,
    Effect,
    Engine,
    Fetch,
    Look,
    PutBack,
    StartService,
    StopFetch,
    StopService,
    SwitchTo,
)
from clawmux.wire.words import SpeechState, Tier

OFF, STARTING, READY, MISSING, DOWNLOADING, FAILED = SpeechState
A, B, C = Tier.TINY, Tier.LOW, Tier.MEDIUM
"""A serves at first, B is wanted, C is a third."""


@dataclass(slots=True)
class Child:
    tier: Tier
    ends: bool = False


class Histories(RuleBasedStateMachine):
    """The world around an engine: children that load, fail and die, files that come or do not, a user who changes his mind."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.engine = Engine()
        self.children: dict[int, Child] = {}
        self.looking: list[Tier] = []
        self.fetching: Tier | None = None
        self.installed = {A}
        self.holds_two = True
        self.current = 0
        self.do(self.engine.want(A, 0.0))

    def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case StartService(number, tier):
                    assert number not in self.children, "numbers are used once"
                    if not self.holds_two_at_last_look():
                        assert not self.children, "memory holds one"
                    self.children[number] = Child(tier)
                case StopService(number):
                    self.children[number].ends = True
                case SwitchTo(number):
                    assert not self.children[number].ends
                    self.current = number
                case Look(tier):
                    self.looking.append(tier)
                case Fetch(tier):
                    self.fetching = tier
                case StopFetch():
                    self.fetching = None
                case PutBack(tier, failed, reason):
                    assert tier is not failed and reason.endswith(".")

    def holds_two_at_last_look(self) -> bool:
        return self.engine._holds_two

    def numbers(self, ends: bool) -> list[int]:
        return [number for number, child in self.children.items() if child.ends is ends]

    @rule(tier=st.sampled_from([A, B, C]))
    def the_user_wants(self, tier: Tier) -> None:
        self.do(self.engine.want(tier, self.now))

    @precondition(lambda self: self.looking)
    @rule()
    def look(self) -> None:
        tier = self.looking.pop(0)
        self.do(self.engine.looked(tier, tier in self.installed, self.holds_two, self.now))

    @rule(holds_two=st.booleans())
    def memory_changes(self, holds_two: bool) -> None:
        self.holds_two = holds_two

    @precondition(lambda self: self.fetching)
    @rule(works=st.booleans())
    def fetch_ends(self, works: bool) -> None:
        tier, self.fetching = self.fetching, None
        assert tier is not None
        if works:
            self.installed.add(tier)
        self.do(self.engine.fetched(tier, self.now) if works else self.engine.fetch_failed(tier, "No network.", self.now))

    @precondition(lambda self: self.numbers(ends=False))
    @rule(data=st.data(), state=st.sampled_from([READY, READY, STARTING, FAILED, MISSING]), is_whole=st.booleans())
    def a_child_reports(self, data: st.DataObject, state: SpeechState, is_whole: bool) -> None:
        number = data.draw(st.sampled_from(self.numbers(ends=False)))
        self.do(self.engine.reported(number, state, "", is_whole, self.now))

    @precondition(lambda self: self.current in self.children)
    @rule()
    def it_serves(self) -> None:
        self.do(self.engine.served(self.current))

    @precondition(lambda self: self.children)
    @rule(data=st.data())
    def a_child_exits(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.children)))
        del self.children[number]
        self.do(self.engine.exited(number, "Killed.", self.now))

    @rule(seconds=st.sampled_from([0.5, USEFUL_SECONDS, PAUSE_AFTER_CRASHES_SECONDS, LOADING_SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.do(self.engine.tick(self.now))

    @invariant()
    def at_most_two(self) -> None:
        assert len(self.children) <= SERVICES

    @invariant()
    def the_engine_knows_its_children(self) -> None:
        engine = self.engine
        known = {service.number for service in (engine.serving, engine.coming) if service}
        assert known == set(self.numbers(ends=False)) and engine.ending == set(self.numbers(ends=True))

    @invariant()
    def ready_means_that_work_goes_to_one_that_runs(self) -> None:
        if self.engine.state is READY:
            assert self.current in self.numbers(ends=False)
            assert self.children[self.current].tier is self.engine.told.serving

    def teardown(self) -> None:
        """Whatever was: when nothing fails any more, something that was ready serves soon."""
        for _ in range(100):
            if self.looking:
                self.look()
            elif self.fetching:
                self.installed.add(self.fetching)
                tier, self.fetching = self.fetching, None
                self.do(self.engine.fetched(tier, self.now))
            elif ending := self.numbers(ends=True):
                del self.children[ending[0]]
                self.do(self.engine.exited(ending[0], "Ended.", self.now))
            else:
                for number in self.numbers(ends=False):
                    self.do(self.engine.reported(number, READY, "", True, self.now))
                due = self.engine.deadline()
                self.now = max(self.now, due or 0.0)
                self.do(self.engine.tick(self.now))
        assert self.engine.state is READY
        assert self.engine.serving is not None and self.engine.serving.tier is self.engine.wanted is self.engine.good
        assert len(self.children) == 1


Histories.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase
