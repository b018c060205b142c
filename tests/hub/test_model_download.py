"""A download that fails in a way nobody thought of, and one that nobody waits for any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from clawmux.hub.model_download import ModelDownload
from clawmux.wire.errors import ClawMuxError
from tests.waiting import until


class BrokenDownload(ModelDownload):
    def _pull(self, names: Sequence[str], mirror: str, loop: object, stop: threading.Event) -> None:
        raise OSError(5, "Input/output error")


class EndlessDownload(ModelDownload):
    has_begun = has_ended = False

    def _pull(self, names: Sequence[str], mirror: str, loop: object, stop: threading.Event) -> None:
        self.has_begun = True
        self.has_ended = stop.wait(10)


async def test_an_unknown_failure_is_told_in_a_sentence(tmp_path: Path) -> None:
    told: list[dict[str, Any] | None] = []
    with pytest.raises(ClawMuxError) as raised:
        await BrokenDownload(tmp_path, told.append).fetch(["voices"], "")
    assert raised.value.code == "internal" and "clawmux models pull" in raised.value.remedy
    assert told == [None], "no bar is left standing"


async def test_one_that_nobody_waits_for_is_stopped(tmp_path: Path) -> None:
    download = EndlessDownload(tmp_path, lambda progress: None)
    task = asyncio.create_task(download.fetch(["voices"], ""))
    await until(lambda: download.has_begun)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: download.has_ended)
