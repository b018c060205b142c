"""A short private folder for each test, because socket paths must stay below 104 bytes; and a machine in it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.machine import Machine
from tests.stand_ins import small_checkout


@pytest.fixture
def short() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cmx"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def tiny(short: Path) -> Machine:
    """Nothing installed yet; its checkout makes a program that only says its version."""
    (short / "home").mkdir()
    return Machine(short / "home", small_checkout.tiny(short / "checkout"))
