"""Speech as the rest of the hub knows it: whether it can be used, which tier serves, how a change of the tier goes.

Joins ``core.engine``, which decides, with the services that run, the machine's facts and the download of models. What
is spoken and heard goes through ``speaker`` and ``listener``, which ask here first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

from clawmux.core import engine as engines
from clawmux.core.engine import Engine
from clawmux.hub.machine import Machine, Running, models_of
from clawmux.hub.model_download import ModelDownload
from clawmux.hub.speech_services import SpeechServices
from clawmux.paths import Paths
from clawmux.settings import Settings
from clawmux.shown import harmless
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import SpeechState, Tier

log = logging.getLogger(__name__)

# How long a turn or a sentence waits for a speech service that is just starting again.
WAIT_SECONDS = 30.0
# After a download for the tier that serves has failed (no network yet, say) it is tried again, not too often.
RETRY_SECONDS = 60.0
# Whether models.download was turned on meanwhile.
LOOK_AGAIN_SECONDS = 2.0

Perform = Callable[[Iterable[object]], None]


class Speech:
    """``perform`` carries out effects by ``performers``. What it tells: ``changed`` the view, ``failed`` a download of
    models that somebody needs, ``put_back`` a change that came to nothing."""

    def __init__(
        self,
        paths: Paths,
        settings: Callable[[], Settings],
        perform: Perform,
        changed: Callable[[], None],
        failed: Callable[[ClawMuxError], None],
        put_back: Callable[[engines.PutBack], None],
        machine: Machine | None = None,
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._perform = perform
        self._changed = changed
        self._failed = failed
        self.engine = Engine()
        self.machine = machine or Machine(paths.models, paths.measured)
        self.client = SpeechServices(paths, self._reported, self._exited, self._served)
        """The calls of a speech service, on the one that serves at the moment."""
        self.progress: dict[str, Any] | None = None
        """Of a model download under way, for the pages."""
        self._download = ModelDownload(paths.models, self._progressed)
        self._fetching: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._has_begun = False
        self.performers: dict[type[Any], Callable[[Any], None]] = {
            engines.Look: lambda e: self._start_task(self._look(e.tier)),
            engines.Fetch: self._fetch,
            engines.StopFetch: lambda e: self._stop_fetch(),
            engines.StartService: lambda e: self.client.start(e.number, e.tier),
            engines.SwitchTo: lambda e: self.client.switch(e.number),
            engines.StopService: lambda e: self.client.stop(e.number),
            engines.Keep: self._keep,
            engines.PutBack: put_back,
            engines.Notify: self._notify,
        }

    # -- life --

    def start(self) -> None:
        """What served last comes first; a change that a killed hub left undone goes on from there."""
        for socket in self._paths.run.glob("speech-*.sock"):
            socket.unlink(missing_ok=True)
        self.engine.good = self._kept()
        if self.engine.good is self._wanted:
            self._begin()
        else:
            self._start_task(self._begin_with_what_is_here())

    def leave(self) -> None:
        """Ask the services to end, without waiting for them."""
        self._has_begun = True
        self._perform(self.engine.stop())
        self.client.terminate()

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._fetching] if self._fetching else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.client.close()

    def _begin(self) -> None:
        self._has_begun = True
        self._perform(self.engine.want(self._wanted, self._now))

    async def _begin_with_what_is_here(self) -> None:
        """The first start, or a wanted tier that has not served yet: another one may be ready to."""
        try:
            here = await self.machine.installed(self._settings())
        except Exception:
            log.exception("looking for models failed")
            here = []
        if self._has_begun:
            return
        if self.engine.good not in here:
            self.engine.good = None if self._wanted in here or not here else here[0]
        self._begin()

    @property
    def _wanted(self) -> Tier:
        return Tier(self._settings().speech_quality)

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- using it --

    async def ready(self) -> bool:
        """Whether speech can be used, waiting for a service that is just starting. Where one tier must give way to
        another first, that takes as long as its last work and the new one's loading: both are limited."""
        try:
            async with asyncio.timeout(None if self.engine.is_replacing else WAIT_SECONDS):
                while self.engine.state is SpeechState.STARTING or not self._has_begun:
                    await self._settled.wait()
        except TimeoutError:
            return False
        return self.engine.state is SpeechState.READY

    # -- changing it --

    def settings_changed(self) -> None:
        """The wanted tier may be another one."""
        if self._has_begun and self.engine.wanted is not None:
            self._perform(self.engine.want(self._wanted, self._now))

    async def _look(self, tier: Tier) -> None:
        try:
            is_installed = not await self.machine.missing(tier, self._settings())
            running = self._running()
            holds_two = running is None or await self.machine.holds_two(tier, running)
        except Exception:
            log.exception("looking at the machine failed")
            self._perform(self.engine.fetch_failed(tier, "This machine could not be examined; the log says why.", self._now))
            return
        self._perform(self.engine.looked(tier, is_installed, holds_two, self._now))

    def _running(self) -> Running | None:
        serving = self.engine.serving
        return Running(serving.tier, str(self.client.health.get("device") or "")) if serving else None

    def _fetch(self, effect: engines.Fetch) -> None:
        self._stop_fetch()
        self._fetching = asyncio.create_task(self._fetch_now(effect.tier), name=f"fetch models of {effect.tier}")

    def _stop_fetch(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            self._fetching = None

    async def _fetch_now(self, tier: Tier) -> None:
        serving, settings = self.engine.serving, self._settings()
        is_own = serving is not None and serving.tier is tier
        try:
            missing = await self.machine.missing(tier, settings)
            if is_own and not missing:
                # The files are there and do not serve: broken ones are found and fetched anew.
                missing = models_of(await self.machine.hardware(), tier, settings)
            if missing and not settings.models_download:
                remedy = f"Run: clawmux models pull {' '.join(missing)}"
                raise ClawMuxError("download_failed", "its models are missing, and models.download is off.", remedy)
            await self._download.fetch(missing, settings.models_mirror)
        except ClawMuxError as error:
            log.warning("models of %s: %s", tier, error.text)
            if is_own:
                if settings.models_download:
                    self._failed(error)
                await asyncio.sleep(RETRY_SECONDS if settings.models_download else LOOK_AGAIN_SECONDS)
            self._perform(self.engine.fetch_failed(tier, _sentence(error.text), self._now))
        except Exception:
            log.exception("fetching the models of %s failed", tier)
            self._perform(self.engine.fetch_failed(tier, "Its models could not be looked for; the log says why.", self._now))
        else:
            if is_own:  # it finds them by itself; whatever else keeps it from serving is not fetched again and again
                await asyncio.sleep(RETRY_SECONDS)
            self._perform(self.engine.fetched(tier, self._now))

    # -- what the services come to --

    def _reported(self, number: int, state: SpeechState, reason: str, is_whole: bool) -> None:
        self._perform(self.engine.reported(number, state, reason, is_whole, self._now))

    def _exited(self, number: int, reason: str) -> None:
        self._perform(self.engine.exited(number, reason, self._now))

    def _served(self, number: int) -> None:
        self._perform(self.engine.served(number))

    # -- how it stands --

    def view(self) -> dict[str, Any]:
        told = self.engine.told
        state = SpeechState.DOWNLOADING if self.progress and told.state is not SpeechState.READY else told.state
        return {
            "type": "speech_state",
            "state": state.value,
            "reason": told.reason,
            "progress": self.progress,
            "serving": told.serving.value if told.serving else None,
            "wanted": told.wanted.value if told.wanted else None,
        }

    async def tiers(self) -> dict[str, Any]:
        """The answer of GET /api/tiers."""
        settings = self._settings()
        about = await self.machine.view(settings, self._running())
        # How it stands is read last: between it and the answer nothing is awaited.
        view = self.view()
        urls = {"whisper_url": harmless(settings.speech_whisper_url), "kokoro_url": harmless(settings.speech_kokoro_url)}
        return {
            **about,
            "wanted": view["wanted"],
            "serving": view["serving"],
            "state": view["state"],
            "reason": self.engine.failure or view["reason"],
            "failed": self.engine.failed.value if self.engine.failed else None,
            "progress": view["progress"],
            "remote": urls if any(urls.values()) else None,
        }

    def _progressed(self, progress: dict[str, Any] | None) -> None:
        if progress != self.progress:
            self.progress = progress
            self._changed()

    def _notify(self, effect: engines.Notify) -> None:
        self.machine.forget()  # what is free has changed with it
        if effect.state is SpeechState.STARTING:
            self._settled.clear()
        else:
            self._settled.set()
        self._changed()

    # -- what is kept over restarts --

    def _kept(self) -> Tier | None:
        """The tier that proved itself last."""
        with suppress(OSError, ValueError):
            return Tier(self._paths.speech_tier.read_text(encoding="utf-8").strip())
        return None

    def _keep(self, effect: engines.Keep) -> None:
        new = self._paths.speech_tier.with_suffix(".new")
        try:
            new.write_text(effect.tier.value, encoding="utf-8")
            new.replace(self._paths.speech_tier)
        except OSError as error:
            log.warning("the tier that serves could not be noted: %s", error)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
