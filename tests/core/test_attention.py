"""Who is told that an agent needs the user, and when: a table of cases, and thousands of chance histories."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from clawmux.core.attention import (
    AWAY_SECONDS,
    GRACE_SECONDS,
    RESTART_SECONDS,
    WAVER_SECONDS,
    Attention,
    Effect,
    Forget,
    Needs,
    Subscriber,
    Tell,
    Window,
    Withdraw,
    recipients,
)
from clawmux.wire.words import Need
from tests.long_form import IS_LONG

NOW = 100.0
SKY = frozenset({"sky"})
NOBODY: frozenset[str] = frozenset()
ASK = Attention("q1", "sky", "question q1", Need.QUESTION, "Apply it?", "q1")
LATER = NOW + GRACE_SECONDS


def dialog(name: str, source: str = "", kind: Need = Need.PERMISSION) -> Attention:
    return Attention(name, "sky", "dialog", kind, "Bash: ls", source)


def done(name: str = "d1") -> Attention:
    return Attention(name, "sky", "done", Need.DONE, "")


# -- one need --


def test_what_stands_unseen_is_told_once_after_a_moment() -> None:
    needs = Needs()
    assert needs.raised(ASK, NOW) == []
    assert needs.deadline() == LATER
    assert needs.tick(LATER - 0.01) == []
    assert needs.tick(LATER) == [Tell(ASK)]
    assert needs.raised(ASK, LATER + 1) == []
    assert needs.tick(LATER + 1000) == [] and needs.deadline() is None


def test_an_answer_at_once_sends_nothing() -> None:
    needs = Needs()
    needs.raised(ASK, NOW)
    assert needs.met("sky", ASK.place, LATER - 0.01) == []
    assert needs.tick(LATER + 100) == [] and needs.deadline() is None


def test_what_was_told_is_withdrawn_when_it_is_met() -> None:
    needs = Needs()
    needs.raised(ASK, NOW)
    needs.tick(LATER)
    assert needs.met("sky", ASK.place, LATER + 5) == [Withdraw(ASK)]
    assert needs.met("sky", ASK.place, LATER + 6) == []
    assert needs.tick(LATER + 5 + WAVER_SECONDS) == [Forget(ASK)] and needs.deadline() is None


def test_a_conversation_in_view_holds_it_back() -> None:
    needs = Needs()
    needs.looked_at(SKY, NOW)
    needs.raised(ASK, NOW)
    assert needs.deadline() is None and needs.tick(NOW + 1000) == []
    needs.looked_at(frozenset({"nova"}), NOW + 1000)
    assert needs.tick(NOW + 1000 + AWAY_SECONDS - 0.01) == []
    assert needs.tick(NOW + 1000 + AWAY_SECONDS) == [Tell(ASK)]


def test_looking_at_it_within_the_moment_holds_it_back() -> None:
    needs = Needs()
    needs.raised(ASK, NOW)
    needs.looked_at(SKY, NOW + 1)
    assert needs.tick(LATER + 100) == []
    needs.looked_at(NOBODY, LATER + 100)
    needs.looked_at(SKY, LATER + 101)
    assert needs.tick(LATER + 1000) == []


def test_looking_at_it_withdraws_it_and_it_is_not_told_again() -> None:
    needs = Needs()
    needs.raised(ASK, NOW)
    needs.tick(LATER)
    assert needs.looked_at(SKY, LATER + 1) == [Withdraw(ASK)]
    assert needs.looked_at(NOBODY, LATER + 2) == [] == needs.tick(LATER + 10000)
    assert needs.met("sky", ASK.place, LATER + 10001) == []


def test_what_is_just_being_spoken_is_not_told() -> None:
    needs = Needs()
    needs.raised(ASK, NOW, is_ripe=False)
    assert needs.tick(NOW + 1000) == [] and needs.deadline() is None
    needs.raised(ASK, NOW + 1000)
    needs.raised(ASK, NOW + 1001, is_ripe=False)
    needs.raised(ASK, NOW + 1002)
    assert needs.tick(NOW + 1002 + GRACE_SECONDS - 0.01) == []
    assert needs.tick(NOW + 1002 + GRACE_SECONDS) == [Tell(ASK)]


def test_finished_work_needs_only_to_be_seen() -> None:
    needs = Needs()
    needs.looked_at(SKY, NOW)
    assert needs.raised(done(), NOW) == [] and ("sky", "done") not in needs
    needs.looked_at(NOBODY, NOW)
    needs.raised(done(), NOW)
    needs.tick(LATER)
    assert needs.looked_at(SKY, LATER + 1) == [Withdraw(done())] and ("sky", "done") not in needs


def test_an_agent_that_ended_needs_nothing() -> None:
    needs = Needs()
    for attention in (ASK, dialog("p1", "r1"), done()):
        needs.raised(attention, NOW)
    other = Attention("q2", "nova", "question q2", Need.QUESTION, "", "q2")
    needs.raised(other, NOW)
    assert needs.sessions() == {"sky", "nova"}
    needs.tick(LATER)
    assert set(needs.ended("sky", LATER)) == {Withdraw(ASK), Withdraw(dialog("p1", "r1")), Withdraw(done())}
    assert needs.sessions() == {"nova"} and needs.places("sky") == []


# -- the same, or another --


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        (dialog("a", "r1"), dialog("b", "r1"), True),
        (dialog("a", "r1"), dialog("b", ""), True),
        (dialog("a", ""), dialog("b", "r2"), True),
        (dialog("a", "r1"), dialog("b", "r2"), False),
        (dialog("a"), dialog("b", kind=Need.QUESTION), False),
    ],
)
@pytest.mark.parametrize("wavers", [False, True])
def test_the_same_need_in_other_words(first: Attention, second: Attention, is_same: bool, wavers: bool) -> None:
    needs = Needs()
    needs.raised(first, NOW)
    needs.tick(LATER)
    effects = needs.met("sky", "dialog", LATER + 1) if wavers else []
    effects += needs.raised(second, LATER + 1 + wavers)
    effects += needs.tick(LATER + 2 + GRACE_SECONDS)
    assert (Tell(second) in effects) is not is_same
    assert effects.count(Withdraw(first)) == (1 if wavers or not is_same else 0)


def test_the_same_again_much_later_is_new() -> None:
    needs = Needs()
    needs.raised(dialog("a"), NOW)
    needs.tick(LATER)
    needs.met("sky", "dialog", LATER)
    assert needs.tick(LATER + WAVER_SECONDS) == [Forget(dialog("a"))]
    needs.raised(dialog("b"), LATER + WAVER_SECONDS)
    assert needs.tick(LATER + WAVER_SECONDS + GRACE_SECONDS) == [Tell(dialog("b"))]


# -- a restart of the hub --


def test_what_was_told_before_a_restart_is_not_told_again() -> None:
    needs = Needs()
    needs.restore([ASK, dialog("p1", "r1")], NOW)
    assert needs.raised(ASK, NOW + 1) == []
    assert needs.raised(dialog("p9"), NOW + 1) == []
    assert needs.tick(NOW + RESTART_SECONDS + 100) == []
    assert needs.met("sky", "dialog", NOW + 200) == [Withdraw(dialog("p1", "r1"))], "by the id that devices know"


def test_what_was_met_while_the_hub_was_away_is_withdrawn() -> None:
    needs = Needs()
    needs.restore([ASK], NOW)
    assert needs.tick(NOW + RESTART_SECONDS - 0.01) == []
    assert needs.tick(NOW + RESTART_SECONDS) == [Withdraw(ASK), Forget(ASK)]


def test_another_dialog_after_a_restart_is_told() -> None:
    needs = Needs()
    needs.restore([dialog("p1", "r1")], NOW)
    effects = needs.raised(dialog("p2", "r2"), NOW + 1)
    assert effects == [Withdraw(dialog("p1", "r1")), Forget(dialog("p1", "r1"))]
    assert needs.tick(NOW + 1 + GRACE_SECONDS) == [Tell(dialog("p2", "r2"))]


def test_finished_work_stays_told_over_a_restart() -> None:
    needs = Needs()
    needs.restore([done()], NOW)
    assert needs.tick(NOW + 10000) == []
    assert needs.looked_at(SKY, NOW + 10001) == [Withdraw(done())]


# -- to whom --

DESK, DESK_HIDDEN = Window("desk", "d", True), Window("desk", "d", False)
PHONE, ALL = "p", frozenset(Need)


@pytest.mark.parametrize(
    ("windows", "subscribers", "pages", "pushed"),
    [
        pytest.param([], [], [], [], id="nobody is there"),
        pytest.param([DESK_HIDDEN], [], ["desk"], [], id="a hidden page, no push: the page itself"),
        pytest.param([DESK], [], [], [], id="a visible page shows its card"),
        pytest.param([], [Subscriber("1", PHONE, ALL)], [], ["1"], id="a phone, its page closed"),
        pytest.param([DESK], [Subscriber("1", PHONE, ALL)], [], ["1"], id="the desk looks at another agent: the phone too"),
        pytest.param([DESK], [Subscriber("1", "d", ALL)], [], [], id="no push to a device whose page is seen"),
        pytest.param([DESK_HIDDEN], [Subscriber("1", "d", ALL)], [], ["1"], id="push, and not the page as well"),
        pytest.param([DESK_HIDDEN], [Subscriber("1", "d", frozenset())], [], [], id="it wants none of these"),
        pytest.param([], [Subscriber("1", PHONE, frozenset({Need.DONE}))], [], [], id="it wants others"),
        pytest.param(
            [DESK_HIDDEN, Window("tab", "d", True)], [], [], [], id="two tabs of one device, one of them seen: neither tells"
        ),
    ],
)
def test_to_whom(windows: list[Window], subscribers: list[Subscriber], pages: list[str], pushed: list[str]) -> None:
    assert recipients(Need.QUESTION, windows, subscribers) == (pages, pushed)


# -- histories --

SESSIONS = ("sky", "nova")
PLACES = {"dialog": Need.PERMISSION, "fault": Need.ERROR, "done": Need.DONE, "question": Need.QUESTION}


class Histories(RuleBasedStateMachine):
    """Agents that ask and are answered, people who look and turn away, and a hub that is restarted, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.needs = Needs()
        self.now = 0.0
        self.number = 0
        self.open: dict[tuple[str, str], Attention] = {}
        """What stands, as the world has it."""
        self.since: dict[tuple[str, str], float] = {}
        self.store: dict[str, Attention] = {}
        self.told: list[str] = []
        self.shown: set[str] = set()

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            attention = effect.attention
            if isinstance(effect, Tell):
                assert attention.id not in self.told, "told twice"
                assert attention.session_id not in self.needs.in_view, "told while somebody looks"
                assert self.open[attention.key].id == attention.id, "told of what does not stand"
                assert self.now - self.since[attention.key] >= GRACE_SECONDS
                self.told.append(attention.id)
                self.shown.add(attention.id)
                self.store[attention.id] = attention
            elif isinstance(effect, Withdraw):
                assert attention.id in self.told, "withdrawn and never told"
                self.shown.discard(attention.id)
            else:
                del self.store[attention.id]

    @rule(session=st.sampled_from(SESSIONS), place=st.sampled_from(sorted(PLACES)), is_ripe=st.booleans())
    def agent_needs(self, session: str, place: str, is_ripe: bool) -> None:
        self.number += 1
        name = f"n{self.number}"
        kind, key = PLACES[place], (session, place)
        if kind is Need.DONE and session in self.needs.in_view and key not in self.open:
            self.take(self.needs.raised(Attention(name, session, place, kind, "", name), self.now))
            return
        attention = self.open.setdefault(key, Attention(name, session, place, kind, "", name))
        self.since.setdefault(key, self.now)
        self.take(self.needs.raised(attention, self.now, is_ripe))

    @rule(session=st.sampled_from(SESSIONS), place=st.sampled_from(sorted(PLACES)))
    def is_met(self, session: str, place: str) -> None:
        self.open.pop((session, place), None)
        self.since.pop((session, place), None)
        self.take(self.needs.met(session, place, self.now))

    @rule(session=st.sampled_from(SESSIONS))
    def agent_ends(self, session: str) -> None:
        for key in [key for key in self.open if key[0] == session]:
            del self.open[key], self.since[key]
        self.take(self.needs.ended(session, self.now))

    @rule(in_view=st.frozensets(st.sampled_from(SESSIONS)))
    def people_look(self, in_view: frozenset[str]) -> None:
        for key in [(session, "done") for session in in_view if (session, "done") in self.open]:
            del self.open[key], self.since[key]
        self.take(self.needs.looked_at(in_view, self.now))

    @rule(seconds=st.sampled_from([0.5, GRACE_SECONDS, WAVER_SECONDS, AWAY_SECONDS, 300.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.needs.tick(self.now))

    @rule()
    def hub_restarts(self) -> None:
        in_view = self.needs.in_view
        self.needs = Needs()
        self.needs.restore(list(self.store.values()), self.now)
        for key, attention in list(self.open.items()):
            if attention.kind is Need.DONE:
                if attention.id not in self.store:
                    del self.open[key], self.since[key]  # nobody was told, and nothing shows it again
                continue
            self.take(self.needs.raised(attention, self.now))
        self.people_look(in_view)

    @invariant()
    def what_is_shown_stands(self) -> None:
        standing = {attention.id for attention in self.open.values()}
        lately = {attention.id for attention in self.store.values()}
        assert self.shown <= standing | lately

    @invariant()
    def what_was_told_and_stands_is_kept(self) -> None:
        for attention in self.open.values():
            assert attention.id not in self.told or attention.id in self.store

    def teardown(self) -> None:
        """In the end all is met: nothing is left on any device, nor in the store."""
        for key in list(self.open):
            self.is_met(*key)
        self.people_look(NOBODY)
        self.now += RESTART_SECONDS + WAVER_SECONDS
        self.take(self.needs.tick(self.now))
        assert (self.shown, self.store, self.needs.deadline()) == (set(), {}, None)


EXAMPLES, STEPS = (2000, 80) if IS_LONG else (60, 40)
TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)
