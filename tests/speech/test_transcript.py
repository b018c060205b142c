from __future__ import annotations

import asyncio

import numpy as np
import pytest

from clawmux.adapters.speech.audio import Samples
from clawmux.adapters.speech.ear import Turn
from clawmux.adapters.speech.transcript import Transcript, agreed
from tests.waiting import until


class Desk:
    """Recognition by hand: the words of the n-th call are given when the test says so."""

    def __init__(self) -> None:
        self.calls: list[asyncio.Future[str]] = []
        self.shown: list[tuple[str, int]] = []

    async def hear(self, samples: Samples) -> str:
        self.calls.append(asyncio.get_running_loop().create_future())
        return await self.calls[-1]

    async def show(self, text: str, stable: int) -> None:
        self.shown.append((text, stable))


SOUND = np.zeros(16000, dtype=np.float32)


def turn(until: float = 1.0) -> Turn:
    return Turn(SOUND, until, 1000)


async def test_the_guess_at_the_pause_is_the_final_text() -> None:
    desk = Desk()
    transcript = Transcript(desk.hear, desk.show)
    transcript.guess(SOUND, 1.0)
    await until(lambda: desk.calls)
    desk.calls[0].set_result("yes")
    assert await transcript.final(turn(1.0)) == "yes"
    assert len(desk.calls) == 1
    await transcript.close()


async def test_a_dropped_guess_is_recognised_anew() -> None:
    desk = Desk()
    transcript = Transcript(desk.hear, desk.show)
    transcript.guess(SOUND, 1.0)
    await until(lambda: desk.calls)
    transcript.drop()
    final = asyncio.create_task(transcript.final(turn(2.0)))
    await until(lambda: len(desk.calls) == 2)
    desk.calls[1].set_result("yes and no")
    assert await final == "yes and no"
    assert desk.calls[0].cancelled()
    await transcript.close()


async def test_settled_words_come_before_the_rest() -> None:
    desk = Desk()
    transcript = Transcript(desk.hear, None)
    transcript.guess(SOUND, 1.0)
    await until(lambda: desk.calls)
    transcript.settle()
    final = asyncio.create_task(transcript.final(turn(2.0)))
    await until(lambda: len(desk.calls) == 2)
    desk.calls[1].set_result("second")
    desk.calls[0].set_result("first")
    assert await final == "first second"
    assert desk.shown == []
    await transcript.close()


async def test_partial_texts_grow_and_say_what_is_stable() -> None:
    desk = Desk()
    transcript = Transcript(desk.hear, desk.show)
    for number, text in enumerate(["go for", "go forward ten", "go forward ten"]):
        transcript.glimpse(SOUND)
        await until(lambda count=number + 1: len(desk.calls) == count)  # type: ignore[misc]
        desk.calls[number].set_result(text)
        await until(lambda: not transcript.tasks)
    assert desk.shown == [("go for", 0), ("go forward ten", 3)]
    await transcript.close()


async def test_a_glimpse_never_stands_before_the_final() -> None:
    desk = Desk()
    transcript = Transcript(desk.hear, desk.show)
    transcript.glimpse(SOUND)
    await until(lambda: desk.calls)
    final = asyncio.create_task(transcript.final(turn()))
    await until(lambda: len(desk.calls) == 2)
    assert desk.calls[0].cancelled()
    desk.calls[1].set_result("done")
    assert await final == "done"
    await transcript.close()


@pytest.mark.parametrize(
    ("before", "now", "count"),
    [("", "a b", 0), ("go forward", "go forward ten", 11), ("Go, for", "go four", 3), ("same", "same", 4), ("x y", "a y", 0)],
)
def test_agreed(before: str, now: str, count: int) -> None:
    assert agreed(before, now) == count
