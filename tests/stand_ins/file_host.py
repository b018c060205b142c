"""A real HTTP server on loopback for downloads: it can cut, hold, redirect, refuse, and ignore Range. Counts what it served."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(slots=True)
class Page:
    """What one path answers."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    """After so many bytes the connection ends; one for each request, none left = whole."""
    busy: list[int] = field(default_factory=list)
    """These statuses first, one for each request."""
    hold_after: int | None = None
    """After so many bytes it sends nothing more until ``FileHost.go``."""


@dataclass(frozen=True, slots=True)
class Seen:
    path: str
    headers: dict[str, str]

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


class FileHost:
    """``with FileHost() as host: host.pages["/x"] = Page(b"..."); host.url("/x")``"""

    def __init__(self, port: int = 0) -> None:
        self.pages: dict[str, Page] = {}
        self.seen: list[Seen] = []
        self.served_bytes = 0
        self.held = threading.Event()
        """Set when a page with hold_after has come to its pause."""
        self.go = threading.Event()
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host._answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def url(self, path: str) -> str:
        return f"http://{self.name}{path}"

    def ranges_of(self, path: str) -> list[str | None]:
        return [seen.range for seen in self.seen if seen.path == path]

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(request.path, headers))
        page = self.pages.get(request.path, Page(b"nothing here", 404))
        status, body, extra = page.status, page.content, dict(page.headers)
        if page.busy:
            status, body = page.busy.pop(0), b""
        elif status == 200 and page.ranges and "range" in headers:
            start = int(headers["range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                status, body = 416, b""
            else:
                status = 206
                extra.setdefault("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                body = body[start:]
        request.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | extra).items():
            request.send_header(name, value)
        request.end_headers()
        self._send(request, page, body)

    def _send(self, request: BaseHTTPRequestHandler, page: Page, body: bytes) -> None:
        end = page.cuts.pop(0) if page.cuts else len(body)
        pause = page.hold_after if page.hold_after is not None else end
        try:
            request.wfile.write(body[: min(pause, end)])
            if pause < end:
                self.held.set()
                self.go.wait()
                request.wfile.write(body[pause:end])
        except OSError:
            pass  # the client went away, as some tests want it to
        self.served_bytes += min(end, len(body))
        request.close_connection = True
