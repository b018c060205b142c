"""The directions of the house: which room may import which, and what may be loaded with a module. Held by reading the imports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FACTS = {
    "hardware",
    "machine",
    "tiers",
    "finding",
    "catalog",
    "settings",
    "settings_table",
    "project_file",
    "shown",
    "toml_lines",
    "paths",
    "download",
}
OURS = {"clawmux", "installer", "build", "tests", "static"}
ENGINES = {"ctranslate2", "faster_whisper", "kokoro_onnx", "onnxruntime", "numpy", "av", "tokenizers"}
ENGINES |= {"pywhispercpp", "mlx", "mlx_audio"}
# yarl is the part of aiohttp that holds addresses.
AIOHTTP = frozenset({"aiohttp", "yarl"})
EVERYTHING = {"wire", "core", "facts", "adapters", "hub", "cli", "checks", "doctor", "mcp_server", "demo_agent"}


@dataclass(frozen=True, slots=True)
class Room:
    may_import: frozenset[str]
    """Rooms that its modules may import at their top."""
    third_party: frozenset[str] = frozenset()
    """Packages that may be loaded together with the module."""
    inside_functions: frozenset[str] = frozenset()
    """Further rooms that a function may import when it is called."""
    banned: frozenset[str] = frozenset()
    """Standard modules that would let this room touch the world."""


ROOMS = {
    "wire": Room(frozenset()),
    "core": Room(
        frozenset({"wire"}), banned=frozenset({"asyncio", "time", "os", "logging", "socket", "subprocess", "threading"})
    ),
    "facts": Room(frozenset({"facts", "wire"})),
    "adapters": Room(frozenset({"facts", "wire"})),
    "hub": Room(frozenset({"wire", "core", "facts", "adapters"}), AIOHTTP),
    "cli": Room(frozenset({"wire", "facts"}), inside_functions=frozenset(EVERYTHING)),
    "checks": Room(frozenset({"facts", "wire", "adapters"})),
    "doctor": Room(frozenset({"facts", "wire", "adapters", "checks"})),
    "mcp_server": Room(frozenset({"facts", "wire"}), inside_functions=frozenset({"cli"})),
    # It plays a stranger's program: it talks to ClawMux through the command line alone.
    "demo_agent": Room(frozenset()),
    "installer": Room(frozenset({"facts", "wire"})),
}
# Single files that may load more, or must load less, than their room.
THIRD_PARTY_OF_FILES = {
    "clawmux/adapters/speech": AIOHTTP | {"numpy"},
    "clawmux/adapters/speech/client.py": AIOHTTP,
    "clawmux/adapters/speech/whisper.py": frozenset({"ctranslate2", "faster_whisper", "numpy"}),
    "clawmux/adapters/speech/kokoro.py": frozenset({"kokoro_onnx", "onnxruntime", "numpy"}),
    "clawmux/adapters/speech/vad.py": frozenset({"onnxruntime", "numpy"}),
    # client.py beside it, which has no package there: it runs without any of ours on the path.
    "clawmux/cli/start_client.py": frozenset({"client"}),
}


@dataclass(frozen=True, slots=True)
class Import:
    module: str
    line: int
    at_top: bool
    """Loaded together with the module, not when a function is called."""


def room_of(module: str) -> str | None:
    """The room of one of our modules; None for everybody else's."""
    first, _, rest = module.partition(".")
    if first == "installer":
        return "installer"
    if first != "clawmux":
        return None
    name = rest.partition(".")[0]
    if name == "__main__":
        return "cli"
    return "facts" if name in FACTS or name in ("", "__init__", "__version__") else name


def imports_of(tree: ast.AST, at_top: bool = True) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are written in full here"
            for alias in node.names:
                yield Import(f"{node.module}.{alias.name}" if node.module == "clawmux" else str(node.module), node.lineno, at_top)
        elif is_type_checking(node):
            yield from imports_of(node, at_top=False)
        else:
            yield from imports_of(node, at_top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def third_party_allowed(file: str, room: Room) -> frozenset[str]:
    fitting = [prefix for prefix in THIRD_PARTY_OF_FILES if file == prefix or file.startswith(prefix + "/")]
    return THIRD_PARTY_OF_FILES[max(fitting, key=len)] if fitting else room.third_party


def faults_of(file: str, source: str) -> list[str]:
    """What the file imports against the directions, each with its line."""
    module = file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    name = str(room_of(module))
    room = ROOMS[name]
    allowed = third_party_allowed(file, room)
    faults = []
    for found in imports_of(ast.parse(source)):
        top = found.module.partition(".")[0]
        target = room_of(found.module)
        where = f"{file}:{found.line} imports {found.module}"
        if target is not None:
            rooms = room.may_import | {name} | (frozenset() if found.at_top else room.inside_functions)
            faults += [] if target in rooms else [f"{where}: {name} may not import {target}"]
        elif top in OURS:
            faults.append(f"{where}: nothing imports {top}")
        elif top in room.banned:
            faults.append(f"{where}: {name} decides and touches nothing")
        elif top not in sys.stdlib_module_names and (found.at_top or name in ("wire", "core")) and top not in allowed:
            faults.append(f"{where}: {name} may not load {top}")
        elif top in ENGINES and name in ("hub", "cli"):
            faults.append(f"{where}: the hub never loads an engine")
    return faults


def source_files() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for room in ("clawmux", "installer") for path in (ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("file", source_files())
def test_directions(file: str) -> None:
    assert faults_of(file, (ROOT / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("clawmux/wire/x.py", "from clawmux.core import session"),
        ("clawmux/wire/x.py", "def f():\n    import aiohttp"),
        ("clawmux/core/x.py", "import time"),
        ("clawmux/core/x.py", "from clawmux import paths"),
        ("clawmux/core/x.py", "from clawmux.adapters.store import Store"),
        ("clawmux/paths.py", "import psutil"),
        ("clawmux/adapters/tmux.py", "import aiohttp"),
        ("clawmux/adapters/speech/client.py", "import numpy"),
        ("clawmux/adapters/store.py", "from clawmux.hub.app import build_app"),
        ("clawmux/hub/app.py", "import rich"),
        ("clawmux/hub/app.py", "def f():\n    import numpy"),
        ("clawmux/hub/app.py", "from clawmux.cli.main import main"),
        ("clawmux/cli/main.py", "from clawmux.hub import service"),
        ("clawmux/cli/main.py", "import rich"),
        ("clawmux/demo_agent.py", "from clawmux.settings import load"),
        ("installer/steps.py", "from clawmux.adapters.models import ModelStore"),
        ("clawmux/cli/main.py", "import installer"),
    ],
)
def test_a_wrong_import_is_found(file: str, source: str) -> None:
    assert len(faults_of(file, source)) == 1


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("clawmux/paths.py", "def f():\n    import psutil"),
        ("clawmux/hub/app.py", "from aiohttp import web\nfrom clawmux.core.session import Session"),
        ("clawmux/cli/main.py", "def start():\n    from clawmux.hub import service\n    import rich"),
        ("clawmux/adapters/speech/client.py", "import aiohttp"),
        ("clawmux/adapters/speech/whisper.py", "import numpy"),
        ("clawmux/core/session.py", "from clawmux.wire.words import SessionState\nimport dataclasses"),
        ("clawmux/hub/app.py", "from clawmux import __version__"),
        ("installer/steps.py", "from clawmux import paths"),
    ],
)
def test_a_right_import_passes(file: str, source: str) -> None:
    assert faults_of(file, source) == []
