"""What an installation will do, in order, and why. Pure: a machine, the user's choices and what is on disk make a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from clawmux import tiers
from clawmux.catalog import MODELS
from clawmux.hardware import Hardware
from clawmux.tiers import Mode, Packages, Recommendation, Wishes
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Tier
from installer import overlay, room, wishes
from installer.arguments import Choices
from installer.disk import Disk
from installer.place import Place

# Set -> bytes to download; bytes at the worst moment, with pip's and shiv's own files beside ours; bytes that stay.
SIZES: dict[Packages, tuple[int, int, int]] = {
    Packages.HUB: (16_000_000, 220_000_000, 95_000_000),
    Packages.CPU: (150_000_000, 1_100_000_000, 640_000_000),
    Packages.NVIDIA: (150_000_000, 1_100_000_000, 640_000_000),
    Packages.APPLE: (175_000_000, 1_600_000_000, 930_000_000),
}
# Packages of build/requirements/bootstrap.txt; they go again.
TOOL_BYTES = 3_000_000


@dataclass(frozen=True, slots=True)
class Task:
    """One row of the plan; steps.py knows how it is done and undone."""

    key: str
    title: str
    reason: str = ""
    download_bytes: int = 0
    disk_bytes: int = 0
    """That stay."""
    peak_bytes: int = 0
    """That are needed while it works."""
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    name: str
    """Folder of the version."""
    mode: Mode
    tier: Tier
    packages: Packages
    cuda: str
    """Name of the overlay; empty without one."""
    models: tuple[str, ...]
    settings: Mapping[str, Any]
    """What is written into config.toml."""
    server_url: str
    tasks: tuple[Task, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    old_versions: tuple[str, ...]
    """Those that go when this one works."""

    @property
    def to_do(self) -> tuple[Task, ...]:
        return tuple(task for task in self.tasks if not task.is_done)

    @property
    def download_bytes(self) -> int:
        return sum(task.download_bytes for task in self.to_do)

    @property
    def disk_bytes(self) -> int:
        return sum(task.disk_bytes for task in self.to_do)


def make(hardware: Hardware, choices: Choices, disk: Disk, place: Place) -> Plan:
    """Raises what would make the installation fail later: a stranger's command, no room, wishes that contradict."""
    wanted = wishes.wishes(choices, disk)
    advice = _with_bundle(hardware, wanted, tiers.recommend(hardware, wanted), disk)
    if advice.mode is Mode.SPLIT and not wanted.speech_url and choices.mode is Mode.SPLIT:
        raise ClawMuxError("usage", "--mode split needs an address for speech.", "Add --speech-url URL.")
    settings = wishes.settings(choices, disk, advice)
    if settings and disk.settings_fault:
        raise ClawMuxError("bad_file", disk.settings_fault, "Mend it, or move it away; then run install.sh again.")
    cuda = disk.cuda_names[advice.overlay] if _has_cuda(advice, disk) else ""
    models = advice.models if choices.models else ()
    name = disk.names[advice.packages]
    old = _old_versions(disk, name)
    draft = Plan(name, advice.mode, advice.tier, advice.packages, cuda, models, settings, wanted.server_url, (), (), (), old)
    tasks = tuple(_tasks(draft, choices, disk, place))
    _refuse(tasks, disk, place)
    return Plan(
        **{field: getattr(draft, field) for field in draft.__slots__}
        | {"tasks": tasks, "reasons": _reasons(advice, choices), "warnings": tuple(_warnings(draft, choices, disk, place))}
    )


def _with_bundle(hardware: Hardware, wanted: Wishes, advice: Recommendation, disk: Disk) -> Recommendation:
    """With a folder instead of a network: the best quality whose models it brings, unless the user has named one."""
    if disk.bundle is None or advice.mode is not Mode.LOCAL:
        return advice
    if disk.bundle.wheels and not disk.bundle.wheels & _ENGINES:
        raise ClawMuxError(
            "usage",
            "this folder brings the hub's packages only, without engines for speech.",
            "Add --mode split or --mode thin, or have it made with build/bundle.py --set cpu.",
        )
    there = disk.bundle.models | disk.models
    if wanted.tier or advice.recogniser.model in there:
        return advice
    brought = [fit.tier for fit in advice.fits if fit.fits and fit.recogniser.model in there]
    return tiers.recommend(hardware, replace(wanted, tier=brought[0])) if brought else advice


# Of build/requirements/cpu.txt and apple.txt.
_ENGINES = frozenset({"ctranslate2", "mlx"})


def _has_cuda(advice: Recommendation, disk: Disk) -> bool:
    if not advice.overlay:
        return False
    return disk.bundle is None or "nvidia_cublas_cu12" in disk.bundle.wheels


_RESTART = "; the hub that runs is restarted, agents stay alive"


def _tasks(plan: Plan, choices: Choices, disk: Disk, place: Place) -> Iterator[Task]:
    if disk.leftovers:
        yield Task("tidy", "clear away what an interrupted installation left")
    yield _version_task(plan, choices, disk, place)
    if plan.cuda:
        yield _cuda_task(plan, disk, place)
    is_checked = disk.receipt is not None and disk.receipt.name == plan.name
    is_current = disk.current == plan.name
    yield Task("switch", f"make it the version in use ({place.current})", _way_back(plan, disk), is_done=is_current)
    yield Task("launcher", f"write the command {place.launcher}", is_done=disk.launcher.is_right)
    if plan.settings:
        said = ", ".join(f"{name} = {value or 'empty'}" for name, value in plan.settings.items())
        is_restart = disk.hub_runs and is_current and is_checked and wishes.need_a_start(plan.settings)
        yield Task("settings", f"write into {place.data.config_file}: {said}{_RESTART if is_restart else ''}")
    restarts = disk.hub_runs and not is_checked
    yield Task(
        "check", f"see that it works{_RESTART if restarts else ''}", _undo_reason(plan, disk), is_done=is_current and is_checked
    )
    yield from _path_tasks(choices, disk, place)
    if plan.models:
        yield _models_task(plan, disk, place)
    if plan.old_versions:
        yield Task("old", f"remove {len(plan.old_versions)} older versions; the one before stays")


def _version_task(plan: Plan, choices: Choices, disk: Disk, place: Place) -> Task:
    download, peak, stays = SIZES[plan.packages]
    source = f"from {choices.bundle}" if choices.bundle else "from the Python package registry, checked by hashes"
    return Task(
        "version",
        f"make the program {plan.name} with the packages of the set {plan.packages.value}",
        f"into {place.versions}, {source}",
        0 if choices.bundle else download + TOOL_BYTES,
        stays,
        peak,
        plan.name in disk.versions,
    )


def _cuda_task(plan: Plan, disk: Disk, place: Place) -> Task:
    download, stays = overlay.SIZES[plan.cuda.rpartition("-")[0]]
    reason = f"into {place.cuda}, so that the recogniser runs on the graphics card"
    return Task("cuda", "fetch NVIDIA's cuBLAS", reason, download, stays, stays + download, plan.cuda in disk.overlays)


def _way_back(plan: Plan, disk: Disk) -> str:
    return f"in one move; {disk.current} stays to go back to" if disk.current not in ("", plan.name) else ""


def _undo_reason(plan: Plan, disk: Disk) -> str:
    return "if not, the version before is taken again" if disk.current not in ("", plan.name) else ""


def _path_tasks(choices: Choices, disk: Disk, place: Place) -> Iterator[Task]:
    if not choices.modify_path:
        return
    files = [file for file in disk.shell_files if not file.fault]
    missing = [file for file in files if not file.has_lines]
    if disk.is_on_path and len(missing) == len(files):
        return
    if files:
        names = ", ".join(str(file.path) for file in missing or files)
        reason = "marked lines that a removal takes out again; --no-modify-path leaves the files alone"
        yield Task("path", f"put {place.launcher.parent} on the PATH in {names}", reason, is_done=not missing)


def _models_task(plan: Plan, disk: Disk, place: Place) -> Task:
    missing = [name for name in plan.models if name not in disk.models]
    brought = disk.bundle.models if disk.bundle else frozenset()
    size = sum(MODELS[name].size for name in missing)
    fetched = sum(MODELS[name].size for name in missing if name not in brought)
    title = f"{'copy' if missing and not fetched else 'fetch'} the speech models {', '.join(missing or plan.models)}"
    return Task("models", title, f"into {place.data.models}", fetched, size, size * 2, not missing)


def _old_versions(disk: Disk, name: str) -> tuple[str, ...]:
    before = disk.current if disk.current != name else disk.previous
    return tuple(sorted(disk.folders - {name, before}))


def _refuse(tasks: tuple[Task, ...], disk: Disk, place: Place) -> None:
    if not disk.launcher.is_ours:
        from installer.launcher import foreign

        raise foreign(place)
    to_do = [task for task in tasks if not task.is_done]
    if any(task.key == "version" for task in to_do) and disk.can_make_environments.fault:
        raise ClawMuxError("missing_program", disk.can_make_environments.fault, disk.can_make_environments.remedy)
    elsewhere = disk.models_free_bytes is not None
    here = [task for task in to_do if not (elsewhere and task.key == "models")]
    room.check(place.program, here, disk.free_bytes)
    if elsewhere:
        room.check(place.data.models, [task for task in to_do if task.key == "models"], disk.models_free_bytes)


def _reasons(advice: Recommendation, choices: Choices) -> tuple[str, ...]:
    reasons = advice.reasons
    if choices.bundle:
        reasons += (f"Everything comes from {choices.bundle}; nothing is fetched from the network.",)
    return reasons


def _warnings(plan: Plan, choices: Choices, disk: Disk, place: Place) -> Iterator[str]:
    if disk.tmux.fault and plan.mode is not Mode.THIN:
        yield f"{disk.tmux.fault} {disk.tmux.remedy}"
    if plan.packages is Packages.NVIDIA and not plan.cuda and disk.bundle:
        yield "The folder brings no libraries for the graphics card, so speech runs on the processor."
    if disk.settings_fault:
        yield f"{disk.settings_fault} Mend it before the hub starts."
    if disk.shadow and disk.is_on_path:
        yield f"Typing clawmux runs {disk.shadow}, another program. Ours is {place.launcher}."
    for file in disk.shell_files if choices.modify_path and not disk.is_on_path else ():
        if file.fault:
            yield f"{file.path} is left alone: {file.fault}."
