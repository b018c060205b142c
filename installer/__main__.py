"""What install.sh runs: reads the arguments, shows the plan, runs it, says what to type next."""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clawmux import paths
from clawmux.wire.errors import ERRORS, ClawMuxError
from installer import place as places
from installer import plan, removal
from installer.place import Place
from installer.steps import Step, is_current

EPILOG = """\
examples:
  sh install.sh --start                 install, start, open the page
  sh install.sh --dry-run               only say what would be done
  sh install.sh --uninstall --keep-data remove the program, keep conversations, settings and models

Everything goes into folders of your own; no root is needed and no file of your shell is edited.
A second run changes nothing that is already right.
"""


def main(argv: list[str]) -> int:
    options = read_arguments(argv)
    checkout = Path(__file__).resolve().parent.parent
    try:
        place = places.find(checkout, os.environ, options.prefix)
        if options.uninstall:
            return uninstall(place, options)
        return install(place, plan.Choices(options.start, not options.no_models, options.dry_run))
    except ClawMuxError as error:
        say(f"{error.text}\n{error.remedy}" if error.remedy else error.text)
        return error.exit_code
    except OSError as error:
        say(f"{error}\nNothing is half made: run install.sh again when that is mended.")
        return ERRORS["internal"].exit_code
    except KeyboardInterrupt:
        say("interrupted; run install.sh again to go on.")
        return 130


def read_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="install.sh",
        description="Install ClawMux for this user from this checkout.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--start", action="store_true", help="start the hub afterwards and open its page")
    parser.add_argument("--no-models", action="store_true", help="fetch no speech models; the page then works in text")
    parser.add_argument("--prefix", type=_absolute, metavar="DIR", help="put the program here instead of ~/.local")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done and write nothing")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    parser.add_argument("--uninstall", action="store_true", help="end hub and agents, remove program and data")
    parser.add_argument("--keep-data", action="store_true", help="with --uninstall: keep conversations, settings and models")
    options = parser.parse_args(argv)
    if options.keep_data and not options.uninstall:
        parser.error("--keep-data goes with --uninstall")
    return options


def install(place: Place, choices: plan.Choices) -> int:
    steps = plan.make(place, choices)
    if choices.dry_run:
        for step in steps:
            print(f"{'done already' if step.is_done(place) else 'would'}: {step.title}")
        if choices.start:
            print("would: start the hub and open its page")
        return 0
    paths.make_private(place.program)
    with one_at_a_time(place.program / "install.lock"):
        renewed = not is_current(place)
        failure = perform(place, steps)
    finish(place, choices.start)
    started = start(place, renewed) if choices.start else 0
    return started or (failure.exit_code if failure else 0)


def perform(place: Place, steps: list[Step]) -> ClawMuxError | None:
    """Do what is not done yet, and say both; the failure of a step that can be done without is said and returned."""
    failure = None
    for number, step in enumerate(steps, 1):
        done = step.is_done(place)
        say(f"{number}/{len(steps)} {step.title}{': done already' if done else ''}")
        if done:
            continue
        try:
            step.perform(place)
        except ClawMuxError as error:
            if step.is_needed:
                raise
            failure = error
            say(f"{error.text}\n{error.remedy}")
    return failure


def start(place: Place, renewed: bool) -> int:
    """Start the hub and open its page; its own words say where. One that runs is kept, unless it is an older version."""
    runs = subprocess.run([place.launcher, "status"], check=False, capture_output=True).returncode == 0
    if runs and renewed:
        say("restarting the hub with the new version; agents stay alive.")
        subprocess.run([place.launcher, "stop"], check=False)
    verb = "open" if runs and not renewed else "start"
    return subprocess.run([place.launcher, verb], check=False).returncode


def finish(place: Place, starts: bool) -> None:
    command = place.launcher if not on_path(place.launcher.parent) else "clawmux"
    say("ClawMux is installed." if starts else f"ClawMux is installed. Start it with: {command} start")
    if not on_path(place.launcher.parent):
        say(f'To type only clawmux, add this line to your shell\'s start-up file:\n  export PATH="{place.launcher.parent}:$PATH"')


def uninstall(place: Place, options: argparse.Namespace) -> int:
    found = removal.find(place, options.keep_data)
    if not found:
        say("there is nothing to remove.")
        return 0
    print("\n".join(f"{'would remove' if options.dry_run else 'remove'}: {path}" for path in found), flush=True)
    if options.dry_run:
        return 0
    if not options.yes and not agreed("End the hub and all its agents, and remove these? [y/N] "):
        say("nothing was removed.")
        return ERRORS["cancelled"].exit_code
    removal.stop(place)
    removal.remove(place, found)
    say("ClawMux is removed.")
    return 0


def agreed(question: str) -> bool:
    """What the person at the terminal says; without one, silence is no."""
    if not sys.stdin.isatty():
        say("nobody is there to ask; add --yes.")
        return False
    return input(question).strip().lower() in ("y", "yes")


def on_path(folder: Path) -> bool:
    return str(folder) in os.environ.get("PATH", "").split(os.pathsep)


@contextmanager
def one_at_a_time(file: Path) -> Iterator[None]:
    """Two installations at once would undo each other; the second waits, and then finds everything done."""
    with file.open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another installation is running; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    print(f"install.sh: {text}", file=sys.stderr, flush=True)


def _absolute(text: str) -> Path:
    return Path(text).expanduser().absolute()
