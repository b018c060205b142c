"""Fetches model files in a thread and says how far it is. Decides nothing about models."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from clawmux.wire.errors import ClawMuxError

log = logging.getLogger(__name__)

# A bar that moves twice a second is alive; more would only wake the pages.
REPORT_SECONDS = 0.5


class Stopped(Exception):
    """Nobody waits for it any more; the next pull resumes."""


class ModelDownload:
    def __init__(self, folder: Path, on_progress: Callable[[dict[str, Any] | None], None]) -> None:
        self._folder = folder
        self._on_progress = on_progress

    async def fetch(self, names: Sequence[str], mirror: str) -> None:
        """Returns when they are there. Cancelled, it leaves what came to the next one. Raises ClawMuxError."""
        stop = threading.Event()
        try:
            await asyncio.to_thread(self._pull, names, mirror, asyncio.get_running_loop(), stop)
        except (ClawMuxError, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("downloading models failed")
            raise ClawMuxError("internal", "the download failed.", "See `clawmux logs`, or try `clawmux models pull`.") from None
        finally:
            stop.set()
            self._on_progress(None)

    def _pull(self, names: Sequence[str], mirror: str, loop: asyncio.AbstractEventLoop, stop: threading.Event) -> None:
        # Imported here: a hub whose models are there never needs urllib, zipfile and their kin.
        from clawmux.adapters.models import ModelStore, Progress

        told_at = 0.0

        def report(progress: Progress) -> None:
            nonlocal told_at
            if stop.is_set():
                raise Stopped
            if time.monotonic() - told_at < REPORT_SECONDS:
                return
            told_at = time.monotonic()
            told = {"file": progress.file, "done_bytes": progress.done_bytes, "total_bytes": progress.total_bytes}
            loop.call_soon_threadsafe(self._tell, stop, told)

        try:
            ModelStore(self._folder, mirror).pull(*names, progress=report)
        except Stopped:
            log.info("the download was stopped")

    def _tell(self, stop: threading.Event, told: dict[str, Any]) -> None:
        if not stop.is_set():
            self._on_progress(told)
