"""Row ``converse``: a whole converse through the hub against its speech service asked directly for the same work.

The page is one without a browser that hears and talks at once, so that what is left is work. The start of the command
is in row ``command``. Engines scatter by more than the hub takes, so it is measured with tones and fixed words, too.
"""

from __future__ import annotations

import math

import numpy as np

from tests import sound
from tests.bench.figure import Figure, Target
from tests.bench.rounds import interleave, milliseconds
from tests.bench.speaking import SILENCE_SECONDS, speaking
from tests.stand_ins.page import StandInPage

SENTENCE = "All the tests pass now, and the branch is ready."
ANSWER = "go-forward"
RATE = 16000
# Whichever of the two is kept.
TARGET = Target(ratio=1.05, above=15)
ENGINES = {"real": "", "stand-in": "no engines: "}


async def measure(rounds: int) -> list[Figure]:
    pcm = recording()
    return [figure for engine, prefix in ENGINES.items() for figure in await _measure(rounds, engine, prefix, pcm)]


async def _measure(rounds: int, engine: str, prefix: str, pcm: bytes) -> list[Figure]:
    async with speaking(engine) as voice, StandInPage(voice.hub.url, voice.hub.token, lambda _: pcm, speed=math.inf):

        async def direct_said() -> float:
            return await milliseconds(voice.speak(SENTENCE))

        async def said() -> float:
            return await milliseconds(voice.converse(SENTENCE, listen=False))

        async def direct_answered() -> float:
            return await milliseconds(voice.speak(SENTENCE)) + await milliseconds(voice.hear(pcm))

        async def answered() -> float:
            return await milliseconds(voice.converse(SENTENCE, listen=True))

        direct, through, direct_both, through_both = await interleave(rounds, direct_said, said, direct_answered, answered)
    return [
        Figure(f"{prefix}a sentence said (--no-listen)", "ms", through, direct, TARGET),
        Figure(f"{prefix}a sentence said, an answer heard", "ms", through_both, direct_both, TARGET),
    ]


def recording() -> bytes:
    """The answer as a microphone gives it, with as much silence as ends a turn."""
    spoken = sound.clip(ANSWER, RATE)
    whole = np.concatenate([sound.silence(0.3, RATE), spoken, sound.silence(SILENCE_SECONDS + 0.4, RATE)])
    return pcm16(whole)


def pcm16(samples: sound.Samples) -> bytes:
    return bytes((np.clip(samples, -1, 1) * 32767).astype("<i2"))
