"""The door for phones in the local network: one private address, TLS with a certificate of our own authority.

It is opened only at the address that the user named. When the machine is in another network the door stays closed, and opens
by itself when the address is there again. The certificate is renewed while the door is open.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from clawmux.adapters.network import local_name
from clawmux.hub.authority import Authority
from clawmux.hub.binding import bind_lan
from clawmux.hub.doors import Doors
from clawmux.wire.errors import ClawMuxError

log = logging.getLogger(__name__)

# How long a phone waits for a laptop that has come home; looking costs one bind.
LOOK_SECONDS = 20.0


class LanDoor:
    def __init__(self, authority: Authority, on_moved: Callable[[], None]) -> None:
        self.host = ""
        """The address that is wanted; empty: none."""
        self.fault: ClawMuxError | None = None
        """Why it is not open though it is wanted."""
        self._authority = authority
        self._on_moved = on_moved
        self._doors: Doors | None = None
        self._port = 0
        self._tls: ssl.SSLContext | None = None
        self._file = Path()
        self._loaded: tuple[int, int] = (0, 0)
        self._listener: socket.socket | None = None
        self._close: Callable[[], None] = lambda: None

    @property
    def is_open(self) -> bool:
        return self._listener is not None

    @property
    def names(self) -> list[tuple[str, int]]:
        """Under which it answers, while it is open: names and port."""
        if self._listener is None:
            return []
        return [(name, self._listener.getsockname()[1]) for name in _names(self.host)]

    @property
    def urls(self) -> list[str]:
        return [f"https://{f'[{name}]' if ':' in name else name}:{port}" for name, port in self.names]

    def want(self, doors: Doors, host: str, port: int) -> None:
        """From now on this address, or none. A door that is open there already stays as it is."""
        if self._doors is doors and (host, port) == (self.host, self._port) and self.is_open:
            return
        self.close()
        self._doors, self.host, self._port = doors, host, port
        self.look()

    def look(self) -> None:
        """Opens what is wanted and closed, and renews the certificate of what is open."""
        if not self.host or self._doors is None:
            return
        try:
            tls = self._context()
            if self._listener is None:
                self._listener = bind_lan(self.host, self._port)
                self._close = self._doors.open_also(self._listener, tls)
                log.info("the page is served at %s", self.urls[0])
                self._on_moved()
            self.fault = None
        except ClawMuxError as error:
            self._failed(error)
        except OSError as error:  # its certificate cannot be kept, or read
            code = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "bad_file"
            text = f"the certificate for {self.host} cannot be kept: {error.strerror or error}."
            self._failed(ClawMuxError(code, text, "Look at the disk of the data folder, and whose it is."))

    def _failed(self, error: ClawMuxError) -> None:
        if self.fault is None:
            log.warning("no door in the local network: %s", error)
        self.fault = error

    def close(self) -> None:
        self._close()
        was_open, self._listener, self.fault = self.is_open, None, None
        self._close = lambda: None
        self.host = ""
        if was_open:
            self._on_moved()

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self.look()
            except Exception:
                log.exception("the door in the local network could not be looked after")

    def _context(self) -> ssl.SSLContext:
        """One context for as long as the hub runs: what is loaded into it counts for every connection from then on."""
        self._file = self._authority.server_file(_names(self.host))
        if self._tls is None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        version = (self._file.stat().st_ino, self._file.stat().st_mtime_ns)
        if version != self._loaded:
            self._tls.load_cert_chain(self._file)
            self._loaded = version
        return self._tls


def _names(host: str) -> list[str]:
    return [host, *filter(None, [local_name()])]
