"""This program itself: its interpreter, how it was installed and which versions are on disk, and its settings."""

from __future__ import annotations

import json
import platform
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import clawmux
from clawmux.checks.scene import Scene
from clawmux.finding import Finding, Verdict

OLDEST, NEWEST = (3, 11), (3, 13)


def interpreter(scene: Scene) -> Iterable[Finding]:
    return [judge_interpreter(sys.version_info[:2], sys.executable, platform.python_version(), sys.maxsize > 2**32)]


def judge_interpreter(version: Sequence[int], executable: str, whole: str, is_64_bit: bool) -> Finding:
    detail = f"Python {whole}, {executable}"
    if not OLDEST <= tuple(version) <= NEWEST:
        remedy = "Install again: sh install.sh brings a Python 3.12 of its own, or takes 3.11 to 3.13."
        return Finding(Verdict.FAIL, "Python", f"{detail}; ClawMux needs 3.11 to 3.13.", remedy)
    if not is_64_bit:
        remedy = "Install again with a 64-bit Python: sh install.sh"
        return Finding(Verdict.FAIL, "Python", f"{detail} is a 32-bit one; the speech engines need 64 bits.", remedy)
    return Finding(Verdict.OK, "Python", f"{detail}.")


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the running code lies."""

    kind: str
    """``installed``, ``checkout``, ``zipapp`` or ``pip``."""
    folder: Path
    """Of an installation: the one that holds versions/ and ``current``."""
    version: str = ""
    """Name below versions/."""


def find_installation(package: Path) -> Installed:
    """``package``: the folder ``clawmux`` of the running code."""
    for folder in package.parents:
        if folder.parent.name == "versions":
            return Installed("installed", folder.parent.parent, folder.name)
    root = package.parent
    if (root / "pyproject.toml").is_file() and (root / "install.sh").is_file():
        return Installed("checkout", root)
    # shiv unpacks to <root>/<name>_<build id>/site-packages.
    if root.name == "site-packages" and (root.parent.name.startswith("clawmux") or not _is_of_this_python(root)):
        return Installed("zipapp", root)
    return Installed("pip", root)


def _is_of_this_python(folder: Path) -> bool:
    return folder in (Path(sysconfig.get_path("purelib")).resolve(), Path(sysconfig.get_path("platlib")).resolve())


def installation(scene: Scene) -> Iterable[Finding]:
    place = find_installation(Path(clawmux.__file__).resolve().parent)
    about = f"ClawMux {clawmux.__version__}"
    if place.kind != "installed":
        how = {"checkout": "run from a checkout in", "zipapp": "unpacked from a zipapp into", "pip": "a package in"}[place.kind]
        return [Finding(Verdict.OK, "installation", f"{about}, {how} {place.folder}.")]
    return [judge_versions(about, place), *command(scene, place)]


def judge_versions(about: str, place: Installed) -> Finding:
    versions = sorted(folder.name for folder in (place.folder / "versions").iterdir() if folder.is_dir())
    roles = {_target(place.folder / "previous"): "the one before", _target(place.folder / "current"): "in use"}
    told = ", ".join(f"{name} ({roles[name]})" if name in roles else name for name in versions)
    detail = f"{about}, installed in {place.folder}; on disk: {told}."
    if _target(place.folder / "current") != place.version:
        remedy = "Start the command again; when the hub runs: clawmux stop, then clawmux start"
        return Finding(Verdict.WARN, "installation", f"{detail} This is {place.version}, which is not in use any more.", remedy)
    if not (place.folder / "versions" / place.version / "complete").exists():
        return Finding(Verdict.FAIL, "installation", f"{detail} It was not installed to the end.", "Run install.sh again.")
    return Finding(Verdict.OK, "installation", detail)


def _target(link: Path) -> str:
    return link.resolve().name if link.is_symlink() else ""


def command(scene: Scene, place: Installed) -> Iterable[Finding]:
    """Whether a shell finds ``clawmux``. A new terminal may, where the installer has added a line to the shell's file."""
    found = shutil.which("clawmux", path=scene.environ.get("PATH"))
    receipt = _receipt(place.folder / "install.json")
    launcher = str(receipt.get("launcher") or Path(scene.environ.get("HOME") or Path.home()) / ".local" / "bin" / "clawmux")
    if found:
        yield Finding(Verdict.OK, "command", f"`clawmux` is {found}.")
    elif receipt.get("shell_files"):
        yield Finding(Verdict.OK, "command", f"`clawmux` is {launcher}; terminals that are opened from now on find it.")
    else:
        remedy = f'Add this line to your shell\'s file: export PATH="{Path(launcher).parent}:$PATH"'
        yield Finding(Verdict.WARN, "command", f"`clawmux` is {launcher}, which is not on PATH.", remedy)


def _receipt(file: Path) -> dict[str, object]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def settings(scene: Scene) -> Iterable[Finding]:
    file = scene.paths.config_file
    if scene.settings_fault is not None:
        fault = scene.settings_fault
        return [Finding(Verdict.FAIL, "settings", f"{fault.text} What follows is judged by the defaults.", fault.remedy)]
    state = f"read from {file}" if file.exists() else f"the defaults; there is no {file}"
    return [Finding(Verdict.OK, "settings", f"{state[0].upper()}{state[1:]}.")]
