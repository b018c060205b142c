"""What has changed in a folder, asked of git without obeying the folder.

A repository may have come from a stranger, and its own configuration names programs: filters, file system monitors, diff
drivers, hooks, pagers, transports. git has no switch against all of them. So it is asked only where the repository lies,
which starts nothing; everything else runs on an empty repository of ours that borrows the objects and the index and reads
none of that configuration. Reads only: no lock is taken, the index is not refreshed on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from clawmux.wire.errors import ClawMuxError

SECONDS = 15.0
"""Of one question to git: a repository with a hundred thousand files takes about two on a slow disk."""
OUTPUT_BYTES = 4 << 20
# Larger files are called binary without being read.
_BIG_FILE = "8m"
_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# These say how files lie on this disk; none of them names a program.
_KEPT_KEYS = r"^core\.(autocrlf|eol|filemode|ignorecase|symlinks|precomposeunicode|excludesfile)$"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a repository lies."""

    top: Path
    """Of the working tree."""
    folder: Path
    """Its own ``.git``, of a linked working tree too."""
    common: Path
    """What all its working trees share."""
    branch: str
    """Empty: none is checked out."""
    head: str
    """Id of the commit; empty: there is none yet."""
    is_sha256: bool
    settings: tuple[str, ...]


class NoRepository(Exception):
    """There is nothing to ask git about; the words say why, for people."""


class Output:
    """Of one question."""

    __slots__ = ("data", "is_cut")

    def __init__(self, data: bytes, is_cut: bool) -> None:
        self.data = data
        self.is_cut = is_cut
        """More was said than is taken."""


async def find(folder: Path) -> Place:
    """The repository that this folder belongs to. Raises NoRepository."""
    if shutil.which("git") is None:
        raise NoRepository("git is not installed on the hub's machine.")
    if not await asyncio.to_thread(folder.is_dir):
        raise NoRepository("Its folder does not exist any more.")
    asked = ("--show-toplevel", "--absolute-git-dir", "--git-common-dir", "--show-object-format")
    code, said, complaint = await _run(["rev-parse", *asked], folder, {})
    rows = os.fsdecode(said.data).splitlines()
    if code or len(rows) != len(asked):
        raise NoRepository(_why(os.fsdecode(complaint)))
    _, head, _ = await _run(["rev-parse", "--verify", "--quiet", "HEAD"], folder, {})
    _, branch, _ = await _run(["symbolic-ref", "--short", "--quiet", "HEAD"], folder, {})
    _, kept, _ = await _run(["config", "-z", "--get-regexp", _KEPT_KEYS], folder, {})
    commit = os.fsdecode(head.data).strip()
    return Place(
        top=Path(rows[0]),
        folder=Path(rows[1]),
        common=await asyncio.to_thread((folder / rows[2]).resolve),
        branch=branch.data.decode("utf-8", "replace").strip(),
        head=commit if _OBJECT_ID.fullmatch(commit) else "",
        is_sha256=rows[3] == "sha256",
        settings=tuple(os.fsdecode(row) for row in kept.data.split(b"\0") if b"\n" in row),
    )


def _why(complaint: str) -> str:
    if "dubious ownership" in complaint:
        return "Its folder belongs to another user, so git does not look into it."
    if "not a git repository" in complaint or "must be run in a work tree" in complaint:
        return "Its folder is not in a git repository."
    return f"git cannot read its folder: {complaint.strip().splitlines()[0][:200] if complaint.strip() else 'no reason given'}"


class Reader:
    """Asks about one repository; ``async with reader(place)``."""

    def __init__(self, place: Place, ours: Path) -> None:
        self._place = place
        empty = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
        self._base = place.head or (empty if place.is_sha256 else "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
        """What counts as before: the last commit, or git's empty tree."""
        self._environment = {
            "GIT_DIR": str(ours),
            "GIT_WORK_TREE": str(place.top),
            "GIT_OBJECT_DIRECTORY": str(place.common / "objects"),
            "GIT_INDEX_FILE": str(place.folder / "index"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_LITERAL_PATHSPECS": "1",
        }

    async def changed(self) -> Output:
        """``git diff --raw --numstat -z`` of all that is not committed, staged or not."""
        return await self._ask("diff", *_INERT, "-M", "--raw", "--numstat", "-z", self._base)

    async def untracked(self) -> Output:
        """Paths from the top, each ended with NUL, without what is ignored."""
        exclude = self._place.common / "info" / "exclude"
        more = [f"--exclude-from={exclude}"] if await asyncio.to_thread(exclude.is_file) else []
        return await self._ask("ls-files", "--others", "--exclude-standard", *more, "-z")

    async def unstaged(self) -> Output:
        """Paths, each ended with NUL, whose file differs from what is staged."""
        return await self._ask("diff", *_INERT, "--no-renames", "--name-only", "-z")

    async def patch(self, path: bytes, before: bytes = b"") -> Output:
        """The patch of one file; ``before``: its path before it was renamed."""
        paths = [os.fsdecode(p) for p in (before, path) if p]
        return await self._ask("diff", *_INERT, "-M", self._base, "--", *paths)

    async def patch_of_untracked(self, path: bytes) -> Output:
        """All its lines, as added ones."""
        return await self._ask("diff", *_INERT, "--no-index", "--", os.devnull, f"./{os.fsdecode(path)}", fine=(0, 1))

    async def _ask(self, *arguments: str, fine: tuple[int, ...] = (0,)) -> Output:
        # Answers are paths from the top, so that is where git stands.
        code, output, complaint = await _run(list(arguments), self._place.top, self._environment)
        if code not in fine and not output.is_cut:
            raise ClawMuxError("internal", f"git failed: {os.fsdecode(complaint).strip()[:300]}", "Look at the folder with git.")
        return output


# Nothing of the configuration is read that could turn these on; they stand here in case that changes.
_INERT = ("--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all", "--submodule=short")


@contextlib.asynccontextmanager
async def reader(place: Place) -> AsyncIterator[Reader]:
    """An empty repository that borrows what ``place`` holds; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="clawmux-git-") as name:
        ours = Path(name)
        (ours / "refs").mkdir()
        (ours / "objects").mkdir()
        (ours / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
        (ours / "config").write_text(_config(place), encoding="utf-8", errors="surrogateescape")
        yield Reader(place, ours)


def _config(place: Place) -> str:
    lines = ["[core]", f"repositoryformatversion = {int(place.is_sha256)}", "bare = false", f"bigFileThreshold = {_BIG_FILE}"]
    for setting in place.settings:
        name, _, value = setting.partition("\n")
        quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append(f'{name.removeprefix("core.")} = "{quoted}"')
    lines += ["[extensions]", "objectFormat = sha256"] if place.is_sha256 else []
    return "\n".join([*lines, ""])


async def _run(arguments: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, Output, bytes]:
    """Exit code, what it said, and its complaint. Raises ClawMuxError when it takes too long."""
    process = await asyncio.create_subprocess_exec(
        "git", "--no-pager", *arguments,
        cwd=folder, env={**_surroundings(), **environment}, start_new_session=True,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    try:
        async with asyncio.timeout(SECONDS):
            output, complaint = await asyncio.gather(
                _taken(process, process.stdout, OUTPUT_BYTES), _taken(process, process.stderr, 4096)
            )
            return await process.wait(), output, complaint.data
    except TimeoutError:
        raise ClawMuxError("timeout", f"git took longer than {SECONDS:.0f} s.", "Look at the folder with git itself.") from None
    finally:
        _end(process)
        await process.wait()


async def _taken(process: asyncio.subprocess.Process, stream: asyncio.StreamReader, most: int) -> Output:
    """So much of it; one that says more is ended."""
    data = bytearray()
    while piece := await stream.read(65536):
        data += piece
        if len(data) > most:
            _end(process)
            return Output(bytes(data[:most]), True)
    return Output(bytes(data), False)


def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _surroundings() -> dict[str, str]:
    """Nothing of the hub's own environment steers git, but where programs and the user's list of ignored files lie."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ATTR_NOSYSTEM": "1",
    }
