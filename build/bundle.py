"""Fills a folder with everything that an installation without a network needs, for ``sh DIR/install.sh --from DIR``.

    python build/bundle.py DIR --set cpu --models tiny --python cpython-3.12...tar.gz

    DIR/clawmux-<version>.tar.gz   the source          DIR/cpython-*.tar.gz   the interpreter, when one is given
    DIR/wheels/                    the packages        DIR/models/<sha256>    the models' files
    DIR/install.sh                 what starts it          DIR/SHA256SUMS         of all of them, written last

Needs an environment made from build/requirements/bootstrap.txt. Packages are fetched for this machine and the Python that
runs this, or for --platform. Models come through this machine's own store, and stay there.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))
# Last: a module beside this one has its name in common with one of the standard library.
sys.path.append(str(HERE))

import release  # noqa: E402  (its folder is on the path only now)

from clawmux import catalog, paths  # noqa: E402
from clawmux.adapters.models import ModelStore, Progress  # noqa: E402
from clawmux.wire.errors import ERRORS, ClawMuxError  # noqa: E402

# Set -> its locks.
LOCKS_OF = {
    "hub": ("hub",),
    "cpu": ("cpu",),
    "nvidia": ("cpu", "nvidia"),
    "nvidia-blackwell": ("cpu", "nvidia-blackwell"),
    "apple": ("apple",),
}
THIS_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Platform:
    system: str
    machine: str
    tags: tuple[str, ...]
    """Names of the platform in wheels that run there, oldest first."""

    def markers(self, python: str) -> dict[str, str]:
        name = {"linux": "Linux", "darwin": "Darwin"}[self.system]
        return {"sys_platform": self.system, "platform_system": name, "platform_machine": self.machine, "os_name": "posix"} | {
            "python_version": python,
            "python_full_version": f"{python}.0",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }


def _glibc(machine: str) -> tuple[str, ...]:
    """The oldest system that onnxruntime runs on has 2.28."""
    old = [f"manylinux{year}_{machine}" for year in ("1", "2010", "2014")]
    return (*old, *(f"manylinux_2_{minor}_{machine}" for minor in range(5, 29)))


def _macos(machine: str, first: int) -> tuple[str, ...]:
    older = [f"macosx_10_{minor}" for minor in range(9, 17)] if first == 10 else []
    return tuple(
        f"{name}_{kind}" for name in [*older, *(f"macosx_{n}_0" for n in range(11, 15))] for kind in (machine, "universal2")
    )


PLATFORMS = {
    "linux-x86_64": Platform("linux", "x86_64", _glibc("x86_64")),
    "linux-aarch64": Platform("linux", "aarch64", _glibc("aarch64")),
    "macos-arm64": Platform("darwin", "arm64", _macos("arm64", 11)),
    "macos-x86_64": Platform("darwin", "x86_64", _macos("x86_64", 10)),
}


@dataclass(frozen=True, slots=True)
class Order:
    kind: str
    models: str = ""
    """Set or model of the catalog; "" brings none."""
    python: Path | None = None
    """Archive of an interpreter."""
    platform: str = ""
    """Key of PLATFORMS; "" is this machine."""
    python_version: str = THIS_VERSION


def make(folder: Path, order: Order, checkout: Path = ROOT, say: Say = print) -> Path:
    """Fill ``folder``; returns its SHA256SUMS."""
    if folder.exists() and any(folder.iterdir()):
        raise ClawMuxError("conflict", f"{folder} is not empty.", "Name a folder that is empty or not there.")
    (folder / "wheels").mkdir(parents=True)
    archive = release.source_archive(checkout, folder)
    say(f"source: {archive.name}")
    shutil.copyfile(checkout / "install.sh", folder / "install.sh")
    if order.python is not None:
        shutil.copyfile(order.python, folder / order.python.name)
        say(f"interpreter: {order.python.name}")
    for lock in ("bootstrap", *LOCKS_OF[order.kind]):
        say(f"packages of {lock}.txt")
        _fetch(checkout / "build" / "requirements" / f"{lock}.txt", folder / "wheels", order)
    if order.models:
        _add_models(folder / "models", order.models, say)
    files = [path for path in folder.rglob("*") if path.is_file()]
    say(f"checksums of {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.0f} MB")
    return release.write_sums(folder, files)


def _fetch(lock: Path, wheels: Path, order: Order) -> None:
    """The lock names every package with its hashes. For another platform pip would still ask this one what the markers
    mean, so they are answered here."""
    with tempfile.TemporaryDirectory() as work:
        wanted = Path(work) / lock.name
        text, options = lock.read_text(encoding="utf-8"), ["--no-deps"]
        if order.platform:
            platform = PLATFORMS[order.platform]
            text = for_machine(text, platform.markers(order.python_version))
            options += [word for tag in platform.tags for word in ("--platform", tag)]
            options += ["--python-version", order.python_version, "--implementation", "cp"]
            options += [word for abi in (f"cp{order.python_version.replace('.', '')}", "abi3", "none") for word in ("--abi", abi)]
        wanted.write_text(text, encoding="utf-8")
        options += [] if sys.stderr.isatty() else ["--quiet", "--progress-bar", "off"]
        command = [sys.executable, "-I", "-m", "pip", "download", "--disable-pip-version-check", "--no-input", *options]
        command += ["--require-hashes", "--dest", str(wheels), "-r", str(wanted)]
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    if done.returncode:
        text = f"the packages of {lock.name} could not be fetched; pip's own words are above."
        raise ClawMuxError("download_failed", text, "Remove the folder and run again; what came already is in pip's cache.")


def for_machine(lock: str, markers: dict[str, str]) -> str:
    """The lock with only what a machine installs."""
    from packaging.requirements import Requirement

    kept = []
    for entry in re.split(r"\n(?=\S)", lock.replace("\\\n", "\\\0")):
        head, _, rest = entry.partition("\\\0")
        if not rest:
            kept.append(head)  # an option, or nothing
            continue
        requirement = Requirement(head.strip())
        if requirement.marker is None or requirement.marker.evaluate(dict(markers)):
            kept.append(f"{requirement.name}{requirement.specifier} \\\n" + rest.replace("\\\0", "\\\n"))
    return "\n".join(kept) + "\n"


def _add_models(folder: Path, wanted: str, say: Say) -> None:
    store = ModelStore(paths.locate(os.environ).models)
    told = -1

    def report(progress: Progress) -> None:
        nonlocal told
        tenth = progress.done_bytes * 10 // progress.total_bytes if progress.total_bytes else 0
        if progress.stage == "fetching" and tenth != told:
            told = tenth
            say(f"models: {tenth * 10} % of {progress.total_bytes / 1e6:.0f} MB")
        elif progress.text:
            say(f"models: {progress.text}")

    names = store.names(wanted)
    store.pull(*names, progress=report)
    folder.mkdir()
    for sha256 in {file.sha256 for name in names for file in catalog.MODELS[name].files}:
        shutil.copyfile(store.root / "blobs" / sha256, folder / sha256)
    say(f"models: {', '.join(names)}")


def main(argv: Iterable[str]) -> int:
    parser = argparse.ArgumentParser(prog="build/bundle.py", description="Fill a folder for `sh install.sh --from DIR`.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--set", dest="kind", choices=LOCKS_OF, default="cpu", help="which packages (default: %(default)s)")
    parser.add_argument("--models", default="", metavar="SET", help=f"speech models: {', '.join(catalog.SETS)} (default: none)")
    parser.add_argument("--python", type=Path, metavar="TARBALL", help="archive of an interpreter (python-build-standalone)")
    parser.add_argument("--platform", choices=PLATFORMS, default="", help="for another machine than this one")
    parser.add_argument("--python-version", default=THIS_VERSION, metavar="X.Y", help="with --platform (default: %(default)s)")
    chosen = parser.parse_args(list(argv))
    order = Order(chosen.kind, chosen.models, chosen.python, chosen.platform, chosen.python_version)
    try:
        print(make(chosen.folder, order, say=lambda text: print(f"bundle: {text}", file=sys.stderr, flush=True)))
    except ClawMuxError as error:
        print(f"bundle: {error.text}\n{error.remedy}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return ERRORS["internal"].exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
