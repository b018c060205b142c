"""The page's files: read once, compressed once, served with an ETag. Nothing outside of the folder, no links.

All of them together are a build, named by a hash of their contents. ``/`` names its files below ``/static/BUILD/``, and what they
import is named beside them, so that a page never gets files of two builds; another build's are not there. The same files lie
below ``/static/`` for what needs an address that stays: the manifest, its icons, and who looks in from outside.
``/sw.js`` is the service worker of the page, with the build and its files written in front.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

# mimetypes asks the system's files, which know .js as text/plain on some machines; modules are refused then.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
_COMPRESSIBLE = {".html", ".js", ".css", ".svg", ".webmanifest"}
# Says to the service worker that this is the hub's page, and not that of another program on the same port.
BUILD_HEADER = "ClawMux-Build"
BUILD = web.AppKey("clawmux_build", str)
INDEX, WORKER = "index.html", "sw.js"
_OWN_BUILD = re.compile(r"[0-9a-f]{16}/")
_IN_INDEX = re.compile(rb'"/static/([\w./-]+\.(?:js|css|svg))"')
# What no page loads: kept by the browser with the worker, or made into something else before.
_UNKEPT = re.compile(r"sw(-\w+)?\.js|.*\.entry\.js|vendor/xterm\.document\.js|vendor/LICENSES/.*|.*\.(png|webmanifest)")


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    compressed: bytes | None
    type: str
    etag: str


class Assets:
    """Every file below a folder, by its path with slashes. Reads all of them at the start: some 300 kB."""

    def __init__(self, folder: Path) -> None:
        files = {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.suffix in TYPES and file.is_file() and not file.is_symlink()
        }
        self.build = _build_of(files)
        if INDEX in files:
            files[INDEX] = _IN_INDEX.sub(rf'"/static/{self.build}/\1"'.encode(), files[INDEX])
        if WORKER in files:
            files[WORKER] = _worker(self.build, files)
        self._assets = {name: _asset(name, body) for name, body in files.items()}

    async def serve(self, request: web.Request) -> web.Response:
        """``/`` and ``/static/{path}``."""
        path = request.match_info.get("path", INDEX)
        if _OWN_BUILD.match(path) is None:
            return self._answer(request, path, "no-cache")
        build, _, path = path.partition("/")
        # A page of another build must not go on with files of this one.
        return self._answer(request, path if build == self.build else "", "public, max-age=31536000, immutable")

    async def serve_worker(self, request: web.Request) -> web.Response:
        """``/sw.js``: it may answer for no more than what lies beside it, and that is to be everything."""
        return self._answer(request, WORKER, "no-cache")

    def _answer(self, request: web.Request, path: str, cache: str) -> web.Response:
        asset = self._assets.get(path)
        if asset is None:
            raise web.HTTPNotFound(text="There is no such file.")
        headers = {
            hdrs.ETAG: asset.etag,
            hdrs.CACHE_CONTROL: cache,
            hdrs.VARY: "Accept-Encoding",
            hdrs.CONTENT_TYPE: asset.type,
            BUILD_HEADER: self.build,
        }
        if request.headers.get(hdrs.IF_NONE_MATCH) == asset.etag:
            return web.Response(status=304, headers=headers)
        if asset.compressed is not None and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            return web.Response(body=asset.compressed, headers={**headers, hdrs.CONTENT_ENCODING: "gzip"})
        return web.Response(body=asset.body, headers=headers)


def _build_of(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, body in files.items():
        digest.update(f"{name}\0{len(body)}\0".encode() + body)
    return digest.hexdigest()[:16]


def _worker(build: str, files: Mapping[str, bytes]) -> bytes:
    kept = [name for name in files if not _UNKEPT.fullmatch(name)]
    return f"const BUILD = {json.dumps(build)}, FILES = {json.dumps(kept)};\n".encode() + files[WORKER]


def _asset(name: str, body: bytes) -> Asset:
    suffix = Path(name).suffix
    compressed = gzip.compress(body, 6, mtime=0) if suffix in _COMPRESSIBLE else None
    return Asset(body, compressed, TYPES[suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')
