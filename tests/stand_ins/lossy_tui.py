"""An agent's terminal program at its worst, for a real pane: an input box between two lines, as Claude Code draws it.

It drops Enters, redraws when it likes and in two halves, is busy and reads nothing for a while, opens dialogs that an Enter
would approve, and keeps the half-typed draft of its user, which Ctrl-S puts away until after the next message. All that it
takes or loses goes as JSON lines to ``--log``; with ``--ack`` it acknowledges what it gets, by the real command.

    {"received": text} {"dropped": 1} {"approved": 1} {"kept": box, "stash": draft} {"drafted": text} {"ran": text}
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import select
import subprocess
import sys
import time
import tty
from typing import Any

START, END = "\x1b[200~", "\x1b[201~"
WIDTH = 100
DIALOG = ["─" * WIDTH, " Do you want to proceed?", " ❯ 1. Yes", "   2. No", "", " Esc to cancel", ""]
DRAFTS = [
    "half a thought",
    "a draft,\n  in two lines: $(x) `y`",
    "Grüße, 世界 👩‍🚀",
    "[1] see\n\n\nbelow",
    "/not run yet",
    "x" * 150,
]
QUIET_SECONDS = 1.0


class Box:
    """The state: what is typed, put away and shown. Knows no terminal."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.random = random.Random(options.seed)
        self.log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.box = options.draft
        self.stash: str | None = None
        self.transcript: list[str] = []
        self.dialog_until = self.busy_until = 0.0
        self.last_input = 0.0
        self.is_pasting = False
        self.kept = ""
        self.unacknowledged: list[str] = []
        self.acknowledging: subprocess.Popen[bytes] | None = None
        self.asked = 0

    def tell(self, **what: Any) -> None:
        os.write(self.log, json.dumps(what).encode() + b"\n")

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def receive(self, text: str) -> None:
        """Keys and pastes as they come; the marks around a paste are whole (tmux writes them in one go)."""
        self.last_input = time.monotonic()
        for part in re.split(f"({re.escape(START)}|{re.escape(END)}|[\r\x13\x15])", text):
            if part in (START, END):
                self.is_pasting = part == START
            elif self.dialog_until and part == "\r" and not self.is_pasting:
                self.tell(approved=1)
                self.dialog_until = 0.0
            elif self.dialog_until or not part:
                continue
            elif self.is_pasting or part not in "\r\x13\x15":
                self.box += part.replace("\r", "\n")
            elif part == "\r":
                self.enter()
            elif part == "\x15":
                start = self.box.rfind("\n") + 1
                self.box = self.box[:start] if start < len(self.box) else self.box[:-1]
            elif self.box:
                self.box, self.stash = "", self.box
            elif self.stash is not None:
                self.box, self.stash = self.stash, None

    def enter(self) -> None:
        if not self.box.strip():
            return
        if self.chance(self.options.drop):
            self.tell(dropped=1)
            return
        text, self.box = self.box.rstrip(), self.stash or ""
        self.stash = None
        self.tell(**({"ran": text} if text[0] in "!/?" else {"received": text}))
        first, *rest = text.split("\n")
        self.transcript += [f"❯ {first}", *(f"  {line}" for line in rest), "● Read.", ""]
        self.unacknowledged += re.findall(r"^\[MSG id:([\w-]+)(?![^\]]*(?:reply-to|reminder))", text, re.MULTILINE)
        if self.chance(self.options.busy):
            self.busy_until = time.monotonic() + self.random.uniform(0.1, self.options.busy_seconds)

    def pass_time(self, now: float) -> None:
        """What happens of itself, when all that was typed is read."""
        if self.dialog_until and now > self.dialog_until:
            self.dialog_until = 0.0  # its user has answered it
        elif not self.dialog_until and self.chance(self.options.dialog):
            self.dialog_until = now + self.random.uniform(0.2, 1.0)
        is_left_alone = now - self.last_input > QUIET_SECONDS and not self.dialog_until
        if is_left_alone and "[MSG id:" not in self.box and self.stash is None and self.chance(self.options.new_draft):
            self.box = self.random.choice(DRAFTS)
            self.tell(drafted=self.box)
        state = json.dumps([self.box, self.stash])
        if state != self.kept and "[MSG id:" not in self.box:
            self.kept = state
            self.tell(kept=self.box, stash=self.stash)
        self.acknowledge()

    def acknowledge(self) -> None:
        if not self.options.ack:
            return
        if self.acknowledging is not None:
            if (code := self.acknowledging.poll()) is None:
                return
            self.acknowledging = None
            if code == 0:
                del self.unacknowledged[: self.asked]
        if self.unacknowledged:
            ids = self.unacknowledged[:20]
            self.asked = len(ids)
            quiet = subprocess.DEVNULL
            self.acknowledging = subprocess.Popen(["clawmux", "ack", *ids], stdin=quiet, stdout=quiet, stderr=quiet)

    def lines(self) -> list[str]:
        if self.dialog_until:
            return DIALOG
        first, *rest = self.box.split("\n")
        wrapped = [piece for line in [f"❯ {first}", *(f"  {line}" for line in rest)] for piece in wrap(line)]
        hint = "esc to interrupt" if self.busy_until else "? for shortcuts"
        return ["─" * WIDTH, *wrapped, "─" * WIDTH, f"  {hint}"]


def wrap(line: str) -> list[str]:
    return [line[:WIDTH], *(f"  {line[n : n + WIDTH - 2]}" for n in range(WIDTH, len(line), WIDTH - 2))]


class Terminal:
    """Draws the box under what was said, as programs do that leave the history to the terminal."""

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.said = 0

    def draw(self, box: Box, anew: bool) -> None:
        lines = box.lines()
        if lines == self.drawn and self.said == len(box.transcript) and not anew:
            return
        if anew:
            # Not the history: what stood in the box goes there, as with programs that clear the screen only.
            write("\x1b[2J\x1b[H")
            height = os.get_terminal_size(1).lines - len(lines) - 1
            said = box.transcript[-max(height, 1) :]
        else:
            write("\r" + (f"\x1b[{len(self.drawn) - 1}A" if len(self.drawn) > 1 else "") + "\x1b[J")
            said = box.transcript[self.said :]
        write("".join(f"{piece}\r\n" for line in said for piece in wrap(line)))
        middle = len(lines) // 2
        write("\r\n".join(lines[:middle]))
        if anew:
            time.sleep(0.005)
        write("\r\n" + "\r\n".join(lines[middle:]))
        self.drawn, self.said = lines, len(box.transcript)


def write(text: str) -> None:
    data = text.encode()
    while data:
        data = data[os.write(1, data) :]


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--draft", default="")
    parser.add_argument("--ack", action="store_true")
    parser.add_argument("--busy-seconds", type=float, default=1.0)
    for chance in ("drop", "redraw", "dialog", "busy", "new-draft"):
        parser.add_argument(f"--{chance}", type=float, default=0.0)
    options = parser.parse_args(argv)
    tty.setraw(0)
    box, terminal, waiting = Box(options), Terminal(), b""
    write("\x1b[?2004h")
    while True:
        terminal.draw(box, anew=box.chance(options.redraw))
        if box.busy_until:
            time.sleep(max(box.busy_until - time.monotonic(), 0))
            box.busy_until = 0.0
        readable, _, _ = select.select([0], [], [], 0.05)
        if not readable:
            box.pass_time(time.monotonic())
            continue
        data = os.read(0, 65536)
        if not data:
            return
        waiting += data
        # Of a character, or of a mark, whose rest is still to come, nothing is taken yet.
        whole = whole_part(waiting)
        box.receive(waiting[:whole].decode(errors="replace"))
        waiting = waiting[whole:]


def whole_part(data: bytes) -> int:
    end = len(data)
    escape = data.rfind(b"\x1b")
    if escape >= 0 and any(mark.encode().startswith(data[escape:]) and len(data) - escape < 6 for mark in (START, END)):
        return escape
    for back in range(1, min(4, end) + 1):
        byte = data[end - back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 2 if byte >> 5 == 6 else 3 if byte >> 4 == 14 else 4 if byte >> 3 == 30 else 1
        return end - back if needed > back else end
    return end


if __name__ == "__main__":
    main(sys.argv[1:])
