"""The words of one turn while it is spoken: what is settled, the guess at a pause, partial texts, the final text.

Given how to recognise sound and how to show a text; knows no socket and no engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from clawmux.adapters.speech.audio import Samples
from clawmux.adapters.speech.ear import Turn

T = TypeVar("T")
Hear = Callable[[Samples], Coroutine[Any, Any, str]]
Show = Callable[[str, int], Awaitable[None]]
"""A partial text, and how many of its first characters will hardly change."""


class Transcript:
    """The words of the open turn: those that are settled, the guess of the rest, and partial texts."""

    def __init__(self, hear: Hear, show: Show | None) -> None:
        self._hear, self._show = hear, show
        self._settled: list[asyncio.Task[str]] = []
        self._guess: tuple[float, asyncio.Task[str]] | None = None
        self._glimpses: list[asyncio.Task[str]] = []
        self._shown = ""
        self.tasks: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        # A guess that failed and was dropped is nobody's error; the one that counts is awaited.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    def guess(self, samples: Samples, until: float) -> None:
        self._forget_glimpses()
        task = self._spawn(self._hear(samples))
        self._guess = until, task
        self._show_later(task)

    def glimpse(self, samples: Samples) -> None:
        if self._show:
            self._glimpses = [self._spawn(self._hear(samples))]
            self._show_later(self._glimpses[0])

    def _forget_glimpses(self) -> None:
        """What counts must not queue behind what is only shown."""
        for task in self._glimpses:
            task.cancel()
        self._glimpses = []

    def settle(self) -> None:
        if self._guess:
            self._settled.append(self._guess[1])
        self._guess = None

    def drop(self) -> None:
        if self._guess:
            self._guess[1].cancel()
        self._guess = None

    async def final(self, turn: Turn) -> str:
        self._forget_glimpses()
        if self._guess and self._guess[0] == turn.until:
            last = self._guess[1]
        else:
            last = self._spawn(self._hear(turn.samples))
        parts = [await task for task in [*self._settled, last]]
        self._settled, self._guess, self._shown = [], None, ""
        return " ".join(part for part in parts if part)

    def _show_later(self, hypothesis: asyncio.Task[str]) -> None:
        if self._show:
            self._spawn(self._show_partial(self._show, hypothesis, list(self._settled)))

    async def _show_partial(self, show: Show, hypothesis: asyncio.Task[str], settled: list[asyncio.Task[str]]) -> None:
        await asyncio.wait([hypothesis, *settled])
        if settled != self._settled or any(task.cancelled() or task.exception() for task in [hypothesis, *settled]):
            return
        before = " ".join(task.result() for task in settled)
        text = f"{before} {hypothesis.result()}".strip()
        if text and text != self._shown:
            stable = max(len(before), agreed(self._shown, text))
            self._shown = text
            await show(text, stable)


def agreed(before: str, now: str) -> int:
    """How many characters of ``now`` two successive recognitions agree on, in whole words."""
    count = 0
    for old, new in zip(before.split(), now.split(), strict=False):
        if old.strip(".,;:!?").lower() != new.strip(".,;:!?").lower():
            break
        count += len(new) + 1
    return min(count, len(now))
