"""The event log: stored first, then told, in the order of what happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clawmux.adapters.store import Store
from clawmux.hub.journal import RING_EVENTS, Journal


async def test_acts_without_statements_wait_for_the_events_before_them(tmp_path: Path) -> None:
    order: list[Any] = []
    async with Store(tmp_path / "db") as store:
        journal = Journal(store, lambda event: order.append(event["n"]))
        journal.event("notice", None, text="one")
        first = journal.flush()
        journal.then(lambda: order.append("after one"))
        second = journal.flush()
        assert first is not None and second is not None
        assert order == [], "nothing is told before it is durable"
        await second
        await store.write()
        assert order == [1, "after one"]
        journal.then(lambda: order.append("at once"))
        assert journal.flush() is None
    assert order == [1, "after one", "at once"]


async def test_numbers_go_on_after_a_restart_and_missed_events_are_given_again(tmp_path: Path) -> None:
    for life in range(2):
        async with Store(tmp_path / "db") as store:
            journal = Journal(store, lambda event: None)
            journal.event("notice", None, text=f"life {life}")
            if done := journal.flush():
                await done
            await store.write()
            missed = journal.since(0)
            assert missed is not None and [event["n"] for event in missed] == list(range(1, life + 2))


async def test_a_page_from_another_life_or_too_far_behind_fetches_the_history(tmp_path: Path) -> None:
    async with Store(tmp_path / "db") as store:
        journal = Journal(store, lambda event: None)
        for number in range(RING_EVENTS + 5):
            journal.event("notice", None, text=str(number))
        if done := journal.flush():
            await done
        await store.write()
        assert journal.since(1) is None
        assert journal.since(RING_EVENTS + 100) is None
        assert len(journal.since(RING_EVENTS) or []) == 5


async def test_words_are_known_again_as_long_as_they_can_be_said_twice(tmp_path: Path) -> None:
    async with Store(tmp_path / "db") as store:
        journal = Journal(store, lambda event: None)
        for number in range(RING_EVENTS + 5):
            journal.event("user_text", "af_sky", msg_id=f"turn-{number}", text="x")
        known = [journal.has_words(f"turn-{number}") for number in (0, 4, 5, RING_EVENTS + 4)]
        assert known == [False, False, True, True]
        if done := journal.flush():
            await done
