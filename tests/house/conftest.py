"""A copy of the checkout for tests that install from it: the others' work beside it must not move under an installation."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TREES = ("clawmux", "static", "installer", "build/requirements")
FILES = ("install.sh", "build/launcher.sh", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone holds, as far as an installation reads it."""
    folder = tmp_path_factory.mktemp("checkout")
    for tree in TREES:
        shutil.copytree(ROOT / tree, folder / tree, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copyfile(ROOT / file, folder / file)
    return folder
