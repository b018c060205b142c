"""The recogniser for sessions whose project asks for another quality than the one that serves. Decides from facts.

The service that serves loads a second recogniser for them where its model is here and memory holds it; otherwise they are
understood like everybody else, and the session is told why, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from clawmux.core.engine import Engine
from clawmux.hub.machine import Machine
from clawmux.settings import Settings
from clawmux.wire.words import Tier

# Its model may have been fetched meanwhile, or memory become free. Looking holds a turn up where a card has to wake first.
LOOK_AGAIN_SECONDS = 60.0


class ProjectQuality:
    def __init__(
        self, machine: Machine, engine: Engine, settings: Callable[[], Settings], tell: Callable[[str, str, str, str], None]
    ) -> None:
        self._machine = machine
        self._engine = engine
        self._settings = settings
        self._tell = tell
        """Takes session, level, text and remedy of a notice."""
        self._found: dict[tuple[int, Tier], tuple[float, str]] = {}
        """When it was looked at, and why a service cannot have that recogniser too; empty where it can."""
        self._told: dict[str, str] = {}

    async def of(self, session_id: str, wanted: str) -> str:
        """The tier to ask the service for; empty for its own."""
        serving, settings = self._engine.serving, self._settings()
        if wanted == settings.speech_quality or serving is None or wanted == serving.tier or settings.speech_whisper_url:
            return ""
        asked = serving.number, Tier(wanted)
        at, why = self._found.get(asked, (-LOOK_AGAIN_SECONDS, "unknown"))
        if why and time.monotonic() - at >= LOOK_AGAIN_SECONDS:
            why = await self._machine.why_no_further(Tier(wanted))
            self._found[asked] = time.monotonic(), why
        if why:
            text = f"The project asks for quality {wanted}, and {serving.tier} understands it: {why}."
            if self._told.get(session_id) != text:
                self._told[session_id] = text
                self._tell(session_id, "warn", text, "See `clawmux tier`.")
            return ""
        return wanted
