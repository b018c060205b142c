"""Where an installation goes. Reads the checkout; writes nothing."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clawmux import __version__, paths

LOCKS = ("cpu.txt", "mcp.txt")
MARK = "put here by its install.sh"


@dataclass(frozen=True, slots=True)
class Place:
    checkout: Path
    """What is installed."""
    program: Path
    """Holds versions/ and the link ``current`` to the one in use."""
    launcher: Path
    """The command that the user types."""
    version: str
    """Name of this version's folder: the version and a digest of everything that goes into it."""
    data: paths.Paths
    """The user's own files; an installation does not touch them."""

    @property
    def versions(self) -> Path:
        return self.program / "versions"

    @property
    def folder(self) -> Path:
        return self.versions / self.version

    @property
    def complete(self) -> Path:
        """Written last: a version without it was interrupted and is made again."""
        return self.folder / "complete"

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        return self.folder / "venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"

    @property
    def current(self) -> Path:
        return self.program / "current"

    @property
    def locks(self) -> list[Path]:
        return [self.checkout / "build" / "requirements" / name for name in LOCKS]

    @property
    def launcher_template(self) -> Path:
        return self.checkout / "build" / "launcher.sh"

    def package_files(self) -> dict[str, Path]:
        """Path inside site-packages -> file: the same files that the wheel holds (pyproject.toml)."""
        package = {f"clawmux/{name}": path for name, path in _files(self.checkout / "clawmux")}
        return package | {f"clawmux/static/{name}": path for name, path in _files(self.checkout / "static")}


def find(checkout: Path, environ: Mapping[str, str], prefix: Path | None = None) -> Place:
    """The place for this user; ``prefix`` stands for ~/.local."""
    data = paths.locate(environ)
    home = Path(environ.get("HOME") or Path.home())
    program = prefix / "share" / "clawmux" if prefix else data.data
    draft = Place(checkout, program, (prefix or home / ".local") / "bin" / "clawmux", "", data)
    return Place(draft.checkout, draft.program, draft.launcher, f"{__version__}-{_digest(draft)}", data)


def _digest(place: Place) -> str:
    """Changes with the interpreter, a lock or any file of ours, so that a changed checkout is a new version."""
    digest = hashlib.sha256(f"{sys.version}\0{sys.base_prefix}\0".encode())
    files = {str(path.name): path for path in place.locks} | place.package_files()
    for name, path in sorted(files.items()):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:10]


def _files(folder: Path) -> Iterable[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path.relative_to(folder).as_posix(), path
