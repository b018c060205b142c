"""Fetches missing model files while the page works in text, and says how far it is. Decides nothing about models."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clawmux.wire.errors import ClawMuxError

log = logging.getLogger(__name__)

# A bar that moves twice a second is alive; more would only wake the pages.
REPORT_SECONDS = 0.5
# After a failure (no network yet, say) the speech service goes on asking; we try again, not too often.
RETRY_SECONDS = 60.0


class Stopped(Exception):
    """The hub is ending; the next pull resumes."""


class ModelDownload:
    def __init__(
        self,
        folder: Path,
        on_progress: Callable[[dict[str, Any] | None], None],
        on_failed: Callable[[ClawMuxError], None],
    ) -> None:
        self._folder = folder
        self._on_progress = on_progress
        self._on_failed = on_failed
        self._stop = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._failed_at = float("-inf")

    def start(self, model_set: str, mirror: str) -> None:
        """Fetch the set unless that is under way, or failed a moment ago."""
        running = self._task is not None and not self._task.done()
        if running or time.monotonic() - self._failed_at < RETRY_SECONDS:
            return
        self._task = asyncio.create_task(self._fetch(model_set, mirror), name="model download")

    async def stop(self) -> None:
        self._stop.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _fetch(self, model_set: str, mirror: str) -> None:
        try:
            await asyncio.to_thread(self._pull, model_set, mirror, asyncio.get_running_loop())
        except Stopped:
            pass
        except ClawMuxError as error:
            log.warning("downloading models: %s", error.text)
            self._give_up(error)
        except Exception:
            # Without the pause it would be tried again twice a second, and nobody told.
            log.exception("downloading models failed")
            self._give_up(ClawMuxError("internal", "the download failed.", "See `clawmux logs`, or try `clawmux models pull`."))
        finally:
            self._on_progress(None)

    def _give_up(self, error: ClawMuxError) -> None:
        self._failed_at = time.monotonic()
        self._on_failed(error)

    def _pull(self, model_set: str, mirror: str, loop: asyncio.AbstractEventLoop) -> None:
        # Imported here: a hub whose models are there never needs urllib, zipfile and their kin.
        from clawmux.adapters.models import ModelStore, Progress

        told_at = 0.0

        def report(progress: Progress) -> None:
            nonlocal told_at
            if self._stop.is_set():
                raise Stopped
            if time.monotonic() - told_at < REPORT_SECONDS:
                return
            told_at = time.monotonic()
            told = {"file": progress.file, "done_bytes": progress.done_bytes, "total_bytes": progress.total_bytes}
            loop.call_soon_threadsafe(self._on_progress, told)

        ModelStore(self._folder, mirror).pull(model_set, progress=report)
