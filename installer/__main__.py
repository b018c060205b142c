"""What install.sh runs: shows the plan, asks, has it done, says what to type next."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clawmux import hardware, paths
from clawmux.hardware import Hardware
from clawmux.tiers import Mode
from clawmux.wire.errors import ERRORS, ClawMuxError
from installer import arguments, asking, bundle, carrying_out, hub, plan, removal, sheet, steps
from installer import disk as disks
from installer import place as places
from installer.arguments import Choices
from installer.place import Place
from installer.plan import Plan


def main(argv: list[str]) -> int:
    choices = arguments.read(argv)
    command = "uninstall" if choices.uninstall else "install"
    try:
        place = places.find(Path(__file__).resolve().parent.parent, os.environ, choices.prefix)
        return uninstall(place, choices) if choices.uninstall else install(place, choices)
    except (ClawMuxError, OSError) as error:
        failure = error if isinstance(error, ClawMuxError) else _as_ours(error)
        if choices.as_json:
            print(sheet.as_json(command, sheet.error(failure)))
        else:
            say(f"{failure.text}\n{failure.remedy}".strip())
        return failure.exit_code
    except KeyboardInterrupt:
        say("interrupted; run install.sh again to go on.")
        return 130


def install(place: Place, choices: Choices) -> int:
    machine = hardware.probe()
    if choices.bundle:
        bundle.check(choices.bundle)
    disk = disks.look(place, os.environ, choices.bundle)
    drawn = plan.make(machine, choices, disk, place)
    if choices.as_json:
        print(sheet.as_json("install", sheet.result(drawn, place, disk)))
        return 0
    print(sheet.as_text(drawn, place, disk), file=sys.stdout if choices.dry_run else sys.stderr, flush=True)
    if choices.dry_run:
        return 0
    failure = None
    if drawn.to_do:
        _ask(choices)
        drawn, failure = carry_out(place, choices, machine)
    # What has changed while we worked is not looked at again: this run's plan says whether models are there.
    return finish(place, choices, drawn, failure)


def _ask(choices: Choices) -> None:
    if choices.yes:
        return
    answer = asking.agreed("\nGo ahead?", default=True)
    if answer is None and not choices.start:
        raise ClawMuxError("usage", "nobody is there to ask.", "Add --yes to install without a question.")
    if answer is False:
        raise ClawMuxError("cancelled", "nothing was changed.")


def carry_out(place: Place, choices: Choices, machine: Hardware) -> tuple[Plan, ClawMuxError | None]:
    """With the lock held, look again: another installation may have been at work while we asked."""
    # Before any folder is made: which are missing is written into the receipt.
    untouched = disks.look(place, os.environ).missing_folders
    paths.make_private(place.program)
    with one_at_a_time(place.lock):
        disk = disks.look(place, os.environ, choices.bundle)
        disk = disks.with_missing_folders(disk, untouched)
        drawn = plan.make(machine, choices, disk, place)
        if not drawn.to_do:
            return drawn, None
        return drawn, carrying_out.perform(steps.job(place, drawn, choices, disk), say)


def finish(place: Place, choices: Choices, drawn: Plan, failure: ClawMuxError | None) -> int:
    """Start what was asked for, and let the program itself judge the result."""
    is_reachable = disks.is_on_path(place.launcher.parent, os.environ)
    command = "clawmux" if is_reachable else str(place.launcher)
    say("ClawMux is installed." if drawn.to_do else "ClawMux is installed already; nothing was changed.")
    if not is_reachable:
        say(_how_to_type(place, choices))
    starts = choices.start and drawn.mode is not Mode.THIN
    # Its address is said at the end: the key in it works for a minute, and the doctor may take as long.
    started = _run(place, "start", "--no-open", is_told=False) if starts and hub.running(place.data) is None else 0
    deep = ["--deep"] if starts and drawn.models and all(disks.is_ready(place.data.models, name) for name in drawn.models) else []
    found = _run(place, "doctor", *deep)
    say(f"`{command} doctor{' --deep' if deep else ''}` ended with {found} ({_MEANINGS.get(found, 'it failed itself')}).")
    for warning in drawn.warnings:
        say(warning)
    if started:
        return started
    if choices.start:
        opened = _run(place, "open")
        return opened or (failure.exit_code if failure else 0)
    is_up = drawn.mode is Mode.THIN or hub.running(place.data) is not None
    say(f"Open the page with: {command} open" if is_up else f"Start it with: {command} start")
    return failure.exit_code if failure else 0


_MEANINGS = {0: "all is well", 1: "all works, with remarks", 2: "something needs mending, see above"}


def _run(place: Place, *words: str, is_told: bool = True) -> int:
    """A command whose words go to the user; without ``is_told`` only when it fails."""
    kept = None if is_told else subprocess.PIPE
    done = subprocess.run([place.launcher, *words], check=False, stdin=subprocess.DEVNULL, stderr=kept, stdout=kept)
    if done.returncode and done.stderr:
        print(done.stderr.decode(errors="replace").strip(), file=sys.stderr, flush=True)
    return done.returncode


def _how_to_type(place: Place, choices: Choices) -> str:
    if choices.modify_path:
        return "To type only clawmux, open a new terminal; this one does not know its folder yet."
    return f'To type only clawmux, add this line to your shell\'s start-up file:\n  export PATH="{place.launcher.parent}:$PATH"'


def uninstall(place: Place, choices: Choices) -> int:
    found = removal.find(place, choices.keep_data, os.environ)
    if choices.as_json:
        facts = {"paths": [*map(str, found.paths)], "shell_files": [*map(str, found.shell_files)]}
        print(sheet.as_json("uninstall", {"result": facts}))
        return 0
    if not found:
        say("there is nothing to remove.")
        return 0
    print("\n".join(found.lines("would remove" if choices.dry_run else "remove")), flush=True)
    if choices.dry_run:
        return 0
    if not choices.yes:
        answer = asking.agreed(f"\nEnd the hub and all its agents, and {_what_goes(choices)}?", default=False)
        if not answer:
            say("nobody is there to ask; add --yes." if answer is None else "nothing was removed.")
            return ERRORS["cancelled"].exit_code
    with one_at_a_time(place.lock) if place.program.is_dir() else _alone():
        removal.stop(place, say)
        # What the hub wrote last goes, too.
        removal.remove(place, removal.find(place, choices.keep_data, os.environ), say)
    say("ClawMux is removed." if not choices.keep_data else f"ClawMux is removed; your data stays in {place.data.data}.")
    if place.data.models.exists() and not place.data.models.is_relative_to(place.data.data):
        say(f"The models in {place.data.models} stay; others may use them.")
    return 0


def _what_goes(choices: Choices) -> str:
    return "remove these" if choices.keep_data else "remove these, conversations and settings too (--keep-data leaves them)"


@contextmanager
def one_at_a_time(file: Path) -> Iterator[None]:
    """Two at once would undo each other; the second waits, and then finds everything done."""
    is_told = False
    while True:
        # Not truncated and not written: a run that changes nothing leaves no trace.
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not is_told:
                    say("another installation is running; waiting for it.")
                is_told = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_same(descriptor, file):
                yield
                return
            # A removal took the file away while we waited.
            paths.make_private(file.parent)
        finally:
            os.close(descriptor)


@contextmanager
def _alone() -> Iterator[None]:
    yield


def _is_same(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


_KINDS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EFBIG: "disk_full",
    errno.EACCES: "unsafe_files",
    errno.EPERM: "unsafe_files",
    errno.EROFS: "unsafe_files",
}


def _as_ours(error: OSError) -> ClawMuxError:
    code = _KINDS.get(error.errno or 0, "internal")
    return ClawMuxError(code, f"{error}.", "Nothing is half made: run install.sh again when that is mended.")


def say(text: str) -> None:
    print(f"install.sh: {text}", file=sys.stderr, flush=True)
