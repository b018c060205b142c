"""The names this hub answers to: exact lists of Host and Origin, made from what was bound. Compares, never guesses.

    Addresses.of(bound, host, tls, public_url)   after binding, when the port is known
    .serve(public_url, lan)   the further ones anew: a proxy's, and those of the door in the local network
    .phone_url         an https address that another device can open, or empty
    .page_url          where `clawmux open` and error texts send a person: http://clawmux.localhost:PORT
    .origin_of(host)   the origin a Host header belongs to, or None: refuse with 421
    .knows(origin)     whether an Origin header is ours: else refuse with 403
    .cookie(host)      (cookie name, secure)

``clawmux.localhost`` and not ``localhost``: cookies are not kept apart by port, so a page that an agent serves on another
port of ``localhost`` would be sent our cookie. For the same reason ``localhost:PORT`` is no address of ours; a person who
types it is led to the canonical one (``leads_to``), and nothing else is answered there.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from clawmux.wire.errors import ClawMuxError

NAME = "clawmux.localhost"
_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(slots=True)
class Addresses:
    port: int
    own: Mapping[str, str]
    """Of what was bound at the start: Host header, in small letters -> the origin a browser names with it."""
    own_tls: bool = False
    further: Mapping[str, str] = field(default_factory=dict)
    """The same for what may come and go while the hub runs."""
    origins: Mapping[str, str] = field(init=False)
    """All of them. The first is the canonical one."""

    def __post_init__(self) -> None:
        # Under TLS the certificate fits the public name, so that is where people are sent.
        self.origins = {**self.further, **self.own} if self.own_tls else {**self.own, **self.further}

    @classmethod
    def of(cls, bound: Sequence[tuple[str, int]], host: str = "", tls: bool = False, public_url: str = "") -> Addresses:
        scheme, port = "https" if tls else "http", bound[0][1]
        literals = [_LOOPBACK_OF.get(ip, ip) for ip, _ in bound]
        names = [NAME] if {"127.0.0.1", "::1"} & set(literals) and not tls else []
        names += [host] if host and host != "localhost" and not _is_literal(host) else []
        names += [f"[{ip}]" if ":" in ip else ip for ip in literals]
        own = [pair for name in names for pair in _spellings(scheme, name.lower(), port)]
        return cls(port, dict(own), tls, dict(_public(public_url)))

    def serve(self, public_url: str, lan: Sequence[tuple[str, int]] = ()) -> None:
        """From now on also these; what was further before is ours no more. Raises ``usage`` naming hub.public_url."""
        pairs = [*_public(public_url), *(pair for name, port in lan for pair in _spellings("https", _bare(name), port))]
        self.further = dict(pairs)
        self.__post_init__()

    @property
    def phone_url(self) -> str:
        """The first further one; where there is none, our own under TLS, unless that is for this machine only."""
        own = [origin for origin in self.own.values() if self.own_tls and not _is_here(origin)]
        return next(iter([*self.further.values(), *own]), "")

    @property
    def proxied(self) -> str:
        """What a proxy of this machine is to lead to."""
        host = next((host for host in self.own if _is_literal(host.rpartition(":")[0].strip("[]"))), "")
        return self.own.get(host, self.page_url)

    @property
    def page_url(self) -> str:
        return next(iter(self.origins.values()))

    def origin_of(self, host: str) -> str | None:
        return self.origins.get(host.lower())

    def knows(self, origin: str) -> bool:
        return origin in self.origins.values()

    def leads_to(self, host: str) -> str | None:
        """Where a person who typed ``localhost`` is sent instead."""
        return self.page_url + "/" if host.lower() == f"localhost:{self.port}" else None

    def cookie(self, host: str) -> tuple[str, bool]:
        secure = (self.origin_of(host) or "").startswith("https:")
        return f"{'__Host-' if secure else ''}clawmux_{self.port}", secure


def is_loopback(ip: str) -> bool:
    return ipaddress.ip_address(ip.partition("%")[0]).is_loopback


def check_public(url: str) -> None:
    """Raises ``usage`` unless it is empty or a bare https address."""
    _public(url)


def _bare(name: str) -> str:
    return f"[{name}]" if ":" in name else name.lower()


def _is_here(origin: str) -> bool:
    host = urlsplit(origin).hostname or ""
    return host.endswith("localhost") or (_is_literal(host) and is_loopback(host))


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _spellings(scheme: str, name: str, port: int) -> list[tuple[str, str]]:
    """Host and Origin with the port, and as browsers write them where the port is the scheme's own."""
    if port == {"http": 80, "https": 443}[scheme]:
        return [(name, f"{scheme}://{name}"), (f"{name}:{port}", f"{scheme}://{name}")]
    return [(f"{name}:{port}", f"{scheme}://{name}:{port}")]


def _public(url: str) -> list[tuple[str, str]]:
    if not url:
        return []
    wrong = ClawMuxError("usage", f"hub.public_url = {url!r} is not https://name or https://name:port.", "Set the bare address.")
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        raise wrong from None
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.path not in ("", "/") or parts.query:
        raise wrong
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return _spellings("https", name, port)
