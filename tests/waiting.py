"""Waiting for something to become true, with a deadline, for what sends no event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(check: Callable[[], T], seconds: float = 5.0) -> T:
    """The first true value of ``check``; asked again every 20 ms."""

    async def check_now() -> T:
        return check()

    return await until_answer(check_now, seconds)


async def until_answer(check: Callable[[], Awaitable[T]], seconds: float = 5.0) -> T:
    """The same for an async ``check``."""
    deadline = time.monotonic() + seconds
    while not (answer := await check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {answer!r} after {seconds:g} s")
        await asyncio.sleep(0.02)
    return answer
