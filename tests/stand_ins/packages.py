"""Small real packages for tests: wheels, source archives, npm tarballs, and registries on loopback that serve them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping

from clawmux.catalog import Package, Registry
from tests.stand_ins.file_host import FileHost, Page


def wheel(name: str, version: str, members: Mapping[str, bytes]) -> tuple[bytes, Package]:
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    own = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    return _package(Registry.WHEEL, name, version, members, zip_of({**members, **own}))


def npm(name: str, version: str, members: Mapping[str, bytes]) -> tuple[bytes, Package]:
    own = {"package/package.json": json.dumps({"name": name, "version": version}).encode()}
    return _package(Registry.NPM, name, version, members, tar_of({**own, **members}))


def sdist(name: str, version: str, members: Mapping[str, bytes]) -> tuple[bytes, Package]:
    own = {f"{name}-{version}/setup.py": b"raise SystemExit('a build script was run')"}
    return _package(Registry.SDIST, name, version, members, tar_of({**own, **members}))


def zip_of(members: Mapping[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return whole.getvalue()


def tar_of(members: Mapping[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return whole.getvalue()


def serve_pypi(host: FileHost, archive: bytes, package: Package) -> None:
    """PEP 503 at /simple, the file beside it."""
    host.pages[f"/files/{package.archive}"] = Page(archive)
    link = f'<a href="../../files/{package.archive}#sha256={package.sha256}">{package.archive}</a>'
    page = f"<!DOCTYPE html><html><body>{link}</body></html>"
    host.pages[f"/simple/{package.name}/"] = Page(page.encode(), headers={"Content-Type": "text/html"})


def serve_npm(host: FileHost, archive: bytes, package: Package, tarball: str = "") -> None:
    path = f"/{package.name}/-/{package.archive}"
    host.pages[path] = Page(archive)
    dist = {"tarball": tarball or host.url(path), "shasum": hashlib.sha1(archive).hexdigest()}
    document = {"name": package.name, "version": package.version, "dist": dist}
    every = {"name": package.name, "dist-tags": {"latest": package.version}, "versions": {package.version: document}}
    kind = {"Content-Type": "application/json"}
    host.pages[f"/{package.name}"] = Page(json.dumps(every).encode(), headers=kind)
    host.pages[f"/{package.name}/{package.version}"] = Page(json.dumps(document).encode(), headers=kind)


def _package(registry: Registry, name: str, version: str, members: Mapping[str, bytes], archive: bytes) -> tuple[bytes, Package]:
    return archive, Package(registry, name, version, len(archive), hashlib.sha256(archive).hexdigest(), tuple(members))
