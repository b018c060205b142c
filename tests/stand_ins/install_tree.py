"""install.sh with a stand-in for the Python side: what it was handed comes back as JSON. For tests of the script alone."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCRIPT = (ROOT / "install.sh").read_text(encoding="utf-8")
ARCHIVE = "clawmux-0.1.0.tar.gz"

STAND_IN = """\
import json, os, sys

def main(argv):
    if "--fail" in argv:
        return 9
    known = {name: value for name, value in os.environ.items() if name.startswith("CLAWMUX_")}
    print(json.dumps({"arguments": argv, "python": sys.executable, "source": sys.path[0], "environ": known,
                      "typed": "" if sys.stdin.isatty() else sys.stdin.read()}))
    return 0
"""


def lay(folder: Path, script: str = SCRIPT) -> Path:
    """What install.sh takes for a checkout. The script's path comes back."""
    for name, text in {
        "installer/__init__.py": "",
        "installer/__main__.py": STAND_IN,
        "clawmux/__init__.py": '__version__ = "0.1.0"\n',
        "install.sh": script,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "install.sh"


def pack(folder: Path) -> Path:
    """The same as a source archive, as build/release.py lays it out."""
    lay(folder / "clawmux-0.1.0")
    with tarfile.open(folder / ARCHIVE, "w:gz") as tar:
        tar.add(folder / "clawmux-0.1.0", "clawmux-0.1.0")
    return folder / ARCHIVE


def sum_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def stamped(url: str, digest: str) -> str:
    """The script as build/release.py leaves it."""
    script = SCRIPT.replace("\nrelease_url=''\n", f"\nrelease_url='{url}'\n")
    return script.replace("\nrelease_sha256=''\n", f"\nrelease_sha256='{digest}'\n")


def pinned(digest: str, version: str, script: str = SCRIPT) -> str:
    """The script with another Python in its table, for every platform."""
    script = re.sub(r"\bsum=[0-9a-f]{64}", f"sum={digest}", script)
    return re.sub(r"(?m)^python_version=.*$", f"python_version={version}", script)


@dataclass(slots=True)
class Ran:
    code: int
    out: str
    said: str

    @property
    def handed(self) -> dict[str, Any]:
        """What the Python side was handed. Fails when it was not reached."""
        assert self.out, self.said
        return dict(json.loads(self.out))


@dataclass(slots=True)
class Machine:
    """A home of its own and a PATH that may be poor."""

    home: Path
    shell: list[str] = field(default_factory=lambda: ["sh"])
    path: str = "/usr/local/bin:/usr/bin:/bin"
    environ: dict[str, str] = field(default_factory=dict)

    def install(self, script: Path, *arguments: str, **more: str) -> Ran:
        return self.run([*self.shell, str(script), *arguments], **more)

    def pipe(self, script: str, *arguments: str, **more: str) -> Ran:
        """As after ``curl ... |``: the script is the shell's standard input."""
        return self.run([*self.shell, "-s", *(["--", *arguments] if arguments else [])], script, **more)

    def run(self, command: list[str], stdin: str = "", **more: str) -> Ran:
        # Without a terminal, as the tests are everywhere: nobody could answer on it.
        done = subprocess.run(
            command,
            input=stdin,
            cwd=self.home,
            env={**self.whole_environ(), **more},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            start_new_session=True,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def whole_environ(self) -> dict[str, str]:
        return {"HOME": str(self.home), "PATH": self.path, "TMPDIR": self._temporary(), **self.environ}

    def _temporary(self) -> str:
        folder = self.home.parent / "temporary"
        folder.mkdir(exist_ok=True)
        return str(folder)

    @property
    def program(self) -> Path:
        return self.home / ".local" / "share" / "clawmux"

    def files(self) -> list[str]:
        """All there is in the home and the temporary folder."""
        folders = (self.home, Path(self._temporary()))
        return sorted(str(path.relative_to(folder)) for folder in folders for path in folder.rglob("*"))


def tools(folder: Path, *names: str) -> str:
    """A PATH with these programs alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        for directory in ("/usr/bin", "/bin", "/usr/sbin"):
            if (program := Path(directory) / name).exists():
                # Wrapped: busybox and others look at their own name.
                (folder / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n', encoding="utf-8")
                (folder / name).chmod(0o755)
                break
    return str(folder)


def python_named(folder: Path, name: str, program: str) -> None:
    """A shim: a name on PATH that runs another interpreter."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n', encoding="utf-8")
    (folder / name).chmod(0o755)


NEEDED = (
    "sh",
    "cat",
    "dirname",
    "grep",
    "gzip",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
    "rmdir",
    "sed",
    "sleep",
    "tail",
    "tar",
    "tr",
    "uname",
    "wc",
)
