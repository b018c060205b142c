"""What an engine does besides its work: onnxruntime reports to its makers unless it is told not to before it is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINES = "import onnxruntime, kokoro_onnx, faster_whisper"


def files_written(home: Path, code: str) -> list[str]:
    """What this code leaves in a home; as on a person's machine, for the makers know CI's by their variables."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_", "CI"))}
    subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**environ, "HOME": str(home)}, check=True, capture_output=True, timeout=120
    )
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]


def test_engines_loaded_by_us_leave_no_trace(tmp_path: Path) -> None:
    assert files_written(tmp_path, f"import clawmux.adapters.speech; {ENGINES}") == []


def test_without_us_they_would(tmp_path: Path) -> None:
    """When this fails, onnxruntime has mended its ways or hides its trace elsewhere: look again."""
    assert any("onnxruntime" in path for path in files_written(tmp_path, ENGINES))
