"""install.json: what was installed and what was touched for it. The next run and the removal read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from installer import whole

FORM = 1


@dataclass(frozen=True, slots=True)
class Receipt:
    name: str = ""
    """Folder of the version; empty when the program was removed and the user's data kept."""
    version: str = ""
    packages: str = ""
    mode: str = ""
    tier: str = ""
    server_url: str = ""
    python: str = ""
    """``private NAME`` or ``system``, and where it is."""
    cuda: str = ""
    launcher: str = ""
    shell_files: tuple[str, ...] = ()
    """Start-up files that hold our lines."""
    folders: tuple[str, ...] = ()
    """Folders that were not there before us, outermost first: a removal takes them along when they are empty."""
    time: str = ""
    """When this was written, UTC."""


def read(file: Path) -> Receipt | None:
    """None when there is none or none that we can read: an installation then goes by what it sees."""
    try:
        found = json.loads(file.read_bytes())
        if found.pop("clawmux") != FORM:
            return None
        known = {field.name for field in fields(Receipt)}
        return Receipt(**{name: _frozen(value) for name, value in found.items() if name in known})
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return None


def write(file: Path, receipt: Receipt, now: str) -> None:
    """A receipt that says nothing new is left alone, with its time."""
    before = read(file)
    if before is not None and replace(before, time="") == replace(receipt, time=""):
        return
    text = json.dumps({"clawmux": FORM, **asdict(replace(receipt, time=now))}, indent=2, ensure_ascii=True)
    whole.write(file, text.encode() + b"\n", mode=0o600)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def missing_folders(wanted: Mapping[str, Path], home: Path, made_before_us: tuple[str, ...]) -> tuple[str, ...]:
    """Folders above these files and folders that an installation, or later the hub, has to make."""
    found = {Path(folder) for folder in made_before_us}
    for path in wanted.values():
        found |= {parent for parent in path.parents if parent != home and not parent.exists()}
    return tuple(sorted(map(str, found), key=lambda folder: (len(Path(folder).parts), folder)))
