"""The authority's files and the server's certificate: made when they are asked for, renewed before they end. Opens no door.

``<data>/tls/authority.pem`` and ``server.pem``, each a key with its certificate, 0600, replaced whole.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clawmux.adapters import authority as x509
from clawmux.hub.private_file import read_private, write_private
from clawmux.paths import make_private
from clawmux.wire.errors import ClawMuxError

log = logging.getLogger(__name__)

# A hub that is started once a month still renews in time.
RENEWED_BEFORE = timedelta(days=30)


class Authority:
    def __init__(self, folder: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._own = folder / "authority.pem"
        self._server = folder / "server.pem"
        self._clock = clock

    @property
    def exists(self) -> bool:
        return self._own.exists()

    def certificate(self) -> x509.Certificate:
        """What phones are to trust. Raises ``not_found`` before the first door was opened, and ``bad_file``."""
        if not self.exists:
            remedy = "Open the door first: clawmux phone --lan"
            raise ClawMuxError("not_found", "this hub has no certificate authority of its own.", remedy)
        return _read(self._own)

    def server_file(self, names: Sequence[str]) -> Path:
        """The file with key and certificate for these names, made anew where it is missing, soon over or for other names."""
        make_private(self._own.parent)
        now = self._clock()
        # It must outlive what it signs.
        if not self.exists or _read(self._own).until - now < timedelta(days=x509.LEAF_DAYS):
            log.warning("a new certificate authority is made; devices must be told to trust it")
            write_private(self._own, x509.new_authority(f"ClawMux on {socket.gethostname()}", now))
        own = read_private(self._own)
        if not self._serves(names, own, now):
            write_private(self._server, x509.new_leaf(own, names, now))
        return self._server

    def _serves(self, names: Sequence[str], own: str, now: datetime) -> bool:
        if not self._server.exists():
            return False
        try:
            text = read_private(self._server)
            found = x509.read(text)
        except ValueError:
            return False
        return found.names == tuple(names) and found.until - now > RENEWED_BEFORE and x509.is_signed_by(text, own)


def _read(file: Path) -> x509.Certificate:
    try:
        return x509.read(read_private(file))
    except ValueError:
        remedy = "Move it away; the next `clawmux phone --lan` makes another, which devices must be told to trust."
        raise ClawMuxError("bad_file", f"{file} is not a key with its certificate.", remedy) from None
