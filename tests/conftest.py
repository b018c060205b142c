"""What holds for every test: they interrupt processes, so an interrupt must not be ignored."""

from __future__ import annotations

import signal

# Whoever starts the tests in the background of a script hands SIGINT down as ignored (POSIX, "Asynchronous Lists"), and a
# shell that finds it so cannot trap it. What we start has it as at a terminal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
