"""Writes docs/licences.md: what each set of packages brings along and under which licence, read from the installed packages.

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
_LINUX = {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"}
_APPLE = {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"}
_PYTHON = {
    "python_version": "3.12",
    "python_full_version": "3.12.0",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
}
# Lock -> the machine for which it is listed; the page is the same wherever it is written.
SETS = {
    "hub": _LINUX | _PYTHON,
    "cpu": _LINUX | _PYTHON,
    "apple": _APPLE | _PYTHON,
    "nvidia": _LINUX | _PYTHON,
    "nvidia-blackwell": _LINUX | _PYTHON,
}

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
# Under the GPL themselves, or with such parts inside, which their metadata do not say.
GPL = {
    "av": "carries FFmpeg with libx264 and libx265, GPL-2.0-or-later",
    "espeakng-loader": "carries espeak-ng, GPL-3.0-or-later",
    "phonemizer": "is GPL itself; Kokoro spells words with it",
}
# Wheels without any licence field, and those that this machine does not install, with what their authors say.
KNOWN = {
    "annotated-doc": "MIT",
    "certifi": "MPL-2.0",
    "charset-normalizer": "MIT",
    "espeakng-loader": "MIT",
    "jinja2": "BSD-3-Clause",
    "kokoro-onnx": "MIT",
    "markupsafe": "BSD-3-Clause",
    "miniaudio": "MIT",
    "mlx": "MIT",
    "mlx-audio": "MIT",
    "mlx-metal": "MIT",
    "nvidia-cublas-cu12": "NVIDIA's licence for CUDA",
    "nvidia-cuda-nvrtc-cu12": "NVIDIA's licence for CUDA",
    "platformdirs": "MIT",
    "pywhispercpp": "MIT",
    "regex": "Apache-2.0 AND CNRI-Python",
    "requests": "Apache-2.0",
    "safetensors": "Apache-2.0",
    "scipy": "BSD-3-Clause, with GCC's Fortran library under its runtime exception",
    "sentencepiece": "Apache-2.0",
    "shellingham": "ISC",
    "sounddevice": "MIT",
    "transformers": "Apache-2.0",
    "typer": "MIT",
    "urllib3": "MIT",
}

HEAD = """\
# Licences of what is installed along

ClawMux itself is MIT (LICENSE). `install.sh` fetches the packages below from the Python registry and puts them into one
file on your machine; a release of ours carries none of them. The set `hub` runs no
speech engine, `cpu` does, `apple` adds the engines for Apple Silicon; `nvidia` and `nvidia-blackwell` lie beside `cpu`.
Speech models: Whisper (OpenAI) MIT, Kokoro 82M Apache-2.0, Silero VAD MIT.

## Parts under the GPL

Who passes on a file with these inside (the finished `clawmux.pyz`, or a folder made by `build/bundle.py`) passes on GPL
software. {free}

{parts}
## Every package

| package | sets | licence |
|---|---|---|
"""


def page() -> str:
    found = packages()
    with_gpl = {name for gpl in GPL for name in found.get(gpl, ())}
    free = ", ".join(f"`{name}`" for name in SETS if name not in with_gpl)
    parts = "".join(f"- {name}: {GPL[name]}. In: {', '.join(found[name])}.\n" for name in GPL if name in found)
    rows = "".join(f"| {name} | {', '.join(sets)} | {licence_of(name)} |\n" for name, sets in found.items())
    return HEAD.format(free=f"Free of them: {free}.", parts=parts) + rows


def packages() -> dict[str, list[str]]:
    """Each package of the locks that the set's machine installs, with its sets."""
    found: dict[str, list[str]] = {}
    for kind, machine in SETS.items():
        text = (ROOT / "build" / "requirements" / f"{kind}.txt").read_text(encoding="utf-8")
        for line in re.findall(r"^([a-z0-9][^\\\n]*)\\?$", text, re.MULTILINE):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate(dict(machine)):
                found.setdefault(requirement.name, []).append(kind)
    return dict(sorted(found.items()))


def licence_of(name: str) -> str:
    try:
        facts: PackageMetadata = metadata(name)
    except PackageNotFoundError:
        if name in KNOWN:
            return KNOWN[name]
        raise SystemExit(
            f"{name} is not installed; use an environment made from build/requirements/test.txt, "
            "or for a package of other machines look its licence up and add it to KNOWN in build/licences.py"
        ) from None
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
