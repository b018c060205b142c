"""The page's files: read once, compressed once, served with an ETag. Nothing outside of the folder, no links."""

from __future__ import annotations

import gzip
import hashlib
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


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    compressed: bytes | None
    type: str
    etag: str


class Assets:
    """Every file below a folder, by its path with slashes. Reads all of them at the start: some 300 kB."""

    def __init__(self, folder: Path) -> None:
        self._assets = {
            file.relative_to(folder).as_posix(): _read(file)
            for file in sorted(folder.rglob("*"))
            if file.suffix in TYPES and file.is_file() and not file.is_symlink()
        }

    async def serve(self, request: web.Request) -> web.Response:
        """``/`` and ``/static/{path}``."""
        asset = self._assets.get(request.match_info.get("path", "index.html"))
        if asset is None:
            raise web.HTTPNotFound(text="There is no such file.")
        headers = {
            hdrs.ETAG: asset.etag,
            hdrs.CACHE_CONTROL: "no-cache",
            hdrs.VARY: "Accept-Encoding",
            hdrs.CONTENT_TYPE: asset.type,
        }
        if request.headers.get(hdrs.IF_NONE_MATCH) == asset.etag:
            return web.Response(status=304, headers=headers)
        if asset.compressed is not None and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            return web.Response(body=asset.compressed, headers={**headers, hdrs.CONTENT_ENCODING: "gzip"})
        return web.Response(body=asset.body, headers=headers)


def _read(file: Path) -> Asset:
    body = file.read_bytes()
    compressed = gzip.compress(body, 6, mtime=0) if file.suffix in _COMPRESSIBLE else None
    return Asset(body, compressed, TYPES[file.suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')
