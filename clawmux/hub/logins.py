"""What lets a browser in, and the browsers that are in: one-time keys, pairing codes, logins. No HTTP, no sockets here.

    Logins.open(file, now)   ``issue_key`` or ``issue_code`` -> ``redeem`` -> cookie and CSRF value
                             -> ``find``, ``fits``, ``saw`` ... ``end``; ``devices`` lists them

A browser login is two secrets. Cookies are not kept apart by port: any program that listens on another port of this machine
and gets the browser to open ``clawmux.localhost`` there is sent our cookie, once the page asks for more. So the cookie alone
opens nothing: the page must show the CSRF value too, on reads and sockets as well, and keeps it in its origin's storage,
which is bound to the port.

Logins outlive the hub (a restart must not log the page out), so they are kept, as hashes, in a small 0600 file of
their own and not in the store: the way in must not hang on the database being well. They are bound to the token: a new
token ends them all, also when it was rotated while no hub ran. Keys, codes and the login limit live in memory only.
A code is a key short enough to be typed on a phone: 40 bits, good for five minutes, and the limit leaves room for 30 tries
in that time.

Time is an argument: seconds of ``time.time()``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from clawmux.hub.private_file import read_private, write_private
from clawmux.wire.errors import ClawMuxError
from clawmux.wire.text import clean

KEY_SECONDS = 60.0
# Long enough to unlock a phone and to install a certificate on it; each try at a code is paid for at the login limit.
CODE_SECONDS = 300.0
CODE_LETTERS = 8
# Crockford's base 32: none of these is taken for another when it is read aloud or typed.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011", " -")
DEVICE_CHARACTERS = 60
LOGINS_KEPT = 25
# A month: long enough that daily use never meets it, short enough that a forgotten browser does not stay inside.
LOGIN_SECONDS = 30 * 86400.0
TRIES = 5
SECONDS_PER_TRY = 12.0
# When a device was seen last is kept so often only: it is written with two fsyncs.
SEEN_SECONDS = 3600.0

log = logging.getLogger("clawmux.hub.logins")


@dataclass(frozen=True, slots=True)
class Login:
    """What is kept of a browser login."""

    born: float
    csrf: str
    """Hash of the value that the page must show with the cookie."""
    device: str = ""
    """What the browser calls itself, and a number where another has that name."""
    address: str = ""
    """Where it was seen last; told by a proxy's header where there is one, so a hint for people and nothing else."""
    seen: float = 0.0


@dataclass(slots=True)
class Bucket:
    """The login limit: ``TRIES`` at once, then one each ``SECONDS_PER_TRY``, for all callers together."""

    left: float = TRIES
    filled: float = 0.0

    def take(self, now: float) -> bool:
        # A clock set back must not drain the bucket.
        self.left = min(float(TRIES), self.left + max(0.0, now - self.filled) / SECONDS_PER_TRY)
        self.filled = now
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True


class Logins:
    """One-time keys and what they are exchanged for. Holds hashes only: neither keys nor cookies can be read back."""

    def __init__(self, file: Path, bound_to: str, logins: dict[str, Login]) -> None:
        self.on_ended: Callable[[frozenset[str]], None] = lambda ended: None
        """Called with the ids of logins that ended, so that their open sockets can be closed."""
        self.on_changed: Callable[[], None] = lambda: None
        """Called when ``devices`` has one more or one less."""
        self.bound_to = bound_to
        """Id of the token that these logins were made under."""
        self._file = file
        self._logins = logins
        self._keys: dict[bytes, tuple[float, float]] = {}
        """What lets in once: its hash -> when it was made, and for how many seconds it is good."""
        self._written = 0.0
        self._bucket = Bucket()

    @classmethod
    def open(cls, file: Path, now: float) -> Logins:
        bound_to, logins = _read_logins(file)
        return cls(file, bound_to, {name: login for name, login in logins.items() if now - login.born < LOGIN_SECONDS})

    def issue_key(self, now: float) -> str:
        """For a link: 256 bits, good once, for ``KEY_SECONDS``."""
        key = secrets.token_urlsafe(32)
        self._issue(key, now, KEY_SECONDS)
        return key

    def issue_code(self, now: float) -> str:
        """For people: eight letters, good once, for ``CODE_SECONDS``."""
        code = "".join(secrets.choice(_ALPHABET) for _ in range(CODE_LETTERS))
        self._issue(code, now, CODE_SECONDS)
        return f"{code[:4]}-{code[4:]}"

    def _issue(self, secret: str, now: float, seconds: float) -> None:
        self._keys = {k: (born, good) for k, (born, good) in self._keys.items() if now - born < good}
        while len(self._keys) >= LOGINS_KEPT:
            del self._keys[next(iter(self._keys))]
        self._keys[digest_of(secret)] = (now, seconds)

    def redeem(self, secret: str, now: float, device: str = "", address: str = "") -> tuple[str, str]:
        """Cookie and CSRF value of a new login, for a key or a code. Raises ``too_many`` or ``forbidden``."""
        if not self._bucket.take(now):
            raise ClawMuxError("too_many", "too many login tries.", f"Wait {SECONDS_PER_TRY:g} seconds.")
        issued = self._keys.pop(digest_of(secret), None) or self._keys.pop(digest_of(_as_code(secret)), None)
        if issued is None or not 0 <= now - issued[0] < issued[1]:
            remedy = "Run: clawmux open, or for another device: clawmux phone"
            raise ClawMuxError("forbidden", "this key or code is wrong, used or too old.", remedy)
        cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        name = _unlike(device or "Browser", {login.device for login in self._logins.values()})
        self._logins[_hash(cookie)] = Login(now, _hash(csrf), name, address, now)
        oldest_first = sorted(self._logins, key=lambda name: self._logins[name].born)
        self._end(frozenset(oldest_first[:-LOGINS_KEPT]))
        self.on_changed()
        return cookie, csrf

    def find(self, cookie: str, now: float) -> str | None:
        """The login's id, while it is good."""
        login = self._logins.get(_hash(cookie))
        return _hash(cookie) if login is not None and now - login.born < LOGIN_SECONDS else None

    def fits(self, login: str, csrf: str) -> bool:
        """Whether this CSRF value belongs to the login. It is no function of the cookie: who steals that lacks this."""
        return login in self._logins and hmac.compare_digest(self._logins[login].csrf, _hash(csrf))

    def devices(self, now: float) -> dict[str, Login]:
        """The logins that are good, by id, the newest first."""
        good = {name: login for name, login in self._logins.items() if now - login.born < LOGIN_SECONDS}
        return dict(sorted(good.items(), key=lambda pair: -pair[1].born))

    def saw(self, login: str, now: float, address: str) -> None:
        """This login was used from there."""
        if (known := self._logins.get(login)) is None:
            return
        self._logins[login] = replace(known, seen=now, address=address)
        if now - self._written >= SEEN_SECONDS:
            self._write(now)

    def end(self, login: str) -> None:
        self._end(frozenset({login}))

    def bind(self, token_digest: bytes) -> None:
        """Ends every login that was made under another token."""
        bound_to = hashlib.sha256(b"clawmux logins" + token_digest).hexdigest()
        if bound_to != self.bound_to:
            ended = frozenset({self.bound_to, *self._logins})
            self.bound_to = bound_to
            self._keys.clear()
            self._end(ended)

    def _end(self, ended: frozenset[str]) -> None:
        for login in ended:
            self._logins.pop(login, None)
        self._write(self._written)
        if ended:
            self.on_ended(ended)
            self.on_changed()

    def _write(self, now: float) -> None:
        self._written = now
        kept = {name: [login.born, login.csrf] for name, login in self._logins.items()}
        # Apart from the logins: a version that knows no devices can read them all the same.
        devices = {name: [login.device, login.address, login.seen] for name, login in self._logins.items()}
        try:
            write_private(self._file, json.dumps({"token": self.bound_to, "logins": kept, "devices": devices}) + "\n")
        except OSError as error:
            # A full disk must not keep the owner out; what is lost is that the login outlives a restart.
            log.warning("logins could not be kept: %s", error)


def digest_of(text: str) -> bytes:
    # surrogateescape: header bytes that are no UTF-8 must be compared, not raise.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _hash(secret: str) -> str:
    return digest_of(secret).hex()


def _as_code(typed: str) -> str:
    """As it was issued, however it was typed."""
    return typed.upper().translate(_MISREAD)


def _unlike(name: str, taken: set[str]) -> str:
    name = shorten(name)
    return next(n for number in range(1, len(taken) + 2) if (n := f"{name} {number}" if number > 1 else name) not in taken)


def shorten(name: str) -> str:
    """A device's name in one line, without anything that a terminal obeys."""
    return "".join(c for c in " ".join(clean(name).split()) if c.isprintable())[:DEVICE_CHARACTERS] or "Browser"


def _read_logins(file: Path) -> tuple[str, dict[str, Login]]:
    try:
        found = json.loads(read_private(file))
        devices = found.get("devices", {})
        logins = {str(name): _login(*kept, *devices.get(name, ())) for name, kept in found["logins"].items()}
        return str(found["token"]), logins
    except FileNotFoundError:
        return "", {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Only convenience is lost: the page asks for `clawmux open` again.
        log.warning("%s is broken; browsers must log in again", file)
        return "", {}


def _login(born: float, csrf: str, device: str = "Browser", address: str = "", seen: float = 0.0) -> Login:
    return Login(float(born), str(csrf), shorten(str(device)), str(address), float(seen or born))
