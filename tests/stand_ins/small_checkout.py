"""A checkout from which a version is installed in about a second: our installer and launcher, few or linked packages.

tiny(folder)   its program only says its version
whole(folder)  the real hub, its packages linked from the environment that runs the tests
"""

from __future__ import annotations

import json
import re
import shutil
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAND_INS = Path(__file__).parent
_LOCKS = ("bootstrap", "hub", "cpu", "apple", "nvidia", "nvidia-blackwell")
# Of the environment, what the hub loads.
_LINKED = (
    "aiohttp", "aiohappyeyeballs", "aiosignal", "attr", "attrs", "frozenlist", "multidict", "propcache", "yarl", "idna",
    "psutil", "rich", "typing_extensions.py", "markdown_it", "mdurl", "pygments",
)  # fmt: skip


def tiny(folder: Path, version: str = "0.1.0", broken: str = "") -> Path:
    """``broken``: ``build``, ``always``, or ``in use`` (it works until it is switched to)."""
    _copy(folder)
    for room in ("cli", "hub"):
        shutil.rmtree(folder / "clawmux" / room)
        (folder / "clawmux" / room).mkdir()
    for module in ("cli/__init__", "hub/__init__", "hub/service", "hub/app", "cli/main"):
        (folder / "clawmux" / f"{module}.py").touch()
    text = (STAND_INS / "small_start.py").read_text(encoding="utf-8").replace("@VERSION@", version)
    (folder / "clawmux/cli/start.py").write_text(text.replace("@BROKEN@", broken), encoding="utf-8")
    (folder / "clawmux/cli/start_client.py").write_text("print('client')\n", encoding="utf-8")
    set_version(folder, version)
    packed = ["clawmux/__init__.py", "clawmux/cli/*", "clawmux/hub/*"]
    _plan(folder, packed, {}, 22 if broken == "build" else 0)
    return folder


def whole(folder: Path, version: str = "0.1.0") -> Path:
    _copy(folder)
    shutil.copytree(ROOT / "static", folder / "static", dirs_exist_ok=True)
    set_version(folder, version)
    site = Path(sysconfig.get_paths()["purelib"])
    _plan(folder, ["clawmux/*"], {name: str(site / name) for name in _LINKED if (site / name).exists()}, 0)
    return folder


def set_version(folder: Path, version: str) -> None:
    file = folder / "clawmux" / "__init__.py"
    changed = re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', file.read_text(encoding="utf-8"))
    file.write_text(changed, encoding="utf-8")


def _copy(folder: Path) -> None:
    for tree in ("clawmux", "installer"):
        shutil.copytree(ROOT / tree, folder / tree, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "static").mkdir()
    (folder / "build" / "requirements").mkdir(parents=True)
    shutil.copyfile(ROOT / "build/launcher.sh", folder / "build/launcher.sh")
    shutil.copyfile(STAND_INS / "small_zipapp.py", folder / "build/zipapp.py")
    for name in _LOCKS:
        (folder / f"build/requirements/{name}.txt").write_text("--only-binary :all:\n", encoding="utf-8")


def _plan(folder: Path, pack: list[str], links: dict[str, str], code: int, filler: int = 0) -> None:
    plan = {"pack": pack, "links": links, "exit": code, "filler": filler}
    (folder / "build/small.json").write_text(json.dumps(plan), encoding="utf-8")
