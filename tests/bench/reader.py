"""What stands in the recipient's pane: a program with an input box that takes what is typed as fast as a program can.

It sends each text that it has taken to the socket named by its first argument, after the moment at which it had it (seconds
of the monotonic clock, which all processes share). Started with ``-I -S``, so it imports little.
"""

from __future__ import annotations

import os
import socket
import sys
import termios
import time
import tty

# Its screen as the hub has to know it. It takes an Enter at once, so nothing is waited for on its account.
MANIFEST = """
title = "Reader"
program = "{python}"
arguments = ["-I", "-S", "{reader}", "{socket}"]
ready = "^>"
[input]
prompt = '^> ?'
settle_ms = 0
steady_ms = 0
chunk_chars = 0
"""
PASTE_BEGINS, PASTE_ENDS = b"\x1b[200~", b"\x1b[201~"
TAKEN_SHOWN = 8


def main(path: str) -> None:
    before = termios.tcgetattr(0)
    tty.setraw(0)
    os.write(1, b"\x1b[?2004h")
    bench = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    taken: list[bytes] = []
    box = b""
    try:
        while True:
            # In one piece: a screen is never seen half drawn.
            shown = b"\x1b[H\x1b[2J" + b"".join(b"* " + text + b"\n\n" for text in taken) + b"> " + box
            os.write(1, shown.replace(b"\n", b"\r\n"))
            box += os.read(0, 65536)
            if box.endswith(b"\r"):
                at = time.perf_counter()
                text = box.replace(PASTE_BEGINS, b"").replace(PASTE_ENDS, b"").strip()
                taken, box = [*taken, text][-TAKEN_SHOWN:], b""
                bench.sendto(repr(at).encode() + b" " + text, path)
            elif box.endswith(PASTE_ENDS):
                box = box.replace(PASTE_BEGINS, b"").replace(PASTE_ENDS, b"")
    finally:
        termios.tcsetattr(0, termios.TCSANOW, before)


if __name__ == "__main__":
    main(sys.argv[1])
