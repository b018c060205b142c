"""Who a caller is, as far as secrets tell: the API token, one-time keys, browser logins. No HTTP, no sockets here.

    Auth(token, logins, panes, clock)   everything a request is judged by; ``refresh()`` notices a rotated token
    Caller(role, via, session_id, ...)  the verdict; ``hub/guard.py`` puts it into ``request[CALLER]``
    Token.open(file)                    the bearer token of programs: ``matches``, ``rotate``, ``text``
    Logins.open(file, now)              ``issue_key`` -> ``redeem`` -> cookie and CSRF value -> ``find``, ``fits`` ... ``end``

A browser login is two secrets. Cookies are not kept apart by port: any program that listens on another port of this machine
and gets the browser to open ``clawmux.localhost`` there is sent our cookie, once the page asks for more. So the cookie alone
opens nothing: the page must show the CSRF value too, on reads and sockets as well, and keeps it in its origin's storage,
which is bound to the port.

Logins outlive the hub (a restart must not log the page out), so they are kept, as hashes, in a small 0600 file of
their own and not in the store: they are written at login and logout only, and the way in must not hang on the
database being well. They are bound to the token: a new token ends them all, also when it was rotated while no hub ran.
One-time keys and the login limit live in memory only.

Identity on the unix socket comes from the kernel: ``hub/peer.py``. Time is an argument: seconds of ``time.time()``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from clawmux.hub.private_file import read_private, write_private
from clawmux.paths import make_private
from clawmux.wire.errors import ClawMuxError

KEY_SECONDS = 60.0
LOGINS_KEPT = 25
# A month: long enough that daily use never meets it, short enough that a forgotten browser does not stay inside.
LOGIN_SECONDS = 30 * 86400.0
TRIES = 5
SECONDS_PER_TRY = 12.0

log = logging.getLogger("clawmux.hub.auth")


class Role(StrEnum):
    """What a caller may be to this hub."""

    OWNER = "owner"
    AGENT = "agent"
    STRANGER = "stranger"


class Via(StrEnum):
    """What the caller showed."""

    SOCKET = "socket"
    COOKIE = "cookie"
    TOKEN = "token"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent this request; made from facts only, never from a field of the message."""

    role: Role
    via: Via
    session_id: str = ""
    """The agent's session, when the role is agent."""
    pid: int = 0
    """The process at the other end of the unix socket."""
    login: str = ""
    """Id of what let it in over TCP, browser login or token; ``Logins.on_ended`` names the same id."""


STRANGER = Caller(Role.STRANGER, Via.NOTHING)


def digest_of(text: str) -> bytes:
    # surrogateescape: header bytes that are no UTF-8 must be compared, not raise.
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


@dataclass(frozen=True, slots=True)
class Login:
    """What is kept of a browser login."""

    born: float
    csrf: str
    """Hash of the value that the page must show with the cookie."""


class Token:
    """The bearer token of programs: one line in a file only we can read, read again when the file changes."""

    def __init__(self, file: Path, text: str) -> None:
        self.file = file
        self._seen = _version(file)
        self._digest = digest_of(text)

    @classmethod
    def open(cls, file: Path) -> Token:
        """The token, made when there is none. Raises ``unsafe_files`` when others could read or swap it."""
        make_private(file.parent)
        if not os.path.lexists(file):
            write_private(file, secrets.token_urlsafe(32) + "\n", replace=False)
        return cls(file, _token_text(file))

    @property
    def digest(self) -> bytes:
        """SHA-256 of the token in force; empty, so that nothing matches, while the file is unfit."""
        if (version := _version(self.file)) != self._seen:
            self._seen = version
            try:
                self._digest = digest_of(_token_text(self.file))
            except (ClawMuxError, OSError) as error:
                log.error("no API token is accepted: %s", error)
                self._digest = b""
        return self._digest

    def text(self) -> str:
        return _token_text(self.file)

    def matches(self, presented: str) -> bool:
        return hmac.compare_digest(digest_of(presented), self.digest)

    def rotate(self) -> str:
        """A new token; the old one and every browser login end with it."""
        text = secrets.token_urlsafe(32)
        write_private(self.file, text + "\n")
        return text


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
        self.bound_to = bound_to
        """Id of the token that these logins were made under."""
        self._file = file
        self._logins = logins
        self._keys: dict[bytes, float] = {}
        self._bucket = Bucket()

    @classmethod
    def open(cls, file: Path, now: float) -> Logins:
        bound_to, logins = _read_logins(file)
        return cls(file, bound_to, {name: login for name, login in logins.items() if now - login.born < LOGIN_SECONDS})

    def issue_key(self, now: float) -> str:
        key = secrets.token_urlsafe(32)
        self._keys = {k: t for k, t in self._keys.items() if now - t < KEY_SECONDS}
        while len(self._keys) >= LOGINS_KEPT:
            del self._keys[next(iter(self._keys))]
        self._keys[digest_of(key)] = now
        return key

    def redeem(self, key: str, now: float) -> tuple[str, str]:
        """Cookie and CSRF value of a new login. Raises ``too_many`` or ``forbidden``."""
        if not self._bucket.take(now):
            raise ClawMuxError("too_many", "too many login tries.", f"Wait {SECONDS_PER_TRY:g} seconds.")
        issued = self._keys.pop(digest_of(key), None)
        if issued is None or not 0 <= now - issued < KEY_SECONDS:
            raise ClawMuxError("forbidden", "this login key is wrong, used or older than a minute.", "Run: clawmux open")
        cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._logins[_hash(cookie)] = Login(now, _hash(csrf))
        oldest_first = sorted(self._logins, key=lambda name: self._logins[name].born)
        self._end(frozenset(oldest_first[:-LOGINS_KEPT]))
        return cookie, csrf

    def find(self, cookie: str, now: float) -> str | None:
        """The login's id, while it is good."""
        login = self._logins.get(_hash(cookie))
        return _hash(cookie) if login is not None and now - login.born < LOGIN_SECONDS else None

    def fits(self, login: str, csrf: str) -> bool:
        """Whether this CSRF value belongs to the login. It is no function of the cookie: who steals that lacks this."""
        return login in self._logins and hmac.compare_digest(self._logins[login].csrf, _hash(csrf))

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
        try:
            kept = {name: [login.born, login.csrf] for name, login in self._logins.items()}
            write_private(self._file, json.dumps({"token": self.bound_to, "logins": kept}) + "\n")
        except OSError as error:
            # A full disk must not keep the owner out; what is lost is that the login outlives a restart.
            log.warning("logins could not be kept: %s", error)
        if ended:
            self.on_ended(ended)


@dataclass(slots=True)
class Auth:
    """All that a request is judged by."""

    token: Token
    logins: Logins
    panes: Callable[[], Mapping[int, str]]
    """Pane process id -> session id of the agents that live now."""
    clock: Callable[[], float] = field(default=time.time)

    @classmethod
    def open(cls, folder: Path, panes: Callable[[], Mapping[int, str]], clock: Callable[[], float] = time.time) -> Auth:
        """Reads or makes the files in ``folder`` (``paths.data``). Raises ``unsafe_files``: then the hub must not start."""
        auth = cls(Token.open(folder / "token"), Logins.open(folder / "logins.json", clock()), panes, clock)
        auth.refresh()
        return auth

    def refresh(self) -> None:
        """Notice a token that was rotated in its file; costs one stat."""
        self.logins.bind(self.token.digest)


def _version(file: Path) -> tuple[int, int, int] | None:
    try:
        facts = file.lstat()
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns, facts.st_mode


def _token_text(file: Path) -> str:
    text = read_private(file).strip()
    if len(text) < 32 or not text.isascii() or not text.isprintable() or " " in text:
        raise ClawMuxError("bad_file", f"{file}: this is not a token of at least 32 letters.", "Remove it; a new one is made.")
    return text


def _hash(secret: str) -> str:
    return digest_of(secret).hex()


def _read_logins(file: Path) -> tuple[str, dict[str, Login]]:
    try:
        found = json.loads(read_private(file))
        return str(found["token"]), {str(name): Login(float(born), str(csrf)) for name, (born, csrf) in found["logins"].items()}
    except FileNotFoundError:
        return "", {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # Only convenience is lost: the page asks for `clawmux open` again.
        log.warning("%s is broken; browsers must log in again", file)
        return "", {}
