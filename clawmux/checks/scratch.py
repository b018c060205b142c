"""A private folder for a moment, and the end of what was started in it: also when the doctor is interrupted."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def scratch() -> Iterator[tuple[Path, Callable[[Callable[[], object]], object]]]:
    """The folder, and a function that takes what is to be called before it goes.

    Checks run in threads that nobody waits for after Ctrl-C; then it is the interpreter's end that tidies up.
    """
    # A short name: a socket's path holds some hundred bytes.
    folder = Path(tempfile.mkdtemp(prefix="clawmux-"))
    stack = ExitStack()
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(stack.close)
    try:
        yield folder, stack.callback
    finally:
        stack.close()
        atexit.unregister(stack.close)
