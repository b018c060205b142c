"""The page of licences says where the GPL is, and the hub set has none of it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    spec = importlib.util.spec_from_file_location("clawmux_licences", ROOT / "build" / "licences.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_hub_set_is_free_of_the_gpl(licences: ModuleType) -> None:
    hub = [name for name, sets in licences.packages().items() if "hub" in sets]
    assert "aiohttp" in hub and "mcp" in hub
    assert [name for name in hub if "GPL" in licences.licence_of(name) or name in licences.GPL] == []


def test_every_gpl_licence_is_named_as_such(licences: ModuleType) -> None:
    found = licences.packages()
    assert {name for name in found if "GPL" in licences.licence_of(name)} <= set(licences.GPL) <= set(found)
    assert all(found[name] == ["cpu", "apple"] for name in licences.GPL)


def test_the_page_names_gpl_parts_and_their_sets(licences: ModuleType) -> None:
    told = licences.page()
    for words in ("libx264 and libx265", "espeak-ng", "phonemizer: ", "In: cpu, apple", "Free of them: `hub`"):
        assert words in told, words


def test_a_package_without_a_known_licence_stops_the_page(licences: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"no-such-package .* KNOWN in build/licences\.py"):
        licences.licence_of("no-such-package")
    assert sys.modules.get("licences") is None
