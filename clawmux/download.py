"""One file from one address: resumed where it was cut, checked while it streams, never in place before it is right.

    client = Client()
    client.fetch(url, Wanted(size, sha256), part, progress)

``part`` grows beside its final place and survives a cut, a Ctrl-C and a kill -9; the caller moves it when fetch
returns. A host that could not be reached is not asked again by the same Client. Which addresses there are, and what
to do when one fails, is the caller's business. Proxies come from the environment, as urllib reads it.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

# Long enough for the handshake over a satellite, short enough that a blocked host costs nobody a coffee.
CONNECT_SECONDS = 5.0
# A connection that gives nothing for so long is cut and resumed.
STALL_SECONDS = 30.0
# Waits between tries of one address. A try that brought STRIDE_BYTES was worth it, and the count starts again.
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0)
STRIDE_BYTES = 1 << 20
# Nobody waits longer than this for a server that says Retry-After.
LONGEST_WAIT_SECONDS = 30.0
_BLOCK_BYTES = 1 << 18
# RFC 9110 15.5.9, 10.2.3: what may be different a moment later.
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Wanted:
    """The content: whatever address it comes from, it must be exactly this."""

    size: int
    sha256: str


class SourceFailed(Exception):
    """A source did not give the file; another one may. ``reason`` is a clause fit to stand after "host:"."""

    def __init__(self, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unreachable = unreachable
        """It is the whole host, not only this file."""


class _Cut(Exception):
    """It ended early or the server is busy: the same address may do better in a moment."""

    def __init__(self, reason: str, wait_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait_seconds = wait_seconds


class Client:
    """Fetches over HTTP and remembers which hosts are down. One for each pull, used by one thread."""

    def __init__(
        self,
        *,
        certificates: str | None = None,
        proxy: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``certificates`` and ``proxy`` are a package tool's own; None takes what the environment says."""
        self.down: dict[str, str] = {}
        self._certificates = certificates
        self._proxy = proxy
        self._sleep = sleep
        self._opener: urllib.request.OpenerDirector | None = None

    def fetch(
        self,
        url: str,
        wanted: Wanted,
        part: Path,
        progress: Callable[[int], None],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Leave exactly ``wanted`` in ``part``, or raise SourceFailed. What ``part`` holds already is not fetched again."""
        with self._noting(url), _Part(part, wanted) as growing:
            kept = growing.size
            self._fill(url, growing, progress, headers or {})
            if not growing.is_right and kept:
                # The bytes kept from an earlier try may be the wrong ones; this source gets a try of its own.
                growing.restart()
                self._fill(url, growing, progress, headers or {})
            if not growing.is_right:
                found = growing.sha256
                growing.restart()
                raise SourceFailed(f"wrong content: SHA-256 {found[:12]}… instead of {wanted.sha256[:12]}…")

    def read(self, url: str, limit_bytes: int, headers: Mapping[str, str] | None = None) -> tuple[str, str]:
        """A small document and its content type."""
        with self._noting(url):
            for wait_seconds in (*BACKOFF_SECONDS, None):
                try:
                    with self._answer(url, headers or {}) as response, _network():
                        return _text(response.read(limit_bytes + 1), limit_bytes), response.headers.get_content_type()
                except _Cut as cut:
                    self._wait(cut, wait_seconds)
        raise AssertionError("the last try returns or raises")

    def _fill(self, url: str, growing: _Part, progress: Callable[[int], None], headers: Mapping[str, str]) -> None:
        waits = iter(BACKOFF_SECONDS)
        while growing.size < growing.wanted.size:
            before = growing.size
            try:
                self._stream(url, growing, progress, headers)
            except _Cut as cut:
                if growing.size - before >= STRIDE_BYTES:
                    waits = iter(BACKOFF_SECONDS)
                self._wait(cut, next(waits, None))

    def _stream(self, url: str, growing: _Part, progress: Callable[[int], None], headers: Mapping[str, str]) -> None:
        ranged = {"Range": f"bytes={growing.size}-"} if growing.size else {}
        try:
            answer = self._answer(url, {**headers, **ranged})
        except _OutOfRange:
            growing.restart()
            raise _Cut("it does not have the bytes that are still missing") from None
        with answer as response:
            _place(response, growing)
            while growing.size < growing.wanted.size:
                with _network():
                    block = response.read(min(_BLOCK_BYTES, growing.wanted.size - growing.size))
                if not block:
                    raise _Cut("the connection ended early")
                growing.append(block)
                progress(growing.size)

    def _wait(self, cut: _Cut, wait_seconds: float | None) -> None:
        if wait_seconds is None:
            raise SourceFailed(f"{cut.reason}, {len(BACKOFF_SECONDS) + 1} times", unreachable=True) from None
        self._sleep(max(wait_seconds, cut.wait_seconds))

    def _answer(self, url: str, headers: Mapping[str, str]) -> closing[http.client.HTTPResponse]:
        if reason := self.down.get(host_of(url)):
            raise SourceFailed(reason, unreachable=True)
        request = _request(url, headers)
        self._opener = self._opener or _opener(self._certificates, self._proxy)
        try:
            with _network():
                return closing(self._opener.open(request, timeout=CONNECT_SECONDS))
        except urllib.error.HTTPError as error:
            error.close()
            raise _refusal(error) from None

    @contextmanager
    def _noting(self, url: str) -> Iterator[None]:
        try:
            yield
        except SourceFailed as failure:
            if failure.unreachable:
                self.down[host_of(url)] = failure.reason
            raise


def copy(file: Path, wanted: Wanted, part: Path, progress: Callable[[int], None]) -> None:
    """Leave exactly ``wanted`` in ``part``, from a file on this machine, or raise SourceFailed."""
    try:
        with file.open("rb") as source, _Part(part, wanted) as growing:
            growing.restart()
            while block := source.read(_BLOCK_BYTES):
                growing.append(block)
                progress(min(growing.size, wanted.size))
            if not growing.is_right:
                found = growing.sha256
                growing.restart()
                raise SourceFailed(f"wrong content: SHA-256 {found[:12]}… instead of {wanted.sha256[:12]}…")
    except FileNotFoundError:
        raise SourceFailed("it is not there") from None
    except (PermissionError, IsADirectoryError, NotADirectoryError) as error:
        raise SourceFailed(f"it cannot be read ({error.strerror})") from None


def folder_of(address: str) -> Path | None:
    """The folder on this machine that an address names, as ``file://`` or as an absolute path; None for any other."""
    if address.startswith("/"):
        return Path(address)
    parts = urllib.parse.urlsplit(address)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(urllib.parse.unquote(parts.path))
    return None


def host_of(url: str) -> str:
    """For messages and for remembering: host and port, never the credentials."""
    return urllib.parse.urlsplit(url).netloc.rpartition("@")[2] or url


def sha256_of(file: Path, seen: Callable[[int], None] = lambda _: None) -> str:
    """``seen`` is told the bytes read so far."""
    digest = hashlib.sha256()
    done = 0
    with file.open("rb", buffering=0) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            done += len(block)
            seen(done)
    return digest.hexdigest()


def move_into_place(part: Path, final: Path) -> None:
    """After a power cut there is either the whole file or none: rename is atomic, and fsync comes before it."""
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    part.replace(final)
    sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return  # Windows opens no folders, and NTFS journals the rename itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Part:
    """The growing file, with the hash of what it holds. An empty one is not left behind."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.path = path
        self.wanted = wanted
        self.size = 0
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("ab+")
        self._file.seek(0)
        while block := self._file.read(_BLOCK_BYTES):
            self._digest.update(block)
            self.size += len(block)
        if self.size > self.wanted.size:
            self.restart()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        if not self.size:
            self.path.unlink()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def is_right(self) -> bool:
        return self.size == self.wanted.size and self.sha256 == self.wanted.sha256

    def append(self, block: bytes) -> None:
        self._file.write(block)
        self._digest.update(block)
        self.size += len(block)

    def restart(self) -> None:
        self._file.truncate(0)
        self.size = 0
        self._digest = hashlib.sha256()


class _OutOfRange(Exception):
    """HTTP 416: there is nothing after the bytes we have."""


def _place(response: http.client.HTTPResponse, growing: _Part) -> None:
    """See that what follows belongs behind what is there; a server that ignores Range sends everything again."""
    if response.status == 206:
        first, total = _content_range(response.headers.get("Content-Range", ""))
        if first != growing.size or total not in (None, growing.wanted.size):
            growing.restart()
            raise _Cut("it answered with other bytes than those asked for")
        return
    if growing.size:
        growing.restart()
    length = response.headers.get("Content-Length")
    if length is not None and length.isdigit() and int(length) != growing.wanted.size:
        raise SourceFailed(f"it has {length} bytes there instead of {growing.wanted.size}")


def _content_range(header: str) -> tuple[int, int | None]:
    """``bytes 7-9/10`` (RFC 9110 14.4); the total may be unknown."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", header.strip())
    if not match:
        return -1, None
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _refusal(error: urllib.error.HTTPError) -> Exception:
    if error.code == 416:
        return _OutOfRange()
    reason = f"HTTP {error.code} {error.reason}".strip()
    if error.code in _BUSY:
        asked = error.headers.get("Retry-After", "")
        return _Cut(reason, min(float(asked), LONGEST_WAIT_SECONDS) if asked.isdigit() else 0.0)
    return SourceFailed(reason, unreachable=error.code == 407)


@contextmanager
def _network() -> Iterator[None]:
    """Tell what may be better in a moment (_Cut) from what will not (SourceFailed)."""
    try:
        yield
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError as error:
        raise _connect_failure(error.reason) from None
    except (http.client.InvalidURL, UnicodeError) as error:
        raise SourceFailed(f"this is no address that can be fetched ({error})") from None
    except TimeoutError:
        raise _Cut(f"nothing came for {STALL_SECONDS:g} s") from None
    except (OSError, http.client.HTTPException) as error:
        raise _Cut(f"the connection broke ({error or type(error).__name__})") from None


def _connect_failure(reason: object) -> Exception:
    if isinstance(reason, ConnectionResetError | BrokenPipeError):
        return _Cut("the connection broke")
    if isinstance(reason, ssl.SSLCertVerificationError):
        return SourceFailed(f"its certificate is not trusted ({reason.verify_message})", unreachable=True)
    if isinstance(reason, socket.gaierror):
        return SourceFailed("its name is not known here", unreachable=True)
    if isinstance(reason, TimeoutError):
        return SourceFailed(f"no answer within {CONNECT_SECONDS:g} s", unreachable=True)
    if isinstance(reason, OSError) and reason.strerror:
        return SourceFailed(reason.strerror.lower(), unreachable=True)
    return SourceFailed(str(reason), unreachable=True)


def _request(url: str, headers: Mapping[str, str]) -> urllib.request.Request:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise SourceFailed("only http and https addresses can be fetched", unreachable=True)
    user, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl())
    request.add_header("User-Agent", "clawmux")
    request.add_header("Accept-Encoding", "identity")  # a compressed answer would have another length and hash
    for name, value in headers.items():
        # Unredirected: a token for this host is not for the one it sends us to. Range is.
        (request.add_header if name == "Range" else request.add_unredirected_header)(name, value)
    if at:
        encoded = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {encoded}")
    return request


def _text(content: bytes, limit_bytes: int) -> str:
    if len(content) > limit_bytes:
        raise SourceFailed(f"its answer is longer than {limit_bytes} bytes")
    return content.decode("utf-8", "replace")


class _Impatient(http.client.HTTPConnection):
    """urllib has one time-out for everything; connecting deserves a shorter one than a pause in a long download."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(STALL_SECONDS)


class _ImpatientTls(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(STALL_SECONDS)


class _HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Impatient, request)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, certificates: str | None) -> None:
        super().__init__()
        try:
            self._trust: Any = ssl.create_default_context(cafile=certificates)
        except OSError as error:
            raise SourceFailed(f"the certificates {certificates} cannot be read ({error})", unreachable=True) from None

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_ImpatientTls, request, context=self._trust)


def _opener(certificates: str | None, proxy: str | None) -> urllib.request.OpenerDirector:
    """Only http and https: build_opener would also read file: and ftp: addresses."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else None),
        _HttpHandler(),
        _HttpsHandler(certificates),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener
