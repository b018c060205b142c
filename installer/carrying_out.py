"""Carries a plan out: in order, with the way back.

Up to ``check`` a failure undoes what this run has done, so that the version before is in use again as it was.
What comes after is kept: the new version works by then.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime

from clawmux import __version__
from clawmux.wire.errors import ClawMuxError
from installer import hub, receipt
from installer.place import interpreter
from installer.receipt import Receipt
from installer.steps import STEPS, Job

# An interpreter as young as this may have been unpacked for an installation that waits for ours to end.
FRESH_SECONDS = 3600

BEFORE_IT_COUNTS = ("tidy", "version", "cuda", "switch", "launcher", "settings", "check")


def perform(job: Job, say: Callable[[str], None]) -> ClawMuxError | None:
    """Do what is not done yet; the failure of a step that can be done without is said and returned."""
    failure = None
    done: list[str] = []
    rows = job.plan.tasks
    begin(job)
    for number, task in enumerate(rows, 1):
        if task.is_done:
            continue
        step = STEPS[task.key]
        say(f"{number}/{len(rows)} {task.title}")
        if task.key == "path":
            write_receipt(job)  # before a file of the user's is changed
        try:
            done.append(task.key)
            step.perform(job)
        except (Exception, KeyboardInterrupt) as error:
            if not step.is_needed and isinstance(error, ClawMuxError):
                failure = error
                say(f"{error.text}\n{error.remedy}".strip())
                continue
            if task.key in BEFORE_IT_COUNTS:
                _go_back(job, done, say)
            raise
    finish(job)
    return failure


def begin(job: Job) -> None:
    """The first trace: which folders were not there before us, for a removal of whatever comes of this run."""
    if job.disk.receipt is None:
        receipt.write(job.place.receipt, Receipt(folders=job.disk.missing_folders), _now())


def finish(job: Job) -> None:
    write_receipt(job)
    shutil.rmtree(job.place.downloads / "packages", ignore_errors=True)
    _sweep(job)


def write_receipt(job: Job) -> None:
    plan, place, before = job.plan, job.place, job.disk.receipt or Receipt()
    kind = os.environ.get("CLAWMUX_INSTALL_PYTHON", "system")
    lines = {str(file.path) for file in job.disk.shell_files if file.has_lines} | set(before.shell_files)
    if any(task.key == "path" for task in plan.tasks):
        lines |= {str(file.path) for file in job.disk.shell_files if not file.fault}
    written = Receipt(
        name=plan.name,
        version=__version__,
        packages=plan.packages.value,
        mode=plan.mode.value,
        tier=plan.tier.value,
        server_url=plan.server_url,
        python=f"{kind} {interpreter()}",
        cuda=plan.cuda,
        launcher=str(place.launcher),
        shell_files=tuple(sorted(lines)),
        folders=tuple(dict.fromkeys((*before.folders, *job.disk.missing_folders))),
    )
    receipt.write(place.receipt, written, _now())


def _go_back(job: Job, done: list[str], say: Callable[[str], None]) -> None:
    """Undo in reverse order, then the hub: it is the old one again, or none when none ran."""
    failed_in_use = "check" in done
    if failed_in_use and job.before:
        say(f"going back to {job.before}.")
    # An earlier run, cut off after its switch, may have done what this one finds broken.
    for key in reversed(("version", "switch", "launcher", "settings") if failed_in_use else done):
        try:
            STEPS[key].undo(job)
        except (ClawMuxError, OSError) as error:
            say(f"could not undo {key}: {error}")
    if failed_in_use and job.disk.hub_runs and job.before:
        try:
            hub.restart(job.place.launcher, job.place.data, job.usual_port)
        except ClawMuxError as error:
            say(f"the hub of {job.before} does not start again: {error.text} Try: {job.place.launcher} start")


def _sweep(job: Job) -> None:
    """Interpreters and NVIDIA libraries that neither the version in use nor the one before needs."""
    place = job.place
    pythons = {str((place.versions / name / "python").resolve()) for name in (job.plan.name, job.before) if name}
    for folder in place.pythons.glob("*"):
        used = any(python.startswith(f"{folder.resolve()}{os.sep}") for python in (*pythons, str(interpreter())))
        mark = folder / ".complete"
        if not used and mark.exists() and time.time() - mark.stat().st_mtime > FRESH_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
    for folder in place.cuda.glob("*"):
        if folder.name != job.plan.cuda and job.plan.cuda:
            shutil.rmtree(folder, ignore_errors=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
