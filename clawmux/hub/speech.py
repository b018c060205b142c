"""Speech as the rest of the hub knows it: whether it can be used, how it stands, its models on their way.

Joins ``core.engine``, which decides, with the child process and the download. What is spoken and heard goes through
``speaker`` and ``listener``, which ask here first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from clawmux.adapters.speech.client import SpeechClient
from clawmux.core import engine as engines
from clawmux.core.engine import Engine
from clawmux.hub.model_download import ModelDownload
from clawmux.hub.speech_child import SpeechChild
from clawmux.paths import Paths
from clawmux.settings import Settings
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import SpeechState

log = logging.getLogger(__name__)

# How long a turn or a sentence waits for a speech service that is just starting again.
WAIT_SECONDS = 30.0

Perform = Callable[[Iterable[object]], None]


class Speech:
    """``perform`` carries out effects by ``performers``; ``changed`` tells the pages; ``failed`` tells the user."""

    def __init__(
        self,
        paths: Paths,
        settings: Callable[[], Settings],
        perform: Perform,
        changed: Callable[[], None],
        failed: Callable[[ClawMuxError], None],
    ) -> None:
        self._settings = settings
        self._perform = perform
        self._changed = changed
        self.engine = Engine()
        self.client = SpeechClient(paths.speech_socket)
        self.child = SpeechChild(paths.speech_socket, paths.speech_log, self.client, self._reported, self._exited)
        self.download = ModelDownload(paths.models, self._progressed, failed)
        self.progress: dict[str, Any] | None = None
        """Of a model download under way, for the pages."""
        self._settled = asyncio.Event()
        self.performers: dict[type[Any], Callable[[Any], None]] = {
            engines.StartService: lambda e: self.child.start(),
            engines.Notify: self._notify,
        }

    # -- life --

    def start(self) -> None:
        self._perform(self.engine.want(self._now))

    def leave(self) -> None:
        """Ask the child to end, without waiting for it."""
        self._perform(self.engine.stop())
        self.child.terminate()

    async def stop(self) -> None:
        await self.download.stop()
        await self.child.stop()

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # -- using it --

    async def ready(self) -> bool:
        """Whether speech can be used, waiting for a service that is just starting."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while self.engine.state is SpeechState.STARTING:
                    await self._settled.wait()
        except TimeoutError:
            return False
        return self.engine.state is SpeechState.READY

    def served(self) -> None:
        """Something was spoken or understood."""
        self.engine.served()

    # -- how it stands --

    def view(self) -> dict[str, Any]:
        state = SpeechState.DOWNLOADING if self.progress else self.engine.state
        return {"type": "speech_state", "state": state.value, "reason": self.engine.reason, "progress": self.progress}

    def _reported(self, state: SpeechState, reason: str) -> None:
        settings = self._settings()
        if state is SpeechState.MISSING_MODELS and settings.models_download:
            self.download.start(settings.speech_quality, settings.models_mirror)
        self._perform(self.engine.reported(state, reason, self._now))

    def _progressed(self, progress: dict[str, Any] | None) -> None:
        self.progress = progress
        self._changed()

    def _exited(self, reason: str) -> None:
        log.warning("%s", reason)
        self._perform(self.engine.exited(reason, self._now))

    def _notify(self, effect: engines.Notify) -> None:
        if effect.state is SpeechState.STARTING:
            self._settled.clear()
        else:
            self._settled.set()
        self._changed()
