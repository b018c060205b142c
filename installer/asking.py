"""One question to the person at the terminal, also when our standard input is the script itself (curl ... | sh)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TextIO


def agreed(question: str, default: bool) -> bool | None:
    """What they say; None when nobody is there."""
    with _terminal() as pair:
        if pair is None:
            return None
        reader, writer = pair
        writer.write(f"{question} [{'Y/n' if default else 'y/N'}] ")
        writer.flush()
        answer = reader.readline()
        if not answer:
            return False  # Ctrl-D
        return default if not answer.strip() else answer.strip().lower() in ("y", "yes")


@contextmanager
def _terminal() -> Iterator[tuple[TextIO, TextIO] | None]:
    if sys.stdin.isatty() and sys.stderr.isatty():
        yield sys.stdin, sys.stderr
        return
    with ExitStack() as opened:
        try:
            # Two handles: a terminal cannot be read and written through one of Python's.
            reader = opened.enter_context(open("/dev/tty", encoding="utf-8", errors="replace"))  # noqa: PTH123
            writer = opened.enter_context(open("/dev/tty", "w", encoding="utf-8", errors="replace"))  # noqa: PTH123
        except OSError:
            yield None
            return
        yield reader, writer
