"""The devices that have asked for push messages: each bound to its browser's login, in one 0600 file. Sends nothing.

An endpoint is a secret of its device: whoever knows it and the keys can send there. It stands in the file and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clawmux.adapters import webpush
from clawmux.core.attention import Subscriber
from clawmux.hub.private_file import read_private, write_private
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.words import Need

log = logging.getLogger(__name__)

# A browser has one; it may leave an older one behind when it makes another.
PER_LOGIN = 3
ENDPOINT_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a browser gives to whoever may send to it, and what its user wants to be told."""

    endpoint: str
    p256dh: str
    """Its public key; base64url."""
    auth: str
    """Its secret, 16 bytes; base64url."""
    login: str
    kinds: tuple[Need, ...]
    words: bool = False
    """What agents say may go along."""

    @property
    def id(self) -> str:
        return hashlib.sha256(self.endpoint.encode()).hexdigest()[:16]

    @property
    def subscriber(self) -> Subscriber:
        return Subscriber(self.id, self.login, frozenset(self.kinds))


class Subscriptions:
    """By id; the newest of a login last."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: dict[str, Subscription] = {s.id: s for s in _read(file)}

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._kept.values()))

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, subscription_id: str) -> Subscription | None:
        return self._kept.get(subscription_id)

    def of(self, login: str) -> list[Subscription]:
        return [s for s in self if s.login == login]

    def put(self, subscription: Subscription) -> None:
        """New, or with other wishes; what a login has too many of is dropped, the oldest first."""
        before = dict(self._kept)
        self._kept.pop(subscription.id, None)
        self._kept[subscription.id] = subscription
        for old in self.of(subscription.login)[:-PER_LOGIN]:
            del self._kept[old.id]
        if list(self._kept.items()) != list(before.items()):
            self._write()

    def drop(self, subscription_id: str) -> bool:
        """True when it was there."""
        if self._kept.pop(subscription_id, None) is None:
            return False
        self._write()
        return True

    def keep_logins(self, logins: Collection[str]) -> None:
        """Those of all other logins go: their devices are out."""
        kept = {s.id: s for s in self if s.login in logins}
        if len(kept) != len(self._kept):
            self._kept = kept
            self._write()

    def _write(self) -> None:
        try:
            write_private(self._file, json.dumps([asdict(s) for s in self]) + "\n")
        except OSError as error:
            # What is lost is that it outlives a restart: pages tell their subscription again when they are opened.
            log.warning("push subscriptions could not be kept: %s", error)


def _read(file: Path) -> list[Subscription]:
    try:
        return [_subscription(row) for row in json.loads(read_private(file))]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        log.warning("%s is broken; devices subscribe again when their page is opened", file)
        return []


def _subscription(row: dict[str, Any]) -> Subscription:
    kinds = tuple(Need(kind) for kind in row["kinds"])
    return Subscription(
        str(row["endpoint"]), str(row["p256dh"]), str(row["auth"]), str(row["login"]), kinds, row["words"] is True
    )


def checked_keys(p256dh: str, auth: str) -> tuple[str, str]:
    """The keys of a subscription, as they are written here. Raises ``usage``."""
    for name, text, fits in (("p256dh", p256dh, webpush.is_public_key), ("auth", auth, webpush.is_auth_secret)):
        try:
            is_good = fits(webpush.decoded(text))
        except ValueError:
            is_good = False
        if not is_good:
            expected = "a point of P-256, 65 bytes" if name == "p256dh" else "16 bytes"
            raise ClawMuxError("usage", f"field {name!r} is not {expected} in base64url.", "Send what the browser gave.")
    return webpush.encoded(webpush.decoded(p256dh)), webpush.encoded(webpush.decoded(auth))


def checked_kinds(kinds: list[Any]) -> tuple[Need, ...]:
    """Raises ``usage``."""
    known = [need.value for need in Need]
    if unknown := [kind for kind in kinds if kind not in known]:
        raise ClawMuxError("usage", f"field 'kinds': {unknown[0]!r:.40} is no kind.", f"Kinds: {', '.join(known)}.")
    return tuple(need for need in Need if need.value in kinds)
