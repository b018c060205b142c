"""The engines for Apple Silicon against the recorded interfaces of their packages; whisper.cpp for real where it is installed."""

from __future__ import annotations

import math
import os
import wave
from pathlib import Path

import numpy as np
import pytest

from clawmux.adapters.models import ModelStore
from clawmux.adapters.speech.audio import LISTEN_RATE, Samples
from clawmux.adapters.speech.choice import load_recogniser, load_speaker
from clawmux.adapters.speech.voices import VOICES
from clawmux.tiers import Engine
from clawmux.wire.errors import ClawMuxError
from tests.stand_ins import apple_packages
from tests.stand_ins.apple_packages import KokoroModel, WhisperModel, segment

METAL = Engine("pywhispercpp", "metal", "float16", "whisper-small-ggml", 1_100_000_000)
PROCESSOR = Engine("pywhispercpp", "cpu", "float16", "whisper-tiny.en-ggml", 0, 6)
SPEECH = np.zeros(2 * LISTEN_RATE, dtype=np.float32)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "ggml-small.bin"
    found.write_bytes(b"lmgg" + bytes(16))
    return found


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch) -> type[WhisperModel]:
    return apple_packages.whisper_cpp(monkeypatch)


# --- whisper.cpp ---


@pytest.mark.parametrize(("engine", "uses_metal", "threads"), [(METAL, True, 4), (PROCESSOR, False, 6)])
def test_whisper_cpp_is_loaded_where_it_should_be(
    engine: Engine, uses_metal: bool, threads: int, file: Path, whisper: type[WhisperModel]
) -> None:
    load_recogniser(file, engine, 1)
    made = whisper.made
    assert made.options["context_params"] == {"use_gpu": uses_metal, "flash_attn": uses_metal}
    assert made.options["n_threads"] == threads
    assert len(made.calls) == 1, "its shaders are compiled before anybody waits for them"


def test_a_wide_search_is_asked_for(file: Path, whisper: type[WhisperModel]) -> None:
    load_recogniser(file, METAL, 5)
    assert whisper.made.options["params_sampling_strategy"] == 1
    assert whisper.made.options["beam_search"]["beam_size"] == 5


def test_whisper_cpp_hears(file: Path, whisper: type[WhisperModel]) -> None:
    engine = load_recogniser(file, METAL, 1)
    whisper.says = [segment(" Go forward "), segment("ten meters.")]
    assert engine.transcribe(SPEECH, "de", "ClawMux") == "Go forward ten meters."
    call = whisper.made.calls[-1]
    assert (call["language"], call["initial_prompt"], call["max_tokens"]) == ("de", "ClawMux", 44)
    assert call["samples"] == len(SPEECH) + round(0.6 * LISTEN_RATE)


def test_what_the_model_itself_doubts_is_left_out(file: Path, whisper: type[WhisperModel]) -> None:
    engine = load_recogniser(file, METAL, 1)
    whisper.says = [
        segment("Thank you.", 0.3),
        segment("[BLANK_AUDIO]"),
        segment("Mumbled words", 0.1),
        segment("no " * 40),
        segment("Nothing", math.nan),
        segment("Thank you.", 0.9),
    ]
    assert engine.transcribe(SPEECH, None) == "Thank you."
    assert whisper.made.calls[-1]["language"] == "auto"


def test_an_english_model_is_asked_for_english(file: Path, whisper: type[WhisperModel]) -> None:
    engine = load_recogniser(file, PROCESSOR, 1)
    assert (engine.name, engine.is_english_only) == ("whisper-tiny.en", True)
    engine.transcribe(SPEECH, None)
    assert whisper.made.calls[-1]["language"] == "en"


def test_a_language_it_does_not_know_is_refused(file: Path, whisper: type[WhisperModel]) -> None:
    with pytest.raises(ClawMuxError) as refused:
        load_recogniser(file, METAL, 1).transcribe(SPEECH, "tlh")
    assert refused.value.code == "usage"


def test_a_file_that_would_end_the_process_is_refused(tmp_path: Path, whisper: type[WhisperModel]) -> None:
    (tmp_path / "m").write_bytes(b"GGUF")
    with pytest.raises(ClawMuxError) as refused:
        load_recogniser(tmp_path / "m", METAL, 1)
    assert refused.value.code == "bad_file"


@pytest.mark.speech
def test_whisper_cpp_for_real() -> None:
    """On the processor; Metal needs a Mac."""
    pytest.importorskip("_pywhispercpp", reason="pywhispercpp is not installed (only the Apple set has it)")
    store = ModelStore(Path(os.environ.get("CLAWMUX_MODELS") or "/nowhere"))
    model = store.path("whisper-tiny-ggml")
    if model is None:
        pytest.skip("whisper-tiny-ggml is not in CLAWMUX_MODELS (clawmux models pull whisper-tiny-ggml)")
    engine = load_recogniser(model, Engine("pywhispercpp", "cpu", "float16", "whisper-tiny-ggml", 0, 2), 1)
    said = engine.transcribe(recording("go-forward"), "en")
    assert "forward" in said.lower() and "meters" in said.lower()
    assert engine.transcribe(np.random.default_rng(0).normal(0, 0.003, 32000).astype(np.float32), "en") == ""


def recording(name: str) -> Samples:
    with wave.open(str(Path(__file__).parents[1] / "data" / "speech" / f"{name}.wav")) as sound:
        assert sound.getframerate() == LISTEN_RATE
        data = np.frombuffer(sound.readframes(sound.getnframes()), dtype=np.int16)
    return (data / 32768).astype(np.float32)


# --- Kokoro ---

VOICE = VOICES["af_sky"]
MLX = Engine("mlx-audio", "metal", "float32", "kokoro-mlx", 690_000_000)


@pytest.fixture
def kokoro(monkeypatch: pytest.MonkeyPatch) -> type[KokoroModel]:
    pytest.importorskip("kokoro_onnx", reason="kokoro-onnx is not installed")
    return apple_packages.mlx_audio(monkeypatch)


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    style = np.arange(510 * 256, dtype=np.float32).reshape(510, 1, 256)
    with (tmp_path / "voices.bin").open("wb") as out:
        np.savez(out, af_sky=style)
    (tmp_path / "kokoro.safetensors").touch()
    return tmp_path / "voices.bin"


def test_kokoro_speaks_through_mlx(kokoro: type[KokoroModel], voices: Path) -> None:
    engine = load_speaker(voices.parent / "kokoro.safetensors", voices, MLX)
    sound = engine.speak("Go forward ten meters.", VOICE, 1.25)
    phonemes, style, speed = kokoro.made.calls[-1]
    assert (style, speed) == ((1, 256), 1.25)
    assert len(phonemes) > 10 and phonemes.endswith(".")
    assert len(sound) / 600 == pytest.approx(len(phonemes), abs=3)
    assert [name for name, _ in kokoro.made.weights] == ["bert.w"]


def test_a_long_text_is_cut_to_what_the_model_takes(kokoro: type[KokoroModel], voices: Path) -> None:
    engine = load_speaker(voices.parent / "kokoro.safetensors", voices, MLX)
    engine.speak("This sentence is said again, and again. " * 30, VOICE, 1.0)
    assert len(kokoro.made.calls) > 2
    assert max(len(phonemes) for phonemes, _, _ in kokoro.made.calls) <= 510


@pytest.mark.parametrize("sound", [np.full(24000, np.nan), np.zeros(24000)], ids=["nan", "silence"])
def test_an_mlx_that_makes_no_speech_is_found_out_at_once(sound: Samples, kokoro: type[KokoroModel], voices: Path) -> None:
    kokoro.sound = sound
    with pytest.raises(ClawMuxError) as refused:
        load_speaker(voices.parent / "kokoro.safetensors", voices, MLX)
    assert refused.value.code == "speech_down"
