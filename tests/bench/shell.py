"""What stands in a sender's pane: it runs the commands that it is sent, as an agent's shell does, and tells how long they took.

A request is a command's words, with NUL between them; the answer is the moments of its start and its end (seconds of the
monotonic clock, which all processes share) and its exit code. Started with ``-I -S``, so it imports little.
"""

from __future__ import annotations

import os
import socket
import sys
import time

MANIFEST = """
title = "Shell"
program = "{python}"
arguments = ["-I", "-S", "{shell}", "{{folder}}/shell"]
ready = "^ready"
"""


def main(path: str) -> None:
    requests = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    requests.bind(path)
    print("ready", flush=True)
    silent = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_RDWR, 0) for n in (0, 1, 2)]
    while True:
        words, asker = requests.recvfrom(65536)
        argv = words.split(b"\0")
        started = time.perf_counter()
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=silent)
        _, status = os.waitpid(pid, 0)
        ended = time.perf_counter()
        requests.sendto(f"{started!r} {ended!r} {os.waitstatus_to_exitcode(status)}".encode(), asker)


if __name__ == "__main__":
    main(sys.argv[1])
