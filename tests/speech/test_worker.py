from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from clawmux.adapters.speech.worker import Worker
from tests.waiting import until


async def test_calls_run_in_order_in_one_thread_and_errors_reach_the_caller() -> None:
    worker = Worker("test")
    seen: list[tuple[int, str]] = []

    def note(number: int) -> Callable[[], None]:
        return lambda: seen.append((number, threading.current_thread().name))

    await asyncio.gather(*(worker.run(note(number)) for number in range(5)))
    assert seen == [(number, "test") for number in range(5)]

    def fail() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await worker.run(fail)
    assert worker.is_free


async def test_a_call_cancelled_while_it_waits_is_never_run() -> None:
    worker = Worker("test")
    gate, ran = threading.Event(), []
    first = asyncio.create_task(worker.run(lambda: gate.wait(5)))
    second = asyncio.create_task(worker.run(lambda: ran.append(2)))
    await until(lambda: worker.waiting == 2)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    gate.set()
    await first
    await until(lambda: worker.is_free)
    assert ran == []
