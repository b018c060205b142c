"""Makes the files of a release: the source archive, install.sh and install.ps1 that name it, and their checksums.

    python build/release.py --base-url https://example.org/clawmux/0.1.0 --output dist

The same checkout gives the same bytes. What goes into the archive is what git tracks, without the tests.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# As in build/zipapp.py.
EPOCH = int(datetime(1980, 1, 1, tzinfo=UTC).timestamp())
# Two thirds of the archive, and an installation reads none of it. Hidden files are left out too.
LEFT_OUT = ("tests",)
# What may stand between the quotes of a shell script as it is.
URL = re.compile(r"https?://[A-Za-z0-9._~:/%+\[\]-]+")
# File -> the lines in it that are empty in a checkout: the whole line, and what it becomes.
STAMPS = {
    "install.sh": {"release_url=''": "release_url='{url}'", "release_sha256=''": "release_sha256='{sha256}'"},
    "install.ps1": {
        "    $ReleaseUrl = ''": "    $ReleaseUrl = '{url}'",
        "    $ReleaseSha256 = ''": "    $ReleaseSha256 = '{sha256}'",
    },
}


class Failed(Exception):
    """Says what could not be done."""


def make(base_url: str, output: Path, checkout: Path = ROOT) -> list[Path]:
    """Write the files of a release into ``output``; returns them."""
    if not URL.fullmatch(base_url):
        raise Failed(f"--base-url: {base_url!r} is not an address such as https://example.org/clawmux/0.1.0.")
    output.mkdir(parents=True, exist_ok=True)
    archive = source_archive(checkout, output)
    values = {"url": f"{base_url.rstrip('/')}/{archive.name}", "sha256": sha256_of(archive)}
    made = [archive]
    for name, lines in STAMPS.items():
        text = (checkout / name).read_text(encoding="utf-8")
        for before, after in lines.items():
            if text.splitlines().count(before) != 1:
                raise Failed(f"{name} must have the line {before} once.")
            text = text.replace(f"\n{before}\n", f"\n{after.format(**values)}\n")
        (output / name).write_text(text, encoding="utf-8", newline="")
        (output / name).chmod(0o755)
        made.append(output / name)
    return [*made, write_sums(output, made)]


def source_archive(checkout: Path, folder: Path) -> Path:
    """clawmux-<version>.tar.gz, with everything in one folder of that name."""
    name = f"clawmux-{version_of(checkout)}"
    target = folder / f"{name}.tar.gz"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in tracked(checkout):
            content = (checkout / path).read_bytes()
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(content)
            entry.mtime = int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH))
            entry.mode = 0o755 if (checkout / path).stat().st_mode & 0o100 else 0o644
            archive.addfile(entry, io.BytesIO(content))
    # No name and no time in the head of the gzip file.
    target.write_bytes(gzip.compress(packed.getvalue(), mtime=0))
    return target


def tracked(checkout: Path) -> list[str]:
    """What git tracks, as it lies here; in an unpacked archive, which has no git, everything that is not hidden."""
    inside = subprocess.run(
        ["git", "ls-files", "--cached", "-z"], cwd=checkout, capture_output=True, text=True, timeout=60, check=False
    )
    top = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"], cwd=checkout, capture_output=True, text=True, timeout=60, check=False
    )
    if top.returncode == 0 and Path(top.stdout.strip()).resolve() == checkout.resolve():
        names: Iterable[str] = filter(None, inside.stdout.split("\0"))
    else:
        names = (path.relative_to(checkout).as_posix() for path in checkout.rglob("*"))
    parts = {name: name.split("/") for name in names if (checkout / name).is_file() and not name.endswith(".pyc")}
    return sorted(name for name, words in parts.items() if words[0] not in LEFT_OUT and not any(w.startswith(".") for w in words))


def version_of(checkout: Path) -> str:
    [found] = re.findall(r'^__version__ = "([^"]+)"$', (checkout / "clawmux/__init__.py").read_text(encoding="utf-8"), re.M)
    return str(found)


def write_sums(folder: Path, files: Iterable[Path]) -> Path:
    """SHA256SUMS as ``sha256sum -c`` reads it; in one step, for a folder with half of it must not look whole."""
    lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in sorted(files)]
    draft = folder / "SHA256SUMS.tmp"
    draft.write_text("".join(lines), encoding="utf-8")
    return draft.rename(folder / "SHA256SUMS")


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="build/release.py", description="Make the files of a release.")
    parser.add_argument("--base-url", required=True, metavar="URL", help="the folder on the web that will hold them")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where to write them")
    chosen = parser.parse_args(argv)
    try:
        for path in make(chosen.base_url, chosen.output):
            print(path)
    except Failed as failure:
        print(f"release: {failure}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
