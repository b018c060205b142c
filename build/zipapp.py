"""Makes the program as one file: a shiv zipapp of a locked set of packages and of this checkout, with prelude.sh in front.

    python build/zipapp.py --set cpu --output clawmux.pyz

Needs an environment made from build/requirements/bootstrap.txt. The same input gives the same bytes, wherever and whenever:
times, order and modes are set, and what pip notes about its own run is left out. The file fits the interpreter that makes
it (its minor version) and this kind of machine.
"""

from __future__ import annotations

import argparse
import errno
import fnmatch
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

# CUDA libraries lie beside the program, so NVIDIA's is the processor's.
LOCK_OF = {"hub": "hub.txt", "cpu": "cpu.txt", "nvidia": "cpu.txt", "apple": "apple.txt"}
# Earlier than anything, and the earliest that a zip file can hold.
EPOCH = int(datetime(1980, 1, 1, tzinfo=UTC).timestamp())
# What no start of ours reads: scripts with pip's interpreter in their first line, packages' tests, a second way to download.
LEFT_OUT = (
    *("bin/*", "docs/*", "example.py", "test/*"),
    *("joblib/test/*", "jsonschema/tests/*", "numpy/tests/*", "numpy/*/tests/*", "scipy/*/tests/*"),
    *("hf_xet/*", "hf_xet-*", "*.pyc"),
    # pip's notes about its own run; RECORD has the hashes of the scripts above.
    *("*.dist-info/RECORD", "*.dist-info/INSTALLER", "*.dist-info/REQUESTED", "*.dist-info/direct_url.json"),
)

Say = Callable[[str], None]


class Failed(Exception):
    """Says what could not be done; ``code`` is the exit code (docs/exit-codes.md)."""

    def __init__(self, text: str, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


def build(
    kind: str, output: Path, *, wheels: Path | None = None, python: Path | None = None, checkout: Path = ROOT, say: Say = print
) -> str:
    """Make ``output`` and return its SHA-256. ``wheels`` is a folder to take packages from instead of the registry."""
    interpreter = Path(python or sys.executable)
    version, platform = _ask(interpreter)
    output.parent.mkdir(parents=True, exist_ok=True)
    # Beside the output: the folder for temporary files may be too small for half a gigabyte.
    with tempfile.TemporaryDirectory(prefix=".zipapp-", dir=output.parent) as work:
        stage = Path(work) / "site-packages"
        say(f"fetching the packages of the set {kind}" if wheels is None else f"unpacking the packages of the set {kind}")
        _install(interpreter, checkout / "build" / "requirements" / LOCK_OF[kind], stage, Path(work), wheels)
        _leave_out(stage)
        _add_ourselves(checkout, stage, version)
        _set_modes(stage)
        identity = _digest(stage)
        draft = Path(work) / "draft.pyz"
        _pack(stage, draft, Path(work), identity, _prelude(checkout, version, platform, identity), say)
        draft.replace(output)
    sha256 = hashlib.sha256(output.read_bytes()).hexdigest()
    say(f"made {output.name}: {output.stat().st_size / 1e6:.1f} MB, sha256 {sha256}")
    return sha256


def package_files(checkout: Path) -> dict[str, Path]:
    """Path inside site-packages -> file: the same files that the wheel holds (pyproject.toml), and the licence."""
    package = {f"clawmux/{name}": path for name, path in _files(checkout / "clawmux")}
    static = {f"clawmux/static/{name}": path for name, path in _files(checkout / "static")}
    return package | static | {"clawmux/LICENSE": checkout / "LICENSE"}


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path.relative_to(folder).as_posix(), path


def _ask(interpreter: Path) -> tuple[str, str]:
    """Its minor version, and the machine as ``uname -sm`` tells it."""
    program = "import os, sys; print('%d.%d' % sys.version_info[:2]); print(os.uname().sysname, os.uname().machine)"
    try:
        told = subprocess.run([interpreter, "-I", "-c", program], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise Failed(f"the interpreter {interpreter} does not run: {error}.", 20) from None
    version, platform = told.stdout.splitlines()
    return version, platform


def _install(interpreter: Path, lock: Path, stage: Path, work: Path, wheels: Path | None) -> None:
    """The lock names every package with its hashes, so pip resolves nothing."""
    command = [sys.executable, "-I", "-m", "pip", "--python", str(interpreter), "install", "--disable-pip-version-check"]
    command += ["--no-input", "--no-compile", "--no-deps", "--require-hashes", "--target", str(stage), "-r", str(lock)]
    command += ["--root-user-action", "ignore", "--progress-bar", "off"]
    shows = sys.stderr.isatty()
    command += [] if shows else ["--quiet"]
    if wheels is not None:
        command += ["--no-index", "--find-links", str(wheels)]
    environment = {**os.environ, "TMPDIR": str(work), "PIP_USER": "0"}
    if wheels is not None:
        environment.pop("PIP_FIND_LINKS", None)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            if shows:
                _show_file(line.decode(errors="replace").strip())
    if shows:
        sys.stderr.write(_CLEARED)
    if pip.returncode:
        raise Failed("the packages could not be fetched; pip's own words are above.", 22)


_CLEARED = "\r\x1b[K"


def _show_file(line: str) -> None:
    """Of the hundreds of lines that pip writes the name and the size of the file that comes, one over the other."""
    if line.startswith("Downloading "):
        wheel, _, size = line.removeprefix("Downloading ").partition(" ")
        name = " ".join(wheel.split("-")[:2])
        sys.stderr.write(f"{_CLEARED}zipapp: {name} {size}\r")
        sys.stderr.flush()


def _leave_out(stage: Path) -> None:
    for path in sorted(stage.rglob("*"), reverse=True):
        name = path.relative_to(stage).as_posix()
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif any(fnmatch.fnmatchcase(name, pattern) for pattern in LEFT_OUT):
            path.unlink()


def _add_ourselves(checkout: Path, stage: Path, version: str) -> None:
    for name, source in package_files(checkout).items():
        target = stage / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    start = stage / "clawmux" / "cli" / "start.py"
    text = start.read_text(encoding="utf-8")
    assert text.count('\nMADE_FOR = ""\n') == 1
    start.write_text(text.replace('\nMADE_FOR = ""\n', f'\nMADE_FOR = "{version}"\n'), encoding="utf-8")


def _set_modes(stage: Path) -> None:
    """As everybody has them, whatever this user's umask is."""
    for path in stage.rglob("*"):
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)


def _digest(stage: Path) -> str:
    """Names the folder that shiv unpacks into."""
    digest = hashlib.sha256()
    for path in sorted(stage.rglob("*"), key=lambda path: path.relative_to(stage).as_posix()):
        if path.is_file():
            content = path.read_bytes()
            name = path.relative_to(stage).as_posix()
            digest.update(f"{name}\0{path.stat().st_mode:o}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _prelude(checkout: Path, version: str, platform: str, identity: str) -> bytes:
    text = (checkout / "build" / "prelude.sh").read_text(encoding="utf-8")
    for name, value in {"@PYTHON@": version, "@PLATFORM@": platform, "@BUILD@": identity}.items():
        text = text.replace(name, value)
    return text.encode()


def _pack(stage: Path, target: Path, work: Path, identity: str, prelude: bytes, say: Say) -> None:
    """shiv's own builder, with three of its functions replaced: what it offers on its command line leaves the files of
    its bootstrap in the order and with the modes of this disk, and puts one line of 128 bytes in front of the zip file."""
    from unittest.mock import patch

    from shiv import __version__, builder
    from shiv.bootstrap.environment import Environment
    from shiv.constants import BUILD_AT_TIMESTAMP_FORMAT

    time = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH)), UTC)
    environment = Environment(
        built_at=time.strftime(BUILD_AT_TIMESTAMP_FORMAT),
        shiv_version=__version__,
        build_id=identity,
        compile_pyc=False,
        entry_point="clawmux.cli.start:main",
        reproducible=True,
        root="~/.cache/clawmux",
    )
    bootstrap = _copy_bootstrap(work / "bootstrap")
    with patch.multiple(
        builder,
        write_file_prefix=lambda file, interpreter: file.write(prelude),
        iter_package_files=lambda package: ((path, path.name) for path in bootstrap),
        write_to_zipapp=_counting(builder.write_to_zipapp, sum(path.is_file() for path in stage.rglob("*")), say),
    ):
        builder.create_archive([stage], target, "", "_bootstrap:bootstrap", environment)
    target.chmod(0o755)


def _copy_bootstrap(folder: Path) -> list[Path]:
    spec = importlib.util.find_spec("shiv.bootstrap")
    assert spec is not None and spec.origin is not None
    folder.mkdir()
    for path in Path(spec.origin).parent.glob("*.py"):
        shutil.copyfile(path, folder / path.name)
        (folder / path.name).chmod(0o644)
    return sorted(folder.iterdir())


def _counting(write: Callable[..., None], files: int, say: Say) -> Callable[..., None]:
    """``write``, telling of every tenth of the files."""
    done = 0

    def counted(*arguments: Any, **options: Any) -> None:
        nonlocal done
        write(*arguments, **options)
        done += 1
        if done * 10 // files > (done - 1) * 10 // files:
            say(f"packing: {min(100, done * 100 // files)} %")

    return counted


def main(argv: Iterable[str]) -> int:
    parser = argparse.ArgumentParser(prog="build/zipapp.py", description="Make ClawMux as one file.")
    parser.add_argument("--set", dest="kind", choices=LOCK_OF, required=True, help="which packages go into it")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="take the packages from this folder, not from the registry")
    parser.add_argument("--python", type=Path, metavar="PATH", help="make it for this interpreter (default: the one that runs)")
    parser.add_argument("--progress", action="store_true", help="say on stderr what is being done")
    chosen = parser.parse_args(list(argv))

    def say(text: str) -> None:
        if chosen.progress:
            print(f"zipapp: {text}", file=sys.stderr, flush=True)

    try:
        print(build(chosen.kind, chosen.output.absolute(), wheels=chosen.wheels, python=chosen.python, say=say))
    except Failed as failure:
        print(f"zipapp: {failure}", file=sys.stderr)
        return failure.code
    except OSError as error:
        print(f"zipapp: {error}", file=sys.stderr)
        return 23 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 1
    return 0


if __name__ == "__main__":
    # This folder has our name in common with a module of the standard library, which shiv wants.
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != HERE]
    sys.exit(main(sys.argv[1:]))
