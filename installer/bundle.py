"""A folder with everything that would be downloaded (--from): every file is what SHA256SUMS says before any is used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clawmux.catalog import MODELS
from clawmux.download import sha256_of
from clawmux.wire.errors import ClawMuxError

SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a folder brings."""

    wheels: frozenset[str] = frozenset()
    """Names of packages, as wheels write them."""
    models: frozenset[str] = frozenset()
    """Those whose files are all there."""


def look(folder: Path) -> Bundle:
    wheels = frozenset(file.name.partition("-")[0].lower() for file in (folder / "wheels").glob("*.whl"))
    there = {file.name for file in (folder / "models").glob("*")}
    return Bundle(wheels, frozenset(model.name for model in MODELS.values() if {file.sha256 for file in model.files} <= there))


def check(folder: Path) -> None:
    """The wheels; install.sh looks at the archives, and the model store at the models."""
    sums = _read(folder)
    if not any(name.startswith("wheels/") for name in sums):
        raise _bad(f"{folder / SUMS} names no packages (wheels/*.whl).")
    for name, wanted in sums.items():
        if not name.startswith("wheels/"):
            continue
        file = folder / name
        if not file.is_file():
            raise _bad(f"{file} is missing.")
        found = sha256_of(file)
        if found != wanted:
            raise _bad(f"{file} is not what {SUMS} says: its SHA-256 is {found} instead of {wanted}.")


def _read(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise _bad(f"{folder / SUMS} cannot be read: {error}.") from None
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {pair[1].removeprefix("*").removeprefix("./"): pair[0].lower() for pair in pairs if len(pair) == 2}


def _bad(text: str) -> ClawMuxError:
    return ClawMuxError("bad_file", text, "Copy the folder again, or make it anew with build/bundle.py.")
