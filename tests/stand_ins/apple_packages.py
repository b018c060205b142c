"""pywhispercpp, mlx and mlx-audio as their wheels' sources describe them (tests/data/apple): what is called is checked
against the record, what comes back is made up."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

RECORD: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "apple" / "interfaces.json").read_text())
WHISPER, MLX = RECORD["pywhispercpp"], RECORD["mlx_audio"]


def check(method: dict[str, list[str]], *words: object, **options: object) -> None:
    """Whether a call fits the recorded signature."""
    places = [*method["required"], *method["optional"]]
    assert len(words) <= len(places), "too many arguments"
    given = {*places[: len(words)], *options}
    assert set(method["required"]) <= given, f"missing: {set(method['required']) - given}"
    assert set(options) <= {*places[len(words) :], *method["by_name"]}, f"unknown: {set(options)}"


def install(monkeypatch: pytest.MonkeyPatch, **modules: object) -> None:
    for name, content in modules.items():
        path = name.replace("__", ".")
        for end in range(1, path.count(".") + 2):
            part = ".".join(path.split(".")[:end])
            if part not in sys.modules or end == path.count(".") + 1:
                monkeypatch.setitem(sys.modules, part, ModuleType(part))
        vars(sys.modules[path]).update(vars(content))
        parent, _, last = path.rpartition(".")
        if parent:
            monkeypatch.setattr(sys.modules[parent], last, sys.modules[path], raising=False)


class WhisperModel:
    """pywhispercpp.model.Model. ``says`` is what it hears; a None among the settings is what the real one refuses."""

    says: list[SimpleNamespace] = []  # noqa: RUF012  (set by the test)
    made: WhisperModel

    def __init__(self, *words: object, **options: Any) -> None:
        check(WHISPER["Model.__init__"], *words, **options)
        assert set(options["context_params"]) <= set(WHISPER["ContextParams"])
        self.options = options
        self.calls: list[dict[str, Any]] = []
        type(self).made = self

    def transcribe(self, media: Any, **options: Any) -> list[SimpleNamespace]:
        settings = {name: value for name, value in options.items() if name in WHISPER["Model.__init__"]["by_name"]}
        check(WHISPER["Model.transcribe"], media, **{name: options[name] for name in options.keys() - settings.keys()})
        assert media.dtype == np.float32 and media.ndim == 1
        assert None not in settings.values(), "its settings are C strings and numbers"
        self.calls.append({**options, "samples": len(media)})
        return self.says

    @staticmethod
    def available_languages() -> list[str]:
        return ["en", "de", "fr"]


def segment(text: str, probability: float = 0.8) -> SimpleNamespace:
    fields = WHISPER["Segment.__init__"]
    return SimpleNamespace(
        **dict.fromkeys([*fields["required"], *fields["optional"]], 0) | {"text": text, "probability": probability}
    )


class KokoroModel:
    """mlx_audio's Kokoro: 25 ms of tone a phoneme. ``sound`` replaces it."""

    made: KokoroModel
    sound: Any = None

    def __init__(self, *words: Any, **options: object) -> None:
        check(MLX["Model.__init__"], *words, **options)
        self.config = words[0]
        self.weights: list[tuple[str, Any]] = []
        self.calls: list[tuple[str, tuple[int, ...], float]] = []
        type(self).made = self

    def sanitize(self, weights: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in weights.items() if "position_ids" not in name}

    def load_weights(self, weights: list[tuple[str, Any]]) -> None:
        self.weights = weights

    def eval(self) -> None:
        pass

    def __call__(self, *words: Any, **options: object) -> Any:
        check(MLX["Model.__call__"], *words, **options)
        phonemes, style, speed = words
        assert set(phonemes) <= set(self.config.vocab)
        assert len(phonemes) + 2 <= self.config.plbert["max_position_embeddings"]
        self.calls.append((phonemes, style.shape, speed))
        tone = 0.3 * np.sin(np.arange(600 * len(phonemes)) / 10)
        return (tone if self.sound is None else self.sound)[None, :].astype(np.float32)


class ModelConfig(SimpleNamespace):
    @classmethod
    def from_dict(cls, *words: Any) -> ModelConfig:
        check(MLX["BaseModelArgs.from_dict"], *words)
        required = {name for name in MLX["ModelConfig"] if name not in ("sample_rate", "model_path")}
        assert required <= set(words[0])
        return cls(**{name: words[0][name] for name in required})


def whisper_cpp(monkeypatch: pytest.MonkeyPatch) -> type[WhisperModel]:
    fresh = type("Model", (WhisperModel,), {})
    install(monkeypatch, pywhispercpp__model=SimpleNamespace(Model=fresh))
    return fresh


def mlx_audio(monkeypatch: pytest.MonkeyPatch) -> type[KokoroModel]:
    fresh = type("Model", (KokoroModel,), {})
    weights = {"bert.w": np.zeros(1), "bert.position_ids": np.zeros(1)}
    install(
        monkeypatch,
        mlx__core=SimpleNamespace(load=lambda file: weights, array=np.asarray),
        mlx_audio__tts__models__kokoro=SimpleNamespace(Model=fresh, ModelConfig=ModelConfig),
    )
    return fresh
