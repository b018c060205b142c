"""One call of a command: who makes it, for which session, and what it prints. Carries out nothing."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from clawmux.core.message import USER
from clawmux.hub.auth import Caller, Role
from clawmux.hub.runtime import Runtime
from clawmux.wire.errors import ClawMuxError

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command prints and exits with; ``error`` goes to stderr and gives the exit code."""

    out: str = ""
    error: ClawMuxError | None = None
    note: str = ""
    """For stderr, besides the error if there is one."""
    handed_over: Callable[[bool], None] | None = None
    """To be called once, with whether the caller has got it."""


@dataclass(frozen=True, slots=True)
class Door:
    """One call: who calls, known from the socket, and for which session."""

    runtime: Runtime
    caller: Caller
    hint: str
    """The session named in the path; counts for the owner only. ``-``: none."""
    request_id: str
    """Chosen by the client, the same when it asks again after a broken connection; empty: it chose none."""
    page_url: str

    @property
    def session_id(self) -> str:
        """The session that speaks: the caller's own, or for the owner the one in the path."""
        if self.caller.role is Role.AGENT:
            return self.runtime.agents.get(self.caller.session_id or "").id
        if self.hint == "-":
            raise ClawMuxError("usage", "this shell belongs to no agent session.", "Set CLAWMUX_SESSION_ID, or use the page.")
        return self.runtime.agents.find(self.hint).id

    @property
    def is_owner(self) -> bool:
        """Not an agent: a person at a shell or a page, or a script of theirs."""
        return self.caller.role is not Role.AGENT

    @property
    def sender(self) -> str:
        """Who sends messages through this door: a session's id, or ``user``."""
        return USER if self.is_owner and self.hint == "-" else self.session_id


Handler = Callable[[Door, Any], Coroutine[Any, Any, Said]]


def checked_request_id(text: str) -> str:
    if not text:
        return secrets.token_hex(16)
    if not _REQUEST_ID.fullmatch(text):
        raise ClawMuxError("usage", f"request id {text[:70]!r} must be 8 to 64 letters, digits, - and _.")
    return text
