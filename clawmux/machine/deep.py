"""What py-cpuinfo says of the processor. Asked only when somebody wants it or nothing else answers: it takes over a second.

It runs as a program of its own, with a time limit: it looks for tools on PATH and times the processor with machine code.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from clawmux.hardware import Hardware, Note
from clawmux.machine.processor import FEATURES
from clawmux.machine.sources import Sources

_SECONDS = 15.0


def add(sources: Sources, notes: list[Note], hardware: Hardware) -> Hardware:
    """hardware with what py-cpuinfo knows beyond it."""
    try:
        told = _ask(sources)
    except (OSError, ValueError) as error:
        notes.append(Note("processor", f"py-cpuinfo could not be asked: {error}."))
        return hardware
    features = frozenset(FEATURES[word] for word in told.get("flags", ()) if word in FEATURES)
    if hardware.cpu_features and features - hardware.cpu_features:
        more = ", ".join(sorted(features - hardware.cpu_features))
        notes.append(Note("processor", f"py-cpuinfo sees more instructions than the system tells: {more}."))
    return replace(
        hardware,
        cpu_name=hardware.cpu_name or str(told.get("brand_raw", "")),
        cpu_features=hardware.cpu_features or features,
    )


def _ask(sources: Sources) -> dict[str, Any]:
    spec = find_spec("cpuinfo")
    if spec is None or not spec.submodule_search_locations:
        raise ValueError("it is not installed")
    program = Path(spec.submodule_search_locations[0]) / "cpuinfo.py"
    done = sources.run([sys.executable, "-I", "-S", str(program), "--json"], sources.environ, _SECONDS)
    if done.code != 0:
        raise ValueError(f"it ended with {done.code}" if done.code is not None else f"it took more than {_SECONDS:g} s")
    told = json.loads(done.out)
    if not isinstance(told, dict):
        raise ValueError("it answers with something else than facts")
    return told
