"""The guard against agents that keep each other going: what it stops, and what it must not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawmux.core.loops import (
    COURTESIES_LIMIT,
    HOPS_LIMIT,
    MEMORY_SECONDS,
    RATE_LIMIT,
    STOP_SECONDS,
    LoopError,
    Loops,
    is_courtesy,
)
from clawmux.core.message import USER


def refused(act: Callable[[], object]) -> LoopError:
    with pytest.raises(LoopError) as caught:
        act()
    assert caught.value.code == "too_many" and caught.value.remedy
    return caught.value


def answer_each_other(loops: Loops, times: int, now: float = 0.0) -> list[int]:
    """So many messages by turns between sky and echo, each taken before the next; their hops."""
    hops = []
    for n in range(times):
        sender, recipient = ("sky", "echo") if n % 2 == 0 else ("echo", "sky")
        hops.append(loops.admit(sender, recipient, f"question {n}", now))
        loops.taken(recipient, hops[-1], now)
    return hops


# -- hops --


def test_a_chain_of_messages_ends_where_no_person_has_spoken() -> None:
    loops = Loops()
    assert answer_each_other(loops, HOPS_LIMIT + 1) == list(range(HOPS_LIMIT + 1))
    first = refused(lambda: loops.admit("echo", "sky", "and again", 0.0))
    assert first.is_news and "converse" in first.remedy
    assert not refused(lambda: loops.admit("echo", "sky", "and again", 1.0)).is_news


def test_it_goes_on_when_a_person_has_spoken_or_the_chain_is_old() -> None:
    loops = Loops()
    answer_each_other(loops, HOPS_LIMIT + 1)
    loops.person_spoke("echo")
    assert loops.admit("echo", "sky", "as the user said", 0.0) == 0
    answer_each_other(loops := Loops(), HOPS_LIMIT + 1)
    assert loops.admit("echo", "sky", "later", MEMORY_SECONDS + 1) == 0


def test_a_third_party_does_not_hide_a_chain() -> None:
    loops = Loops()
    ring = ["sky", "echo", "nova"]
    for n in range(HOPS_LIMIT + 1):
        loops.taken(ring[(n + 1) % 3], loops.admit(ring[n % 3], ring[(n + 1) % 3], f"work {n}", 0.0), 0.0)
    assert "converse" in refused(lambda: loops.admit(ring[(HOPS_LIMIT + 1) % 3], "bella", "work", 0.0)).remedy


def test_one_who_has_taken_nothing_starts_a_chain_of_its_own() -> None:
    loops = Loops()
    assert [loops.admit("sky", f"r{n}", f"part {n}", 0.0) for n in range(50)] == [0] * 50


def test_the_user_is_never_in_a_chain_and_ends_one() -> None:
    loops = Loops()
    answer_each_other(loops, HOPS_LIMIT + 1)
    assert loops.admit(USER, "echo", "go on", 0.0) == 0
    assert loops.admit("echo", "sky", "I go on", 0.0) == 0


# -- the rate --


def test_a_stream_from_one_to_another_is_cut_and_nobody_else_notices() -> None:
    loops = Loops()
    for n in range(RATE_LIMIT):
        loops.admit("sky", "echo", f"line {n}", 0.0)
    assert not refused(lambda: loops.admit("sky", "echo", "line", 0.0)).is_news
    loops.admit("sky", "nova", "line", 0.0)
    loops.admit("echo", "sky", "line", 0.0)
    loops.admit("sky", "echo", "line", 60.0 / RATE_LIMIT)
    refused(lambda: loops.admit("sky", "echo", "line", 60.0 / RATE_LIMIT))


@given(st.lists(st.floats(0, 30), min_size=1, max_size=300))
def test_no_minute_sees_more_than_twice_the_rate(gaps: list[float]) -> None:
    """A full bucket, and what runs in while it is emptied."""
    loops, now, sent = Loops(), 0.0, []
    for gap in gaps:
        now += gap
        try:
            loops.admit("sky", "echo", "line of work", now)
        except LoopError:
            continue
        sent.append(now)
    assert all(sum(1 for other in sent if start <= other < start + 60) <= 2 * RATE_LIMIT for start in sent)


# -- courtesies --

SAY_NOTHING = [
    "Thanks!",
    "thank you so much",
    "OK",
    "Got it, thanks.",
    "Acknowledged.",
    "Understood, will do!",
    "You're welcome :)",
    "👍",
    "...",
    "No problem, anytime!",
    "Great, talk to you later.",
    "Sounds good, thank you for your help!",
]
SAY_SOMETHING = [
    "Thanks, and which port?",
    "ok, tests fail in test_broker.py",
    "yes",
    "no",
    "3",
    "done",
    "got 12 errors",
    "Thanks " * 20,
    "for you",
]


@pytest.mark.parametrize(("text", "wanted"), [*((t, True) for t in SAY_NOTHING), *((t, False) for t in SAY_SOMETHING)])
def test_what_counts_as_saying_nothing(text: str, wanted: bool) -> None:
    assert is_courtesy(text) is wanted


def thank_each_other(loops: Loops, times: int, before: int = 0) -> int:
    """By turns, after so many ``before``. How many were let through: all of them, or the refusal is raised."""
    for n in range(before, before + times):
        loops.admit(*(("sky", "echo") if n % 2 == 0 else ("echo", "sky")), SAY_NOTHING[n % len(SAY_NOTHING)], 0.0)
    return times


def test_a_pair_that_only_thanks_each_other_is_stopped_for_a_while() -> None:
    loops = Loops()
    error = refused(lambda: thank_each_other(loops, COURTESIES_LIMIT))
    assert error.is_news and "ack" in error.remedy
    assert not refused(lambda: loops.admit("sky", "echo", "Thanks!", STOP_SECONDS - 1)).is_news
    assert not refused(lambda: loops.admit("echo", "sky", "Thanks!", STOP_SECONDS - 1)).is_news
    loops.admit("sky", "nova", "Thanks!", 1.0)
    loops.admit("sky", "echo", "the build is broken", 1.0)
    loops.admit("sky", "echo", "Thanks!", STOP_SECONDS + 1)


@pytest.mark.parametrize(
    "between",
    [
        lambda loops: loops.admit("sky", "echo", "which port?", 0.0),
        lambda loops: loops.person_spoke("sky"),
        lambda loops: loops.person_spoke("echo"),
        lambda loops: loops.admit(USER, "echo", "go on", 0.0),
        lambda loops: loops.session_ended("echo"),
    ],
)
def test_a_word_in_between_lets_them_thank_again(between: Callable[[Loops], object]) -> None:
    loops = Loops()
    thank_each_other(loops, COURTESIES_LIMIT - 1)
    between(loops)
    assert thank_each_other(loops, COURTESIES_LIMIT - 1, before=COURTESIES_LIMIT - 1) == COURTESIES_LIMIT - 1


def test_thanks_to_one_who_does_not_thank_back_are_no_exchange() -> None:
    loops = Loops()
    assert [loops.admit("sky", "echo", "thanks", 0.0) for _ in range(COURTESIES_LIMIT * 3)] == [0] * COURTESIES_LIMIT * 3


def test_thanks_with_long_pauses_are_no_exchange() -> None:
    loops = Loops()
    pairs = [("sky", "echo"), ("echo", "sky")] * COURTESIES_LIMIT
    assert [loops.admit(*pair, "thanks", n * MEMORY_SECONDS / 2) for n, pair in enumerate(pairs)] == [0] * len(pairs)


def test_the_user_may_thank_without_end() -> None:
    loops = Loops()
    times = range(COURTESIES_LIMIT * 3)
    assert [loops.admit(USER, "sky", "thanks", float(second)) for second in times] == [0] * len(times)


# -- ends --


def test_nothing_of_an_ended_session_is_kept() -> None:
    loops = Loops()
    answer_each_other(loops, HOPS_LIMIT)
    thank_each_other(loops, 2)
    for session in ("sky", "echo"):
        loops.session_ended(session)
    assert not loops._taken and not any(loops._buckets.values()) and not any(loops._talks.values())


def test_one_may_talk_to_itself_only_so_long() -> None:
    loops = Loops()
    for _ in range(HOPS_LIMIT + 1):
        loops.taken("sky", loops.admit("sky", "sky", "note", 0.0), 0.0)
    assert refused(lambda: loops.admit("sky", "sky", "note", 0.0)).is_news
    loops.session_ended("sky")
    assert loops.admit("sky", "sky", "note", 0.0) == 0
