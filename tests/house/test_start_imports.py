"""What is loaded at start: the agents' client nothing that costs, the command line no framework, the hub no engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINES = {"numpy", "onnxruntime", "ctranslate2", "faster_whisper", "kokoro_onnx", "av"}
FRAMEWORKS = {"asyncio", "aiohttp", "rich", "mcp", "sqlite3"}
HEAVY_STANDARD = {"argparse", "json", "socket", "ssl", "http", "subprocess", "logging", "typing", "dataclasses", "pathlib", "re"}


def loaded_by(*arguments: str) -> set[str]:
    """The modules that a fresh interpreter loads for these arguments, by its own account on stderr."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    lines = [line for line in run.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines[1:]}


@pytest.mark.parametrize("program", ["start_client.py", "client.py"])
def test_the_client_loads_next_to_nothing(program: str) -> None:
    bare = loaded_by("-I", "-S", "-c", "pass")
    client = loaded_by("-I", "-S", f"clawmux/cli/{program}", "converse", "--help")
    assert client - bare <= {"_socket", "select", "client"}
    assert not client & (ENGINES | FRAMEWORKS | HEAVY_STANDARD)


def test_the_version_is_said_without_loading_what_costs() -> None:
    loaded = loaded_by("-I", "-S", "clawmux/cli/start.py", "--version")
    assert "clawmux.cli.main" in loaded
    assert not loaded & (ENGINES | FRAMEWORKS | HEAVY_STANDARD | {"collections", "enum", "functools"})


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("clawmux.cli.main", FRAMEWORKS | ENGINES),
        ("clawmux.hub.app", ENGINES | {"rich", "mcp", "cryptography", "segno"}),
        ("clawmux.hub.runtime", ENGINES | {"rich", "mcp"}),
        ("clawmux.adapters.speech.client", ENGINES | {"rich", "mcp"}),
        ("clawmux.settings", FRAMEWORKS | ENGINES),
        ("clawmux.wire.browser", FRAMEWORKS | ENGINES),
    ],
)
def test_modules_leave_out_what_they_do_not_use(module: str, forbidden: set[str]) -> None:
    assert not forbidden & loaded_by("-c", f"import {module}")


def test_the_measure_sees_an_import() -> None:
    assert "json" in loaded_by("-c", "import json")
