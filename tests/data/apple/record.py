"""Records what our adapters call of two packages that cannot be run here, from their unpacked wheels. Run by hand:

pip download --no-deps --only-binary :all: --platform macosx_14_0_arm64 --python-version 3.12 pywhispercpp mlx-audio
unzip both into FOLDER; python tests/data/apple/record.py FOLDER > tests/data/apple/interfaces.json
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

# Package -> file inside its wheel -> classes, and the methods of each that are called; "" is the class's own fields.
WANTED: dict[str, dict[str, dict[str, list[str]]]] = {
    "pywhispercpp": {
        "pywhispercpp/model.pyi": {"Model": ["__init__"], "ContextParams": [""]},
        # The stubs leave out one argument of transcribe; its settings are those of __init__.
        "pywhispercpp/model.py": {"Model": ["transcribe", "available_languages"], "Segment": ["__init__"]},
    },
    "mlx_audio": {
        "mlx_audio/tts/models/kokoro/kokoro.py": {"Model": ["__init__", "__call__", "sanitize"], "ModelConfig": [""]},
        "mlx_audio/tts/models/base.py": {"BaseModelArgs": ["from_dict"]},
    },
}


def main(folder: Path) -> None:
    found: dict[str, Any] = {}
    for package, files in WANTED.items():
        info = next(folder.glob(f"{package}-*.dist-info"))
        found[package] = {"version": info.name.removeprefix(f"{package}-").removesuffix(".dist-info")}
        for file, classes in files.items():
            tree = ast.parse((folder / file).read_text(encoding="utf-8"))
            for name, methods in classes.items():
                [definition] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
                for method in methods:
                    recorded = _method(definition, method) if method else _fields(definition)
                    found[package][f"{name}.{method}".rstrip(".")] = recorded
    json.dump(found, sys.stdout, indent=1)
    sys.stdout.write("\n")


def _fields(definition: ast.ClassDef) -> list[str]:
    return [node.target.id for node in definition.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]


def _method(definition: ast.ClassDef, name: str) -> dict[str, Any]:
    [function] = [node for node in definition.body if isinstance(node, ast.FunctionDef) and node.name == name]
    arguments = function.args
    optional = len(arguments.args) - len(arguments.defaults)
    return {
        "required": [argument.arg for argument in arguments.args[:optional] if argument.arg not in ("self", "cls")],
        "optional": [argument.arg for argument in arguments.args[optional:]],
        "by_name": [argument.arg for argument in arguments.kwonlyargs],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
