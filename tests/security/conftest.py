from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.security.guarded import House, serve
from tests.security.real_hub import RealHub, real_hub


@pytest.fixture
def root() -> Iterator[Path]:
    """A short path: socket names have room for about a hundred bytes."""
    with TemporaryDirectory(prefix="cm-") as folder:
        yield Path(folder)


@pytest.fixture
async def house(root: Path) -> AsyncIterator[House]:
    async with serve(root) as served:
        yield served


@pytest.fixture
async def hub(root: Path) -> AsyncIterator[RealHub]:
    async with real_hub(root) as served:
        yield served
