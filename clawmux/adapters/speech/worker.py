"""One thread that runs an engine's calls in order. Knows nothing of speech.

A daemon thread and not an executor: a call into a model cannot be interrupted, and the process must end at once.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]]] = queue.SimpleQueue()
        self.waiting = 0
        """Calls queued or running."""
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    @property
    def is_free(self) -> bool:
        return self.waiting == 0

    async def run(self, call: Callable[[], T]) -> T:
        """The call's result; cancelled while it waits, it is never run."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.waiting += 1
        self._jobs.put((call, future))
        return await future

    def _serve(self) -> None:
        while True:
            call, future = self._jobs.get()
            result: Any = None
            error: BaseException | None = None
            if not future.cancelled():
                try:
                    result = call()
                except BaseException as raised:
                    error = raised
            try:
                future.get_loop().call_soon_threadsafe(self._settle, future, result, error)
            except RuntimeError:
                return  # The loop has closed: the process is ending.

    def _settle(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self.waiting -= 1
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
