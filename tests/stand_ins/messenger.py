"""An agent program with an input box, in a pane: it reads messages as agents do, and acknowledges and answers them.

Draws what it has taken, then ``> `` and what is typed; takes bracketed pastes, sends on Enter. Every text
it takes is a line of JSON in the file named by its first argument. Its second says what it does with a message: ``answer`` (ack,
and reply when one is expected), ``ack``, ``nothing``. It runs the real client for that, as the session that the hub has given it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import termios
import tty
from pathlib import Path

HEADER = re.compile(r"^\[MSG id:(\S+) from:(\S+) to:(\S+)([^\]]*)\] ?(.*)$")
TAKEN_SHOWN = 5
taken: list[str] = []
PASTE_BEGINS, PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"


def main(log: str, habit: str) -> None:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    os.write(1, b"\x1b[?2004h")
    try:
        run(log, habit)
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)


def run(log: str, habit: str) -> None:
    box, is_pasting, rest = b"", False, b""
    draw(box)
    clawmux("status")  # the hub hears that it is up
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
            else:
                box, rest = box + rest[:1], rest[1:]
        draw(box)


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
                clawmux("ack", message_id)
            if habit == "answer" and "expect-response" in flags:
                clawmux("reply", message_id, f"{sender} said: {words}")


def clawmux(*words: str) -> None:
    subprocess.run(["clawmux", *words], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(*sys.argv[1:])
