"""How each task of the plan is done and undone. In which order, and when one is undone: carrying_out.py."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clawmux import __version__, settings
from clawmux.paths import make_private
from clawmux.wire.errors import ClawMuxError
from installer import hub, launcher, overlay, shell_files, switch, version, whole, wishes
from installer.arguments import Choices
from installer.disk import Disk
from installer.launcher import Launcher
from installer.place import Place
from installer.plan import Plan

VERSION_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that a step needs to know; ``disk`` is what was there before the first one."""

    place: Place
    plan: Plan
    choices: Choices
    disk: Disk
    config_before: bytes | None = None
    """config.toml as it was found; None: there was none."""

    @property
    def before(self) -> str:
        """The version to go back to: the one in use, or the one before it when an earlier run was cut off after its switch."""
        return self.disk.current if self.disk.current != self.plan.name else self.disk.previous

    @property
    def wheels(self) -> Path | None:
        return self.choices.bundle / "wheels" if self.choices.bundle else None

    @property
    def usual_port(self) -> int:
        return int(self.disk.settings.get("hub.port", settings.Settings().hub_port))


def _nothing(job: Job) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Step:
    perform: Callable[[Job], None]
    undo: Callable[[Job], None] = _nothing
    is_needed: bool = True
    """False: its failure is said, and the rest is done all the same."""


def job(place: Place, plan: Plan, choices: Choices, disk: Disk) -> Job:
    config = place.data.config_file
    return Job(place, plan, choices, disk, config.read_bytes() if config.is_file() else None)


def _tidy(job: Job) -> None:
    for path in job.disk.leftovers:
        # What pip has kept of a download that was cut off serves this run; finish() clears it away.
        if path == job.place.downloads / "packages":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _make_version(job: Job) -> None:
    version.make(job.place, job.plan.name, job.plan.packages, job.plan.cuda, job.wheels)


def _remove_version(job: Job) -> None:
    switch.remove_versions(job.place, [job.plan.name])


def _make_overlay(job: Job) -> None:
    overlay.make(job.place, job.plan.cuda, job.wheels)


def _switch(job: Job) -> None:
    switch.to(job.place, job.plan.name, job.before)


def _switch_back(job: Job) -> None:
    before = job.disk.previous if job.disk.previous not in (job.before, job.plan.name) else ""
    switch.back(job.place, job.before, before)


def _write_launcher(job: Job) -> None:
    launcher.write(job.place)


def _launcher_back(job: Job) -> None:
    """Without a version to go back to it would lead nowhere."""
    launcher.put_back(job.place, job.disk.launcher if job.before else Launcher())


def _write_settings(job: Job) -> None:
    make_private(job.place.data.config)
    settings.save_all(job.place.data.config_file, job.plan.settings)
    is_restarted = any(task.key == "check" and not task.is_done for task in job.plan.tasks)
    if not job.disk.hub_runs or is_restarted:
        return
    if wishes.need_a_start(job.plan.settings):
        hub.restart(job.place.launcher, job.place.data, job.usual_port)
    else:
        # One that runs on takes them over when it is told, and keeps its old ones in memory when it is not.
        for name, value in job.plan.settings.items():
            hub.run(job.place.launcher, "settings", "set", name, str(value), seconds=hub.STOP_SECONDS)


def _settings_back(job: Job) -> None:
    if not job.plan.settings:
        return
    if job.config_before is None:
        job.place.data.config_file.unlink(missing_ok=True)
    else:
        whole.write(job.place.data.config_file, job.config_before)


def _check(job: Job) -> None:
    """Through the command that the user types; and where a hub runs, that its successor answers."""
    said = hub.run(job.place.launcher, "--version", seconds=VERSION_SECONDS)
    if said.returncode or __version__ not in said.stdout:
        raise ClawMuxError("internal", f"the new version does not work: {hub.last_words(said)}", "")
    if hub.running(job.place.data) is not None:
        try:
            hub.restart(job.place.launcher, job.place.data, job.usual_port)
        except ClawMuxError as error:
            raise ClawMuxError(error.code, f"the new version does not work: {error.text}", "") from None


def _write_path_lines(job: Job) -> None:
    folder = job.place.launcher.parent
    refused = []
    for file in job.disk.shell_files:
        if file.fault or file.has_lines:
            continue
        try:
            content = file.path.read_bytes() if file.path.exists() else None
            file.path.parent.mkdir(parents=True, exist_ok=True)
            whole.write(file.path, shell_files.with_lines(content, file.path, folder))
        except OSError as error:
            refused.append(f"{file.path} ({error.strerror})")
    if refused:
        line = shell_files.line(Path("sh"), folder)
        raise ClawMuxError(
            "unsafe_files", f"these could not be changed: {', '.join(refused)}.", f"Add this line yourself: {line}"
        )


def _pull_models(job: Job) -> None:
    """The command knows what is there already, checks everything, and shows its own progress."""
    environ = dict(os.environ)
    if job.choices.bundle:
        environ["CLAWMUX_MODELS_MIRROR"] = str(job.choices.bundle / "models")
    command = [str(job.place.launcher), "models", "pull", *job.plan.models]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environ)
    if done.returncode:
        again = " ".join(["clawmux", "models", "pull", *job.plan.models])
        raise ClawMuxError("download_failed", "the speech models could not be fetched.", f"Run again later: {again}")


def _remove_old(job: Job) -> None:
    switch.remove_versions(job.place, job.plan.old_versions)


STEPS: dict[str, Step] = {
    "tidy": Step(_tidy),
    "version": Step(_make_version, _remove_version),
    "cuda": Step(_make_overlay),
    "switch": Step(_switch, _switch_back),
    "launcher": Step(_write_launcher, _launcher_back),
    "settings": Step(_write_settings, _settings_back),
    "check": Step(_check),
    # Without the lines the command works by its full name; without models the page works in text, and the hub tries again.
    "path": Step(_write_path_lines, is_needed=False),
    "models": Step(_pull_models, is_needed=False),
    "old": Step(_remove_old, is_needed=False),
}
