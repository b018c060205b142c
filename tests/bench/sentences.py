"""Row ``sentences``: the wait for the first sound of a longer text, said sentence by sentence, against all in one piece."""

from __future__ import annotations

import asyncio
from pathlib import Path

from clawmux.adapters.models import ModelStore
from tests.bench.figure import Figure, Target
from tests.bench.rounds import interleave, milliseconds
from tests.bench.speaking import VOICE, speaking

TEXT = (
    "All the tests pass now, and the branch is ready. The slow one was the download of the models, which had no time limit. "
    "I gave it one, and wrote a test that cuts the connection in the middle. Shall I merge it, or do you want to look first?"
)
TARGET = Target(ratio=0.5)


async def measure(rounds: int) -> list[Figure]:
    async with speaking() as real:
        from clawmux.adapters.speech.kokoro import Kokoro
        from clawmux.adapters.speech.voices import find_voice

        store = ModelStore(real.hub.paths.models)
        kokoro = await asyncio.to_thread(Kokoro, _path(store, "kokoro-int8"), _path(store, "voices"))

        async def whole() -> float:
            return await milliseconds(asyncio.to_thread(kokoro.speak, TEXT, find_voice(VOICE), 1.0))

        async def by_sentence() -> float:
            return await real.first_chunk_ms(TEXT)

        floor, ours = await interleave(rounds, whole, by_sentence)
    return [Figure("first sound of four sentences", "ms", ours, floor, TARGET, note="against one piece")]


def _path(store: ModelStore, name: str) -> Path:
    path = store.path(name)
    assert path is not None, name
    return path
