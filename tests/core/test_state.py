"""The state of an agent by scripts: what is observed when, and what is shown then. Time is a number."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawmux.core.state import HOOK_AGE_SECONDS, LEVEL_AGE_SECONDS, AgentState
from clawmux.wire.signs import Sign
from clawmux.wire.words import Activity, Kind, Source, Stage

IDLE, THINKING, TOOL, SPEAKING, LISTENING, WAITING, NEEDS_YOU, UNKNOWN = Activity
HOOK, RECORD, SCREEN = Source.HOOK, Source.RECORD, Source.SCREEN
LOOK = 0.5


def sign(source: Source, activity: Activity, kind: Kind = Kind.NONE, detail: str = "", request: str = "") -> Sign:
    return Sign(source, activity, kind, detail, request)


PERMISSION = sign(HOOK, NEEDS_YOU, Kind.PERMISSION, "Bash: rm x", "r1")


class Watched:
    """An agent whose records and screen are looked at every half second, as the hub does it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.state = AgentState(self.now)
        self.levels: dict[Source, Sign] = {}
        self.shown: list[Activity] = []

    def look(self, *levels: Sign) -> None:
        """From now on the levels say this; one look."""
        self.levels = {level.source: level for level in levels}
        for level in levels:
            self.note(self.state.observe(level, self.now))

    def hook(self, *told: Sign) -> None:
        for one in told:
            self.note(self.state.observe(one, self.now))

    def wait(self, seconds: float) -> None:
        """With the looks that fall into it."""
        end = self.now + seconds
        while self.now + LOOK <= end:
            self.now += LOOK
            for level in self.levels.values():
                self.note(self.state.observe(level, self.now))
            self.note(self.state.tick(self.now))
        self.now = end
        self.note(self.state.tick(self.now))

    def note(self, changed: bool) -> None:
        if changed:
            self.shown.append(self.state.doing.activity)

    @property
    def activity(self) -> Activity:
        return self.state.doing.activity


def test_nothing_observed_is_unknown() -> None:
    agent = Watched()
    assert agent.state.doing.activity is UNKNOWN and agent.state.doing.source is None


@pytest.mark.parametrize("source", [HOOK, RECORD, SCREEN])
@pytest.mark.parametrize("activity", [IDLE, THINKING, TOOL, NEEDS_YOU])
def test_the_first_evidence_counts_at_once(source: Source, activity: Activity) -> None:
    agent = Watched()
    assert agent.state.observe(sign(source, activity, detail="Bash"), 100.0)
    doing = agent.state.doing
    assert (doing.activity, doing.source, doing.since, doing.seen) == (activity, source, 100.0, 100.0)


def test_a_turn_by_hooks_is_shown_without_flicker_while_records_and_screen_come_late() -> None:
    agent = Watched()
    rest = sign(RECORD, IDLE), sign(SCREEN, IDLE)
    busy = sign(RECORD, THINKING), sign(SCREEN, THINKING)
    agent.look(*rest)
    agent.wait(5)
    turn = sign(HOOK, THINKING), sign(HOOK, TOOL, detail="Bash"), sign(HOOK, THINKING), sign(HOOK, IDLE)
    for told, levels in zip(turn, (rest, busy, busy, busy), strict=True):
        agent.look(*levels)
        agent.hook(told)
        agent.wait(0.9)
        agent.look(*(rest if told.activity is IDLE else busy))
        agent.wait(3)
    assert agent.shown == [IDLE, THINKING, TOOL, THINKING, IDLE]


@pytest.mark.parametrize("source", [RECORD, SCREEN])
@pytest.mark.parametrize("told", [sign(HOOK, THINKING), sign(HOOK, TOOL, detail="Bash"), PERMISSION])
def test_an_escape_which_no_hook_tells_leads_to_idle_within_two_seconds(source: Source, told: Sign) -> None:
    agent = Watched()
    agent.hook(told)
    agent.look(sign(source, told.activity, told.kind))
    agent.wait(10.25)
    agent.look(sign(source, IDLE))
    agent.wait(1.5)
    assert agent.activity is IDLE
    agent.look(sign(source, THINKING))
    assert agent.activity is THINKING and not agent.state.doing.detail, "what was disproved does not come back"


@pytest.mark.parametrize("source", [RECORD, SCREEN])
def test_an_escape_between_two_looks_is_found_as_well(source: Source) -> None:
    agent = Watched()
    agent.look(sign(source, IDLE))
    agent.wait(5)
    agent.hook(sign(HOOK, THINKING))
    agent.wait(2)
    assert agent.activity is IDLE


def test_records_that_come_very_late_do_not_make_it_flicker_while_the_screen_agrees_with_the_hook() -> None:
    agent = Watched()
    agent.look(sign(RECORD, IDLE), sign(SCREEN, IDLE))
    agent.wait(5)
    agent.hook(sign(HOOK, THINKING))
    agent.look(sign(RECORD, IDLE), sign(SCREEN, THINKING))
    agent.wait(4)
    agent.look(sign(RECORD, THINKING), sign(SCREEN, THINKING))
    agent.wait(4)
    assert agent.shown == [IDLE, THINKING]


def test_a_dialog_that_is_gone_at_once_is_not_shown_and_one_that_lasts_is() -> None:
    agent = Watched()
    agent.hook(sign(HOOK, IDLE))
    agent.look(sign(RECORD, IDLE))
    agent.wait(3)
    agent.look(sign(RECORD, NEEDS_YOU, Kind.QUESTION, "dialog open"))
    agent.wait(0.5)
    agent.look(sign(RECORD, IDLE))
    agent.wait(3)
    assert agent.shown == [IDLE]
    agent.look(sign(RECORD, NEEDS_YOU, Kind.QUESTION, "dialog open"))
    agent.wait(1.5)
    assert (agent.activity, agent.state.doing.kind) == (NEEDS_YOU, Kind.QUESTION)


def test_a_screen_does_not_contradict_what_the_program_writes() -> None:
    agent = Watched()
    agent.look(sign(RECORD, THINKING), sign(SCREEN, IDLE))
    agent.wait(20)
    assert agent.activity is THINKING
    assert agent.shown == [THINKING]


def test_the_screen_gives_the_words_to_what_the_records_say() -> None:
    agent = Watched()
    agent.look(sign(RECORD, NEEDS_YOU, Kind.PERMISSION, "permission prompt"), sign(SCREEN, NEEDS_YOU, Kind.PERMISSION, "touch x"))
    doing = agent.state.doing
    assert (doing.activity, doing.kind, doing.detail, doing.source) == (NEEDS_YOU, Kind.PERMISSION, "touch x", SCREEN)
    agent.look(sign(RECORD, THINKING), sign(SCREEN, TOOL, detail="Bash"))
    assert (agent.activity, agent.state.doing.detail) == (TOOL, "Bash")


@pytest.mark.parametrize("kind", [Kind.API_ERROR, Kind.COMPACTION, Kind.RATE_LIMIT])
def test_why_it_thinks_for_so_long_is_told_by_the_screen(kind: Kind) -> None:
    agent = Watched()
    agent.hook(sign(HOOK, THINKING))
    agent.look(sign(RECORD, THINKING), sign(SCREEN, THINKING, kind, "again in 5 s"))
    agent.wait(2)
    assert (agent.activity, agent.state.doing.kind, agent.state.doing.detail) == (THINKING, kind, "again in 5 s")
    agent.look(sign(RECORD, THINKING), sign(SCREEN, THINKING))
    assert agent.state.doing.kind is Kind.NONE


def test_seconds_that_are_counted_down_do_not_make_it_flicker() -> None:
    agent = Watched()
    agent.hook(sign(HOOK, THINKING))
    agent.look(sign(SCREEN, THINKING))
    agent.wait(2)
    began = agent.now
    for left in range(20, 0, -1):
        agent.look(sign(SCREEN, THINKING, Kind.API_ERROR, f"again in {left} s"))
        agent.wait(1)
        assert (agent.state.doing.kind, agent.state.doing.detail) == (Kind.API_ERROR, f"again in {left} s")
        assert agent.state.doing.since <= began + 1
    assert set(agent.shown) == {THINKING}


@pytest.mark.parametrize("kind", [Kind.LOGIN, Kind.RATE_LIMIT])
def test_a_turn_that_ended_for_the_users_affair_stays_so_at_the_prompt(kind: Kind) -> None:
    agent = Watched()
    agent.hook(sign(HOOK, NEEDS_YOU, kind, "until 5 pm"))
    agent.look(sign(RECORD, IDLE), sign(SCREEN, IDLE))
    agent.wait(30)
    assert (agent.activity, agent.state.doing.kind, agent.state.doing.detail) == (NEEDS_YOU, kind, "until 5 pm")
    assert agent.state.doing.is_resting and not agent.state.doing.is_dialog


def test_an_interrupted_turn_is_told_apart_from_one_that_ended() -> None:
    agent = Watched()
    agent.hook(sign(HOOK, TOOL, detail="Bash"))
    agent.look(sign(RECORD, IDLE, Kind.INTERRUPTED), sign(SCREEN, IDLE))
    agent.wait(2)
    assert (agent.activity, agent.state.doing.kind) == (IDLE, Kind.INTERRUPTED)


def test_a_question_that_was_answered_at_the_terminal_leads_back_to_the_tool() -> None:
    agent = Watched()
    agent.hook(sign(HOOK, TOOL, detail="Bash"), PERMISSION)
    assert (agent.activity, agent.state.doing.request) == (NEEDS_YOU, "r1")
    agent.look(sign(RECORD, NEEDS_YOU, Kind.PERMISSION))
    agent.wait(5)
    agent.look(sign(RECORD, THINKING))
    agent.wait(1)
    assert (agent.activity, agent.state.doing.detail, agent.state.doing.request) == (TOOL, "Bash", "")


def test_a_question_that_was_answered_here_leads_back_at_once_and_only_while_it_stands() -> None:
    agent = Watched()
    agent.hook(sign(HOOK, TOOL, detail="Bash"), PERMISSION)
    assert not agent.state.answered("another", agent.now) and agent.activity is NEEDS_YOU
    assert agent.state.answered("r1", agent.now) and agent.activity is TOOL
    assert not agent.state.answered("r1", agent.now)


def test_a_question_without_anything_before_it_leads_to_what_is_seen() -> None:
    agent = Watched()
    agent.hook(PERMISSION)
    agent.look(sign(RECORD, IDLE))
    assert agent.activity is NEEDS_YOU
    agent.state.answered("r1", agent.now)
    assert agent.activity is IDLE


STAGES = {
    Stage.QUEUED: WAITING,
    Stage.SPEAKING: SPEAKING,
    Stage.LISTENING: LISTENING,
    Stage.WAITING: NEEDS_YOU,
    Stage.TRANSCRIBING: LISTENING,
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_converse_call_stands_above_the_tool_that_runs_it(stage: Stage) -> None:
    agent = Watched()
    agent.hook(sign(HOOK, TOOL, detail="Bash"))
    agent.look(sign(RECORD, THINKING))
    agent.note(agent.state.stage(stage, agent.now))
    agent.wait(60)
    assert agent.activity is STAGES[stage] and agent.state.doing.source is Source.COMMAND
    assert (agent.state.doing.kind is Kind.QUESTION) == (stage is Stage.WAITING)
    agent.state.stage(None, agent.now)
    assert (agent.activity, agent.state.doing.detail) == (TOOL, "Bash")


def test_every_stage_is_decided() -> None:
    agent = Watched()
    for stage in Stage:
        agent.state.stage(stage, agent.now)
        assert agent.activity is STAGES.get(stage, UNKNOWN)


@pytest.mark.parametrize("kind", [Kind.PERMISSION, Kind.TRUST, Kind.QUESTION])
def test_a_dialog_stands_above_a_converse_call(kind: Kind) -> None:
    agent = Watched()
    agent.state.stage(Stage.LISTENING, agent.now)
    agent.hook(sign(HOOK, NEEDS_YOU, kind, "Bash: rm x"))
    assert (agent.activity, agent.state.doing.kind) == (NEEDS_YOU, kind) and agent.state.doing.is_dialog


@pytest.mark.parametrize("source", [RECORD, SCREEN])
def test_what_nobody_can_look_at_any_more_is_unknown(source: Source) -> None:
    agent = Watched()
    agent.look(sign(source, IDLE))
    agent.levels.clear()
    agent.wait(LEVEL_AGE_SECONDS)
    assert agent.activity is IDLE
    agent.wait(1)
    assert agent.activity is UNKNOWN and agent.state.doing.seen == 100.0 and agent.state.doing.source is source


def test_a_hook_that_nothing_confirms_grows_old_and_one_that_is_confirmed_does_not() -> None:
    agent = Watched()
    agent.hook(sign(HOOK, TOOL, detail="make"))
    agent.look(sign(SCREEN, THINKING))
    agent.wait(2 * HOOK_AGE_SECONDS)
    assert (agent.activity, agent.state.doing.detail) == (TOOL, "make")
    agent.levels.clear()
    agent.wait(HOOK_AGE_SECONDS + 1)
    assert agent.activity is UNKNOWN


def test_a_silent_server_makes_all_unknown_until_it_answers() -> None:
    agent = Watched()
    agent.hook(sign(HOOK, TOOL, detail="make"))
    agent.state.silent("tmux does not answer", agent.now)
    assert (agent.activity, agent.state.doing.detail, agent.state.doing.source) == (
        UNKNOWN,
        "tmux does not answer",
        Source.PROCESS,
    )
    agent.state.silent("", agent.now)
    assert agent.activity is TOOL


def test_the_end_is_final_for_what_was_known() -> None:
    agent = Watched()
    agent.hook(PERMISSION)
    agent.state.stage(Stage.LISTENING, agent.now)
    agent.state.ended("Its program ended.", agent.now)
    assert (agent.activity, agent.state.doing.detail, agent.state.doing.request) == (UNKNOWN, "Its program ended.", "")


def test_a_screen_that_says_unknown_takes_back_what_it_said() -> None:
    agent = Watched()
    agent.look(sign(SCREEN, IDLE))
    agent.look(sign(SCREEN, UNKNOWN))
    assert agent.activity is UNKNOWN


def test_since_is_the_beginning_and_seen_the_last_look() -> None:
    agent = Watched()
    agent.look(sign(RECORD, THINKING))
    agent.wait(10)
    assert (agent.state.doing.since, agent.state.doing.seen) == (100.0, 110.0)
    agent.look(sign(RECORD, IDLE))
    assert agent.state.doing.since == 110.0


SIGNS = st.builds(
    Sign,
    st.sampled_from([HOOK, RECORD, SCREEN]),
    st.sampled_from([IDLE, THINKING, TOOL, NEEDS_YOU, UNKNOWN]),
    st.sampled_from(list(Kind)),
    st.sampled_from(["", "Bash", "rm x"]),
    st.sampled_from(["", "r1", "r2"]),
)
INPUTS = st.lists(
    st.tuples(st.floats(0.01, 700), SIGNS | st.sampled_from([*Stage, None]) | st.sampled_from(["r1", "silent", "heard", "tick"]))
)


@settings(deadline=None)  # a machine of two processors may be busy with other tests
@given(INPUTS)
def test_whatever_comes_in_any_order_it_says_when_it_changed_and_never_runs_ahead(inputs: list[tuple[float, object]]) -> None:
    state, now = AgentState(0.0), 0.0
    for seconds, given_input in inputs:
        now += seconds
        before = state.doing
        changed = (
            state.observe(given_input, now)
            if isinstance(given_input, Sign)
            else state.stage(given_input, now)
            if given_input is None or isinstance(given_input, Stage)
            else state.answered("r1", now)
            if given_input == "r1"
            else state.silent("gone" if given_input == "silent" else "", now)
            if given_input in ("silent", "heard")
            else state.tick(now)
        )
        doing = state.doing
        said = (doing.activity, doing.kind, doing.detail, doing.request, doing.source)
        assert changed == (said != (before.activity, before.kind, before.detail, before.request, before.source))
        assert before.since <= doing.since <= now and doing.seen <= now
        if doing.activity is not UNKNOWN:
            assert now - doing.seen <= HOOK_AGE_SECONDS
    state.stage(None, now)
    state.silent("", now)
    state.tick(now + HOOK_AGE_SECONDS + 1)
    assert state.doing.activity is UNKNOWN
