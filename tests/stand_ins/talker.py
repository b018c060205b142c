"""An agent program that talks by itself: it reads messages as agents do, acknowledges and answers them, and sends its own.

    python -m tests.stand_ins.talker FOLDER NAME PEER,PEER,...

Its box is the messenger's. FOLDER/log gets a line of JSON for all that it reads, says and is told; it sends nothing of its own
while FOLDER/quiet exists. Whatever it says goes through the real client, as often as the hub is away, as an agent would that
reads what the exit code means. It answers every time it is asked, each time with other words: that only one answer counts is
for the hub to see to.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import random
import re
import subprocess
import sys
import termios
import threading
import time
import tty
from pathlib import Path
from typing import Any

from tests.stand_ins.messenger import PASTE_BEGINS, PASTE_ENDS

HEADER = re.compile(r"^\[MSG id:(\S+) from:\S+ to:\S+([^\]]*)\] ")
HUB_NOT_RUNNING = 3
WENT_AWAY = "went away"
ENDED = "ended by its agent"
PAUSE_SECONDS = 0.2
BETWEEN_MESSAGES = (0.5, 3.0)
BEFORE_AN_ANSWER = (0.0, 0.8)
WAITS: tuple[tuple[str, ...], ...] = (
    (),
    (),
    ("--wait-ack",),
    ("--wait-response",),
    ("--wait-response", "--timeout", "1"),  # the answer comes later, typed
)
IMPATIENT = 0.3
"""The part of the commands that wait for an answer which are killed after a while; then it comes typed as well."""
PATIENCE = (0.3, 3.0)

TAKE_BACK = b"\x15"
"""Ctrl+U: the line before the cursor; at the beginning of a line, its line break."""
TAKEN_SHOWN = 3
"""With the batches that are typed here, more would be taller than the screen."""


class Talker:
    def __init__(self, folder: Path, name: str, peers: list[str]) -> None:
        self.folder = folder
        self.name = name
        self.peers = peers
        self.chance = random.Random(name)
        self.log_file = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.read: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.answers = itertools.count(1)
        self.taken: list[str] = []

    def log(self, **entry: Any) -> None:
        os.write(self.log_file, json.dumps(entry).encode() + b"\n")

    def clawmux(self, *words: str) -> tuple[int, str, str]:
        """The exit code, stdout and stderr of a command that the hub was there for. What a hub that went away may have taken is
        said again only where that does no harm."""
        while True:
            told = subprocess.run(["clawmux", *words], check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if told.returncode != HUB_NOT_RUNNING or (words[0] == "send" and WENT_AWAY in told.stderr):
                return told.returncode, told.stdout, told.stderr
            time.sleep(PAUSE_SECONDS)

    def clawmux_for(self, seconds: float, *words: str) -> tuple[int, str, str]:
        """The same, killed after so long, as a shell tool does whose time is over."""
        command = subprocess.Popen(
            ["clawmux", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            out, err = command.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            command.kill()
            out, _ = command.communicate()
            return (0, out, "") if out else (command.returncode, "", ENDED)
        if command.returncode == HUB_NOT_RUNNING and WENT_AWAY not in err:
            return self.clawmux(*words)
        return command.returncode, out, err

    # -- three things at once --

    def listen(self) -> None:
        """The box: what is typed there until Enter is read."""
        box, is_pasting, rest = b"", False, b""
        self.draw(box)
        while data := os.read(0, 65536):
            rest += data
            while rest:
                if rest.startswith((PASTE_BEGINS, PASTE_ENDS)):
                    is_pasting = rest.startswith(PASTE_BEGINS)
                    rest = rest[len(PASTE_BEGINS) :]
                elif PASTE_BEGINS.startswith(rest) or PASTE_ENDS.startswith(rest):
                    break  # the rest of it is still to come
                elif rest[:1] == b"\r" and not is_pasting:
                    rest = rest[1:]
                    text, box = box.decode(errors="replace").rstrip(" "), b""
                    self.taken.append(text)
                    self.log(read=text)
                    self.read.put(text)
                elif rest[:1] == TAKE_BACK and not is_pasting:
                    line = box.rpartition(b"\n")[2]
                    box, rest = box[: -len(line) or -1], rest[1:]
                else:
                    box, rest = box + rest[:1], rest[1:]
            self.draw(box)

    def draw(self, box: bytes) -> None:
        """Line over line, as programs do that keep what was said above: what is cleared as a whole tmux keeps as history, and
        a box without a frame looks there like one that was sent."""
        shown = "".join(f"* {text}\n\n" for text in self.taken[-TAKEN_SHOWN:]).encode() + b"> " + box
        os.write(1, b"\x1b[H" + shown.replace(b"\n", b"\x1b[K\r\n") + b"\x1b[J")

    def answer(self) -> None:
        """In order, as an agent does one thing after another."""
        self.clawmux("status")  # the hub hears that it is up
        while True:
            for line in self.read.get().split("\n"):
                header = HEADER.match(line)
                if header is None or "reply-to" in header[2]:
                    continue
                code, _, err = self.clawmux("ack", header[1])
                self.log(acked=header[1], code=code, err=err)
                if "expect-response" in header[2]:
                    time.sleep(self.chance.uniform(*BEFORE_AN_ANSWER))
                    text = f"answer {next(self.answers)} of {self.name} to {header[1]}"
                    code, _, err = self.clawmux("reply", header[1], text)
                    self.log(replied=header[1], text=text, code=code, err=err)

    def talk(self) -> None:
        for number in itertools.count(1):
            time.sleep(self.chance.uniform(*BETWEEN_MESSAGES))
            if (self.folder / "quiet").exists():
                return
            to = self.chance.choice(self.peers)
            wait = self.chance.choice(WAITS)
            long = "and so on, " * self.chance.choice((0, 0, 0, 60))
            text = f"number {number} of {self.name} for {to}: {long}Grüße 世界"
            send = threading.Thread(target=self.send, args=(to, wait, text))
            send.start()
            if not wait:
                send.join()

    def send(self, to: str, wait: tuple[str, ...], text: str) -> None:
        self.log(sending=text)
        words = ("send", "--to", to, *wait, text)
        is_impatient = wait == ("--wait-response",) and self.chance.random() < IMPATIENT
        code, out, err = self.clawmux_for(self.chance.uniform(*PATIENCE), *words) if is_impatient else self.clawmux(*words)
        self.log(sent=out.partition("\n")[0], rest=out.partition("\n")[2], to=to, wait=list(wait), text=text, code=code, err=err)


def main(folder: str, name: str, peers: str) -> None:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    os.write(1, b"\x1b[?2004h")
    talker = Talker(Path(folder), name, peers.split(","))
    try:
        for part in (talker.answer, talker.talk):
            threading.Thread(target=part, daemon=True).start()
        talker.listen()
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)


if __name__ == "__main__":
    main(*sys.argv[1:])
