"""Push messages on their way: encrypted, signed, and handed to the service of a device's browser maker. Decides not what is told.

An endpoint is an address that a browser has named, so it is a wish and no fact: it must be https on the usual port, and whatever
its name resolves to must be an address of the public internet, at every connection anew. Nothing is redirected, no proxy of the
environment is asked, and of the answer only status and ``Retry-After`` count. What may be reached is ``Reach``, a constant of
this module: no setting, no variable, no request changes it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import abc, hdrs
from yarl import URL

from clawmux.adapters import webpush
from clawmux.hub.private_file import read_private, write_private
from clawmux.hub.subscriptions import ENDPOINT_CHARACTERS, Subscription
from clawmux.wire.errors import ClawMuxError

log = logging.getLogger(__name__)

# Whose operators may want to write to somebody (RFC 8292 2.1): nobody has an address at every user's hub, and Apple's service
# takes no message without one.
CONTACT = "mailto:clawmux@example.com"
# Of the 24 hours that RFC 8292 2 allows; a clock that is hours wrong still fits.
TOKEN_SECONDS = 12 * 3600
# The same token serves for so long: Apple refuses senders that sign anew for each message.
TOKEN_KEPT_SECONDS = 3600
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
# A service that is busy or broken for a moment; after these the message is given up.
RETRY_SECONDS = (2.0, 8.0, 30.0, 120.0, 600.0)
LONGEST_RETRY_SECONDS = 1800.0
AT_ONCE = 8
_LIMITS = aiohttp.ClientTimeout(total=ANSWER_SECONDS, connect=CONNECT_SECONDS)
# Carries an IPv4 address inside, which is the one that counts (RFC 6052); networks without IPv4 reach everything by it.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Outcome(Enum):
    SENT = "sent"
    GONE = "gone"
    """The device has withdrawn its subscription."""
    REFUSED = "refused"
    """It will not be taken, however often it is sent."""
    FAILED = "failed"
    """The service could not be reached, or was busy to the end."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is pushed."""

    body: dict[str, Any]
    topic: str
    """One that is still on its way is replaced by the next of the same topic (RFC 8030 5.4)."""
    ttl_seconds: int
    urgency: str = "normal"


def is_public(address: str) -> bool:
    """Whether this IP address is one of the public internet, and so nothing of ours or of our network."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None or ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.sixtofour is not None or ip.teredo is not None:
            return False  # tunnels of the past, which may end anywhere
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local)


@dataclass(frozen=True, slots=True)
class Reach:
    """Where messages may go. A test gives another one; nothing else can."""

    schemes: frozenset[str] = frozenset({"https"})
    ports: frozenset[int] | None = frozenset({443})
    """None: all."""
    is_allowed: Callable[[str], bool] = is_public

    def check(self, endpoint: str) -> URL:
        """What can be judged without asking for its address. Raises ``usage``."""
        fault = "" if len(endpoint) <= ENDPOINT_CHARACTERS else f"has more than {ENDPOINT_CHARACTERS} characters"
        url = URL()
        try:
            url = URL(endpoint, encoded=True)
            port = url.port
        except ValueError:
            url, port, fault = URL(), None, fault or "is not an address"
        if not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
            fault = fault or "is not an address"
        elif url.scheme not in self.schemes or not url.host:
            fault = fault or "is not an https address"
        elif url.user is not None or url.password is not None or url.fragment:
            fault = fault or "holds a name, a password or a fragment"
        elif self.ports is not None and port not in self.ports:
            fault = fault or "is not on port 443"
        elif _is_numeric(url.host) and not self.is_allowed(url.host):
            fault = fault or "is not on the public internet"
        if fault:
            raise ClawMuxError("usage", f"field 'endpoint' {fault}.", "Send what the browser gave.")
        return url


PUBLIC = Reach()


class Guarded(abc.AbstractResolver):
    """Names whose addresses all may be reached; the connection goes to just these."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[abc.ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        # One among many is enough: whoever owns the name chooses which one is taken.
        if not found or not all(self._reach.is_allowed(result["host"]) for result in found):
            raise NotPublic(f"{host} is not on the public internet")
        return found

    async def close(self) -> None:
        await self._resolver.close()


class NotPublic(OSError):
    """A name that leads to us, or into our network."""


class Push:
    """The hub's side of web push: its key, and the way out."""

    def __init__(self, key_file: Path, reach: Reach = PUBLIC, retry_seconds: tuple[float, ...] = RETRY_SECONDS) -> None:
        self._key_file = key_file
        self._reach = reach
        self._retry_seconds = retry_seconds
        self._pem = ""
        self._tokens: dict[str, tuple[float, str]] = {}
        self._client: aiohttp.ClientSession | None = None
        self._room = asyncio.Semaphore(AT_ONCE)

    async def public_key(self) -> str:
        """What pages subscribe with. Raises ``bad_file`` and ``unsafe_files``."""
        return webpush.public_key(await self._key())

    async def check(self, endpoint: str) -> None:
        """Raises ``usage`` for an endpoint that nothing may be sent to. One that does not resolve now may do so later."""
        url = self._reach.check(endpoint)
        try:
            if url.host and not _is_numeric(url.host):
                await Guarded(self._reach).resolve(url.host, url.port or 443, socket.AF_UNSPEC)
        except NotPublic:
            raise ClawMuxError(
                "usage", "field 'endpoint' is not on the public internet.", "Send what the browser gave."
            ) from None
        except OSError as error:
            log.info("push service %s: %s", url.host, error)

    async def deliver(self, subscription: Subscription, message: Message) -> Outcome:
        """Hand it over, with patience. Waits, so it is a task's."""
        until = time.monotonic() + message.ttl_seconds
        for pause in (*self._retry_seconds, None):
            outcome, wished = await self._try(subscription, message)
            if outcome is not Outcome.FAILED or pause is None:
                return outcome
            wait = min(max(pause, wished), LONGEST_RETRY_SECONDS)
            if time.monotonic() + wait > until:
                return outcome
            await asyncio.sleep(wait)
        return Outcome.FAILED

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()

    # -- inside --

    async def _try(self, subscription: Subscription, message: Message) -> tuple[Outcome, float]:
        """What came of it, and how many seconds the service wants to be left alone."""
        try:
            url = self._reach.check(subscription.endpoint)
            headers = await self._headers(url, message)
            text = json.dumps(message.body, ensure_ascii=False).encode()
            body = webpush.encrypt(text, webpush.decoded(subscription.p256dh), webpush.decoded(subscription.auth))
        except (ClawMuxError, ValueError) as error:
            log.warning("a push message cannot be made: %s", error)
            return Outcome.REFUSED, 0.0
        try:
            async with (
                self._room,
                self._session().post(url, data=body, headers=headers, allow_redirects=False, timeout=_LIMITS) as answer,
            ):
                return self._judge(url, answer)
        except (aiohttp.ClientError, OSError) as error:
            # The endpoint itself is a secret: its host is all that is told.
            is_refused = isinstance(error, NotPublic) or isinstance(error.__cause__, NotPublic)
            log.log(logging.WARNING if is_refused else logging.INFO, "push by %s: %s", url.host, type(error).__name__)
            return (Outcome.REFUSED if is_refused else Outcome.FAILED), 0.0

    @staticmethod
    def _judge(url: URL, answer: aiohttp.ClientResponse) -> tuple[Outcome, float]:
        status = answer.status
        if 200 <= status < 300:
            return Outcome.SENT, 0.0
        if status in (404, 410):
            return Outcome.GONE, 0.0
        log.warning("push by %s: it answers %d", url.host, status)
        if status == 429 or status >= 500:
            return Outcome.FAILED, _seconds(answer.headers.get(hdrs.RETRY_AFTER, ""))
        return Outcome.REFUSED, 0.0

    async def _headers(self, url: URL, message: Message) -> dict[str, str]:
        return {
            hdrs.AUTHORIZATION: self._token(await self._key(), str(url.origin())),
            hdrs.CONTENT_ENCODING: "aes128gcm",
            hdrs.CONTENT_TYPE: "application/octet-stream",
            "TTL": str(message.ttl_seconds),
            "Topic": message.topic,
            "Urgency": message.urgency,
            hdrs.USER_AGENT: "ClawMux",
        }

    def _token(self, pem: str, audience: str) -> str:
        now = time.time()
        born, token = self._tokens.get(audience, (0.0, ""))
        if not 0 <= now - born < TOKEN_KEPT_SECONDS:
            token = webpush.authorization(pem, audience, CONTACT, int(now) + TOKEN_SECONDS)
            self._tokens[audience] = (now, token)
        return token

    async def _key(self) -> str:
        if not self._pem:
            self._pem = await asyncio.to_thread(_read_or_make, self._key_file)
        return self._pem

    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:
            connector = aiohttp.TCPConnector(resolver=Guarded(self._reach), use_dns_cache=False, limit=AT_ONCE)
            jar = aiohttp.DummyCookieJar()
            self._client = aiohttp.ClientSession(connector=connector, cookie_jar=jar, trust_env=False, auto_decompress=False)
        return self._client


def _read_or_make(file: Path) -> str:
    """The hub's own key. A new one would make every subscription worthless, so a broken file is left for people to look at."""
    if not os.path.lexists(file):
        write_private(file, webpush.new_key(), replace=False)
    pem = read_private(file)
    try:
        webpush.public_key(pem)
    except ValueError:
        remedy = "Remove it, and a new one is made; devices must then switch notifications on again."
        raise ClawMuxError("bad_file", f"{file} is not a private key of P-256.", remedy) from None
    return pem


def _is_numeric(host: str) -> bool:
    """Whether aiohttp takes it for an address and asks no resolver: also what other programs read as one, such as 2130706433."""
    return ":" in host or host.replace(".", "").isdigit()


def _seconds(retry_after: str) -> float:
    """Of a header that may also be a date, or nonsense: then our own pause will do."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 7 else 0.0
