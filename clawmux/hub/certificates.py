"""Leaves the system's certificates unread while aiohttp is imported. The hub speaks no https through it.

aiohttp makes two TLS contexts at import and fills both with every certificate of the system: 30 ms and 2 MB of a hub's
start. Contexts made meanwhile trust nobody, so that an https request by aiohttp would fail and never pass unverified;
those made later, such as the downloads' own, are as ever.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator


@contextlib.contextmanager
def unread() -> Iterator[None]:
    # ssl.SSLContext inherits the method; it is shadowed and the shadow taken away again.
    setattr(ssl.SSLContext, _READS, _read_nothing)
    try:
        yield
    finally:
        delattr(ssl.SSLContext, _READS)


_READS = "set_default_verify_paths"


def _read_nothing(context: ssl.SSLContext) -> None:
    pass
