"""Measuring the quality that serves: the speech service speaks a sentence and understands it again, some times, and is timed.

It gives way at once: whoever begins to talk, and any change of the quality, ends it. Nothing of it is played.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from array import array
from collections.abc import Callable
from typing import Any

from clawmux import __version__
from clawmux.adapters.processes import resident_bytes
from clawmux.core import measuring as core
from clawmux.core.measuring import Facts, Runs
from clawmux.hub.speech import Speech
from clawmux.machine import measured
from clawmux.machine.measured import Measured
from clawmux.settings import Settings
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.frames import MICROPHONE_RATE, SPEECH_RATE
from clawmux.wire.words import SpeechState, Tier

log = logging.getLogger(__name__)

# Some 5 s, as the delays of the tiers are told for.
SENTENCE = "This sentence is spoken here, and then understood again, to see how long both of them take."
# As agents begin: the first sound comes when the first sentence is made.
SHORT = "All the tests pass now."
VOICE = "af_sky"
PIECE_SECONDS = 0.1
# A tier that needs longer for one sentence is of no use, and nobody waits for it.
LONGEST_SECONDS = 60.0

Told = dict[str, Any]


class _GivesWay(Exception):
    """Why it ends before its end, as a sentence."""


class Measuring:
    """``talk`` tells whether a person talks, and whether an agent speaks; ``tell`` gets every message for the pages."""

    def __init__(
        self,
        speech: Speech,
        settings: Callable[[], Settings],
        talk: Callable[[], tuple[bool, bool]],
        tell: Callable[[Told], None],
    ) -> None:
        self._speech = speech
        self._settings = settings
        self._talk = talk
        self._tell = tell
        self._task: asyncio.Task[None] | None = None
        self._tier: Tier | None = None
        self._runs = Runs([], [], [])
        self.pace = 1.0
        """How much slower than it could be sent the sound comes; 1: as a microphone brings it."""

    # -- from the routes --

    def start(self) -> Told:
        """Begin, and say how far it is. Raises ``conflict`` with the reason why not."""
        if self.is_running:
            raise ClawMuxError("conflict", "It is being measured already.", "Wait for its end, or stop it.")
        if reason := core.why_not(self._facts()):
            raise ClawMuxError("conflict", reason)
        serving = self._facts().serving
        assert serving is not None
        self._tier, self._runs = serving, Runs([], [], [])
        self._task = asyncio.create_task(self._run(serving), name="measure speech")
        return core.progress(serving, self._runs)

    async def stop(self) -> None:
        """Without figures. Nothing happens when it does not run."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def view(self) -> Told | None:
        """How far it is; None when it does not run."""
        return core.progress(self._tier, self._runs) if self.is_running and self._tier is not None else None

    # -- inside --

    def _facts(self) -> Facts:
        view, settings = self._speech.view(), self._settings()
        talks, speaks = self._talk()
        return Facts(
            state=SpeechState(view["state"]),
            serving=Tier(view["serving"]) if view["serving"] else None,
            wanted=Tier(view["wanted"]) if view["wanted"] else None,
            is_fetching=view["progress"] is not None,
            is_elsewhere=bool(settings.speech_whisper_url or settings.speech_kokoro_url),
            is_person_talking=talks,
            is_agent_speaking=speaks,
        )

    async def _run(self, tier: Tier) -> None:
        try:
            self._say(tier, "running")
            await self._measure(tier)
        except asyncio.CancelledError:
            self._say(tier, "stopped")
            raise
        except _GivesWay as reason:
            self._say(tier, "stopped", str(reason))
        except ClawMuxError as error:
            self._say(tier, "failed", f"{error.text[:1].upper()}{error.text[1:]}")
        except TimeoutError:
            self._say(tier, "failed", f"One sentence took longer than {LONGEST_SECONDS:.0f} s.")
        except Exception:
            log.exception("measuring %s failed", tier)
            self._say(tier, "failed", "It could not be measured; the log says why.")
        else:
            self._say(tier, "done")

    async def _measure(self, tier: Tier) -> None:
        sound = b""
        for run in range(core.SPEAKING_RUNS):
            async with asyncio.timeout(LONGEST_SECONDS):
                spoken = await self._speak(tier, SHORT if run else SENTENCE)
            sound = sound or spoken
            self._say(tier, "running")
        sound = await asyncio.to_thread(for_the_ear, sound)
        for run in range(core.HEARING_RUNS):
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._hear(tier, sound, self.pace if run else 0.0)
            self._say(tier, "running")
        await self._keep(tier)

    async def _speak(self, tier: Tier, text: str) -> bytes:
        began, sound, first = time.monotonic(), bytearray(), 0.0
        async with contextlib.aclosing(self._speech.client.synthesize(text, VOICE, 1.0)) as chunks:
            async for chunk in chunks:
                first = first or time.monotonic() - began
                sound += chunk
                self._look(tier)
        if not sound:
            raise ClawMuxError("speech_down", "the sentence came back without any sound.")
        self._runs.first_sound.append(first)
        self._runs.spoken.append((time.monotonic() - began, len(sound) / 2 / SPEECH_RATE))
        return bytes(sound)

    async def _hear(self, tier: Tier, sound: bytes, pace: float) -> None:
        piece = 2 * round(PIECE_SECONDS * MICROPHONE_RATE)
        async with self._speech.client.listen("en", "manual", 1.2) as listening:
            began = time.monotonic()
            for number, at in enumerate(range(0, len(sound), piece)):
                await asyncio.sleep(max(0.0, began + number * PIECE_SECONDS * pace - time.monotonic()))
                self._look(tier)
                await listening.send(sound[at : at + piece])
            ended = time.monotonic()
            await listening.end()
            last: Told = {}
            async for event in listening:
                self._look(tier)
                last = event
            delay = time.monotonic() - ended
        if not str(last.get("text", "")).strip():
            raise ClawMuxError("speech_down", "the sentence was spoken, and no words were understood in it.")
        work = float(last.get("stt_ms") or 0.0) / 1000 or delay
        self._runs.heard.append((delay, work, len(sound) / 2 / MICROPHONE_RATE))

    def _look(self, tier: Tier) -> None:
        """Whether it is in anybody's way."""
        facts = self._facts()
        if facts.is_person_talking:
            raise _GivesWay("Stopped, because you began to talk.")
        if facts.is_agent_speaking:
            raise _GivesWay("Stopped, because something else is being spoken.")
        if facts.serving is not tier or core.why_not(facts):
            raise _GivesWay("Stopped, because the quality is being changed.")

    async def _keep(self, tier: Tier) -> None:
        health = self._speech.client.health
        pid = self._speech.client.pid
        hardware = await self._speech.machine.hardware()
        figures = Measured(
            **self._runs.figures(),
            memory_bytes=await asyncio.to_thread(resident_bytes, pid) if pid else 0,
            model=str(health.get("model") or ""),
            device=str(health.get("device") or ""),
            at=time.time(),
            version=__version__,
            machine=measured.fingerprint(hardware),
        )
        self._speech.machine.keep_measured(tier, figures)

    def _say(self, tier: Tier, state: str, reason: str = "") -> None:
        self._tell({"type": "measuring", **core.progress(tier, self._runs), "state": state, "reason": reason})


def for_the_ear(speech: bytes) -> bytes:
    """PCM16 of 24 kHz as PCM16 of 16 kHz: of three samples two. Good enough for words, and needs no library."""
    samples = array("h", speech[: len(speech) // 6 * 6])
    heard = array("h", bytes(len(samples) // 3 * 4))
    heard[0::2] = samples[0::3]
    heard[1::2] = array("h", ((second + third) // 2 for second, third in zip(samples[1::3], samples[2::3], strict=True)))
    return heard.tobytes()
