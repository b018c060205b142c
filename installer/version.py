"""One version of the program: built, unpacked, compiled and tried in a stage of its own, then put in place by one rename."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from clawmux import __version__
from clawmux.tiers import Packages
from clawmux.wire.errors import ClawMuxError
from installer import hub, packages
from installer.place import STAGE, Place, interpreter

# What a start of the hub loads, without starting one.
_IMPORTS = "import sys; sys.path.insert(0, sys.argv[1]); import clawmux.hub.service, clawmux.hub.app, clawmux.cli.main"
TRY_SECONDS = 120


def make(place: Place, name: str, chosen: Packages, cuda: str, wheels: Path | None) -> None:
    place.versions.mkdir(parents=True, exist_ok=True)
    stage = place.versions / f"{STAGE}{os.getpid()}"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir()
    try:
        _build(place, stage, chosen, wheels)
        _unpack(place, stage, place.versions / name)
        try_it(stage)
        about = {"version": __version__, "packages": chosen.value, "cuda": cuda, "python": str(interpreter())}
        # Everything before the mark, also after a power cut.
        os.sync()
        (stage / "complete").write_text(json.dumps(about) + "\n", encoding="utf-8")
        shutil.rmtree(place.versions / name, ignore_errors=True)
        stage.rename(place.versions / name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _build(place: Place, stage: Path, chosen: Packages, wheels: Path | None) -> None:
    with packages.environment(place, stage / "tools", wheels) as python:
        command = [str(python), "-I", "-B", str(place.build / "zipapp.py"), "--set", chosen.value]
        command += ["--output", str(stage / "clawmux.pyz"), "--python", str(interpreter())]
        command += ["--wheels", str(wheels)] if wheels else []
        command += ["--progress"] if sys.stderr.isatty() else []
        packages.run(place, command, "the program could not be built", "internal")
    shutil.rmtree(stage / "tools")


def _unpack(place: Place, stage: Path, final: Path) -> None:
    """What shiv would do at the first start, once and now, so that the first start is as fast as all others."""
    app = stage / "app"
    first = _run([str(interpreter()), "-I", str(stage / "clawmux.pyz"), "--version"], SHIV_ROOT=str(app))
    found = sorted(app.glob("*/site-packages"))
    if len(found) != 1:
        raise _broken(f"it unpacks to {len(found)} folders; {hub.last_words(first)}")
    (stage / "site").symlink_to(found[0].relative_to(stage))
    # Absolute: Python follows a relative link word by word, and seen from the link current it would lead elsewhere.
    (stage / "python").symlink_to(interpreter())
    # unchecked-hash: no look at the source at each start; the files never change. What does not compile is left as it is.
    compiling = [str(interpreter()), "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    subprocess.run(
        [*compiling, "-s", str(stage), "-p", str(final), str(found[0])],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def try_it(folder: Path) -> None:
    """A version that cannot say its name, or whose hub cannot be loaded, is never switched to."""
    python = [str(folder / "python"), "-I", "-S"]
    said = _run([*python, str(folder / "site" / "clawmux" / "cli" / "start.py"), "--version"])
    if said.returncode or __version__ not in said.stdout:
        raise _broken(f"it does not say its version: {hub.last_words(said)}")
    loaded = _run([*python, "-c", _IMPORTS, str(folder / "site")])
    if loaded.returncode:
        raise _broken(f"its hub cannot be loaded: {hub.last_words(loaded)}")


def _run(command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SHIV_"))} | more
    try:
        return subprocess.run(
            command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=TRY_SECONDS, env=environ
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        return subprocess.CompletedProcess(command, 126, "", str(error))


def _broken(reason: str) -> ClawMuxError:
    return ClawMuxError("internal", f"the new version does not work: {reason}", "The version before stays in use.")
