"""The catalogue as data: nothing in it may lead a pull astray."""

from __future__ import annotations

import re

import pytest

from clawmux.catalog import MODELS, SETS, VOICES, Form, ModelFile, Package, PackedSource, Registry, WebSource

FILES = [(model.name, file) for model in MODELS.values() for file in model.files]
PACKAGES = [
    package for _, file in FILES for source in file.sources if isinstance(source, PackedSource) for package in source.packages
]


@pytest.mark.parametrize(("model", "file"), FILES, ids=[f"{model}/{file.name}" for model, file in FILES])
def test_every_file_is_pinned(model: str, file: ModelFile) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
    assert file.size > 0
    assert re.fullmatch(r"[a-z0-9._-]+", file.name), "a plain file name"
    assert isinstance(file.sources[0], WebSource), "the official host comes first"
    for source in file.sources:
        if isinstance(source, WebSource):
            assert re.search(r"^https://.*(/resolve/[0-9a-f]{40}/|/model-files-v1\.0/)", source.url), (
                "an address that cannot move"
            )


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.archive)
def test_every_package_is_pinned(package: Package) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", package.sha256)
    assert package.size > 0
    assert package.members


def test_one_content_has_one_size() -> None:
    sizes: dict[str, set[int]] = {}
    for _, file in FILES:
        sizes.setdefault(file.sha256, set()).add(file.size)
    assert all(len(found) == 1 for found in sizes.values())


def test_names_are_the_keys_and_sets_name_models() -> None:
    assert all(name == model.name for name, model in MODELS.items())
    assert set(SETS) == {"tiny", "low", "medium", "high"}
    assert {name for members in SETS.values() for name in members} <= set(MODELS)
    assert not set(SETS) & set(MODELS), "a word is a set or a model, never both"


def test_tiny_set_needs_only_the_registries() -> None:
    for name in SETS["tiny"]:
        for file in MODELS[name].files:
            assert any(isinstance(source, PackedSource) for source in file.sources), (name, file.name)


def test_voices_are_the_54_in_order() -> None:
    assert len(VOICES) == len(set(VOICES)) == 54
    assert list(VOICES) == sorted(VOICES), "numpy.savez is given them sorted"
    sources = [source for source in MODELS["voices"].files[0].sources if isinstance(source, PackedSource)]
    assert [source.packages[0].registry for source in sources] == [Registry.NPM, Registry.SDIST]
    assert all(source.form is Form.VOICES for source in sources)


def test_kokoro_shards_are_in_order() -> None:
    source = MODELS["kokoro"].files[0].sources[1]
    assert isinstance(source, PackedSource)
    members = [member for package in source.packages for member in package.members]
    assert members == [f"package/kokoro-fp32.part{number}.bin" for number in range(19)]


@pytest.mark.parametrize(
    ("registry", "archive"),
    [
        (Registry.WHEEL, "a_b-1.0-py3-none-any.whl"),
        (Registry.SDIST, "a-b-1.0.tar.gz"),
        (Registry.NPM, "a-b-1.0.tgz"),
    ],
)
def test_archive_names(registry: Registry, archive: str) -> None:
    assert Package(registry, "a-b", "1.0", 1, "", ()).archive == archive
