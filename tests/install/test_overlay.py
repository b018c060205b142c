"""NVIDIA's libraries beside the versions: from a lock with hashes, whole or not at all, found by the recogniser's loader."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from clawmux.adapters.speech import cuda
from clawmux.wire.errors import ClawMuxError
from installer import overlay
from installer import place as places
from tests.install.machine import Machine
from tests.stand_ins.packages import zip_of

WHEEL = "nvidia_cublas_cu12-12.4.5.8-py3-none-any.whl"
INFO = "nvidia_cublas_cu12-12.4.5.8.dist-info"
CONTENT = {
    "nvidia/cublas/lib/libcublas.so.12": b"not really",
    f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: nvidia-cublas-cu12\nVersion: 12.4.5.8\n",
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{INFO}/RECORD": b"",
}


@pytest.fixture
def wheels(tiny: Machine, short: Path) -> Path:
    folder = short / "wheels"
    folder.mkdir()
    (folder / WHEEL).write_bytes(zip_of(CONTENT))
    digest = hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()
    lock = tiny.checkout / "build/requirements/nvidia.txt"
    lock.write_text(f"--only-binary :all:\n\nnvidia-cublas-cu12==12.4.5.8 \\\n    --hash=sha256:{digest}\n", encoding="utf-8")
    return folder


def test_they_are_put_where_the_loader_looks(tiny: Machine, wheels: Path) -> None:
    place = places.find(tiny.checkout, {"HOME": str(tiny.home)})
    name = overlay.name_of(place, "nvidia")
    overlay.make(place, name, wheels)
    assert overlay.is_whole(place.cuda / name) and [path.name for path in place.cuda.iterdir()] == [name]
    assert cuda.folders(place.program) == [place.cuda / name / "nvidia/cublas/lib"]
    # A new lock lies beside the old one.
    (tiny.checkout / "build/requirements/nvidia.txt").write_text("other\n", encoding="utf-8")
    assert overlay.name_of(place, "nvidia") != name


def test_another_content_is_refused_and_leaves_nothing(tiny: Machine, wheels: Path) -> None:
    place = places.find(tiny.checkout, {"HOME": str(tiny.home)})
    (wheels / WHEEL).write_bytes(zip_of({**CONTENT, "nvidia/extra": b"bad"}))
    with pytest.raises(ClawMuxError, match="could not be installed"):
        overlay.make(place, overlay.name_of(place, "nvidia"), wheels)
    assert list(place.cuda.iterdir()) == [] and cuda.folders(place.program) == []
