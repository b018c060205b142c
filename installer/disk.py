"""What is there already, as one frozen value: the plan decides from it. Reads; writes nothing."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clawmux.catalog import MODELS
from clawmux.tiers import Packages
from installer import bundle, hub, launcher, overlay, programs, receipt, shell_files, whole
from installer.bundle import Bundle
from installer.launcher import Launcher
from installer.place import STAGE, Place, version_names
from installer.programs import Program
from installer.receipt import Receipt
from installer.shell_files import ShellFile


@dataclass(frozen=True, slots=True)
class Disk:
    names: Mapping[Packages, str]
    """The version that this source would become, for each set of packages."""
    versions: frozenset[str] = frozenset()
    """Complete ones, whose interpreter is still there."""
    folders: frozenset[str] = frozenset()
    """All that look like versions, complete or not."""
    current: str = ""
    previous: str = ""
    leftovers: tuple[Path, ...] = ()
    """What an interrupted installation left."""
    cuda_names: Mapping[str, str] = field(default_factory=dict)
    """Lock of NVIDIA's libraries -> the folder that it makes."""
    overlays: frozenset[str] = frozenset()
    """Complete ones."""
    launcher: Launcher = field(default_factory=Launcher)
    receipt: Receipt | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What config.toml says, by dotted name."""
    settings_fault: str = ""
    models: frozenset[str] = frozenset()
    """Those that are all there."""
    bundle: Bundle | None = None
    """None: what is missing comes from the network."""
    shell_files: tuple[ShellFile, ...] = ()
    is_on_path: bool = False
    """The launcher's folder."""
    shadow: str = ""
    """Another program that is run when the user types clawmux."""
    tmux: Program = field(default_factory=lambda: Program("tmux"))
    can_make_environments: Program = field(default_factory=lambda: Program("venv"))
    free_bytes: int | None = None
    models_free_bytes: int | None = None
    """None: models lie on the same disk as the program."""
    hub_runs: bool = False
    missing_folders: tuple[str, ...] = ()


def look(place: Place, environ: Mapping[str, str], bundle_folder: Path | None = None) -> Disk:
    settings, fault = _settings(place.data.config_file)
    versions = [path for path in _children(place.versions) if path.is_dir() and not path.name.startswith(STAGE)]
    found = receipt.read(place.receipt)
    return Disk(
        names=version_names(place),
        versions=frozenset(path.name for path in versions if (path / "complete").is_file() and (path / "python").exists()),
        folders=frozenset(path.name for path in versions),
        current=_link(place.current),
        previous=_link(place.previous),
        leftovers=_leftovers(place),
        cuda_names={lock: overlay.name_of(place, lock) for lock in overlay.SIZES},
        overlays=frozenset(path.name for path in _children(place.cuda) if overlay.is_whole(path)),
        launcher=launcher.look(place),
        receipt=found,
        settings=settings,
        settings_fault=fault,
        models=frozenset(name for name in MODELS if is_ready(place.data.models, name)),
        bundle=bundle.look(bundle_folder) if bundle_folder else None,
        shell_files=shell_files.look(place.home, place.launcher.parent, environ),
        is_on_path=is_on_path(place.launcher.parent, environ),
        shadow=_shadow(place.launcher, environ),
        tmux=programs.look_for_tmux(environ),
        can_make_environments=programs.look_for_venv(),
        free_bytes=free_bytes(place.program),
        models_free_bytes=None if _same_disk(place.program, place.data.models) else free_bytes(place.data.models),
        hub_runs=hub.running(place.data) is not None,
        missing_folders=_missing_folders(place, environ, found),
    )


def with_missing_folders(disk: Disk, missing: tuple[str, ...]) -> Disk:
    """As they were before we made the first of them."""
    return replace(disk, missing_folders=tuple(dict.fromkeys((*missing, *disk.missing_folders))))


def is_ready(models: Path, name: str) -> bool:
    """As the store judges it: every file has its size (clawmux/adapters/models.py)."""
    folder = models / "ready" / name
    try:
        return all((folder / file.name).stat().st_size == file.size for file in MODELS[name].files)
    except OSError:
        return False


def is_on_path(folder: Path, environ: Mapping[str, str]) -> bool:
    return str(folder) in environ.get("PATH", "").split(os.pathsep)


def free_bytes(folder: Path) -> int | None:
    """None where nobody says: a file system of the kernel's own has no size."""
    try:
        usage = shutil.disk_usage(_nearest(folder))
    except OSError:
        return None
    return usage.free if usage.total else None


def _nearest(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _same_disk(one: Path, other: Path) -> bool:
    return _nearest(one).stat().st_dev == _nearest(other).stat().st_dev


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _link(link: Path) -> str:
    """Name of the version that a link leads to; empty when it leads nowhere."""
    return link.readlink().name if link.is_symlink() and link.exists() else ""


def _leftovers(place: Place) -> tuple[Path, ...]:
    stages = [path for path in (*_children(place.versions), *_children(place.cuda)) if path.name.startswith(STAGE)]
    packages = [place.downloads / "packages"] if (place.downloads / "packages").exists() else []
    folders = (place.program, place.launcher.parent)
    halves = [path for folder in folders for path in _children(folder) if whole.is_left_over(path.name)]
    return tuple(stages + packages + halves)


def _settings(file: Path) -> tuple[dict[str, Any], str]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError, RecursionError) as error:
        return {}, f"{file} cannot be read: {error}."
    return {
        f"{name}.{key}": value for name, table in tables.items() if isinstance(table, dict) for key, value in table.items()
    }, ""


def _shadow(ours: Path, environ: Mapping[str, str]) -> str:
    found = shutil.which("clawmux", path=environ.get("PATH", ""))
    return found if found and Path(found) != ours else ""


def _missing_folders(place: Place, environ: Mapping[str, str], found: Receipt | None) -> tuple[str, ...]:
    wanted = {
        "program": place.program,
        "launcher": place.launcher,
        "config": place.data.config,
        "data": place.data.data,
        "state": place.data.state,
        "models": place.data.models,
        **{str(path): path for path in shell_files.wanted(place.home, environ)},
    }
    # install.sh makes folders for the interpreter before we can look.
    earlier = tuple(filter(None, environ.get("CLAWMUX_INSTALL_MADE", "").split(os.pathsep)))
    return receipt.missing_folders(wanted, place.home, (*(found.folders if found else ()), *earlier))
