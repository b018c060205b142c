"""Where an installation goes. Reads the checkout; writes nothing.

program/versions/<version>-<digest>/   clawmux.pyz, app/, site, python; ``complete`` is written last
program/current, program/previous      links to the version in use and to the one before it
program/cuda/<name>/                   NVIDIA's libraries, shared by versions
program/pythons/<name>/                private interpreters, put there by install.sh
program/install.json                   the receipt: what was done, for the next run and for the removal
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clawmux import __version__, paths
from clawmux.tiers import Packages

MARK = "put here by its install.sh"
STAGE = ".stage-"

# NVIDIA's set is the processor's set with libraries beside it (installer/overlay.py).
LOCK_OF = {Packages.HUB: "hub.txt", Packages.CPU: "cpu.txt", Packages.NVIDIA: "cpu.txt", Packages.APPLE: "apple.txt"}
# What makes the program file out of lock and package: a change there is a new version too.
BUILDERS = ("zipapp.py", "prelude.sh", "requirements/bootstrap.txt")


@dataclass(frozen=True, slots=True)
class Place:
    checkout: Path
    """What is installed."""
    program: Path
    launcher: Path
    """The command that the user types."""
    data: paths.Paths
    """The user's own files; an installation touches only their settings."""
    home: Path

    @property
    def versions(self) -> Path:
        return self.program / "versions"

    @property
    def current(self) -> Path:
        return self.program / "current"

    @property
    def previous(self) -> Path:
        return self.program / "previous"

    @property
    def cuda(self) -> Path:
        return self.program / "cuda"

    @property
    def pythons(self) -> Path:
        return self.program / "pythons"

    @property
    def downloads(self) -> Path:
        return self.program / "downloads"

    @property
    def receipt(self) -> Path:
        return self.program / "install.json"

    @property
    def lock(self) -> Path:
        return self.program / "install.lock"

    @property
    def build(self) -> Path:
        return self.checkout / "build"

    def requirements(self, name: str) -> Path:
        return self.build / "requirements" / name


def find(checkout: Path, environ: Mapping[str, str], prefix: Path | None = None) -> Place:
    """The place for this user; ``prefix`` stands for ~/.local."""
    data = paths.locate(environ)
    home = Path(environ.get("HOME") or Path.home())
    program = prefix / "share" / "clawmux" if prefix else data.data
    return Place(checkout, program, (prefix or home / ".local") / "bin" / "clawmux", data, home)


def interpreter() -> Path:
    """The Python that runs us, without the detour of a link or of an environment: it outlives both."""
    return Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()


def version_names(place: Place) -> dict[Packages, str]:
    """Name of the folder for each set: the version, and a digest of everything that goes into it."""
    common = hashlib.sha256(f"{sys.version}\0{interpreter()}\0".encode())
    for name, path in sorted(_sources(place).items()):
        _add(common, name, path)
    names = {}
    for packages, lock in LOCK_OF.items():
        digest = common.copy()
        digest.update(packages.value.encode())
        _add(digest, lock, place.requirements(lock))
        names[packages] = f"{__version__}-{digest.hexdigest()[:10]}"
    return names


def _sources(place: Place) -> dict[str, Path]:
    package = {f"clawmux/{name}": path for name, path in _files(place.checkout / "clawmux")}
    static = {f"static/{name}": path for name, path in _files(place.checkout / "static")}
    builders = {name: place.build / name for name in BUILDERS}
    return package | static | {name: path for name, path in builders.items() if path.exists()}


def _add(digest: hashlib._Hash, name: str, path: Path) -> None:
    content = path.read_bytes() if path.exists() else b""
    digest.update(f"{name}\0{len(content)}\0".encode() + content)


def _files(folder: Path) -> Iterable[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path.relative_to(folder).as_posix(), path
