"""The page of licences says where the GPL is, and the hub set has none of it."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.build.conftest import load


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    return load("licences")


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
