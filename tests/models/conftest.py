"""A loopback host of files, and the world without this machine's own proxy and registry settings."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.stand_ins.file_host import FileHost


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileHost]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name == "HF_ENDPOINT":
            monkeypatch.delenv(name)
    with FileHost() as served:
        yield served
