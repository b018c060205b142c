"""The interpreter of these tests as an archive that can be unpacked anywhere, in place of one from python-build-standalone."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# Big, and nothing an installation imports.
LEFT_OUT = {"test", "idlelib", "lib2to3", "pydoc_data", "site-packages", "dist-packages", "__pycache__", "tkinter", "turtledemo"}
VERSION = platform.python_version()


def archive() -> Path:
    """The archive, made once for each interpreter and kept where the tests keep such things."""
    cache = Path(os.environ.get("CLAWMUX_TEST_CACHE") or tempfile.gettempdir())
    mark = hashlib.sha256(f"2 {sys.version} {sys.base_prefix}".encode()).hexdigest()[:8]
    file = cache / f"clawmux-portable-{mark}" / f"cpython-{VERSION}-portable.tar.gz"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        _write(draft)
        draft.replace(file)
    return file


def shim(program: str) -> bytes:
    """An archive of the same form with a mere script that runs a Python elsewhere: quick to unpack."""
    packed = io.BytesIO()
    script = f'#!/bin/sh\nexec {program} "$@"\n'.encode()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        entry = tarfile.TarInfo("python/bin/python3")
        entry.size, entry.mode = len(script), 0o755
        tar.addfile(entry, io.BytesIO(script))
    return packed.getvalue()


def _write(file: Path) -> None:
    base = Path(sys.base_prefix)
    short = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    with tarfile.open(file, "w:gz", compresslevel=1) as tar:
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / short
            program.write_bytes(_relative(((base / "bin" / short).resolve()).read_bytes(), base))
            program.chmod(0o755)
            tar.add(program, f"python/bin/{short}")
            for library in (base / "lib").glob(f"lib{short}*.so*"):
                tar.add(_slim(library, Path(folder)), f"python/lib/{library.name}")
        link = tarfile.TarInfo("python/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, short
        tar.addfile(link)
        tar.add(base / "lib" / short, f"python/lib/{short}", filter=_wanted)


def _slim(library: Path, folder: Path) -> Path:
    """Without its symbols, where the tool for that is there: a debug build has ten times its size."""
    copy = folder / library.name
    if library.is_symlink() or not shutil.which("strip"):
        return library
    subprocess.run(["strip", "-o", copy, library], check=True)
    return copy


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = member.name.split("/")
    unwanted = not LEFT_OUT.isdisjoint(parts) or any(part.startswith("config-") for part in parts)
    return None if unwanted else member


def _relative(program: bytes, base: Path) -> bytes:
    """The run path in the program's string table, if it has one, changed in place: shorter, the rest filled with NULs."""
    path = bytes(base / "lib") + b"\0"
    return program.replace(path, b"$ORIGIN/../lib".ljust(len(path), b"\0")) if len(path) > len(b"$ORIGIN/../lib") else program
