"""One local engine: chosen among those whose models are there, loaded in its own thread, replaced by a better one.

Knows neither recognising nor speaking.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from clawmux.adapters.speech.choice import is_beside_the_processor, is_same
from clawmux.adapters.speech.worker import Worker
from clawmux.tiers import Engine
from clawmux.wire.errors import ClawMuxError

log = logging.getLogger("clawmux.speech")

PULL = "Run: clawmux models pull --set tiny"
INSTALL = "Install the engines: pip install 'clawmux[speech]'"
# The store is looked at again when somebody asks, not more often than this.
LOOK_AGAIN_SECONDS = 1.0
# A file that would not load may have been mended or pulled again.
RETRY_SECONDS = 30.0
# A graphics card that was full may have room again. Trying costs the conversation some seconds.
RETRY_CARD_SECONDS = 600.0

T = TypeVar("T")


class ModelFiles(Protocol):
    """What is needed of adapters.models.ModelStore."""

    def path(self, name: str) -> Path | None: ...


class Local(Generic[T]):
    def __init__(
        self, half: str, also: list[str], files: ModelFiles, load: Callable[[Engine], T], worker: Worker | None = None
    ) -> None:
        self._also, self._files, self._load = also, files, load
        self.worker = worker or Worker(f"speech-{half}")
        self.state, self.reason = "loading", ""
        self.serving: Engine | None = None
        self.candidates: tuple[Engine, ...] = ()
        """Best first; empty until it is known what this machine is."""
        self.choosing: asyncio.Task[None] | None = None
        """Fills in the candidates."""
        self._engine: T | None = None
        self._loading: asyncio.Task[None] | None = None
        self._looked = -LOOK_AGAIN_SECONDS
        self._failed: dict[Engine, tuple[float, str]] = {}

    @property
    def model(self) -> str:
        return self.serving.model if self.serving else ""

    @property
    def is_substitute(self) -> bool:
        """A smaller model serves in place of the one that this quality is about; another form of the same is none."""
        return self.serving is not None and not is_same(self.serving, self.candidates[0])

    def look(self) -> None:
        """Begin to load what should serve and does not yet."""
        now = time.monotonic()
        if not self.candidates or self._is_loading or now - self._looked < LOOK_AGAIN_SECONDS:
            return
        self._looked = now
        missing = [name for name in self._also if self._files.path(name) is None]
        best = self._best()
        if best is None or missing:
            if self._engine is None and self.state != "failed":
                lacking = [*missing, *([] if best else [self.candidates[0].model])]
                self.state, self.reason = "missing_models", f"{', '.join(lacking)} not installed"
        elif best != self.serving:
            self._loading = asyncio.create_task(self._load_best())

    @property
    def _is_loading(self) -> bool:
        return self._loading is not None and not self._loading.done()

    def _best(self) -> Engine | None:
        """The first whose files are there, without those that have failed lately."""
        now = time.monotonic()
        for engine in self.candidates:
            wait = RETRY_CARD_SECONDS if is_beside_the_processor(engine) else RETRY_SECONDS
            at, _ = self._failed.get(engine, (-wait, ""))
            if now - at >= wait and self._files.path(engine.model):
                return engine
        return None

    async def _load_best(self) -> None:
        while (engine := self._best()) is not None and engine != self.serving:
            if self._engine is None:
                self.state, self.reason = "loading", f"loading {engine.model}"
            try:
                self._engine = await self.worker.run(lambda engine=engine: self._load(engine))  # type: ignore[misc]
            except Exception as error:  # The boundary of one engine: a broken file must not end the others.
                log.error("loading %s failed: %s", engine.model, safe_trace(error))
                self._failed[engine] = time.monotonic(), why(engine.model, error)
                if self._engine is None:
                    self.state, self.reason = "failed", self._failed[engine][1]
                continue
            self.serving, self.state = engine, "ready"
            self._failed.pop(engine, None)
            self.reason = self._shortfall(engine)
            log.info("loaded %s with %s on %s", engine.model, engine.package, engine.device)

    def _shortfall(self, engine: Engine) -> str:
        """Why not the best of them; empty when it is."""
        best = self.candidates[0]
        if engine == best:
            return ""
        why_not = self._failed[best][1] if best in self._failed else f"{best.model} is not installed"
        where = " on the processor" if is_beside_the_processor(best) and not is_beside_the_processor(engine) else ""
        return f"{why_not}; {engine.model} serves{where}"

    async def use(self) -> T:
        """The engine, once loaded; raises ``speech_down`` with the remedy."""
        if self.choosing:
            await asyncio.wait([self.choosing])
        self.look()
        if self._engine is None and self._loading:
            await asyncio.wait([self._loading])
        if self._engine is None:
            remedy = INSTALL if "is not installed:" in self.reason else PULL
            raise ClawMuxError("speech_down", f"Speech has no engine: {self.reason}.", remedy)
        return self._engine

    def holds(self, engine: T) -> bool:
        return engine is self._engine

    def give_up(self, engine: T, reason: str) -> bool:
        """Let go of an engine that failed at work, where another may take over; whether one may."""
        if engine is not self._engine or self.serving is None:
            return self._engine is not engine
        if not is_beside_the_processor(self.serving):
            return False
        log.error("%s on %s failed at work: %s", self.serving.model, self.serving.device, reason)
        self._failed[self.serving] = time.monotonic(), reason
        self._engine = self.serving = None
        self.state, self.reason, self._looked = "loading", reason, -LOOK_AGAIN_SECONDS
        return True

    @property
    def is_ready(self) -> bool:
        return self._engine is not None

    async def close(self) -> None:
        if self._loading:
            self._loading.cancel()


def why(name: str, error: Exception) -> str:
    """Why something cannot be loaded, as the start of a sentence."""
    if isinstance(error, ClawMuxError):
        return error.text.rstrip(".")
    if isinstance(error, ImportError):
        return f"a Python package is not installed: {error.name}"
    return f"{name} cannot be loaded ({type(error).__name__})"


def safe_trace(error: BaseException) -> str:
    """Type and places of an error without its message: engines quote the user's words in theirs."""
    places = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(traceback.extract_tb(error.__traceback__)[-6:]))
    return f"{type(error).__name__} in {places}"
