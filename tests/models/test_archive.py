"""Archives are data: the right members give the file, and nothing else in them has any effect."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from clawmux.adapters.sources.archive import assemble
from clawmux.catalog import Form
from clawmux.download import SourceFailed
from tests.stand_ins.packages import tar_of, zip_of

PARTS = {"p/b.bin": b"world", "p/a.bin": b"hello "}
PACK = {".whl": zip_of, ".tgz": tar_of, ".tar.gz": tar_of}


def archive(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def assembled(path: Path, *members: str, form: Form = Form.CONCATENATED, limit: int = 100) -> bytes:
    target = io.BytesIO()
    assemble([(path, members)], form, limit, target)
    return target.getvalue()


@pytest.mark.parametrize("ending", PACK)
def test_members_in_the_order_asked_for(tmp_path: Path, ending: str) -> None:
    path = archive(tmp_path, f"x{ending}", PACK[ending](PARTS))
    assert assembled(path, "p/a.bin", "p/b.bin") == b"hello world"


def test_several_archives_make_one_file(tmp_path: Path) -> None:
    first = archive(tmp_path, "1.whl", zip_of({"a": b"hello "}))
    second = archive(tmp_path, "2.tgz", tar_of({"b": b"world"}))
    target = io.BytesIO()
    assemble([(first, ["a"]), (second, ["b"])], Form.CONCATENATED, 11, target)
    assert target.getvalue() == b"hello world"


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("escape", ["../../outside", "/etc/outside", "p/../../outside", "..\\outside", "C:\\outside"])
def test_path_traversal_is_refused(tmp_path: Path, ending: str, escape: str) -> None:
    folder = tmp_path / "deep" / "in"
    folder.mkdir(parents=True)
    path = archive(folder, f"x{ending}", PACK[ending]({**PARTS, escape: b"bad"}))
    with pytest.raises(SourceFailed, match="leads out of it"):
        assembled(path, "p/a.bin")
    assert [found.name for found in tmp_path.rglob("*") if found.is_file()] == [path.name]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_same_name_twice_is_refused(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as pack:
        pack.writestr("a", b"good")
        pack.writestr("a", b"other")
    with pytest.raises(SourceFailed, match="twice"):
        assembled(archive(tmp_path, "x.whl", whole.getvalue()), "a")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tarball_are_refused(tmp_path: Path, kind: bytes) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as pack:
        info = tarfile.TarInfo("a")
        info.type = kind
        info.linkname = "/etc/hostname"
        pack.addfile(info)
    with pytest.raises(SourceFailed, match="not a plain file"):
        assembled(archive(tmp_path, "x.tgz", whole.getvalue()), "a")


def test_link_in_a_wheel_is_refused(tmp_path: Path) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as pack:
        info = zipfile.ZipInfo("a")
        info.external_attr = 0o120777 << 16
        pack.writestr(info, "/etc/hostname")
    with pytest.raises(SourceFailed, match="not a plain file"):
        assembled(archive(tmp_path, "x.whl", whole.getvalue()), "a")


@pytest.mark.parametrize("ending", PACK)
def test_missing_member_is_named(tmp_path: Path, ending: str) -> None:
    path = archive(tmp_path, f"x{ending}", PACK[ending](PARTS))
    with pytest.raises(SourceFailed, match=r"has no p/c\.bin"):
        assembled(path, "p/a.bin", "p/c.bin")


@pytest.mark.parametrize("ending", PACK)
def test_more_than_the_file_is_never_written(tmp_path: Path, ending: str) -> None:
    path = archive(tmp_path, f"x{ending}", PACK[ending]({"bomb": bytes(50_000_000)}))
    assert path.stat().st_size < 100_000
    target = io.BytesIO()
    with pytest.raises(SourceFailed, match="larger than the file"):
        assemble([(path, ["bomb"])], Form.CONCATENATED, 1_000_000, target)
    assert len(target.getvalue()) <= 1_000_000


def test_tar_header_of_gigabytes_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type = tarfile.XHDTYPE
    header.size = 1 << 30
    path = archive(tmp_path, "x.tgz", gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(10_240)))
    with pytest.raises(SourceFailed, match=r"cannot be read \(a header of 1073741824 bytes"):
        assembled(path, "a")


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("damage", [b"", b"no archive at all", None])
def test_broken_archive_is_named(tmp_path: Path, ending: str, damage: bytes | None) -> None:
    whole = PACK[ending]({"a": bytes(range(256)) * 1000})
    path = archive(tmp_path, f"x{ending}", whole[: len(whole) // 2] if damage is None else damage)
    with pytest.raises(SourceFailed, match=rf"x{ending} cannot be read"):
        assembled(path, "a")


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_damage_in_the_middle_is_an_answer_or_other_bytes(tmp_path: Path, ending: str, place: float) -> None:
    """Never a traceback; where the format has no checksum on the way, the SHA-256 of the whole refuses it."""
    content = b"".join(random.Random(2).randbytes(8) * 4 for _ in range(10_000))
    whole = bytearray(PACK[ending]({"a": content}))
    whole[int(len(whole) * place)] ^= 0xFF
    try:
        assert assembled(archive(tmp_path, f"x{ending}", bytes(whole)), "a", limit=len(content)) != content
    except SourceFailed as failure:
        assert f"x{ending} cannot be read" in failure.reason or "larger" in failure.reason


def test_voices_have_the_same_bytes_under_every_python(tmp_path: Path) -> None:
    """The catalogue knows the file by its SHA-256; Python 3.11.2's zipfile, Debian 12's, writes other headers."""
    path = archive(tmp_path, "x.tgz", tar_of({"v/af_a.bin": bytes(522_240), "v/bm_b.bin": b"\1" * 522_240}))
    whole = assembled(path, "v/af_a.bin", "v/bm_b.bin", form=Form.VOICES, limit=2_000_000)
    assert hashlib.sha256(whole).hexdigest() == "c6b822b9e10fcd59280e8a13b1dfd7b78edf19b32bd2fea4223078f182e259e7"
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["af_a.npy", "bm_b.npy"]


@pytest.mark.skipif(sys.version_info < (3, 11, 4), reason="before 3.11.4 zipfile, and so numpy, wrote other headers")
def test_voices_are_what_numpy_writes(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    tables = {name: numpy.random.default_rng(7).random((510, 1, 256), dtype=numpy.float32) for name in ("af_a", "bm_b")}
    path = archive(tmp_path, "x.tgz", tar_of({f"v/{name}.bin": table.tobytes() for name, table in tables.items()}))
    expected = io.BytesIO()
    numpy.savez(expected, **tables)
    assert assembled(path, "v/af_a.bin", "v/bm_b.bin", form=Form.VOICES, limit=2_000_000) == expected.getvalue()


@pytest.mark.parametrize("size", [0, 522_239, 522_241])
def test_voice_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    path = archive(tmp_path, "x.tgz", tar_of({"v/af_a.bin": bytes(size)}))
    with pytest.raises(SourceFailed, match=r"v/af_a\.bin is no voice"):
        assembled(path, "v/af_a.bin", form=Form.VOICES, limit=2_000_000)
