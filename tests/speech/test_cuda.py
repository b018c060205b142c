"""cuBLAS from a folder of our own, and faster-whisper told to use the card. No card here: stand-ins at the edge only."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from clawmux.adapters.speech import cuda, whisper
from clawmux.tiers import Engine
from clawmux.wire.errors import ClawMuxError

CARD = Engine("faster-whisper", "cuda:1", "int8_float16", "whisper-small", 700_000_000)
needs_cc = pytest.mark.skipif(not shutil.which("cc") or sys.platform != "linux", reason="needs a C compiler on Linux")

# The first library offers what the second needs, as cuBLAS's do; neither names the other.
SOURCES = {
    "libcublasLt.so.12": "int lt(void) { return 7; }",
    "libcublas.so.12": "int lt(void); int answer(void) { return lt(); }",
}
# As CTranslate2 does it: by the bare name, long after.
LATER = """
import ctypes, sys
from pathlib import Path
from clawmux.adapters.speech import cuda
print(cuda.preload(Path(sys.argv[1])))
try:
    print(ctypes.CDLL("libcublas.so.12").answer())
except OSError as error:
    print("no", error)
"""


def overlay(program: Path, name: str = "nvidia-1", is_whole: bool = True) -> Path:
    """As the installer leaves one: wheels unpacked into a folder, which is complete when it says so."""
    folder = program / "cuda" / name / "nvidia" / "cublas" / "lib"
    folder.mkdir(parents=True)
    for library in SOURCES:
        (folder / library).touch()
    if is_whole:
        (program / "cuda" / name / ".complete").touch()
    return folder


def build(folder: Path) -> None:
    for name, source in SOURCES.items():
        argv = ["cc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-x", "c", "-", "-o", str(folder / name)]
        subprocess.run(argv, input=source.encode(), check=True)


def later(program: Path) -> list[str]:
    argv = [sys.executable, "-c", LATER, str(program)]
    return subprocess.run(argv, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]).stdout.splitlines()


@needs_cc
def test_loaded_once_it_is_found_by_its_bare_name(tmp_path: Path) -> None:
    folder = overlay(tmp_path)
    build(folder)
    assert later(tmp_path) == [str(folder), "7"]


def test_without_it_the_system_is_left_to_find_its_own(tmp_path: Path) -> None:
    assert cuda.preload(tmp_path) is None
    assert later(tmp_path)[0] == "None"


def test_half_an_overlay_is_not_used(tmp_path: Path) -> None:
    overlay(tmp_path, is_whole=False)
    assert cuda.folders(tmp_path) == []


def test_a_broken_library_is_told_and_no_reason_to_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    overlay(tmp_path)
    assert cuda.preload(tmp_path) is None
    assert "cannot be loaded" in caplog.text


def test_an_installed_program_looks_beside_its_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "versions" / "0.1.0-x" / "app" / "y" / "site-packages" / "clawmux" / "adapters" / "speech"
    monkeypatch.setattr(cuda, "__file__", str(site / "cuda.py"))
    assert cuda.folders() == []
    assert cuda.folders(None) == [] and overlay(tmp_path) in cuda.folders()


# --- faster-whisper ---


class Model:
    """faster_whisper.WhisperModel at its edge: the real one's parameters, and nothing behind them."""

    made: list[dict[str, Any]]
    signature: inspect.Signature
    at_encode: Exception | None = None

    def __init__(self, *words: Any, **options: Any) -> None:
        self.made.append(dict(self.signature.bind(*words, **options).arguments))
        self.model = SimpleNamespace(n_mels=80)

    def encode(self, features: Any) -> None:
        assert features.shape == (80, 3000) and features.dtype == np.float32
        if self.at_encode:
            raise self.at_encode


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> type[Model]:
    faster_whisper = pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
    facts = {"made": [], "signature": inspect.signature(faster_whisper.WhisperModel)}
    fresh = type("WhisperModel", (Model,), facts)
    monkeypatch.setattr(faster_whisper, "WhisperModel", fresh)
    return fresh


def test_the_card_is_named_to_faster_whisper(model: type[Model]) -> None:
    whisper.Whisper(Path("/models/x"), CARD)
    assert model.made == [
        {
            "model_size_or_path": "/models/x",
            "device": "cuda",
            "device_index": 1,
            "compute_type": "int8_float16",
            "local_files_only": True,
        }
    ]


def test_on_the_processor_it_gets_its_threads(model: type[Model]) -> None:
    whisper.Whisper(Path("/models/x"), Engine("faster-whisper", "cpu", "int8", "whisper-small", 0, 6))
    assert (model.made[0]["device"], model.made[0]["compute_type"], model.made[0]["cpu_threads"]) == ("cpu", "int8", 6)


def test_a_card_without_its_library_shows_at_once(model: type[Model]) -> None:
    model.at_encode = RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")
    with pytest.raises(ClawMuxError) as refused:
        whisper.Whisper(Path("/models/x"), CARD)
    assert "libcublas.so.12 is not found" in refused.value.text
