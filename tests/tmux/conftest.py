"""A private tmux server for one test, ended with everything in it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from clawmux.adapters.tmux import Tmux


@pytest.fixture
def socket() -> Iterator[Path]:
    """In a folder with a short path: a socket's path holds some hundred bytes, and pytest's folders are deep."""
    folder = Path(tempfile.mkdtemp(prefix="cmux-"))
    yield folder / "tmux.sock"
    subprocess.run(["tmux", "-S", folder / "tmux.sock", "kill-server"], capture_output=True, check=False, timeout=5)
    shutil.rmtree(folder)


@pytest.fixture
async def tmux(socket: Path) -> AsyncIterator[Tmux]:
    async with Tmux(socket) as adapter:
        yield adapter
