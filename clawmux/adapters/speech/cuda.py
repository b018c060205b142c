"""NVIDIA's cuBLAS for the recogniser, from the folder beside the versions where the installer has put it.

CTranslate2 opens ``libcublas.so.12`` by its name at the first use of a card. Once the library is loaded under that name by
anybody in the process, the loader gives it that one: no LD_LIBRARY_PATH is needed.
"""

from __future__ import annotations

import ctypes
import logging
from pathlib import Path

from clawmux import paths

log = logging.getLogger("clawmux.speech")

# In this order: the second needs the first. The name of the CUDA version is part of both.
LIBRARIES = ("libcublasLt.so.12", "libcublas.so.12")


def folders(program: Path | None = None) -> list[Path]:
    """Where the libraries may lie, the newest first; none where the system's own are to serve."""
    whole = [mark.parent for mark in ((program or _program()) / "cuda").glob("*/.complete")]
    found = [file.parent for overlay in whole for file in overlay.rglob(LIBRARIES[1])]
    return sorted(found, key=lambda folder: folder.stat().st_mtime, reverse=True)


def preload(program: Path | None = None) -> Path | None:
    """Load them for all that follows; the folder they came from. Quiet where there are none: the system may have them."""
    for folder in folders(program):
        try:
            for name in LIBRARIES:
                ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            log.warning("%s cannot be loaded: %s", folder, error)
        else:
            return folder
    return None


def _program() -> Path:
    """The folder that holds ``versions``; with an installation elsewhere (--prefix) it is not the data folder."""
    for above in Path(__file__).resolve().parents:
        if above.name == "versions":
            return above.parent
    return paths.locate().data
