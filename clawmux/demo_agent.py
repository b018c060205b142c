"""The agent that ships with ClawMux, so that the first conversation needs no account: `python -m clawmux.demo_agent`.

It talks only by running `clawmux converse`, as every other agent does, and keeps a log of it in its pane. It changes nothing
on the machine: the one thing it does when asked is to name the files of its folder. Standard library only.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

MOST_NAMES = 8
"""So many file names can be listened to."""

_GOODBYE = re.compile(r"\b(good ?bye|bye|stop|that is all|that's all|see you)\b", re.IGNORECASE)
_FOLDER = re.compile(r"\b(folder|director(y|ies)|files?|list)\b", re.IGNORECASE)
_RESUME = re.compile(r"--resume[ =](\S+)")


@dataclass(frozen=True, slots=True)
class Setback:
    """What the demo makes of a converse that brought no words."""

    log: str
    first_wait_seconds: float
    """Doubled each time in a row, up to LONGEST_WAIT_SECONDS: nobody may come for hours."""
    say: str = ""
    """Asked next instead of the same words once more."""


LONGEST_WAIT_SECONDS = 30.0
SETBACKS: dict[int, Setback] = {
    3: Setback("the hub is not running; I wait for it", 1),
    4: Setback("no page is open, so nobody can hear me; I wait", 2),
    5: Setback("nothing heard", 0, "I did not hear anything. Are you still there?"),
    6: Setback("the microphone is muted; I wait", 5),
    7: Setback("the question was dismissed; I keep quiet for a while", 20, "I am here when you need me. What shall I do?"),
    8: Setback("speech is not working; I wait", 5),
    24: Setback("no answer from the hub in time", 2),
}
RESUME_EXIT = 9


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="clawmux.demo_agent", description="A small agent that talks and changes nothing.")
    parser.add_argument("--name", type=str.capitalize, default="")
    parser.add_argument("--patience", type=float, default=1.0, help="factor on all waits; tests use a small one")
    options = parser.parse_args(argv)
    name = options.name or "the demo agent"
    log(f"I am {name}, folder {Path.cwd()}")
    text = f"Hello, I am {name}. What shall I do?"
    while True:
        words = hear(text, options.patience)
        text, ends = answer(words, Path.cwd())
        if ends:
            say_goodbye(text)
            return 0


def answer(words: str, folder: Path) -> tuple[str, bool]:
    """What to say to these words, and whether that ends the conversation."""
    if _GOODBYE.search(words):
        return "Goodbye. It was nice to talk to you.", True
    if _FOLDER.search(words):
        return f"{describe(folder)} What else?", False
    return f"I heard: {words.strip().rstrip('.!?')}. What else?", False


def describe(folder: Path) -> str:
    try:
        names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        return f"I cannot read my folder: {error.strerror}."
    if not names:
        return "My folder is empty."
    rest = len(names) - MOST_NAMES
    listed = ", ".join(names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")
    return f"My folder has {len(names)} {'entry' if len(names) == 1 else 'entries'}: {listed}."


def hear(text: str, patience: float) -> str:
    """Ask until there are words. Ends the program on an exit code that waiting does not mend."""
    arguments, setbacks_in_a_row = [text], 0
    while True:
        done = converse(arguments)
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
        if done.returncode == RESUME_EXIT and (resume := _RESUME.search(done.stderr + done.stdout)):
            arguments = ["--resume", resume[1]]
            continue
        setback = SETBACKS[5] if done.returncode == 0 else SETBACKS.get(done.returncode)
        if setback is None:
            give_up(done.returncode, done.stderr)
        wait = min(setback.first_wait_seconds * 2**setbacks_in_a_row, LONGEST_WAIT_SECONDS) * patience
        setbacks_in_a_row = min(setbacks_in_a_row + 1, 10)
        log(f"{setback.log} ({wait:g} s)" if wait else setback.log)
        time.sleep(wait)
        arguments = [setback.say or text]


def say_goodbye(text: str) -> None:
    done = converse(["--goodbye", text])
    if done.returncode:
        log(f"my goodbye was not heard (exit {done.returncode})")


def converse(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    log("> " + " ".join(arguments))
    try:
        done = subprocess.run(
            ["clawmux", "converse", *arguments], capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except OSError as error:
        give_up(127, f"`clawmux` cannot be run: {error}")
    for line in done.stderr.splitlines():
        log(f"  {line}")
    if done.stdout:
        log("< " + done.stdout.strip())
    return done


def give_up(exit_code: int, why: str) -> NoReturn:
    log(f"I cannot go on (exit {exit_code}): {why.strip()}")
    sys.exit(exit_code or 1)


def log(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
