"""Kokoro on the graphics cores of Apple Silicon: mlx-audio computes, kokoro-onnx does everything around it.

mlx-audio's own way from text to phonemes wants spaCy. Its model takes phonemes, so it stands here where kokoro-onnx expects
an onnxruntime session. Tried only against the recorded interfaces of both libraries (docs/speech.md).
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from clawmux.adapters.speech.kokoro import Kokoro, only_file
from clawmux.adapters.speech.voices import VOICES
from clawmux.tiers import Engine


class KokoroMlx(Kokoro):
    """The loaded model and its voices; call it from one thread."""

    def __init__(self, model: Path, voices: Path, engine: Engine) -> None:
        from kokoro_onnx import Kokoro as Package

        session = MlxSession(only_file(model, ".safetensors"))
        self._engine = Package.from_session(session, str(only_file(voices, ".bin", ".npz")), vocab_config=session.config)
        # Compiles the kernels, not in front of somebody who waits; and what makes no speech is refused while another may serve.
        self.speak("Ready.", VOICES["af_sky"], 1.0)


class MlxSession:
    """What kokoro-onnx asks of a session: its inputs, its outputs, and a run."""

    def __init__(self, weights: Path) -> None:
        import kokoro_onnx
        import mlx.core as mx
        from mlx_audio.tts.models.kokoro import Model, ModelConfig

        # The model's own config.json, which kokoro-onnx carries byte for byte (SHA-256 5abb01e2…).
        self.config: dict[str, Any] = json.loads((Path(kokoro_onnx.__file__).parent / "config.json").read_bytes())
        self._model_path = str(weights)
        self._array = mx.array
        self._phonemes = {number: sign for sign, number in self.config["vocab"].items()}
        self._model = Model(ModelConfig.from_dict(self.config))
        self._model.load_weights(list(self._model.sanitize(mx.load(str(weights))).items()))
        self._model.eval()

    def get_inputs(self) -> list[SimpleNamespace]:
        kinds = {"input_ids": "tensor(int64)", "style": "tensor(float)", "speed": "tensor(float)"}
        return [SimpleNamespace(name=name, type=kind) for name, kind in kinds.items()]

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="waveform")]

    def get_modelmeta(self) -> SimpleNamespace:
        return SimpleNamespace(custom_metadata_map={})

    def run(self, _: object, inputs: dict[str, Any]) -> list[Any]:
        """One window of sound. The model puts the zeros at both ends there itself."""
        phonemes = "".join(self._phonemes[int(number)] for number in inputs["input_ids"][0][1:-1])
        style = self._array(np.asarray(inputs["style"], dtype=np.float32).reshape(1, -1))
        sound = self._model(phonemes, style, float(np.asarray(inputs["speed"]).reshape(-1)[0]))
        return [np.asarray(sound, dtype=np.float32)]
