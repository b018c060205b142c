"""An agent program with an input box, in a pane: it reads messages as agents do, and acknowledges and answers them.

Draws what it has taken, then ``> `` and what is typed; takes bracketed pastes and Ctrl-U, sends on Enter. Every text
it takes is a line of JSON in the file named by its first argument. Its second says what it does with a message: ``answer`` (ack,
and reply when one is expected), ``ack``, ``nothing``. It runs the real client for that, as the session that the hub has given it.
"""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import termios
import threading
import time
import tty
from pathlib import Path

HEADER = re.compile(r"^\[MSG id:(\S+) from:(\S+) to:(\S+)([^\]]*)\] ?(.*)$")
TAKEN_SHOWN = 5
HUB_NOT_RUNNING = 3
HUB_TRIES = 40
HUB_PAUSE_SECONDS = 0.25
taken: list[str] = []
commands: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
PASTE_BEGINS, PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"


def main(log: str, habit: str) -> None:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    # The other screen keeps no history: tmux would take every frame that is wiped into it, and the box with it.
    os.write(1, b"\x1b[?1049h\x1b[?2004h")
    try:
        run(log, habit)
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)


def run(log: str, habit: str) -> None:
    box, is_pasting, rest = b"", False, b""
    draw(box)
    threading.Thread(target=work, daemon=True).start()
    commands.put(("status",))  # the hub hears that it is up
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
                take(box.decode().rstrip(" "), log, habit)
                box = b""
            elif rest[:1] == b"\x15" and not is_pasting:
                box, rest = without_last_line(box), rest[1:]
            else:
                box, rest = box + rest[:1], rest[1:]
        draw(box)


def without_last_line(box: bytes) -> bytes:
    """What Ctrl-U leaves: the line goes, and from an empty one its break."""
    before, newline, line = box.rpartition(b"\n")
    return before + newline if line else before


def draw(box: bytes) -> None:
    shown = "".join(f"* {text}\n\n" for text in taken[-TAKEN_SHOWN:]).encode() + b"> " + box
    os.write(1, b"\x1b[H\x1b[2J" + shown.replace(b"\n", b"\r\n"))


def take(text: str, log: str, habit: str) -> None:
    taken.append(text)
    with Path(log).open("a", encoding="utf-8") as out:
        out.write(json.dumps(text) + "\n")
    for line in text.split("\n"):
        if (header := HEADER.match(line)) and habit != "nothing":
            message_id, sender, _, flags, words = header.groups()
            if "reply-to" not in flags:
                commands.put(("ack", message_id))
            if habit == "answer" and "expect-response" in flags:
                commands.put(("reply", message_id, f"{sender} said: {words}"))


def work() -> None:
    """Its commands, one after the other, while it goes on reading its keyboard."""
    while True:
        clawmux(*commands.get())


def clawmux(*words: str) -> None:
    """Again while the hub is away, as an agent would that reads what the exit code means."""
    for _ in range(HUB_TRIES):
        told = subprocess.run(
            ["clawmux", *words], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if told.returncode != HUB_NOT_RUNNING:
            return
        time.sleep(HUB_PAUSE_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
