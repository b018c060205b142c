"""Package archives from PyPI and npm, as the user's own pip and npm would get them. Installs, imports and runs nothing of them.

    registries = Registries()
    registries.fetch(package, target, progress)

``pip download`` and ``npm pack`` do the work where they are there, so that index mirrors, proxies, certificates and
logins hold without our knowing them; without them their settings are read and the same index is asked over HTTP.
A source archive never goes through pip: to learn its metadata pip would run its build script.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from clawmux.adapters.sources.registry_settings import RegistrySettings, npm_settings, pip_settings
from clawmux.catalog import Package, Registry
from clawmux.download import Client, SourceFailed, Wanted, host_of, move_into_place, sha256_of

# A tool that writes nothing for so long hangs: longer than a mirror takes to fetch 115 MB from its own source first.
STALL_SECONDS = 120.0
# How often the growing download of a tool is measured for the progress line.
LOOK_SECONDS = 0.25
# An index page of a package with ten thousand files is 5 MB.
_PAGE_LIMIT_BYTES = 16 << 20
_LOGIN = re.compile(r"//[^/@\s]+@")


class Registries:
    """One for each pull: a registry that could not be reached is not asked again."""

    def __init__(self, environ: Mapping[str, str] = os.environ, python: str = sys.executable) -> None:
        self._environ = dict(environ)
        self._python = python
        self._down: dict[Registry, str] = {}
        self._clients: dict[RegistrySettings, Client] = {}
        self._has_pip = True

    def fetch(self, package: Package, target: Path, progress: Callable[[int], None]) -> None:
        """Leave the archive in ``target``, its SHA-256 checked; SourceFailed says why not."""
        if reason := self._down.get(package.registry):
            raise SourceFailed(reason, unreachable=True)
        try:
            _WAYS[package.registry](self, package, target, progress)
        except SourceFailed as failure:
            if failure.unreachable:
                self._down[package.registry] = failure.reason
            raise

    def _wheel(self, package: Package, target: Path, progress: Callable[[int], None]) -> None:
        if self._has_pip:
            argv = [self._python, "-m", "pip", "download", *_PIP_OPTIONS, f"{package.name}=={package.version}"]
            try:
                self._take(argv, package, target, progress)
                return
            except _ToolMissing:
                self._has_pip = False
        self._from_index(package, target, progress)

    def _from_index(self, package: Package, target: Path, progress: Callable[[int], None]) -> None:
        """PEP 503 and PEP 691: the page of the project names its files."""
        settings = pip_settings(self._environ)
        client = self._client(settings)
        failures = []
        for index in settings.indexes:
            if not index.startswith(("http://", "https://")):
                continue
            try:
                text, kind = client.read(f"{index}/{package.name}/", _PAGE_LIMIT_BYTES, {"Accept": _SIMPLE_TYPES})
                url = _link(text, kind, f"{index}/{package.name}/", package.archive)
                client.fetch(url, Wanted(package.size, package.sha256), target, progress)
                return
            except SourceFailed as failure:
                failures.append(f"{host_of(index)}: {failure.reason}")
        raise SourceFailed("; ".join(failures) or "no index is configured", unreachable=not failures)

    def _npm(self, package: Package, target: Path, progress: Callable[[int], None]) -> None:
        npm = shutil.which("npm", path=self._environ.get("PATH"))
        if npm:
            argv = [npm, "pack", f"{package.name}@{package.version}", *_NPM_OPTIONS]
            self._take(argv, package, target, progress)
            return
        settings = npm_settings(self._environ)
        client = self._client(settings)
        registry = settings.indexes[0]
        page = f"{registry}/{package.name}/{package.version}"
        text, _ = client.read(page, _PAGE_LIMIT_BYTES, settings.headers(page))
        url = _tarball(text, registry)
        client.fetch(url, Wanted(package.size, package.sha256), target, progress, settings.headers(url))

    def _take(self, argv: Sequence[str], package: Package, target: Path, progress: Callable[[int], None]) -> None:
        """Let the tool download into a folder of its own beside ``target``, and take the archive if it is the right one."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="tool-", dir=target.parent, ignore_cleanup_errors=True) as name:
            folder = Path(name)
            # pip asks a rustc that it finds for its version, and rustup's makes a folder in the home for that.
            environ = {"RUSTUP_HOME": str(folder / "rustup"), **self._environ}
            _run(argv, folder, environ, lambda done: progress(min(done, package.size)))
            found = [file for file in folder.iterdir() if file.suffix == target.suffix]
            if len(found) != 1:
                raise SourceFailed(f"{_tool(argv)} left no {target.suffix} file")
            digest = sha256_of(found[0])
            if digest != package.sha256:
                raise SourceFailed(f"wrong content: SHA-256 {digest[:12]}… instead of {package.sha256[:12]}…")
            move_into_place(found[0], target)

    def _client(self, settings: RegistrySettings) -> Client:
        if settings not in self._clients:
            self._clients[settings] = Client(certificates=settings.certificates, proxy=settings.proxy)
        return self._clients[settings]


_WAYS: dict[Registry, Callable[[Registries, Package, Path, Callable[[int], None]], None]] = {
    Registry.WHEEL: Registries._wheel,
    Registry.SDIST: Registries._from_index,
    Registry.NPM: Registries._npm,
}

# Only wheels: they are unpacked by us, and pip runs no code of theirs. No cache: the store keeps the content itself.
_PIP_OPTIONS = (
    *("--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-cache-dir", "--no-input"),
    *("--progress-bar=off", "--disable-pip-version-check", "--dest=."),
)
# npm waits 10 s, then a minute, before it tries a dead registry again; there may be another source.
_NPM_OPTIONS = (
    *("--ignore-scripts", "--loglevel=error", "--cache=cache"),
    *("--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"),
)
_SIMPLE_TYPES = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


class _ToolMissing(Exception):
    """This Python has no pip, as inside a zipapp."""


def _run(argv: Sequence[str], folder: Path, environ: Mapping[str, str], progress: Callable[[int], None]) -> None:
    environ = {**environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}  # where pip downloads to first
    with tempfile.TemporaryFile() as said:
        try:
            # In that folder: a pip.py or .npmrc where the user happens to stand has no say.
            process = subprocess.Popen(argv, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        except OSError as error:
            raise SourceFailed(f"{argv[0]} cannot be started ({error.strerror})", unreachable=True) from None
        try:
            code = _watch(process, folder, progress)
        finally:
            _end(process)
        if code:
            said.seek(0)
            raise _failure(_tool(argv), said.read().decode("utf-8", "replace"))


def _watch(process: subprocess.Popen[bytes], folder: Path, progress: Callable[[int], None]) -> int:
    """The exit code, once there is one; meanwhile what has come so far."""
    most, moved = 0, time.monotonic()
    while True:
        try:
            return process.wait(timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            size = _size_of(folder)
        if size > most:
            most, moved = size, time.monotonic()
        elif time.monotonic() - moved > STALL_SECONDS:
            raise SourceFailed(f"nothing came for {STALL_SECONDS:g} s", unreachable=True)
        progress(most)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _size_of(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except FileNotFoundError:
                pass  # the tool moved it meanwhile
    return total


def _tool(argv: Sequence[str]) -> str:
    return "npm pack" if "pack" in argv else "pip download"


# What the tools print when it is the network and not the package.
_NETWORK_WORDS = (
    "Retrying (",
    "ConnectionError",
    "ConnectTimeout",
    "ENOTFOUND",
    "ECONNREFUSED",
    "ETIMEDOUT",
    "EAI_AGAIN",
    "network",
)


def _failure(tool: str, said: str) -> Exception:
    if "No module named pip" in said:
        return _ToolMissing()
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "npm error", "npm err!"))]
    telling = (errors or lines or ["it failed without a word"])[-1 if tool.startswith("pip") else 0]
    unreachable = any(word in said for word in _NETWORK_WORDS)
    return SourceFailed(f"{tool}: {_LOGIN.sub('//', telling)[:200]}", unreachable=unreachable)


def _link(text: str, kind: str, page: str, archive: str) -> str:
    """The address of the file with that name on a project's page."""
    if kind.endswith("json"):
        links = [(entry["filename"], entry["url"]) for entry in _json(text).get("files", [])]
    else:
        links = [(urlsplit(href).path.rpartition("/")[2], href) for href in _Anchors.of(text)]
    for name, href in links:
        if name == archive:
            url = urljoin(page, href).partition("#")[0]
            return _with_login_of(page, url)
    raise SourceFailed(f"it has no {archive}")


def _with_login_of(page: str, url: str) -> str:
    """A login written in the index address is also for the files on that host, and for no other host."""
    there, here = urlsplit(page), urlsplit(url)
    return here._replace(netloc=there.netloc).geturl() if host_of(page) == host_of(url) else url


def _tarball(text: str, registry: str) -> str:
    """npm's rule replace-registry-host: a mirror's document may still name the public registry's files."""
    url = _json(text).get("dist", {}).get("tarball")
    if not isinstance(url, str):
        raise SourceFailed("it names no tarball")
    public = "https://registry.npmjs.org/"
    return f"{registry}/{url.removeprefix(public)}" if url.startswith(public) else url


def _json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise SourceFailed("its answer is not the JSON that was expected")
    return document


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]

    @classmethod
    def of(cls, text: str) -> list[str]:
        parser = cls()
        parser.feed(text)
        return parser.found
