"""Who a caller is, as far as secrets tell: the API token, and what lets browsers in. No HTTP, no sockets here.

    Auth(token, logins, panes, clock)   everything a request is judged by; ``refresh()`` notices a rotated token
    Caller(role, via, session_id, ...)  the verdict; ``hub/guard.py`` puts it into ``request[CALLER]``
    Token.open(file)                    the bearer token of programs: ``matches``, ``rotate``, ``text``

What lets browsers in is ``hub/logins.py``. Identity on the unix socket comes from the kernel: ``hub/peer.py``.
Time is an argument: seconds of ``time.time()``.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from clawmux.hub.logins import Logins, digest_of
from clawmux.hub.private_file import read_private, write_private
from clawmux.paths import make_private
from clawmux.wire.errors import ClawMuxError

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
