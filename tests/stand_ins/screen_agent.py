"""An agent program that shows what a test tells it to, and writes down what is typed. Runs in a real pane.

    python screen_agent.py FOLDER    reads FOLDER/show (a pipe of JSON lines), writes FOLDER/keys

A line is {"screen": text} to show, or {"after_escape": text} to show when Escape is typed. When it is continued after it was
stopped it shows its prompt again.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import termios
import tty
from pathlib import Path


def main() -> None:
    folder = Path(sys.argv[1])
    pipe = folder / "show"
    if not pipe.exists():
        os.mkfifo(pipe)
    told = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    before = termios.tcgetattr(0)
    tty.setraw(0)
    show("starting")
    signal.signal(signal.SIGCONT, lambda *_: show("> back"))
    try:
        play(folder, told)
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)


def play(folder: Path, told: int) -> None:
    after_escape, rest = "", b""
    ready = selectors.DefaultSelector()
    ready.register(0, selectors.EVENT_READ)
    ready.register(told, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            data = os.read(key.fd, 65536)
            if key.fd == 0:
                with (folder / "keys").open("ab") as keys:
                    keys.write(data)
                if b"\x1b" in data and after_escape:
                    show(after_escape)
                continue
            *lines, rest = (rest + data).split(b"\n")
            for line in map(json.loads, lines):
                after_escape = line.get("after_escape", after_escape)
                if "screen" in line:
                    show(line["screen"])


def show(text: str) -> None:
    shown = text.replace("\n", "\r\n")
    os.write(1, f"\x1b[2J\x1b[H{shown}".encode())


if __name__ == "__main__":
    main()
