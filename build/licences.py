"""Writes docs/licences.md: what an installation brings along and under which licence, read from the installed packages.

Needs an environment made from build/requirements/test.txt. ``--check`` only compares.
Versions are left out: they stand in the locks and differ between Pythons.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
# Set -> what it is for. A package is listed in the first set that has it.
SETS = {"hub": "the hub", "cpu": "speech on this machine", "mcp": "the MCP server"}

# Classifiers say it in words, some packages only there.
WORDS = {
    "MIT License": "MIT",
    "BSD License": "BSD",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "Python Software Foundation License": "PSF-2.0",
}
# What the metadata do not say about what lies inside the wheels.
REMARKS = {
    "espeakng-loader": "carries espeak-ng, GPL-3.0-or-later",
    "phonemizer": "GPL: installed on your machine from PyPI, never part of our own files",
    "av": "carries FFmpeg with libx264 and libx265, GPL-2.0-or-later",
}
# Wheels without any licence field, with what their repositories say.
KNOWN = {"espeakng-loader": "MIT", "kokoro-onnx": "MIT"}

HEAD = """\
# Licences of what is installed along

ClawMux itself is MIT (LICENSE). `install.sh` installs the packages below from the Python registry into an environment on
your machine; none of them is part of this repository. The hub set alone is free of the GPL.
Speech models: Whisper (OpenAI) MIT, Kokoro 82M Apache-2.0, Silero VAD MIT.

| package | needed for | licence | remark |
|---|---|---|---|
"""


def page() -> str:
    return HEAD + "".join(
        f"| {name} | {SETS[kind]} | {licence_of(name)} | {REMARKS.get(name, '')} |\n" for name, kind in packages()
    )


def packages() -> list[tuple[str, str]]:
    """Each package of the locks that this platform installs, with its set."""
    found: dict[str, str] = {}
    for kind in SETS:
        text = (ROOT / "build" / "requirements" / f"{kind}.txt").read_text(encoding="utf-8")
        for line in re.findall(r"^([a-z0-9][^\\\n]*)\\?$", text, re.MULTILINE):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate():
                found.setdefault(requirement.name, kind)
    return sorted(found.items())


def licence_of(name: str) -> str:
    try:
        facts: PackageMetadata = metadata(name)
    except PackageNotFoundError:
        raise SystemExit(f"{name} is not installed; use an environment made from build/requirements/test.txt") from None
    classifiers = [line.rpartition(" :: ")[2] for line in facts.get_all("Classifier") or [] if line.startswith("License :: ")]
    field = (facts.get("License") or "").strip()
    said = facts.get("License-Expression") or (field if 0 < len(field) < 40 else "")
    said = (
        said or " AND ".join(WORDS.get(words, words) for words in classifiers if words != "OSI Approved") or KNOWN.get(name, "")
    )
    if not said:
        raise SystemExit(f"{name} names no licence; look it up and add it to KNOWN in build/licences.py")
    return said


def main(argv: list[str]) -> int:
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    if "--check" in argv:
        print("docs/licences.md is out of date; run: python3 build/licences.py", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
