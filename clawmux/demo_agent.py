"""The agent that ships with ClawMux, so that the first conversation needs no account: `python -m clawmux.demo_agent`.

It talks only by running `clawmux`, as every other agent does, and keeps a log of it in its pane. Messages of others it answers
meanwhile. It changes nothing on the machine: the one thing it does when asked is to name the files of its folder. Standard
library only.
"""

from __future__ import annotations

import argparse
import json
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

MOST_NAMES = 8
"""So many file names can be listened to."""
MOST_REPEATED = 100
"""So many characters of a message are repeated in its answer."""
MAILBOX_SECONDS = 0.3
USER = "user"

_GOODBYE = re.compile(r"\b(good ?bye|bye|stop|that is all|that's all|see you)\b", re.IGNORECASE)
_FOLDER = re.compile(r"\b(folder|director(y|ies)|files?|list)\b", re.IGNORECASE)
_RESUME = re.compile(r"--resume[ =](\S+)")
_HEAD = re.compile(r"^\[(?P<sort>MSG|VOICE) id:(?P<id>\S+) from:(?P<sender>[^\s\]]+)(?P<flags>[^\]\n]*)\] ", re.MULTILINE)
_KEPT = re.compile(r"^\d+ characters are kept for you\. Read them: clawmux inbox show ")


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
HUB_AWAY_EXIT = 3

typed: queue.SimpleQueue[str] = queue.SimpleQueue()
"""The user's words that are no answer to a question."""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="clawmux.demo_agent", description="A small agent that talks and changes nothing.")
    parser.add_argument("--name", type=str.capitalize, default="")
    parser.add_argument("--mailbox", type=Path, help="the file in which the hub puts what others send")
    parser.add_argument("--patience", type=float, default=1.0, help="factor on all waits; tests use a small one")
    options = parser.parse_args(argv)
    name = options.name or "the demo agent"
    log(f"I am {name}, folder {Path.cwd()}")
    if options.mailbox:
        options.mailbox.write_bytes(b"")  # what stood there was for another
        threading.Thread(target=read_mailbox, args=(options.mailbox, options.patience), daemon=True).start()
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
    return f"{respond(words, folder)} What else?", False


def respond(words: str, folder: Path) -> str:
    if _FOLDER.search(words):
        return describe(folder)
    return f"I heard: {' '.join(words.split()).rstrip('.!?')}."


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
        if words := _typed(0):
            return words
        done = clawmux("converse", *arguments)
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
        if words := _typed(wait):
            return words
        arguments = [setback.say or text]


def _typed(seconds: float) -> str:
    """What the user types meanwhile."""
    try:
        return typed.get(timeout=seconds) if seconds else typed.get_nowait()
    except queue.Empty:
        return ""


def say_goodbye(text: str) -> None:
    done = clawmux("converse", "--goodbye", text)
    if done.returncode:
        log(f"my goodbye was not heard (exit {done.returncode})")


def read_mailbox(file: Path, patience: float) -> None:
    """Acknowledge and answer what comes, for ever."""
    for text in mail(file):
        for head, words in messages(text):
            log("< " + head[0] + words)
            if head["sort"] == "VOICE":
                typed.put(words)
            elif "reply-to:" not in head["flags"]:
                take(head, words, patience)


def mail(file: Path) -> Iterator[str]:
    """Every text that is put there."""
    with file.open("rb") as box:
        rest = b""
        while True:
            rest += box.read()
            *lines, rest = rest.split(b"\n")
            yield from (str(json.loads(line)) for line in lines)
            time.sleep(MAILBOX_SECONDS)


def messages(text: str) -> list[tuple[re.Match[str], str]]:
    """The messages of one text, each with its head."""
    heads = list(_HEAD.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return [(head, text[head.end() : end].strip()) for head, end in zip(heads, ends, strict=True)]


def take(head: re.Match[str], words: str, patience: float) -> None:
    """Acknowledge a message, and answer where somebody waits, or a person has written."""
    _say(patience, "ack", head["id"])
    if "reminder" in head["flags"] or ("expect-response" not in head["flags"] and head["sender"] != USER):
        return
    if _KEPT.match(words):
        words = clawmux("inbox", "show", head["id"]).stdout
    if len(words) > MOST_REPEATED:
        words = f"{len(words)} characters, which begin with: {words[:MOST_REPEATED]}"
    _say(patience, "reply", head["id"], "--", respond(words, Path.cwd()))


def _say(patience: float, *words: str) -> None:
    """Again while the hub is away."""
    while clawmux(*words).returncode == HUB_AWAY_EXIT:
        time.sleep(patience)


def clawmux(verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    log("> " + " ".join(arguments if verb == "converse" else (verb, *arguments)))
    try:
        done = subprocess.run(["clawmux", verb, *arguments], capture_output=True, encoding="utf-8", errors="replace", check=False)
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
