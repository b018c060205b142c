"""Our folders and files: who can read them, the room on their disks, and whether the clock fits them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import clawmux
from clawmux import catalog, paths
from clawmux.adapters.models import RESERVE_BYTES
from clawmux.checks.scene import Scene
from clawmux.checks.tier import missing_models
from clawmux.finding import Finding, Verdict
from clawmux.paths import Paths
from clawmux.wire.errors import ClawMuxError

# Conversations, logs and agents' own files; with less than this left a busy day fills the disk.
COMFORT_BYTES = 1 << 30
# This version was written after that day: a clock before it is wrong, and certificates and logins then seem not to be valid yet.
WRITTEN = datetime(2026, 11, 21, tzinfo=UTC)
# Clocks of machines that share a folder differ by a little.
FUTURE_SECONDS = 3600.0


def modes(scene: Scene) -> Iterable[Finding]:
    places = scene.paths
    found = [path for path in (*folders(places), *private_files(places)) if os.path.lexists(path)]
    if scene.settings.speech_token_file:
        found.append(Path(scene.settings.speech_token_file).expanduser())
    faults = [fault for path in found if (fault := _fault(path)) is not None]
    if too_long := _too_long(places.hub_socket):
        faults.append(too_long)
    if faults:
        return faults
    if not found:
        return [Finding(Verdict.OK, "private files", f"None yet; they will lie in {places.data} and be yours alone.")]
    names = ", ".join(sorted({path.name for path in found if not path.is_dir()})) or "no files yet"
    return [Finding(Verdict.OK, "private files", f"{len(found)} folders and files are yours alone ({names}).")]


def folders(places: Paths) -> Sequence[Path]:
    return (places.config, places.data, places.state, places.run)


def private_files(places: Paths) -> Sequence[Path]:
    """What holds a credential or what was said, and our doors. Not tmux's socket: tmux opens it to the group by itself, and the
    folder around it is what closes it."""
    return (
        places.token_file, places.data / "logins.json", places.lock_file, places.store_file, places.hub_log, places.speech_log,
        places.hub_socket, *places.run.glob("speech*.sock"), *places.data.glob("tls/*.pem"),
    )  # fmt: skip


def _fault(path: Path) -> Finding | None:
    try:
        paths.check_private(path)
    except ClawMuxError as error:
        return Finding(Verdict.FAIL, "private files", error.text, error.remedy)
    except FileNotFoundError:
        remedy = "Make it with mode 600, or empty the setting speech.token_file."
        return Finding(Verdict.FAIL, "private files", f"{path}, which the settings name, is not there.", remedy)
    return None


def _too_long(socket: Path) -> Finding | None:
    try:
        paths.check_socket_path(socket)
    except ClawMuxError as error:
        return Finding(Verdict.FAIL, "private files", error.text, error.remedy)
    return None


def disk(scene: Scene) -> Iterable[Finding]:
    wanted = sum(catalog.MODELS[name].size for name in missing_models(scene))
    data, models = _existing(scene.paths.data), _existing(scene.paths.models)
    if data.stat().st_dev == models.stat().st_dev:
        return [judge_room(scene.paths.data, shutil.disk_usage(data).free, wanted)]
    return [
        judge_room(scene.paths.data, shutil.disk_usage(data).free, 0),
        judge_room(scene.paths.models, shutil.disk_usage(models).free, wanted),
    ]


def judge_room(folder: Path, free: int, models_bytes: int) -> Finding:
    detail = f"{_giga(free)} are free for {folder}"
    if models_bytes:
        detail += f"; the models that are missing take {_giga(models_bytes)}"
    remedy = "Make room, or set CLAWMUX_HOME or CLAWMUX_MODELS to a folder on a larger disk."
    if free < models_bytes + RESERVE_BYTES:
        return Finding(Verdict.FAIL, "disk", f"{detail}: that is too little.", remedy)
    if free < models_bytes + COMFORT_BYTES:
        return Finding(Verdict.WARN, "disk", f"{detail}: that is little for conversations and logs.", remedy)
    return Finding(Verdict.OK, "disk", f"{detail}.")


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _giga(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def clock(scene: Scene) -> Iterable[Finding]:
    ours = [path for path in (Path(clawmux.__file__), scene.paths.config_file, *private_files(scene.paths)) if path.is_file()]
    return [judge_clock(time.time(), {path: path.stat().st_mtime for path in ours})]


def judge_clock(now: float, written: dict[Path, float]) -> Finding:
    told = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    remedy = "Set the clock; until then certificates and logins may seem not to be valid."
    if now < WRITTEN.timestamp():
        detail = f"It is {told} by this machine's clock, which is before this version was written ({WRITTEN:%Y-%m-%d})."
        return Finding(Verdict.FAIL, "clock", detail, remedy)
    future = [path for path, at in written.items() if at > now + FUTURE_SECONDS]
    if future:
        detail = f"It is {told} by this machine's clock, and {future[0]} was written after that."
        return Finding(Verdict.WARN, "clock", detail, remedy)
    return Finding(Verdict.OK, "clock", f"{told}.")
