"""A graphics card that cannot be used, is full, or goes: the processor takes over, and /health says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clawmux.adapters.speech.audio import LISTEN_RATE, Samples
from clawmux.adapters.speech.choice import choose
from clawmux.adapters.speech.engines import Loaders
from clawmux.tiers import Engine, Fit
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Tier
from tests.speech.conftest import serving
from tests.stand_ins.speech_engines import CountingWhisper, Files, LoudnessEar, ToneKokoro

FILES = Files("whisper-tiny.en", "whisper-tiny", "kokoro", "voices")
LOUD = (0.3 * np.sin(np.arange(LISTEN_RATE) / 5)).astype(np.float32)


class Card:
    """What is loaded where, and how the card behaves."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.at_load: Exception | None = None
        self.at_work: Exception | None = None

    def loaders(self) -> Loaders:
        card = Engine("faster-whisper", "cuda:0", "float16", "whisper-tiny.en", 500_000_000)
        voice = Engine("kokoro-onnx", "cpu", "float32", "kokoro", 690_000_000, 3)
        fit = Fit(Tier.TINY, True, card, voice, 0.05, "")
        return Loaders(self.load, ToneKokoro, LoudnessEar, lambda quality: choose(fit))

    def load(self, path: Path, engine: Engine, beam_size: int) -> CountingWhisper:
        self.loaded.append(f"{engine.model} on {engine.device}")
        if engine.device != "cpu" and self.at_load:
            raise self.at_load
        return _OnCard(self, path, engine) if engine.device != "cpu" else CountingWhisper(path, engine)


class _OnCard(CountingWhisper):
    def __init__(self, card: Card, path: Path, engine: Engine) -> None:
        super().__init__(path, engine)
        self._card = card

    def transcribe(self, samples: Samples, language: str | None, prompt: str = "") -> str:
        if self._card.at_work:
            raise self._card.at_work
        return super().transcribe(samples, language, prompt)


@pytest.fixture
def card() -> Card:
    return Card()


async def after(card: Card, folder: Path) -> tuple[str, dict[str, Any]]:
    """What is heard, and the service's health then."""
    async with serving(folder, FILES, with_loaders=card.loaders()) as service:
        heard = await service.engines.transcribe(LOUD, "en")
        await service.engines.tts.use()  # health speaks of both halves
        return heard.text, await service.client.health()


async def test_the_card_serves_and_health_tells_with_what(card: Card, tmp_path: Path) -> None:
    text, health = await after(card, tmp_path)
    assert text.endswith("tenths")
    told = {"package": "faster-whisper", "model": "whisper-tiny.en", "device": "cuda:0", "precision": "float16"}
    assert {name: health[name] for name in told} == {name: health["stt"][name] for name in told} == told
    assert (health["state"], health["reason"]) == ("ready", "")
    assert (health["tts"]["package"], health["tts"]["device"]) == ("kokoro-onnx", "cpu")


async def test_a_card_that_cannot_be_used_leaves_the_processor(card: Card, tmp_path: Path) -> None:
    card.at_load = ClawMuxError("speech_down", "the graphics card cannot be used (no libcublas.so.12).", "")
    text, health = await after(card, tmp_path)
    assert text.endswith("tenths")
    assert (health["state"], health["device"], health["precision"]) == ("ready", "cpu", "int8")
    assert health["reason"] == "the graphics card cannot be used (no libcublas.so.12); whisper-tiny.en serves on the processor"
    assert card.loaded == ["whisper-tiny.en on cuda:0", "whisper-tiny.en on cpu"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("CUDA failed with error out of memory"), "the graphics card is out of memory"),
        (RuntimeError("CUDA failed with error unspecified launch failure"), "the graphics card failed"),
        (MemoryError(), "the graphics card is out of memory"),
    ],
)
async def test_a_card_that_fails_at_work_costs_no_words(error: Exception, reason: str, card: Card, tmp_path: Path) -> None:
    card.at_work = error
    text, health = await after(card, tmp_path)
    assert text.endswith("tenths")
    assert (health["state"], health["device"]) == ("ready", "cpu")
    assert health["reason"] == f"{reason}; whisper-tiny.en serves on the processor"


async def test_a_voice_that_fails_at_work_is_taken_over_by_the_processors(tmp_path: Path) -> None:
    speakers = []

    class Voice(ToneKokoro):
        def __init__(self, model: Path, voices: Path, engine: Engine) -> None:
            super().__init__(model, voices, engine)
            speakers.append(engine.device)
            self.device = engine.device

        def speak(self, *words: Any) -> Samples:
            if self.device == "metal":
                raise RuntimeError("[METAL] Command buffer execution failed")
            return super().speak(*words)

    metal = Engine("mlx-audio", "metal", "float32", "kokoro-mlx", 0)
    card = Engine("faster-whisper", "cpu", "int8", "whisper-tiny.en", 0, 2)
    fit = Fit(Tier.TINY, True, card, metal, 0.3, "")
    loaders = Loaders(lambda path, engine, beam: CountingWhisper(path, engine), Voice, LoudnessEar, lambda quality: choose(fit))
    async with serving(tmp_path, Files(*FILES.names, "kokoro-mlx"), with_loaders=loaders) as service:
        sound = b"".join([chunk async for chunk in service.client.synthesize("Go forward.", "af_sky")])
        assert len(sound) == 2 * round(11 * 0.02 * 24000)
        health = await service.client.health()
        assert health["tts"]["reason"] == "the graphics card failed; kokoro serves on the processor"
    assert speakers == ["metal", "cpu"]


async def test_a_fault_on_the_processor_is_no_cards_fault(card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card.at_load = RuntimeError("no driver")
    async with serving(tmp_path, FILES, with_loaders=card.loaders()) as service:
        engine = await service.engines.stt.use()
        monkeypatch.setattr(engine, "transcribe", _broken)
        with pytest.raises(RuntimeError, match="broken"):
            await service.engines.transcribe(LOUD, "en")
        assert len(card.loaded) == 2, "nothing is loaded again"


def _broken(*_: object) -> str:
    raise RuntimeError("broken")


async def test_a_card_is_not_tried_again_at_every_word(card: Card, tmp_path: Path) -> None:
    card.at_work = RuntimeError("out of memory")
    async with serving(tmp_path, FILES, with_loaders=card.loaders()) as service:
        for _ in range(3):
            await service.engines.transcribe(LOUD, "en")
            service.engines.stt._looked = -60.0
        assert card.loaded == ["whisper-tiny.en on cuda:0", "whisper-tiny.en on cpu"]


async def test_a_machine_that_cannot_be_looked_at_has_a_processor(tmp_path: Path) -> None:
    def choose_badly(quality: str) -> Any:
        raise OSError("a driver that nobody has seen")

    loaders = Loaders(lambda path, engine, beam: CountingWhisper(path, engine), ToneKokoro, LoudnessEar, choose_badly)
    async with serving(tmp_path, FILES, with_loaders=loaders) as service:
        assert (await service.engines.transcribe(LOUD, "en")).text
        assert (await service.client.health())["device"] == "cpu"
